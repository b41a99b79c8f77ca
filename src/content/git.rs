//! A git repository: a bare mirror, fetched and read through the git program.
