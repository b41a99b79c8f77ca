//! Postfix's `smtp-sink` on a loopback port: a relay that somebody else wrote. It takes everything and keeps nothing.

#![allow(dead_code)] // shared by a test program and a benchmark; neither uses all of it
#![allow(clippy::unwrap_used)] // a test's helper may fail the test

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running sink. Dropping it ends it.
pub struct Sink {
    child: Child,
    /// Its port on 127.0.0.1.
    pub port: u16,
}

impl Sink {
    /// Starts one and waits until it listens; `None` when Postfix is not installed.
    pub fn start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = postfix("smtp-sink")?;
        // Started as root it wants a user to become, and only then.
        let id = Command::new("id").arg("-u").output().ok()?;
        if id.stdout.trim_ascii() == b"0" {
            command.args(["-u", "nobody"]);
        }
        let child = command.args([&format!("127.0.0.1:{port}"), "256"]).stdout(Stdio::null()).spawn().ok()?;
        let sink = Self { child, port };
        let listens = (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        listens.then_some(sink)
    }
}

impl Sink {
    /// The process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program of Postfix, which many systems keep out of the path of users.
pub fn postfix(program: &str) -> Option<Command> {
    [program.to_owned(), format!("/usr/sbin/{program}")].into_iter().find_map(|path| {
        let found = Command::new(&path).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
        found.then(|| Command::new(path))
    })
}
