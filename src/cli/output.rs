//! What several verbs print alike.

use std::io::{IsTerminal, Write};

use anyhow::{Context, bail};
use serde::Serialize;

use crate::config::{Config, Newsletter};

/// Prints a value as indented JSON.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value).context("cannot write JSON")?);
    Ok(())
}

/// `1 issue`, `2 issues`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The newsletter that a command means: the named one, or the only one.
pub fn newsletter<'a>(config: &'a Config, name: Option<&str>) -> anyhow::Result<&'a Newsletter> {
    let names = || config.newsletters.iter().map(|n| n.id.as_str()).collect::<Vec<_>>().join(", ");
    match (name, config.newsletters.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => bail!("there are several newsletters; name one with --newsletter: {}", names()),
        (Some(name), all) => match all.iter().find(|newsletter| newsletter.id.as_str() == name) {
            Some(newsletter) => Ok(newsletter),
            None => bail!("there is no newsletter {name:?}; there is: {}", names()),
        },
    }
}

/// A line on the terminal that counts while a command works; nothing where output goes to a file or a program.
pub struct Progress {
    noun: &'static str,
    shown: bool,
}

impl Progress {
    /// Counts `noun`, such as `subscribers read`.
    pub fn new(noun: &'static str) -> Self {
        Self { noun, shown: std::io::stderr().is_terminal() }
    }

    fn say(&self, text: &str) {
        if self.shown {
            eprint!("\r{text}\x1b[K");
            let _ = std::io::stderr().flush();
        }
    }

    /// Shows the count.
    pub fn at(&self, count: usize) {
        self.say(&format!("{count} {}", self.noun));
    }
}

/// Waits for work whose length nobody knows, such as a fetch; on a terminal a line says what is going on, from the first second on.
pub async fn waiting<T>(what: &str, work: impl Future<Output = T>) -> T {
    let shown = Progress { noun: "", shown: std::io::stderr().is_terminal() };
    tokio::pin!(work);
    let mut seconds = 0;
    loop {
        tokio::select! {
            result = &mut work => return result,
            () = tokio::time::sleep(std::time::Duration::from_secs(1)) => seconds += 1,
        }
        shown.say(&format!("{what} ({seconds} s)"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            eprint!("\r\x1b[K");
        }
    }
}
