//! text/plain from the Markdown events: wrapped, links numbered, lists, quotes, tables and code kept.
