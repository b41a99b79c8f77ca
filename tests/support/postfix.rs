//! A whole Postfix of its own, on a loopback port: queue, configuration and mailbox in a scratch directory.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// A running Postfix. Dropping it ends it.
pub struct Postfix {
    directory: TempDir,
    /// Its port on 127.0.0.1.
    pub port: u16,
}

impl Postfix {
    /// Starts one that delivers all mail for reader.example into one mailbox; `None` when Postfix is not installed, or this is not root,
    /// as whom alone it starts.
    pub fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// The same with other lines for main.cf. One of ours that they say again is left out: each program of Postfix would warn of it as it
    /// starts, postlogd too, which then waits for itself to read what it wrote.
    pub fn start_with(main: &str) -> Option<Self> {
        let root = Command::new("id").arg("-u").output().ok()?.stdout.trim_ascii() == b"0";
        if !root || !Path::new("/usr/sbin/postfix").exists() {
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let postfix = Self { directory: TempDir::new().unwrap(), port };
        postfix.configure(main);
        let started = postfix.command("start").status().ok()?;
        assert!(started.success(), "Postfix does not start: {}", postfix.log());
        let listens = (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        let log = postfix.log();
        assert!(listens && !log.contains("warning"), "Postfix does not listen, or not as it should: {log}");
        Some(postfix)
    }

    fn configure(&self, more: &str) {
        for name in ["etc", "queue", "data", "mail"] {
            std::fs::create_dir(self.path(name)).unwrap();
        }
        let path = |name: &str| self.path(name).display().to_string();
        let main = format!(
            "compatibility_level = 3.6\nmyhostname = relay.example\nmydestination =\nmynetworks = 127.0.0.0/8\n\
             inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nqueue_directory = {}\ndata_directory = {}\n\
             maillog_file = {}\nmaillog_file_prefixes = {}\nvirtual_mailbox_domains = reader.example\n\
             virtual_mailbox_base = {}\nvirtual_mailbox_maps = static:box/\nvirtual_minimum_uid = 1\n\
             virtual_uid_maps = static:65534\nvirtual_gid_maps = static:65534\nsmtputf8_enable = yes\n\
             smtpd_relay_restrictions = permit_mynetworks, reject\nalias_maps =\nalias_database =\n\
             address_verify_map =\nsmtpd_tls_security_level = none\n",
            path("queue"),
            path("data"),
            path("log"),
            self.directory.path().display(),
            path("mail"),
        );
        let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
        let said: Vec<String> = more.lines().map(key).collect();
        let ours = main.lines().filter(|line| !said.contains(&key(line)));
        let lines: Vec<&str> = ours.chain(more.lines()).collect();
        std::fs::write(self.path("etc/main.cf"), lines.join("\n") + "\n").unwrap();
        let services = [
            "cleanup unix n - n - 0 cleanup",
            "qmgr unix n - n 300 1 qmgr",
            "rewrite unix - - n - - trivial-rewrite",
            "bounce unix - - n - 0 bounce",
            "defer unix - - n - 0 bounce",
            "trace unix - - n - 0 bounce",
            "error unix - - n - - error",
            "retry unix - - n - - error",
            "virtual unix - n n - - virtual",
            "smtp unix - - n - - smtp",
            "anvil unix - - n - 1 anvil",
            "proxymap unix - - n - - proxymap",
            "postlog unix-dgram n - n - 1 postlogd",
        ];
        let master = format!("127.0.0.1:{} inet n - n - - smtpd\n{}\n", self.port, services.join("\n"));
        std::fs::write(self.path("etc/master.cf"), master).unwrap();
        for (user, name) in [("postfix", "data"), ("nobody", "mail")] {
            let owned = Command::new("chown").arg(user).arg(self.path(name)).status().unwrap();
            assert!(owned.success());
        }
        // Its processes become other users, who must get through.
        let open = Command::new("chmod").arg("755").arg(self.directory.path()).status().unwrap();
        assert!(open.success());
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new("/usr/sbin/postfix");
        command.arg("-c").arg(self.path("etc")).arg(verb).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Something below its directory; `mail` holds the mailboxes.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// The files of the mailbox, once there are so many.
    pub fn delivered(&self, count: usize) -> Vec<PathBuf> {
        for _ in 0..300 {
            let files: Vec<PathBuf> = std::fs::read_dir(self.path("mail/box/new"))
                .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
                .unwrap_or_default();
            if files.len() >= count {
                return files;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("Postfix did not deliver {count} mails: {}", self.log());
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = self.command("abort").status();
    }
}
