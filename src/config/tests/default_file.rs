//! The promises of `config/tidings.toml`: every key, good values, the right defaults.

use std::collections::BTreeSet;

use super::super::schema::KEYS;
use super::super::*;
use super::with;

/// `config/tidings.toml` with every key that is commented out put in place, and the paths of all its keys.
fn documented() -> (String, BTreeSet<String>) {
    let (mut text, mut keys, mut section) = (String::new(), BTreeSet::new(), String::new());
    for line in DEFAULT.lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let key = bare.split_once(" = ").map(|(key, _)| key);
        let key = key.filter(|key| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        let header = bare.strip_prefix('[').and_then(|l| l.strip_suffix(']'));
        if let Some(name) = header {
            section = name.replace(".example", ".*").replace(".each", ".*").replace(".weekly", ".*");
        }
        if let Some(key) = key {
            keys.insert(format!("{section}.{key}"));
        }
        text.push_str(if key.is_some() || header.is_some() { bare } else { line });
        text.push('\n');
    }
    (text, keys)
}

#[test]
fn the_default_file_documents_every_key_and_no_other() {
    let (text, documented) = documented();
    let known: BTreeSet<String> = KEYS.iter().map(|key| key.path.to_owned()).collect();
    assert_eq!(documented, known);
    let mut errors = Vec::new();
    Settings::read(Some("tidings.toml"), &text, &mut errors);
    assert_eq!(errors, [], "a value that is commented out is of the wrong kind");
}

#[test]
fn the_values_shown_for_keys_without_a_default_are_good_ones() {
    let (text, _) = documented();
    // Git and a directory exclude each other, and so do ways to log in and places of a relay; everything else may be set at once.
    let text = text.replace("directory = \"examples/newsletter\"", "").replace("directory = \"public\"", "");
    let text = text.replace("token_path = ", "# ").replace("socket = ", "# ");
    let text = text.replace("transport = \"outbox\"", "transport = \"smtp\"");
    let config = with(&text, &[]);
    assert!(matches!(config.newsletters[0].source.place, SourcePlace::Git { .. }));
}

#[test]
fn every_key_commented_out_for_a_newsletter_shows_the_value_it_inherits() {
    let (text, _) = documented();
    let settings = Settings::read(None, &text, &mut Vec::new()).unwrap();
    for (own, default) in [
        ("newsletters.example.language", "defaults.language"),
        ("newsletters.example.timezone", "defaults.timezone"),
        ("newsletters.example.date_keys", "defaults.date_keys"),
        ("newsletters.example.date_sources", "defaults.date_sources"),
        ("newsletters.example.feed_entries", "defaults.feed_entries"),
        ("newsletters.example.feed_kilobytes", "defaults.feed_kilobytes"),
        ("newsletters.example.source.include", "defaults.include"),
        ("newsletters.example.source.exclude", "defaults.exclude"),
        ("newsletters.example.pages.content", "defaults.content"),
        ("newsletters.example.pages.without", "defaults.without"),
        ("newsletters.example.cadences.each.grace", "defaults.grace"),
        ("newsletters.example.relays", "defaults.relays"),
        ("mail.relays.example.tls", "mail.smtp.tls"),
        ("mail.relays.example.connections", "mail.smtp.connections"),
        ("mail.relays.example.timeout", "mail.smtp.timeout"),
    ] {
        assert_eq!(settings.leaves[own].raw, settings.leaves[default].raw, "{own}");
    }
}

#[test]
fn the_examples_in_error_messages_are_values_that_would_be_taken() {
    let items = |value: &toml::Value| {
        let items = value.as_array().unwrap().clone();
        items.into_iter().map(|item| item.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for key in KEYS {
        let value: toml::Value = key.example.parse().unwrap();
        let text = value.as_str().unwrap_or_default();
        let good = match key.path.rsplit('.').next().unwrap() {
            "public" | "private" => values::listen(text).is_ok(),
            "cron" => values::schedule(text, chrono_tz::Tz::UTC).is_ok(),
            "timezone" => values::timezone(text).is_ok(),
            "poll" | "settle" | "max_age" | "grace" | "timeout" | "retry_first" | "retry_most" | "retry_period" => {
                values::duration(text).is_ok()
            }
            "from" => values::mailbox(text).is_ok(),
            "bounce_domain" | "dkim_domain" => values::domain(text).is_ok(),
            "fields" => items(&value).iter().all(|text| values::field(text).is_ok()),
            "reply_to" | "return_path" | "sender" | "unsubscribe_address" | "complaint_address" => {
                values::address(text).is_ok()
            }
            "host" => values::host(text).is_ok(),
            "client_header" => values::header_name(text).is_ok(),
            "icon" | "logo" => values::picture(text).is_ok(),
            "other_hubs" => items(&value).iter().all(|text| values::other_hub(text).is_ok()),
            "allow_networks" => items(&value).iter().all(|text| values::network(text).is_ok()),
            "date_keys" => items(&value).iter().all(|text| values::metadata_key(text).is_ok()),
            "date_sources" => items(&value).iter().all(|text| values::date_source(text).is_ok()),
            "content" => values::selector(text).is_ok(),
            "without" => items(&value).iter().all(|text| values::selector(text).is_ok()),
            "include" | "exclude" => items(&value).iter().all(|text| values::pattern(text).is_ok()),
            _ => true,
        };
        assert!(good, "{} = {}", key.path, key.example);
    }
}

#[test]
fn what_is_no_issue_in_most_repositories_is_excluded() {
    let newsletter = parse(None, &[]).unwrap().newsletters.remove(0);
    let set = |patterns: &[String]| {
        let mut set = globset::GlobSetBuilder::new();
        for pattern in patterns {
            set.add(globset::GlobBuilder::new(pattern).literal_separator(true).build().unwrap());
        }
        set.build().unwrap()
    };
    let (include, exclude) = (set(&newsletter.source.include), set(&newsletter.source.exclude));
    for (path, selected) in [
        ("2020-03-12-news.md", true),
        ("_posts/2020-03-12-news.markdown", true),
        ("news/007/index.md", true),
        ("readme-driven.md", true),
        ("news/README.md", false),
        ("readme.zh.md", false),
        ("_index.md", false),
        ("news/_index.de.md", false),
        ("_drafts/next.md", false),
        ("templates/issue.md", false),
        ("news/archetypes/default.md", false),
        ("template.md", false),
        ("CONTRIBUTING.md", false),
        ("CODE_OF_CONDUCT.markdown", false),
        ("node_modules/x/y/HISTORY.md", false),
        ("news/a.md~", false),
        ("news/#a.md#", false),
        ("news/a.txt", false),
    ] {
        assert_eq!(include.is_match(path) && !exclude.is_match(path), selected, "{path}");
    }
    // What an include pattern of one's own would let in.
    for path in ["news/a.md~", "#a.md#"] {
        assert!(exclude.is_match(path), "{path}");
    }
}
