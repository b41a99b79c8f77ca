//! Runs the git program on a mirror: a clean environment, no prompts, a deadline, bounded output.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use super::failure::Failure;

/// Variables that git, ssh and curl may need. Everything else, above all every other `GIT_...`, is left out.
const KEPT: [&str; 15] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "GIT_SSH_COMMAND",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
];

/// The only settings there are besides the mirror's own. A file and not `-c`, because the process that git starts to serve
/// a local repository obeys `safe.directory` only from a file; the repository may belong to another user. `uploadpack` is for
/// that process too: a local repository then gives a part as any other does. Nothing is pruned, because an issue that was
/// moved and edited is known by its earlier text, also after a forced push.
const SETTINGS: &str = "\
[safe]
\tdirectory = *
[core]
\thooksPath = /dev/null
\tfsmonitor = false
[protocol]
\tallow = never
[protocol \"file\"]
\tallow = always
[protocol \"git\"]
\tallow = always
[protocol \"http\"]
\tallow = always
[protocol \"https\"]
\tallow = always
[protocol \"ssh\"]
\tallow = always
[http]
\tlowSpeedLimit = 1
\tlowSpeedTime = 60
[uploadpack]
\tallowFilter = true
\tallowAnySHA1InWant = true
[gc]
\tautoDetach = false
\tpruneExpire = never
[maintenance]
\tautoDetach = false
";

/// Name of the settings file within the mirror.
const SETTINGS_FILE: &str = "tidings.gitconfig";

/// A listing of 500,000 files stays below. More is no newsletter: a few small trees can name each other into billions.
pub(super) const MAX_OUTPUT: u64 = 128 * 1024 * 1024;

/// What a command writes.
pub(super) type Output = BufReader<ChildStdout>;

/// Enough for git's last words.
const MAX_WORDS: u64 = 16 * 1024;

/// The git program, pointed at a mirror.
#[derive(Debug)]
pub(super) struct Git {
    program: PathBuf,
    mirror: PathBuf,
}

impl Git {
    pub(super) fn new(mirror: &Path) -> Self {
        Self { program: program(), mirror: std::path::absolute(mirror).unwrap_or_else(|_| mirror.to_owned()) }
    }

    pub(super) fn mirror(&self) -> &Path {
        &self.mirror
    }

    /// Whether the mirror was made.
    pub(super) fn has_mirror(&self) -> bool {
        self.mirror.join("HEAD").is_file() && self.mirror.join("objects").is_dir()
    }

    /// Writes [`SETTINGS`] into the mirror.
    pub(super) async fn write_settings(&self) -> io::Result<()> {
        let path = self.mirror.join(SETTINGS_FILE);
        match tokio::fs::read_to_string(&path).await {
            Ok(text) if text == SETTINGS => Ok(()),
            _ => tokio::fs::write(&path, SETTINGS).await,
        }
    }

    /// Runs a command and returns what it wrote.
    pub(super) async fn run(&self, arguments: &[&str], deadline: Duration) -> Result<Vec<u8>, Failure> {
        self.run_with(arguments, &[], Vec::new(), deadline).await
    }

    /// Runs a command with more environment and with input.
    pub(super) async fn run_with(
        &self,
        arguments: &[&str],
        environment: &[(String, String)],
        input: Vec<u8>,
        deadline: Duration,
    ) -> Result<Vec<u8>, Failure> {
        let child = self.start(arguments, environment)?;
        read_while(child, input, deadline, drain).await
    }

    /// Runs a command with input, and has its output read while it is written.
    pub(super) async fn run_reading<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        arguments: &[&str],
        input: Vec<u8>,
        deadline: Duration,
        read: impl FnOnce(Output) -> F,
    ) -> Result<T, Failure> {
        let child = self.start(arguments, &[])?;
        read_while(child, input, deadline, read).await
    }

    /// Removes what a fetch that was killed left half written.
    pub(super) async fn sweep(&self) {
        let Ok(mut entries) = tokio::fs::read_dir(self.mirror.join("objects/pack")).await else { return };
        while let Ok(Some(entry)) = entries.next_entry().await {
            if entry.file_name().as_encoded_bytes().starts_with(b"tmp_") {
                // Left behind, it costs space and nothing else.
                let _ = tokio::fs::remove_file(entry.path()).await;
            }
        }
    }

    /// Starts a command; it is killed when the child is dropped.
    pub(super) fn start(&self, arguments: &[&str], environment: &[(String, String)]) -> Result<Child, Failure> {
        let mut command = Command::new(&self.program);
        command.arg("--git-dir").arg(&self.mirror).args(arguments);
        command.env_clear().envs(kept());
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", self.mirror.join(SETTINGS_FILE));
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ASKPASS", "true").env("SSH_ASKPASS_REQUIRE", "never");
        command.env("GIT_LITERAL_PATHSPECS", "1").env("GIT_NO_LAZY_FETCH", "1").env("LC_ALL", "C");
        command.envs(environment.iter().map(|(key, value)| (key, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command.spawn().map_err(Failure::NotStarted)
    }
}

/// Where git is. By its name alone, and with a `PATH` of its own, a child would be forked, at the price of a copy of our page
/// tables: with a large archive in memory that was half of what a look took. A path is spawned.
#[allow(clippy::disallowed_methods)] // the system's search path; no setting of ours
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join("git")).find(|file| file.is_file()).unwrap_or("git".into())
}

/// What a child needs of our environment.
#[allow(clippy::disallowed_methods)] // handed on to git unread; no setting of ours
fn kept() -> Vec<(&'static str, OsString)> {
    // Without a prompt, a host that is not known or a key with a passphrase fails instead of waiting.
    let ssh = ("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15".into());
    let found = KEPT.into_iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value)));
    std::iter::once(ssh).chain(found).collect()
}

/// Feeds, reads and waits, all at once, so that no pipe fills up.
async fn read_while<T, F: Future<Output = Result<T, Failure>>>(
    child: Child,
    input: Vec<u8>,
    deadline: Duration,
    read: impl FnOnce(Output) -> F,
) -> Result<T, Failure> {
    // A dropped child is killed, so running out of time ends it. What it started ends with its pipes.
    let finished = tokio::time::timeout(deadline, finish(child, input, read)).await;
    finished.map_err(|_| Failure::Late(deadline))?
}

async fn finish<T, F: Future<Output = Result<T, Failure>>>(
    mut child: Child,
    input: Vec<u8>,
    read: impl FnOnce(Output) -> F,
) -> Result<T, Failure> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async move {
        if let Some(mut stdin) = stdin {
            // A child that ends early says why in its last words, not here.
            let _ = stdin.write_all(&input).await;
        }
        Ok(())
    };
    let stdout = stdout.ok_or_else(|| Failure::NotStarted(io::ErrorKind::BrokenPipe.into()))?;
    let listen = async move {
        let mut words = Vec::new();
        if let Some(mut stderr) = stderr {
            (&mut stderr).take(MAX_WORDS).read_to_end(&mut words).await.map_err(Failure::NotStarted)?;
            tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await.map_err(Failure::NotStarted)?;
        }
        Ok(String::from_utf8_lossy(&words).into_owned())
    };
    let ((), output, words) = tokio::try_join!(feed, read(BufReader::new(stdout)), listen)?;
    let status = child.wait().await.map_err(Failure::NotStarted)?;
    if status.success() { Ok(output) } else { Err(Failure::Exit(words)) }
}

/// Keeps all of a small output.
async fn drain(output: Output) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    output.take(MAX_OUTPUT + 1).read_to_end(&mut bytes).await.map_err(Failure::NotStarted)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_OUTPUT { Err(Failure::TooMuch) } else { Ok(bytes) }
}
