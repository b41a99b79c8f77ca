//! A private, real PostgreSQL for tests: one server for a test process, one fresh database for each test; and a server of its own for
//! a test that restarts it.
//!
//! It runs as an unprivileged user, listens on a Unix socket only, and does not outlive the process that started it: a shell waits
//! for the end of a pipe that only this process holds, then stops the server and deletes its directory. That also holds
//! when the process is killed. Where PostgreSQL is not installed, tests are skipped, or fail when `TIDINGS_TEST_ALL=1`.
// A test's helper speaks to the person who runs it, and asks the environment how strict to be.
#![allow(dead_code)] // shared by tests and a benchmark; neither uses all of it
#![allow(clippy::print_stderr, clippy::panic, clippy::expect_used, clippy::disallowed_methods)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// A server, with the child whose end of the pipe keeps it alive.
pub struct Server {
    directory: PathBuf,
    _keeper: Child,
}

static SERVER: OnceLock<Option<Server>> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The URL of a fresh, empty database; `None`, after saying so, where PostgreSQL is not installed. `options` are those of
/// `CREATE DATABASE`; most tests have none.
///
/// # Panics
/// When the server does not start, or is not installed although `TIDINGS_TEST_ALL=1` asks for every test.
pub async fn fresh_database(options: &str) -> Option<String> {
    let Some(server) = SERVER.get_or_init(Server::start) else {
        eprintln!("SKIPPED on PostgreSQL: initdb and postgres are not installed (Debian: apt install postgresql)");
        return None;
    };
    Some(server.fresh_database(options).await)
}

impl Server {
    /// A server of its own; `None` where PostgreSQL is not installed.
    ///
    /// # Panics
    /// See [`fresh_database`].
    pub fn start() -> Option<Self> {
        // Durability is what a crash of the machine needs; a test needs speed.
        start(&["fsync=off", "full_page_writes=off", "shared_buffers=32MB"])
    }

    /// The same as an operator runs it, every commit durable.
    ///
    /// # Panics
    /// See [`fresh_database`].
    pub fn durable() -> Option<Self> {
        start(&["shared_buffers=128MB"])
    }

    /// The URL of a fresh database on it.
    ///
    /// # Panics
    /// When the server does not start.
    pub async fn fresh_database(&self, options: &str) -> String {
        let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::SeqCst));
        self.administer(&format!("CREATE DATABASE {name} {options}")).await;
        self.url(&name)
    }

    /// Runs a statement as administrator.
    ///
    /// # Panics
    /// When it fails.
    pub async fn administer(&self, sql: &str) {
        let mut admin = connect(self).await;
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut admin)
            .await
            .expect("a statement of the administrator");
        admin.close().await.expect("an orderly end");
    }

    /// Ends every session and the server, in a hurry, as an administrator's restart does; it comes back at once.
    ///
    /// # Panics
    /// When it does not run.
    pub fn restart(&self) {
        let pid = fs::read_to_string(self.directory.join("data/postmaster.pid")).expect("a running server");
        let pid = pid.lines().next().expect("its number");
        assert!(Command::new("kill").args(["-INT", pid]).status().expect("kill starts").success());
    }

    /// The socket that it listens on.
    pub fn socket(&self) -> PathBuf {
        self.directory.join(".s.PGSQL.5432")
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://tidings@localhost/{database}?host={}", self.directory.display())
    }
}

/// A connection as administrator; the server may still be starting.
async fn connect(server: &Server) -> PgConnection {
    for _ in 0..300 {
        if let Ok(connection) = PgConnection::connect(&server.url("postgres")).await {
            return connection;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let log = fs::read_to_string(server.directory.join("log")).unwrap_or_default();
    panic!("the private PostgreSQL did not start within 15 s; its log says:\n{log}");
}

/// Creates a cluster and starts its server; `None` where there is none to start.
fn start(settings: &[&str]) -> Option<Server> {
    let Some(programs) = programs() else {
        let all = std::env::var("TIDINGS_TEST_ALL").is_ok_and(|value| value == "1");
        assert!(!all, "TIDINGS_TEST_ALL=1, but PostgreSQL is not installed: apt install postgresql");
        return None;
    };
    let directory = tempfile::Builder::new().prefix("tidings-pg-").tempdir().expect("a temporary directory").keep();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).expect("a directory others may enter");
    let user = unprivileged(&directory);
    let data = directory.join("data");
    let mut initdb = as_user(&user, &programs.join("initdb"));
    initdb.args(["--auth=trust", "--username=tidings", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"]).arg(&data);
    checked(initdb.current_dir(&directory));

    let mut server = as_user(&user, &programs.join("postgres"));
    server.arg("-D").arg(&data).arg("-k").arg(&directory);
    for setting in ["listen_addresses=", "max_connections=300"].iter().chain(settings) {
        server.args(["-c", setting]);
    }
    // $1 is the directory, the rest the server's command line. `cat` ends when this process does, however it ends.
    // Ctrl-C reaches the whole group, and must not stop the shell before it has cleaned up. A server that was stopped is started again.
    let script = r#"trap "" INT HUP TERM; directory=$1; shift
        (until [ -e "$directory/over" ]; do "$@" >>"$directory/log" 2>&1 </dev/null; done) & loop=$!
        cat >/dev/null
        touch "$directory/over"
        while kill -0 "$loop" 2>/dev/null; do
            kill -QUIT "$(head -n 1 "$directory/data/postmaster.pid")" 2>/dev/null; sleep 0.05
        done
        rm -rf "$directory""#;
    let keeper = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(&directory)
        .arg(server.get_program())
        .args(server.get_args())
        .current_dir(&directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell to keep the server");
    Some(Server { directory, _keeper: keeper })
}

/// The directory of `initdb` and `postgres`: where a distribution keeps them, newest version first, or in the path.
fn programs() -> Option<PathBuf> {
    let mut places: Vec<PathBuf> =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|e| e.path().join("bin")).collect();
    places.sort_by_key(|place| std::cmp::Reverse(version(place)));
    places.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    places.into_iter().find(|place| place.join("initdb").is_file() && place.join("postgres").is_file())
}

fn version(bin: &Path) -> u32 {
    bin.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse().ok()).unwrap_or(0)
}

/// The user the server runs as, since PostgreSQL refuses to run as root: `None` when this process is not root. The directory
/// is made that user's.
fn unprivileged(directory: &Path) -> Option<[String; 2]> {
    if id(&["-u"])? != "0" {
        return None;
    }
    let user = ["postgres", "nobody"].into_iter().find_map(|name| Some([id(&["-u", name])?, id(&["-g", name])?]));
    let user = user.expect("a user postgres or nobody to run PostgreSQL as");
    let number = |text: &String| text.parse::<u32>().ok();
    std::os::unix::fs::chown(directory, number(&user[0]), number(&user[1])).expect("root may give a directory away");
    Some(user)
}

fn id(args: &[&str]) -> Option<String> {
    let Output { status, stdout, .. } = Command::new("id").args(args).stderr(Stdio::null()).output().ok()?;
    status.success().then(|| String::from_utf8_lossy(&stdout).trim().to_owned())
}

/// A command line that runs a program as the user.
fn as_user(user: &Option<[String; 2]>, program: &Path) -> Command {
    let Some([uid, gid]) = user else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={uid}")).arg(format!("--regid={gid}")).arg("--clear-groups").arg(program);
    command
}

fn checked(command: &mut Command) {
    let output = command.output().expect("initdb starts");
    assert!(output.status.success(), "initdb failed: {}", String::from_utf8_lossy(&output.stderr));
}
