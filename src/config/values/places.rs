//! Values that say where something is: listeners, URLs, databases, repositories, relays.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use url::{Host, Url};

use super::Problem;

/// An address to listen on. Port 0 lets the system choose one.
pub(in crate::config) fn listen(text: &str) -> Result<SocketAddr, Problem> {
    text.parse().map_err(|_| {
        let why = if text.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
            "the port is missing"
        } else if text.parse::<u16>().is_ok() || text.starts_with(':') {
            "the IP address is missing"
        } else if text.contains(|c: char| c.is_ascii_alphabetic()) && !text.contains('[') {
            "it must be an IP address, not a name"
        } else {
            "it is not an IP address and a port"
        };
        let remedy = "Write it as 127.0.0.1:8080 or [::1]:8080; 0.0.0.0 is every address of the machine.";
        Problem::new("is not an address to listen on", why.to_owned(), remedy)
    })
}

/// The public URL, with the slash at its end that makes relative URLs resolve below it.
pub(in crate::config) fn base_url(text: &str) -> Result<Url, Problem> {
    let problem = |why: String| {
        Problem::new("is not the URL of a site", why, "Write it as https://news.example.org/ or with a path.")
    };
    let mut url = Url::parse(text).map_err(|error| problem(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(problem("it must begin with https:// or http://".to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(problem("it must have no user, query or fragment".to_owned()));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// The URL of a picture on the web.
pub(in crate::config) fn picture(text: &str) -> Result<Url, Problem> {
    let problem =
        |why: String| Problem::new("is not the URL of a picture", why, "Write it as https://example.org/icon.png.");
    let url = Url::parse(text).map_err(|error| problem(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(problem("it must begin with https:// or http://".to_owned()));
    }
    Ok(url)
}

/// The URL of a hub elsewhere, as it stands in feeds.
pub(in crate::config) fn other_hub(text: &str) -> Result<String, Problem> {
    let good =
        |url: &Url| matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.fragment().is_none();
    Url::parse(text).ok().filter(good).map(String::from).ok_or_else(|| {
        let remedy = "Write it as https://hub.example.org/, without user and fragment.";
        Problem::new("is not the URL of a hub", None, remedy)
    })
}

/// The name of an HTTP header, RFC 9110 section 5.1.
pub(in crate::config) fn header_name(text: &str) -> Result<String, Problem> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if text.chars().all(token) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(Problem::new("is not the name of a header", None, "Write it as X-Forwarded-For, without the colon."))
}

/// The URL of a database, as the store takes it.
pub(in crate::config) fn database_url(text: &str) -> Result<String, Problem> {
    let sqlite = text.strip_prefix("sqlite:").is_some_and(|path| !path.trim_start_matches('/').is_empty());
    let postgres = text.starts_with("postgres://") || text.starts_with("postgresql://");
    if sqlite || (postgres && Url::parse(text).is_ok()) {
        return Ok(text.to_owned());
    }
    let remedy = "Write sqlite:data/tidings.db or postgres://USER:PASSWORD@HOST/NAME, with odd characters of the password \
                  percent-encoded.";
    Err(Problem::new("is not the URL of a database", None, remedy))
}

/// A path, relative to the working directory.
pub(in crate::config) fn path(text: &str) -> Result<PathBuf, Problem> {
    Ok(PathBuf::from(text))
}

/// A folder inside a repository, without the slashes around it.
pub(in crate::config) fn folder(text: &str) -> Result<String, Problem> {
    let folder = text.trim_matches('/');
    if folder.split('/').any(|part| matches!(part, "" | "." | "..")) && !folder.is_empty() {
        return Err(Problem::new(
            "is not a folder of a repository",
            None,
            "Write it as content/issues, without . and .. parts.",
        ));
    }
    Ok(folder.to_owned())
}

/// What `git fetch` takes as a repository. A leading `-` would be an option, and `ext::` runs a program.
pub(in crate::config) fn repository(text: &str) -> Result<String, Problem> {
    if text.starts_with('-') || text.contains("::") || text.chars().any(char::is_control) {
        let remedy = "Write a path, or a URL such as https://git.example.org/news.git or git@git.example.org:news.git.";
        return Err(Problem::new("is not the place of a git repository", None, remedy));
    }
    Ok(text.to_owned())
}

/// What push events are signed with. A short one can be guessed from one event, without asking us.
pub(in crate::config) fn webhook_secret(text: &str) -> Result<String, Problem> {
    if text.len() < 16 || text.chars().any(char::is_control) {
        let remedy = "Write 16 characters or more, such as those of `openssl rand -hex 20`, here and at the server.";
        return Err(Problem::new("is no secret to sign with", None, remedy));
    }
    Ok(text.to_owned())
}

/// A branch, by the rules of git-check-ref-format(1) that matter here.
pub(in crate::config) fn branch(text: &str) -> Result<String, Problem> {
    let odd = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    if text.starts_with(['-', '/']) || text.ends_with(['/', '.']) || text.contains("..") || text.contains(odd) {
        return Err(Problem::new("is not the name of a branch", None, "Write it as main."));
    }
    Ok(text.to_owned())
}

/// The name or address of the relay, without scheme and port.
pub(in crate::config) fn host(text: &str) -> Result<String, Problem> {
    if text.parse::<IpAddr>().is_ok() || (!text.contains([':', '/', '%']) && Host::parse(text).is_ok()) {
        return Ok(text.to_owned());
    }
    let remedy = "Write only the name, such as smtp.example.org; port and encryption have keys of their own.";
    Err(Problem::new("is not a host name", None, remedy))
}

/// What EHLO says (RFC 5321 section 4.1.1.1): a name or an address literal.
pub(in crate::config) fn hello(text: &str) -> Result<String, Problem> {
    let literal = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = literal.map(|text| text.strip_prefix("IPv6:").unwrap_or(text).parse::<IpAddr>().is_ok());
    let name = || text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b)) && !text.is_empty();
    if address.unwrap_or_else(name) {
        return Ok(text.to_owned());
    }
    let remedy = "Write the name of this machine, such as news.example.org, or its address as [192.0.2.1].";
    Err(Problem::new("is not a name to greet a relay with", None, remedy))
}

/// Whether a relay is on this machine, so that plain text to it leaves no wire.
pub(in crate::config) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_need_an_address_and_a_port() {
        for good in ["127.0.0.1:0", "0.0.0.0:8080", "[::1]:80"] {
            assert!(listen(good).is_ok(), "{good}");
        }
        for (text, why) in [
            ("127.0.0.1", "the port is missing"),
            ("[::1]", "the port is missing"),
            ("::1", "the port is missing"),
            ("8080", "the IP address is missing"),
            (":8080", "the IP address is missing"),
            ("localhost:8080", "it must be an IP address, not a name"),
            ("1.2.3:99", "it is not an IP address and a port"),
        ] {
            assert_eq!(listen(text).unwrap_err().why.as_deref(), Some(why), "{text}");
        }
    }

    #[test]
    fn the_public_url_ends_with_a_slash_and_has_no_extras() {
        for (text, url) in [
            ("https://example.org", "https://example.org/"),
            ("https://example.org/news", "https://example.org/news/"),
            ("http://[::1]:8080/a/", "http://[::1]:8080/a/"),
        ] {
            assert_eq!(base_url(text).unwrap().as_str(), url);
        }
        for bad in [
            "example.org",
            "//example.org",
            "https://",
            "https://a.example/?x",
            "https://a.example/#x",
            "https://me@a.example",
        ] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_could_be_an_option_or_a_command_is_no_repository() {
        for good in
            ["https://git.example.org/a.git", "git@git.example.org:a.git", "../a", "/srv/a.git", "file:///srv/a.git"]
        {
            assert!(repository(good).is_ok(), "{good}");
        }
        for bad in ["--upload-pack=x", "ext::sh -c x", "a\nb"] {
            assert!(repository(bad).is_err(), "{bad}");
        }
        for (text, good) in [("0123456789abcdef", true), ("0123456789abcde", false), ("0123456789abcdef\n", false)] {
            assert_eq!(webhook_secret(text).is_ok(), good, "{text:?}");
        }
        for (text, good) in
            [("main", true), ("v/1", true), ("-x", false), ("a..b", false), ("a b", false), ("a:b", false)]
        {
            assert_eq!(branch(text).is_ok(), good, "{text}");
        }
        for (text, good) in
            [("a/b", true), ("/a/", true), ("/", true), ("../a", false), ("a//b", false), ("./a", false)]
        {
            assert_eq!(folder(text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn databases_are_sqlite_or_postgresql() {
        for (text, good) in [
            ("sqlite:data/tidings.db", true),
            ("sqlite::memory:", true),
            ("sqlite:", false),
            ("sqlite://", false),
            ("postgres://me@db/news", true),
            ("postgresql:///news?host=/run/pg", true),
            ("postgres:news", false),
            ("data/tidings.db", false),
        ] {
            assert_eq!(database_url(text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn a_relay_in_plain_text_must_be_on_this_machine() {
        for (host, loopback) in
            [("localhost", true), ("127.0.0.9", true), ("::1", true), ("10.0.0.1", false), ("mx", false)]
        {
            assert_eq!(is_loopback(host), loopback, "{host}");
            assert!(super::host(host).is_ok());
        }
        for (text, good) in
            [("news.example.org", true), ("[192.0.2.1]", true), ("[IPv6:::1]", true), ("[x]", false), ("a_b", false)]
        {
            assert_eq!(hello(text).is_ok(), good, "{text}");
        }
    }
}
