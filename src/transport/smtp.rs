//! SMTP on lettre's low-level connection.

/// A relay.
#[derive(Clone, Debug)]
pub struct Relay {}

/// An open SMTP session.
#[derive(Debug)]
pub struct Connection {}
