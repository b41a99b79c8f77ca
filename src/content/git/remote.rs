//! The address of a repository: what git is told, and what may be shown.

use std::fmt;

use url::Url;

use crate::types::Secret;

/// The name under which the address is handed to git.
pub(super) const NAME: &str = "tidings";

/// Answers git's question for credentials from the environment. `printf` is built into the shell: no argument of any
/// process, and no file, ever holds the password.
const HELPER: &str = "!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' \
                      \"$TIDINGS_GIT_USER\" \"$TIDINGS_GIT_PASSWORD\"; }; f";

/// A remote repository.
pub(super) struct Remote {
    /// The address without credentials: git hands it to its helpers as an argument.
    address: String,
    /// User and password of an http address, and the key of the setting that offers them to that host alone.
    login: Option<(String, Secret, String)>,
    /// The address as it may stand in a message.
    pub(super) shown: String,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Remote {
    pub(super) fn new(url: &Secret) -> Self {
        let text = url.expose().to_owned();
        // A path, or `host:path` of ssh, has no place for a password. A `file:` address is not rewritten.
        let parsed = Url::parse(&text).ok().filter(|url| text.contains("://") && url.scheme() != "file");
        let Some(mut url) = parsed else { return Self { address: text.clone(), login: None, shown: text } };
        let login = login(&url);
        if login.is_some() {
            let _ = url.set_username("");
        }
        let _ = url.set_password(None);
        let address = url.to_string();
        url.set_query(None);
        let shown = url.to_string();
        Self { address, login, shown }
    }

    /// The address and the credentials, as git reads them from its environment (git-config, `GIT_CONFIG_COUNT`).
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let mut settings = vec![(format!("remote.{NAME}.url"), self.address.clone())];
        let mut environment = Vec::new();
        if let Some((user, password, helper)) = &self.login {
            settings.push((helper.clone(), HELPER.to_owned()));
            environment.push(("TIDINGS_GIT_USER".to_owned(), user.clone()));
            environment.push(("TIDINGS_GIT_PASSWORD".to_owned(), password.expose().to_owned()));
        }
        environment.push(("GIT_CONFIG_COUNT".to_owned(), settings.len().to_string()));
        for (number, (key, value)) in settings.into_iter().enumerate() {
            environment.push((format!("GIT_CONFIG_KEY_{number}"), key));
            environment.push((format!("GIT_CONFIG_VALUE_{number}"), value));
        }
        environment
    }

    /// The lines in which git says what went wrong, as one line without control characters or the password.
    pub(super) fn last_words(&self, words: &str) -> String {
        let told = |line: &&str| ["fatal: ", "error: ", "remote: ", "ssh: "].iter().any(|sign| line.starts_with(sign));
        let mut lines: Vec<&str> = words.lines().filter(told).collect();
        if lines.is_empty() {
            lines = words.lines().filter(|line| !line.trim().is_empty()).collect();
        }
        let mut said = lines.join("; ").replace("fatal: ", "");
        if let Some((_, password, _)) = &self.login
            && !password.expose().is_empty()
        {
            said = said.replace(password.expose(), "***");
        }
        let said: String = said.chars().filter(|c| !c.is_control()).take(300).collect();
        let said = said.trim_end_matches(['.', ' ']);
        if said.is_empty() { "it gave no reason".into() } else { said.to_owned() }
    }
}

/// The credentials of an http address.
fn login(url: &Url) -> Option<(String, Secret, String)> {
    let with_login = !url.username().is_empty() || url.password().is_some();
    if !matches!(url.scheme(), "http" | "https") || !with_login {
        return None;
    }
    let (user, password) = (decoded(url.username()), decoded(url.password().unwrap_or_default()));
    // A line break would start another line of git's credential protocol.
    if [&user, &password].iter().any(|text| text.contains(['\n', '\r', '\0'])) {
        return None;
    }
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let helper = format!("credential.{}://{}{port}.helper", url.scheme(), url.host_str()?);
    Some((user, Secret::new(password), helper))
}

/// Percent-decoding (RFC 3986 section 2.1).
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a branch can have this name (git-check-ref-format), so that it is nothing else in a refspec.
pub(super) fn is_branch_name(name: &str) -> bool {
    let wrong = |c: char| c.is_control() || c.is_whitespace() || matches!(c, ':' | '*' | '?' | '[' | '\\' | '^' | '~');
    !name.is_empty()
        && !name.starts_with('-')
        && !name.contains(wrong)
        && !name.contains("..")
        && !name.contains("@{")
        && name.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_neither_in_the_address_nor_in_words() {
        for (url, address, shown, login) in [
            ("https://a.example/x.git", "https://a.example/x.git", "https://a.example/x.git", None),
            (
                "https://me:p%40ss%2Fw@a.example:8443/x.git?token=t",
                "https://a.example:8443/x.git?token=t",
                "https://a.example:8443/x.git",
                Some(("me", "p@ss/w", "credential.https://a.example:8443.helper")),
            ),
            (
                "https://token@a.example/x.git",
                "https://a.example/x.git",
                "https://a.example/x.git",
                Some(("token", "", "credential.https://a.example.helper")),
            ),
            ("ssh://git@a.example/x.git", "ssh://git@a.example/x.git", "ssh://git@a.example/x.git", None),
            ("ssh://git:pw@a.example/x.git", "ssh://git@a.example/x.git", "ssh://git@a.example/x.git", None),
            ("git@a.example:x.git", "git@a.example:x.git", "git@a.example:x.git", None),
            ("/srv/x.git", "/srv/x.git", "/srv/x.git", None),
            ("file:///srv/a%20b.git", "file:///srv/a%20b.git", "file:///srv/a%20b.git", None),
        ] {
            let remote = Remote::new(&Secret::new(url));
            assert_eq!((remote.address.as_str(), remote.shown.as_str()), (address, shown), "{url}");
            let found = remote
                .login
                .as_ref()
                .map(|(user, password, helper)| (user.as_str(), password.expose(), helper.as_str()));
            assert_eq!(found, login, "{url}");
            assert!(!format!("{remote:?}").contains("p@ss"));
        }
        let remote = Remote::new(&Secret::new("https://me:hunter2@a.example/x"));
        assert_eq!(remote.last_words("warning: x\nfatal: hunter2 is\u{1b} wrong.\n"), "*** is wrong");
    }

    #[test]
    fn a_branch_name_is_one_ref() {
        for name in ["main", "release/1.2", "é"] {
            assert!(is_branch_name(name), "{name}");
        }
        for name in ["", "-x", "a:b", "a*", "a b", "a..b", "/a", "a/", "a^", "a@{1}", "x.lock", ".a", "a\nb"] {
            assert!(!is_branch_name(name), "{name:?}");
        }
    }
}
