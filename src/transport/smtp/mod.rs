//! SMTP on lettre's low-level connection: [`Relay`] opens sessions, a [`Connection`] works in rounds.

mod deadline;
mod judge;
mod login;
mod relay;
mod session;
mod wire;

pub use relay::Relay;
pub use session::Connection;
