//! Quoted-printable with slots that never move a line (RFC 2045 section 6.7), and encoded words (RFC 2047).
