//! Which keys there are. `config/tidings.toml` explains them; a test compares the two.

/// A key that may be set. `*` in a path stands for a name the operator chooses.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) path: &'static str,
    pub(super) kind: Kind,
    /// A value for error messages, as TOML.
    pub(super) example: &'static str,
}

/// What kind of TOML value a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    List,
    /// A list of whole numbers.
    Numbers,
    /// Texts by keys that the operator chooses.
    Map,
    /// A text that is never shown.
    Secret,
    /// A URL whose password is never shown.
    SecretUrl,
}

const fn key(path: &'static str, kind: Kind, example: &'static str) -> Key {
    Key { path, kind, example }
}

/// Every key, in the order in which the configuration is printed.
pub(super) const KEYS: &[Key] = {
    use Kind::{List, Map, Number, Numbers, Secret, SecretUrl, Text};
    &[
        key("server.public", Text, r#""127.0.0.1:8080""#),
        key("server.private", Text, r#""127.0.0.1:8081""#),
        key("server.url", Text, r#""https://news.example.org/""#),
        key("server.client_header", Text, r#""X-Forwarded-For""#),
        key("database.url", SecretUrl, r#""sqlite:data/tidings.db""#),
        key("data.directory", Text, r#""data""#),
        key("templates.directory", Text, r#""my-templates""#),
        key("websub.hub", Text, r#""on""#),
        key("websub.other_hubs", List, r#"["https://hub.example.org/"]"#),
        key("websub.allow_networks", List, r#"["192.168.1.0/24"]"#),
        key("mail.transport", Text, r#""smtp""#),
        key("mail.in_doubt", Text, r#""resend""#),
        key("mail.retry_first", Text, r#""5m""#),
        key("mail.retry_most", Text, r#""4h""#),
        key("mail.retry_period", Text, r#""48h""#),
        key("mail.outbox.directory", Text, r#""data/outbox""#),
        key("mail.inbox.maildir", Text, r#""/var/mail/tidings""#),
        key("mail.smtp.weight", Number, "1"),
        key("mail.smtp.protocol", Text, r#""smtp""#),
        key("mail.smtp.host", Text, r#""smtp.example.org""#),
        key("mail.smtp.port", Number, "587"),
        key("mail.smtp.socket", Text, r#""/run/dovecot/lmtp""#),
        key("mail.smtp.tls", Text, r#""starttls""#),
        key("mail.smtp.username", Text, r#""news@example.org""#),
        key("mail.smtp.password", Secret, r#""...""#),
        key("mail.smtp.token_path", Text, r#""/run/secrets/access-token""#),
        key("mail.smtp.chunking", Text, r#""no""#),
        key("mail.smtp.connections", Number, "4"),
        key("mail.smtp.rate", Text, r#""10/s""#),
        key("mail.smtp.messages", Number, "100"),
        key("mail.smtp.warm_up", Numbers, "[200, 400, 800]"),
        key("mail.smtp.idle", Text, r#""10s""#),
        key("mail.smtp.hello", Text, r#""news.example.org""#),
        key("mail.smtp.timeout", Text, r#""60s""#),
        key("mail.relays.*.weight", Number, "1"),
        key("mail.relays.*.protocol", Text, r#""smtp""#),
        key("mail.relays.*.host", Text, r#""smtp.example.org""#),
        key("mail.relays.*.port", Number, "587"),
        key("mail.relays.*.socket", Text, r#""/run/dovecot/lmtp""#),
        key("mail.relays.*.tls", Text, r#""starttls""#),
        key("mail.relays.*.username", Text, r#""news@example.org""#),
        key("mail.relays.*.password", Secret, r#""...""#),
        key("mail.relays.*.token_path", Text, r#""/run/secrets/access-token""#),
        key("mail.relays.*.chunking", Text, r#""no""#),
        key("mail.relays.*.connections", Number, "4"),
        key("mail.relays.*.messages", Number, "100"),
        key("mail.relays.*.rate", Text, r#""500/h""#),
        key("mail.relays.*.warm_up", Numbers, "[200, 400, 800]"),
        key("mail.relays.*.idle", Text, r#""10s""#),
        key("mail.relays.*.hello", Text, r#""news.example.org""#),
        key("mail.relays.*.timeout", Text, r#""60s""#),
        key("mail.domains.*.domains", List, r#"["outlook.com", "hotmail.com"]"#),
        key("mail.domains.*.rate", Text, r#""5/s""#),
        key("defaults.language", Text, r#""en""#),
        key("defaults.languages", List, r#"["en", "de"]"#),
        key("defaults.from", Text, r#""The News <news@example.org>""#),
        key("defaults.relays", List, r#"["smtp"]"#),
        key("defaults.reply_to", Text, r#""editors@example.org""#),
        key("defaults.sender", Text, r#""list@example.org""#),
        key("defaults.return_path", Text, r#""bounces@example.org""#),
        key("defaults.bounce_domain", Text, r#""bounce.example.org""#),
        key("defaults.unsubscribe_address", Text, r#""leave@example.org""#),
        key("defaults.complaint_address", Text, r#""complaints@example.org""#),
        key("defaults.dkim_domain", Text, r#""example.org""#),
        key("defaults.dkim_keys", Map, r#"{ a-rsa = "keys/a-rsa.pem" }"#),
        key("defaults.fields", List, r#"["name"]"#),
        key("defaults.postal_address", Text, r#""The Editors, 1 Shore Road, Whimbrel""#),
        key("defaults.html_limit", Number, "95000"),
        key("defaults.timezone", Text, r#""Europe/Berlin""#),
        key("defaults.date_keys", List, r#"["date"]"#),
        key("defaults.date_sources", List, r#"["front-matter", "file-name"]"#),
        key("defaults.poll", Text, r#""60s""#),
        key("defaults.settle", Text, r#""30m""#),
        key("defaults.future", Text, r#""publish""#),
        key("defaults.max_age", Text, r#""14d""#),
        key("defaults.max_new", Number, "3"),
        key("defaults.min_length", Number, "100"),
        key("defaults.feed_entries", Number, "20"),
        key("defaults.feed_kilobytes", Number, "512"),
        key("defaults.include", List, r#"["**/*.md"]"#),
        key("defaults.exclude", List, r#"["**/README.md"]"#),
        key("defaults.content", Text, r#""article""#),
        key("defaults.without", List, r#"["nav", ".share"]"#),
        key("defaults.grace", Text, r#""24h""#),
        key("newsletters.*.title", Text, r#""The News""#),
        key("newsletters.*.description", Text, r#""What happened this week.""#),
        key("newsletters.*.language", Text, r#""en""#),
        key("newsletters.*.languages", List, r#"["en", "de"]"#),
        key("newsletters.*.from", Text, r#""The News <news@example.org>""#),
        key("newsletters.*.relays", List, r#"["smtp"]"#),
        key("newsletters.*.reply_to", Text, r#""editors@example.org""#),
        key("newsletters.*.sender", Text, r#""list@example.org""#),
        key("newsletters.*.return_path", Text, r#""bounces@example.org""#),
        key("newsletters.*.bounce_domain", Text, r#""bounce.example.org""#),
        key("newsletters.*.unsubscribe_address", Text, r#""leave@example.org""#),
        key("newsletters.*.complaint_address", Text, r#""complaints@example.org""#),
        key("newsletters.*.dkim_domain", Text, r#""example.org""#),
        key("newsletters.*.dkim_keys", Map, r#"{ a-rsa = "keys/a-rsa.pem" }"#),
        key("newsletters.*.fields", List, r#"["name"]"#),
        key("newsletters.*.postal_address", Text, r#""The Editors, 1 Shore Road, Whimbrel""#),
        key("newsletters.*.html_limit", Number, "95000"),
        key("newsletters.*.timezone", Text, r#""Europe/Berlin""#),
        key("newsletters.*.date_keys", List, r#"["date"]"#),
        key("newsletters.*.date_sources", List, r#"["front-matter", "file-name"]"#),
        key("newsletters.*.poll", Text, r#""60s""#),
        key("newsletters.*.settle", Text, r#""30m""#),
        key("newsletters.*.future", Text, r#""publish""#),
        key("newsletters.*.max_age", Text, r#""14d""#),
        key("newsletters.*.max_new", Number, "3"),
        key("newsletters.*.min_length", Number, "100"),
        key("newsletters.*.feed_entries", Number, "20"),
        key("newsletters.*.feed_kilobytes", Number, "512"),
        key("newsletters.*.icon", Text, r#""https://example.org/icon.png""#),
        key("newsletters.*.logo", Text, r#""https://example.org/logo.png""#),
        key("newsletters.*.site", Text, r#""https://example.org/""#),
        key("newsletters.*.permalink", Text, r#""/blog/:year/:month/:slug/""#),
        key("newsletters.*.source.directory", Text, r#""issues""#),
        key("newsletters.*.source.git", SecretUrl, r#""https://git.example.org/news.git""#),
        key("newsletters.*.source.branch", Text, r#""main""#),
        key("newsletters.*.source.webhook_secret", Secret, r#""...""#),
        key("newsletters.*.source.folder", Text, r#""content/issues""#),
        key("newsletters.*.source.include", List, r#"["**/*.md"]"#),
        key("newsletters.*.source.exclude", List, r#"["**/README.md"]"#),
        key("newsletters.*.source.only", Map, r#"{ category = "Newsletter" }"#),
        key("newsletters.*.pages.directory", Text, r#""public""#),
        key("newsletters.*.pages.git", SecretUrl, r#""https://git.example.org/news.git""#),
        key("newsletters.*.pages.branch", Text, r#""gh-pages""#),
        key("newsletters.*.pages.folder", Text, r#""public""#),
        key("newsletters.*.pages.content", Text, r#""article""#),
        key("newsletters.*.pages.without", List, r#"["nav", ".share"]"#),
        key("newsletters.*.cadences.*.title", Text, r#""Weekly""#),
        key("newsletters.*.cadences.*.cron", Text, r#""0 9 * * 1""#),
        key("newsletters.*.cadences.*.grace", Text, r#""24h""#),
    ]
};

/// Joins a section and a key; the outermost section is the empty text.
pub(super) fn join(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// What may stand in a section, each once: keys and sections, or `*` alone. Empty for what is not a section.
pub(super) fn children(section: &str) -> Vec<&'static str> {
    let mut children: Vec<&str> = Vec::new();
    for key in KEYS {
        let rest = if section.is_empty() {
            Some(key.path)
        } else {
            key.path.strip_prefix(section).and_then(|rest| rest.strip_prefix('.'))
        };
        if let Some(child) = rest.and_then(|rest| rest.split('.').next())
            && !children.contains(&child)
        {
            children.push(child);
        }
    }
    children
}

/// The key of a path, where names stand in place of `*`.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    position(path).and_then(|position| KEYS.get(position))
}

/// Where the key of a path stands among [`KEYS`].
pub(super) fn position(path: &str) -> Option<usize> {
    let parts: Vec<&str> = path.split('.').collect();
    KEYS.iter().position(|key| {
        let pattern: Vec<&str> = key.path.split('.').collect();
        let fits = |(pattern, part): (&&str, &&str)| *pattern == "*" || pattern == part;
        pattern.len() == parts.len() && pattern.iter().zip(&parts).all(fits)
    })
}

/// The candidate that is nearest to a mistyped text, when one is near enough to be what was meant.
pub(super) fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = text.to_lowercase();
    let near = candidates.into_iter().map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate));
    let most = (text.chars().count() / 3).max(2);
    near.filter(|(distance, _)| *distance <= most).min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// Levenshtein's distance: how many letters to insert, delete or replace.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_know_what_may_stand_in_them() {
        assert_eq!(
            children(""),
            ["server", "database", "data", "templates", "websub", "mail", "defaults", "newsletters"]
        );
        assert_eq!(children("server"), ["public", "private", "url", "client_header"]);
        assert_eq!(children("newsletters"), ["*"]);
        assert_eq!(children("newsletters.*.cadences.*"), ["title", "cron", "grace"]);
        assert_eq!(children("server.url"), [""; 0]);
        assert_eq!(children("serve"), [""; 0]);
    }

    #[test]
    fn paths_with_names_find_their_key() {
        assert_eq!(find("newsletters.news.cadences.weekly.cron").unwrap().path, "newsletters.*.cadences.*.cron");
        assert!(find("newsletters.news.cadences.weekly").is_none());
        assert!(find("server.url.x").is_none());
    }

    #[test]
    fn no_key_can_be_taken_for_the_file_form_of_another() {
        assert!(KEYS.iter().all(|key| !key.path.ends_with("_file") && !key.path.contains("__")));
    }

    #[test]
    fn a_slip_finds_its_key_and_a_stranger_finds_none() {
        for (typed, meant) in [
            ("pubilc", Some("public")),
            ("URL", Some("url")),
            ("uri", Some("url")),
            ("privat", Some("private")),
            ("password", None),
        ] {
            assert_eq!(nearest(typed, children("server")), meant, "{typed}");
        }
    }
}
