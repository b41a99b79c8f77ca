//! What the engine is compared with: Postfix's `smtp-source`, nodemailer with a pool, and OpenSSL's own speed at signing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::processor;
use crate::sink::postfix;

/// Messages a second of `smtp-source`, with sessions that stay open, and its processor time for one in microseconds.
pub fn smtp_source(port: u16, messages: usize, sessions: usize, size: usize) -> (f64, f64) {
    let mut command = postfix("smtp-source").unwrap();
    command.args(["-d", "-s", &sessions.to_string(), "-m", &messages.to_string(), "-l", &size.to_string()]);
    let (start, before) = (Instant::now(), processor::ended());
    assert!(command.arg(format!("127.0.0.1:{port}")).status().unwrap().success());
    let messages = messages as f64;
    (messages / start.elapsed().as_secs_f64(), (processor::ended() - before) * 1e6 / messages)
}

/// RSA-2048 signatures a second of so many processes at a time; `None` without OpenSSL's program.
pub fn openssl(processes: usize) -> Option<f64> {
    let mut command = Command::new("openssl");
    command.args(["speed", "-seconds", "3", "-multi", &processes.to_string(), "rsa2048"]);
    let output = command.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.starts_with("rsa") && line.contains("2048 bits"))?;
    line.split_whitespace().nth(5)?.parse().ok()
}

/// nodemailer from npm, which is put under `target/`; `None` without npm.
pub fn nodemailer() -> Option<PathBuf> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/nodemailer");
    if !place.join("node_modules/nodemailer").is_dir() {
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]).arg(&place).arg("nodemailer@10.6.1");
        npm.status().ok().filter(std::process::ExitStatus::success)?;
    }
    Some(place)
}

/// Messages a second of nodemailer: a pool, DKIM with RSA-2048, a text and an HTML part with the reader's name in them.
pub fn with_nodemailer(place: &Path, port: u16, messages: usize, sessions: usize, key: &Path, html: &str) -> f64 {
    let script = place.join("send.cjs");
    std::fs::write(&script, include_str!("nodemailer.js")).unwrap();
    std::fs::write(place.join("letter.html"), html).unwrap();
    let mut node = Command::new("node");
    node.arg(&script).args([port.to_string(), messages.to_string(), sessions.to_string()]).arg(key).current_dir(place);
    let output = node.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.trim().parse().unwrap_or_else(|_| panic!("nodemailer: {text}{}", String::from_utf8_lossy(&output.stderr)))
}
