//! Tidings through its public doors: HTTP, SMTP, git and the command line, on SQLite and on PostgreSQL.

mod bad_input;
mod command_line;
mod delivery;
mod harness;
mod kill;
mod publishing;
mod subscribing;
mod tour;
mod web;

#[path = "../support/postgres.rs"]
mod postgres;
#[path = "../support/smtp.rs"]
mod smtp;
