//! Tidings turns a git repository of Markdown issues into feeds and mail.
//!
//! A **watcher** detects new issues in the **content** repository, a **renderer** turns each into **feed**
//! entries and a **digest** mail, and a **scheduler** opens mailings that the **sender** delivers to
//! **subscribers**. `ARCHITECTURE.md` walks through it; this is the map. A module imports only from lines above it.

// 1 vocabulary: types that cannot hold a wrong value; the only sources of time and chance
pub mod chance;
pub mod clock;
pub mod types;

// 2 core: pure decisions; no async, no I/O, no clock, no randomness, no SQL, no HTTP
pub mod bounce;
pub mod delivery;
pub mod digest;
pub mod feed;
pub mod issue;
pub mod message;
pub mod schedule;
pub mod site;
pub mod subscription;
pub mod websub;

// 3 renderer: Markdown, sanitising, URLs, text part, templates
pub mod renderer;

// 4 configuration: one validated struct
pub mod config;
pub mod letters;

// 5 ports: the world outside, and nothing else; they never import each other. What two of them need is above them
pub mod tls;

pub mod content;
pub mod hub;
pub mod mailbox;
pub mod store;
pub mod transport;

// 6 roles: each `tick`s; they never import each other and meet only in the store
pub mod control;
pub mod distributor;
pub mod housekeeper;
pub mod receiver;
pub mod scheduler;
pub mod sender;
pub mod status;
pub mod watcher;

// 7 web face: pages, feeds and subscriptions; private pages for operators
pub mod http;

// 8 wiring and the command line
pub mod app;
pub mod cli;
