//! Relative links and images made absolute (RFC 3986 section 5).
