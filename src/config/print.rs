//! The effective configuration as TOML: what holds, and who said so.

use std::fmt::Write as _;

use url::Url;

use super::DEFAULT;
use super::error::Origin;
use super::schema::{self, Kind};
use super::settings::{Leaf, Raw, Settings};
use crate::types::Place;

/// What is printed in place of a secret.
const MASK: &str = "***";

/// Every value that is set, in the order of the schema, newsletter by newsletter.
pub(super) fn effective(settings: &Settings) -> String {
    let default = Settings::read(None, DEFAULT, &mut Vec::new()).unwrap_or_default();
    let emptied = |path: &str, leaf: &Leaf| {
        let is_text = |kind| matches!(kind, Kind::Text | Kind::Secret | Kind::SecretUrl);
        !schema::find(path).is_some_and(|key| is_text(key.kind)) && leaf.raw == Raw::Text(String::new())
    };
    let mut leaves: Vec<_> = settings.leaves.iter().filter(|(path, leaf)| !emptied(path, leaf)).collect();
    leaves.sort_by_cached_key(|(path, _)| order(path));
    let mut text = String::new();
    let mut current = "";
    for (path, leaf) in leaves {
        let (section, name) = path.rsplit_once('.').unwrap_or(("", path));
        if section != current {
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}[{section}]");
            current = section;
        }
        let is_default = default.leaves.get(path).is_some_and(|default| default.raw == leaf.raw);
        let comment = if is_default { String::new() } else { comment(&leaf.origin) };
        let _ = writeln!(text, "{name} = {}{comment}", value(path, leaf));
    }
    text
}

/// The section of the schema, then names, then the key: all of one newsletter stays together.
fn order(path: &str) -> (usize, String, bool, String, usize) {
    let parts: Vec<&str> = path.split('.').collect();
    let top = parts.first().copied().unwrap_or_default();
    let section = schema::children("").iter().position(|name| *name == top).unwrap_or_default();
    let name = |index: usize| parts.get(index).copied().unwrap_or_default().to_owned();
    let key = schema::position(path);
    if top == "newsletters" {
        let cadence = name(2) == "cadences";
        return (section, name(1), cadence, if cadence { name(3) } else { String::new() }, key.unwrap_or_default());
    }
    // Every relay of its own, behind the rest of [mail].
    let relay = if parts.len() == 4 { format!("{}.{}", name(1), name(2)) } else { String::new() };
    (section, relay, false, String::new(), key.unwrap_or_default())
}

/// ` # from my.toml:12`, ` # from TIDINGS_SERVER__URL`.
fn comment(origin: &Origin) -> String {
    match origin {
        Origin::Default => String::new(),
        Origin::File(Place { path, line: Some(line), .. }) => format!("  # from {path}:{line}"),
        other => format!("  # from {other}"),
    }
}

fn value(path: &str, leaf: &Leaf) -> String {
    let kind = schema::find(path).map(|key| key.kind);
    let value = match (&leaf.raw, kind) {
        (Raw::Text(text), Some(Kind::Secret)) if !text.is_empty() => toml::Value::from(MASK),
        (Raw::Text(text), Some(Kind::SecretUrl)) => toml::Value::from(without_password(text)),
        (Raw::Text(text), _) => toml::Value::from(text.as_str()),
        (Raw::Number(number), _) => toml::Value::from(*number),
        (Raw::List(items), Some(Kind::Numbers)) => return format!("[{}]", items.join(", ")),
        (Raw::List(items), _) => toml::Value::from(items.clone()),
        (Raw::Map(texts), _) => toml::Value::from(texts.clone()),
    };
    value.to_string()
}

/// A URL with its secret parts masked: the password, a user that stands alone before a web host (a token), and a whole
/// query (PostgreSQL takes passwords there). What is not a URL is a path or `git@host:path` and has no such part.
fn without_password(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else {
        return if text.contains("://") { MASK.to_owned() } else { text.to_owned() };
    };
    let token = url.scheme().starts_with("http") && url.password().is_none() && !url.username().is_empty();
    let password = url.password().is_some();
    let query = url.query().is_some_and(|query| query.to_ascii_lowercase().contains("password"));
    if !(token || password || query) {
        return text.to_owned();
    }
    if token && url.set_username(MASK).is_err() || password && url.set_password(Some(MASK)).is_err() {
        return MASK.to_owned();
    }
    if query {
        url.set_query(Some(MASK));
    }
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_their_passwords_and_nothing_else() {
        for (text, shown) in [
            ("sqlite:data/tidings.db", "sqlite:data/tidings.db"),
            ("postgres://news:hunter2@db.example.org/news", "postgres://news:***@db.example.org/news"),
            ("postgres:///news?host=/run/pg&password=hunter2", "postgres:///news?***"),
            ("postgres://news@db.example.org/news", "postgres://news@db.example.org/news"),
            ("https://ghp_token@git.example.org/a.git", "https://***@git.example.org/a.git"),
            ("https://me:hunter2@git.example.org/a.git", "https://me:***@git.example.org/a.git"),
            ("ssh://git@git.example.org/a.git", "ssh://git@git.example.org/a.git"),
            ("git@git.example.org:a.git", "git@git.example.org:a.git"),
            ("/srv/git/a.git", "/srv/git/a.git"),
            ("https://me:hunter2@[broken/a.git", "***"),
        ] {
            assert_eq!(without_password(text), shown, "{text}");
        }
    }
}
