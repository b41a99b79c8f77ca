//! Tidings through its public doors: HTTP, SMTP, git and the command line, on SQLite and on PostgreSQL; and its ports, each
//! on the real thing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // all of this is tests; clippy's own allowance ends at functions marked #[test]

mod accidents;
mod archive;
mod bad_input;
mod bounces;
mod browsing;
mod command_line;
mod content;
mod delivery;
mod engine;
mod feeds;
mod harness;
mod mail_programs;
mod malicious;
mod pages;
mod preview;
mod publishing;
mod readers;
mod replay;
mod signing;
mod still;
mod store;
mod subscribing;
mod tour;
mod transport;
mod web;
mod webhook;
mod websub;

#[path = "../support/browser.rs"]
mod browser;
#[path = "../support/crowd.rs"]
mod crowd;
#[path = "../support/postfix.rs"]
mod postfix;
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
