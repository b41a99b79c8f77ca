//! What the layers make together, and what an operator is shown of it.

mod default_file;
mod messages;

use super::schema::KEYS;
use super::*;

const MINIMAL: &str = r#"
[newsletters.news]
title = "News"
from = "news@example.org"
source.directory = "issues"
cadences.weekly = { title = "Weekly", cron = "0 9 * * 1" }
"#;

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn with(text: &str, pairs: &[(&str, &str)]) -> Config {
    parse(Some(("my.toml", text)), &variables(pairs)).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

/// What is wrong with a file and an environment, one line each.
fn wrong(text: &str, pairs: &[(&str, &str)]) -> Vec<String> {
    let errors = parse(Some(("my.toml", text)), &variables(pairs)).map(|_| ()).unwrap_err();
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn the_default_is_a_whole_configuration() {
    let config = parse(None, &[]).unwrap();
    assert_eq!(config.file, None);
    assert_eq!(config.server.url.as_str(), "http://127.0.0.1:8080/");
    assert_eq!(config.templates, None);
    let example = &config.newsletters[0];
    assert_eq!((config.newsletters.len(), example.id.as_str()), (1, "example"));
    assert_eq!(example.settle.as_secs(), 0);
    assert_eq!(example.return_path.expose(), "news@example.org");
    let cadences: Vec<_> = example.cadences.iter().map(|c| (c.id.as_str(), c.schedule.in_words())).collect();
    assert_eq!(cadences, [("each", "every minute, UTC".into()), ("weekly", "at 09:00 on Monday, UTC".into())]);
    assert!(matches!(config.mail.transport, Transport::Outbox(_)));
}

#[test]
fn a_newsletter_of_ones_own_replaces_the_example_and_inherits_the_defaults() {
    let text = format!("[defaults]\ntimezone = \"Europe/Berlin\"\nreply_to = \"ed@example.org\"\n{MINIMAL}");
    let config = with(&text, &[]);
    assert_eq!(config.newsletters.len(), 1);
    let news = &config.newsletters[0];
    assert_eq!(news.description, "News");
    assert_eq!(news.settle.as_secs(), 1800);
    assert_eq!(news.timezone.name(), "Europe/Berlin");
    assert_eq!(news.reply_to.as_ref().unwrap().expose(), "ed@example.org");
    assert_eq!(news.source.include, ["**/*.md", "**/*.markdown"]);
    assert_eq!(news.cadences[0].grace.as_secs(), 86_400);
    assert_eq!(news.cadences[0].schedule.in_words(), "at 09:00 on Monday, Europe/Berlin");
}

#[test]
fn a_newsletter_says_how_its_documents_are_read() {
    use crate::issue::DateSource::{FileName, FrontMatter, Git, Path};
    let usual = with(MINIMAL, &[]).newsletters.remove(0).reading;
    assert_eq!((usual.date_keys, usual.only.len()), (vec!["date".into()], 0));
    assert_eq!(usual.date_sources, [FrontMatter, FileName, Path, Git]);
    let own = "title = \"News\"\ntimezone = \"Asia/Tokyo\"\ndate_keys = [\"date\", \"Publish_Date\"]\n\
               source.only = { Type = \"newsletter\", category = \"This Week\" }";
    let text = format!("defaults.date_sources = [\"git\"]\n{}", MINIMAL.replace("title = \"News\"", own));
    let config = with(&text, &[]);
    let own = &config.newsletters[0].reading;
    assert_eq!((own.date_keys.join(" "), own.timezone.name()), ("date publish_date".into(), "Asia/Tokyo"));
    assert_eq!(own.date_sources, [Git]);
    let only: Vec<_> = own.only.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(only, ["category=This Week", "type=newsletter"]);
    let shown = config.effective();
    assert!(shown.contains("only = { Type = \"newsletter\", category = \"This Week\" }"), "{shown}");
    assert_eq!(with(&shown, &[]).newsletters[0].reading, *own);
    let variable = ("TIDINGS_NEWSLETTERS__NEWS__SOURCE__ONLY", "{ type = \"x\" }");
    assert_eq!(with(&text, &[variable]).newsletters[0].reading.only, [("type".into(), "x".into())].into());
}

#[test]
fn every_key_can_come_from_the_environment() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "hunter2\n").unwrap();
    let config = with(
        &MINIMAL.replace("news]", "this-week]"),
        &[
            ("TIDINGS_SERVER__URL", "https://example.org/news"),
            ("TIDINGS_SERVER__PUBLIC", "[::]:0"),
            ("TIDINGS_NEWSLETTERS__THIS_WEEK__SETTLE", "1h"),
            ("TIDINGS_NEWSLETTERS__THIS_WEEK__SOURCE__INCLUDE", "a/*.md, b/*.md"),
            ("TIDINGS_DEFAULTS__EXCLUDE", "[\"{a,b}/*\"]"),
            ("TIDINGS_NEWSLETTERS__THIS_WEEK__CADENCES__WEEKLY__CRON", "@daily"),
            ("TIDINGS_MAIL__TRANSPORT", "smtp"),
            ("TIDINGS_MAIL__SMTP__HOST", "smtp.example.org"),
            ("TIDINGS_MAIL__SMTP__TLS", "implicit"),
            ("TIDINGS_MAIL__SMTP__CONNECTIONS", "7"),
            ("TIDINGS_MAIL__SMTP__USERNAME", "me"),
            ("TIDINGS_MAIL__SMTP__PASSWORD_FILE", secret.path().to_str().unwrap()),
            ("TIDINGS_CONFIG", "my.toml"),
            ("TIDINGS_LOG", "debug"),
            ("TIDINGS_TEST_POSTGRES", "anything"),
        ],
    );
    assert_eq!(config.server.url.as_str(), "https://example.org/news/");
    assert_eq!(config.server.public.to_string(), "[::]:0");
    let news = &config.newsletters[0];
    assert_eq!(news.settle.as_secs(), 3600);
    assert_eq!(news.source.include, ["a/*.md", "b/*.md"]);
    assert_eq!(news.source.exclude, ["{a,b}/*"]);
    assert_eq!(news.cadences[0].schedule.expression(), "@daily");
    let Transport::Smtp(smtp) = &config.mail.transport else { panic!("not SMTP") };
    let smtp = &smtp[0];
    assert_eq!((smtp.port, smtp.connections, smtp.hello.as_str()), (465, 7, "example.org"));
    let Some(Login::Password { user, password }) = &smtp.login else { panic!("{:?}", smtp.login) };
    assert_eq!((user.as_str(), password.expose()), ("me", "hunter2"));
}

