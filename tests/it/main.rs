//! Tidings through its public doors: HTTP, SMTP, git and the command line, on SQLite and on PostgreSQL; and its ports, each
//! on the real thing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // all of this is tests; clippy's own allowance ends at functions marked #[test]

mod accidents;
mod bad_input;
mod command_line;
mod content;
mod delivery;
mod engine;
mod harness;
mod malicious;
mod pages;
mod publishing;
mod replay;
mod store;
mod subscribing;
mod tour;
mod transport;
mod web;
mod webhook;

#[path = "../support/crowd.rs"]
mod crowd;
#[path = "../support/postgres.rs"]
mod postgres;
#[path = "../support/proxy.rs"]
mod proxy;
#[path = "../support/sink.rs"]
mod sink;
#[path = "../support/smtp.rs"]
mod smtp;
#[path = "../support/tls.rs"]
mod tls;