#[test]
fn the_named_file_wins_over_the_variable_and_the_variable_over_the_usual_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), MINIMAL).unwrap();
    let title = |path, pairs: &[(&str, &str)]| from(path, &variables(pairs)).unwrap().newsletters[0].title.clone();
    let named = [("TIDINGS_CONFIG", file.path().to_str().unwrap())];
    assert_eq!(title(Some(file.path()), &[("TIDINGS_CONFIG", "no/such.toml")]), "News");
    assert_eq!(title(None, &named), "News");
    assert_eq!(title(None, &[("TIDINGS_CONFIG", "")]), "Example Newsletter");
    assert_eq!(from(None, &[]).unwrap().file.as_deref(), Some(Path::new("config/tidings.toml")));
}

#[test]
fn an_emptied_variable_is_as_good_as_none_or_an_error_that_says_so() {
    let text = format!(
        "mail.relays.bulk.host = \"b.example.org\"\nmail.domains.ms = {{ domains = [\"live.com\"], rate = \"5/s\" }}\n{MINIMAL}"
    );
    for key in KEYS {
        let path = key.path.replace("newsletters.*", "newsletters.news").replace("cadences.*", "cadences.weekly");
        let path = path.replace("relays.*", "relays.bulk").replace("domains.*", "domains.ms");
        let name = format!("TIDINGS_{}", path.replace('.', "__").to_uppercase());
        match parse(Some(("my.toml", &text)), &variables(&[(&name, "")])) {
            Ok(config) => drop(with(&config.effective(), &[])),
            Err(errors) => {
                let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
                let last = path.rsplit('.').next().unwrap();
                assert!(!texts.is_empty() && texts.iter().all(|text| text.contains(last)), "{path}: {texts:?}");
            }
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let errors = load(Some(Path::new("no/such.toml"))).map(|_| ()).unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "no/such.toml: the configuration cannot be read: No such file or directory (os error 2). Name a readable file with \
         --config or TIDINGS_CONFIG."
    );
}

#[test]
fn the_effective_configuration_says_who_set_what_and_hides_secrets() {
    let text = format!("mail.smtp.password = \"hunter2\"\nmail.smtp.username = \"me\"\n{MINIMAL}");
    let url = ("TIDINGS_DATABASE__URL", "postgres://me:hunter2@db.example.org/news");
    let config = with(&text, &[url]);
    let shown = config.effective();
    assert!(!shown.contains("hunter2") && !format!("{config:?}").contains("hunter2"), "{shown}");
    for line in [
        "public = \"127.0.0.1:8080\"\n",
        "password = \"***\"  # from my.toml:1\n",
        "url = \"postgres://me:***@db.example.org/news\"  # from TIDINGS_DATABASE__URL\n",
        "[newsletters.news]\ntitle = \"News\"  # from my.toml:5\n",
        "[newsletters.news.cadences.weekly]\ntitle = \"Weekly\"  # from my.toml:8\n",
    ] {
        assert!(shown.contains(line), "{line} is not in\n{shown}");
    }
    assert!(!shown.contains("example]"), "{shown}");
}

#[test]
fn the_effective_configuration_reads_back_as_the_same() {
    for text in ["", MINIMAL, "server.url = \"https://example.org/\"\ndefaults.exclude = []"] {
        let first = with(text, &[]).effective();
        let again = with(&first, &[]).effective();
        let values =
            |text: &str| text.lines().map(|l| l.split("  # from").next().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(values(&first), values(&again));
    }
    assert!(!parse(None, &[]).unwrap().effective().contains("# from"));
}

#[test]
fn a_value_knows_where_it_was_set() {
    let config = with(MINIMAL, &[("TIDINGS_SERVER__URL", "http://a.example")]);
    let origin = |key| config.origin(key).map(ToString::to_string);
    assert_eq!(origin("newsletters.news.source.directory").as_deref(), Some("my.toml:5:20"));
    assert_eq!(origin("server.url").as_deref(), Some("TIDINGS_SERVER__URL"));
    assert_eq!(origin("server.public").as_deref(), Some("the default configuration"));
    assert_eq!(origin("mail.smtp.host"), None);
}

#[test]
fn relays_inherit_how_mail_is_handed_over_and_never_who_we_are() {
    let text = format!(
        "[mail]\ntransport = \"smtp\"\n[mail.smtp]\nhost = \"a.example.org\"\nusername = \"me\"\npassword = \"hunter2\"\n\
         connections = 9\ntls = \"implicit\"\n[mail.relays.bulk]\nhost = \"b.example.org\"\nweight = 3\n\
         [mail.relays.local]\nsocket = \"/run/lmtp\"\nprotocol = \"lmtp\"\nconnections = 2\n{}",
        MINIMAL.replace("source.directory", "relays = [\"bulk\"]\nsource.directory")
    );
    let config = with(&text, &[]);
    let Transport::Smtp(relays) = &config.mail.transport else { panic!("{:?}", config.mail.transport) };
    let seen: Vec<_> = relays
        .iter()
        .map(|relay| {
            (relay.name.as_str(), relay.port, relay.connections, relay.weight, relay.login.is_some(), relay.tls)
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("smtp", 465, 9, None, true, Tls::Implicit),
            ("bulk", 465, 9, Some(3), false, Tls::Implicit),
            ("local", 24, 2, None, false, Tls::None),
        ]
    );
    assert_eq!((relays[2].socket.is_some(), relays[2].protocol), (true, Protocol::Lmtp));
    assert_eq!(config.newsletters[0].relays, ["bulk"]);
    // What is printed is read back as the same.
    let again = parse(Some(("again.toml", &config.effective().replace("***", "x"))), &[]).unwrap();
    assert_eq!(again.effective().lines().count(), config.effective().lines().count());
}
