//! The exact text of what an operator reads when something is wrong.

use super::{MINIMAL, wrong};

#[test]
fn each_mistake_in_a_newsletter_names_its_place_its_reason_and_its_remedy() {
    for (from, to, error) in [
        (
            "0 9 * * 1",
            "0 25 * * *",
            "my.toml:6:46: newsletters.news.cadences.weekly.cron: \"0 25 * * *\" is not a schedule: hour 25 is not in \
             0-23. Write five fields: minute hour day-of-month month day-of-week.",
        ),
        (
            "0 9 * * 1",
            "0 9 30 2 *",
            "my.toml:6:46: newsletters.news.cadences.weekly.cron: \"0 9 30 2 *\" never fires: no date matches it. Write \
             five fields: minute hour day-of-month month day-of-week.",
        ),
        (
            "title = \"News\"",
            "titel = \"News\"",
            "my.toml:2:14: newsletters.news.title: the key is missing. Write title = \"The News\" in [newsletters.news].\n\
             my.toml:3:1: newsletters.news.titel: there is no such key. Did you mean \"title\"?",
        ),
        (
            "title = \"News\"",
            "title = 5",
            "my.toml:3:9: newsletters.news.title: this must be a text in quotes, not an integer. Write it as in title = \
             \"The News\".",
        ),
        (
            "title = \"News\"",
            "title = \"\"",
            "my.toml:3:9: newsletters.news.title: the value is empty. Write title = \"The News\" in [newsletters.news].",
        ),
        (
            "news@example.org",
            "news@localhost",
            "my.toml:4:8: newsletters.news.from: \"news@localhost\" is not a mail address: the part after the @ is not a \
             domain name such as example.org. Write it as The News <news@example.org>.",
        ),
        (
            "source.directory = \"issues\"",
            "",
            "my.toml:2:14: newsletters.news: it does not say where its issues are. Write directory = \"issues\" or git = \
             \"https://...\" in [newsletters.news.source].",
        ),
        (
            "source.directory = \"issues\"",
            "source = { directory = \"issues\", git = \"x\", branch = \"a b\" }",
            "my.toml:5:40: newsletters.news.source.git: the value is a second place for the same source. Write one of \
             directory and git.\n\
             my.toml:5:54: newsletters.news.source.branch: \"a b\" is not the name of a branch. Write it as main.",
        ),
        (
            "source.directory = \"issues\"",
            "source = { directory = \"issues\", branch = \"main\" }",
            "my.toml:5:43: newsletters.news.source.branch: \"main\" is for a git repository only. Remove it, or write git \
             = in place of directory =.",
        ),
        (
            "source.directory = \"issues\"",
            "source = { git = \"-u x\", include = [\"a\", \"[b\"] }",
            "my.toml:5:18: newsletters.news.source.git: the value is not the place of a git repository. Write a path, or a \
             URL such as https://git.example.org/news.git or git@git.example.org:news.git.\n\
             my.toml:5:36: newsletters.news.source.include: [\"a\", \"[b\"] has \"[b\", which is not a pattern: unclosed \
             character class; missing ']'. Write it as **/*.md: * is any name, ** any folders, {a,b} one of two.",
        ),
        (
            "title = \"News\"",
            "title = \"News\"\ndate_sources = [\"file-name\", \"mtime\"]\ndate_keys = [\"\"]\nsource.only = { number = 7 }",
            "my.toml:4:16: newsletters.news.date_sources: [\"file-name\", \"mtime\"] has \"mtime\", which is not one of the \
             choices. Write \"front-matter\" or \"file-name\" or \"path\" or \"git\".\n\
             my.toml:5:13: newsletters.news.date_keys: [\"\"] has \"\", which is not a key. Write it as it stands in the \
             documents: publish_date.\n\
             my.toml:6:15: newsletters.news.source.only: this must be a table of texts, not a table. Write it as in only = \
             { category = \"Newsletter\" }.",
        ),
        (
            "title = \"News\"",
            "title = \"News\"\nsource.only = \"newsletter\"",
            "my.toml:4:15: newsletters.news.source.only: this must be a table of texts, not a string. Write it as in only = \
             { category = \"Newsletter\" }.",
        ),
        (
            "cadences.weekly = { title = \"Weekly\", cron = \"0 9 * * 1\" }",
            "",
            "my.toml:2:14: newsletters.news: it has no cadence, so nobody could subscribe. Write a section \
             [newsletters.news.cadences.weekly] with title = \"Weekly\" and cron = \"0 9 * * 1\".",
        ),
        (
            "[newsletters.news]",
            "[newsletters.News_Letter]",
            "my.toml:2:14: newsletters.News_Letter: \"News_Letter\" is not a name: use 1 to 100 lower-case letters a-z, \
             digits and hyphens, with no hyphen at either end. Such names stand in URLs and in feed ids for ever.",
        ),
        (
            "title = \"News\"",
            "title = \"News\"\ntimezone = \"Europe/Berln\"\nsettle = \"30\"\npoll = \"0s\"\nlanguage = \"english please\"",
            "my.toml:4:12: newsletters.news.timezone: \"Europe/Berln\" is not a time zone. Did you mean \"Europe/Berlin\"?\n\
             my.toml:5:10: newsletters.news.settle: \"30\" is not a duration: the unit is missing. Write a number and a unit: \
             30s, 15m, 2h or 14d.\n\
             my.toml:6:8: newsletters.news.poll: \"0s\" is shorter than 1s. Write 1s or more.\n\
             my.toml:7:12: newsletters.news.language: \"english please\" is not a language tag. Write a BCP 47 tag, such as \
             en, de-AT or zh-Hant.",
        ),
    ] {
        let text = MINIMAL.replace(from, to);
        assert_ne!(text, MINIMAL);
        assert_eq!(wrong(&text, &[]).join("\n"), error);
    }
}

#[test]
fn each_mistake_elsewhere_names_its_place_its_reason_and_its_remedy() {
    for (text, error) in [
        (
            "[server",
            "my.toml:1:8: this is not TOML: unclosed table, expected `]`. See https://toml.io for how to write it.",
        ),
        (
            "[server]\npubilc = \"x\"\n[mial]\n",
            "my.toml:2:1: server.pubilc: there is no such key. Did you mean \"public\"?\n\
             my.toml:3:2: mial: there is no such key. Did you mean \"mail\"?",
        ),
        (
            "[server]\ncolour = \"x\"",
            "my.toml:2:1: server.colour: there is no such key. Known here: public, private, url, client_header.",
        ),
        ("server = 3", "my.toml:1:1: server: this is a section, not an integer. Write [server] and its keys below."),
        (
            "[server]\npublic = \"127.0.0.1\"\nprivate = \"localhost:80\"\nurl = \"ftp://x\"",
            "my.toml:2:10: server.public: \"127.0.0.1\" is not an address to listen on: the port is missing. Write it as \
             127.0.0.1:8080 or [::1]:8080; 0.0.0.0 is every address of the machine.\n\
             my.toml:3:11: server.private: \"localhost:80\" is not an address to listen on: it must be an IP address, not a \
             name. Write it as 127.0.0.1:8080 or [::1]:8080; 0.0.0.0 is every address of the machine.\n\
             my.toml:4:7: server.url: \"ftp://x\" is not the URL of a site: it must begin with https:// or http://. Write \
             it as https://news.example.org/ or with a path.",
        ),
        (
            "server.private = \"127.0.0.1:8080\"",
            "my.toml:1:18: server.private: \"127.0.0.1:8080\" is the address of server.public too. Give the private listener \
             another port; what it shows is not for readers.",
        ),
        (
            "database.url = \"mysql://me:hunter2@db/news\"",
            "my.toml:1:16: database.url: the value is not the URL of a database. Write sqlite:data/tidings.db or \
             postgres://USER:PASSWORD@HOST/NAME, with odd characters of the password percent-encoded.",
        ),
        (
            "mail.transport = \"sendmail\"",
            "my.toml:1:18: mail.transport: \"sendmail\" is not one of the choices. Write \"outbox\" or \"smtp\".",
        ),
        (
            "mail.transport = \"smtp\"",
            "my.toml:1:18: mail.smtp.host: the key is missing: mail.transport = \"smtp\" needs it. Write host = \
             \"smtp.example.org\" in [mail.smtp].",
        ),
        (
            "mail.smtp = { host = \"mx.example.org\", tls = \"none\", port = 0, username = \"me\" }",
            "my.toml:1:46: mail.smtp.tls: \"none\" would send mail and passwords to mx.example.org in plain text. Write \
             \"starttls\" or \"implicit\"; \"none\" is for a relay on this machine.\n\
             my.toml:1:61: mail.smtp.port: 0 is not in 1-65535. Write a whole number in that range.\n\
             my.toml:1:75: mail.smtp.username: \"me\" has no password. Set TIDINGS_MAIL__SMTP__PASSWORD_FILE to a file that \
             holds it, or remove the user.",
        ),
        (
            "mail.smtp = { host = \"mx.example.org:25\", password = \"hunter2\", hello = \"a b\" }",
            "my.toml:1:22: mail.smtp.host: \"mx.example.org:25\" is not a host name. Write only the name, such as \
             smtp.example.org; port and encryption have keys of their own.\n\
             my.toml:1:54: mail.smtp.password: the value has no user. Write mail.smtp.username too, or remove the password.\n\
             my.toml:1:73: mail.smtp.hello: \"a b\" is not a name to greet a relay with. Write the name of this machine, such \
             as news.example.org, or its address as [192.0.2.1].",
        ),
        (
            "mail = { transport = \"smtp\", smtp = { tls = \"starttls\" }, relays.smtp.host = \"a.example.org\", \
             relays.bulk = { weight = 0, username = \"me\" } }",
            "my.toml:1:66: mail.relays.smtp: a relay cannot have this name. Give it another name; that one means the relay of \
             [mail.smtp].\n\
             my.toml:1:102: mail.relays.bulk.host: the key is missing. Write host = \"smtp.example.org\" in \
             [mail.relays.bulk].\n\
             my.toml:1:120: mail.relays.bulk.weight: 0 is not in 1-1000000. Write a whole number in that range.\n\
             my.toml:1:134: mail.relays.bulk.username: \"me\" has no password. Set \
             TIDINGS_MAIL__RELAYS__BULK__PASSWORD_FILE to a file that holds it, or remove the user.",
        ),
        (
            "mail = { transport = \"smtp\", smtp.host = \"a.example.org\", relays.bulk.host = \"b.example.org\" }\n\
             defaults.relays = [\"bulk\", \"smpt\"]",
            "my.toml:2:19: defaults.relays: [\"bulk\", \"smpt\"] names \"smpt\", which is no relay. Relays are smtp, bulk: \
             write some of them, or [] for all.",
        ),
        (
            "mail.smtp = { host = \"127.0.0.1\", tls = \"none\" }\nmail.relays.bulk.host = \"b.example.org\"",
            "my.toml:1:41: mail.smtp.tls: \"none\" would send mail and passwords to b.example.org in plain text. Write \
             \"starttls\" or \"implicit\" as tls in [mail.relays.bulk]; \"none\" is for a relay on this machine.",
        ),
        (
            "mail.smtp = { host = \"a.example.org\", warm_up = [200, 0] }",
            "my.toml:1:49: mail.smtp.warm_up: [\"200\", \"0\"] has \"0\", which is no number of messages. Write one number for \
             each day: [200, 400, 800].",
        ),
        (
            "mail.smtp = { host = \"a.example.org\", warm_up = [\"200\"] }",
            "my.toml:1:49: mail.smtp.warm_up: this must be a list of whole numbers, not an array. Write it as in warm_up = \
             [200, 400, 800].",
        ),
        (
            "mail.smtp = { socket = \"/run/lmtp\", host = \"a.example.org\", username = \"me\", password = \"hunter2\", \
             token_path = \"/run/token\" }",
            "my.toml:1:44: mail.smtp.host: \"a.example.org\" stands beside a socket. Remove one of the two; a socket is on \
             this machine.\n\
             my.toml:1:113: mail.smtp.token_path: \"/run/token\" stands beside a password. Remove one of the two.",
        ),
        (
            "mail.domains.ms = { domains = [\"Outlook.com\", \"live.com\"], rate = \"5/s\" }\n\
             mail.domains.other = { domains = [\"outlook.com\"], rate = \"5/s\" }\nmail.domains.none = { domains = [] }",
            "my.toml:3:14: mail.domains.none.rate: the key is missing. Write rate = \"5/s\" in [mail.domains.none].\n\
             my.toml:3:33: mail.domains.none.domains: [] names no domain. Write it as in domains = [\"outlook.com\", \
             \"hotmail.com\"].",
        ),
        (
            "mail.smtp = { host = \"a.example.org\", rate = \"20/s, 5000\" }\n\
             mail.domains.ms = { domains = [\"live.com\"], rate = \"5/h, 7/h\" }",
            "my.toml:1:46: mail.smtp.rate: \"20/s, 5000\" is not a rate: \"5000\" is not a number, a slash and a unit, as in 10/s, \
             300/m, 5000/h or 20000/d. Write it as in 5000/h, or as in 20/s, 5000/h.\n\
             my.toml:2:52: mail.domains.ms.rate: \"5/h, 7/h\" is not a rate: it has two limits with the unit h. Write it as in \
             5000/h, or as in 20/s, 5000/h.",
        ),
        (
            "mail.domains.ms = { domains = [\"Outlook.com\", \"live.com\"], rate = \"5/s\" }\n\
             mail.domains.other = { domains = [\"outlook.com\"], rate = \"5/s\" }",
            "my.toml:2:34: mail.domains.other.domains: [\"outlook.com\"] has outlook.com, which stands in ms too. Name a domain \
             once: one rate holds for it.",
        ),
        (
            "defaults.include = []",
            "my.toml:1:20: defaults.include: [] selects no file. Write it as in include = [\"**/*.md\"].",
        ),
        (
            "defaults.date_sources = []\ndefaults.date_keys = []",
            "my.toml:1:25: defaults.date_sources: [] names no place. Write it as in date_sources = [\"front-matter\"].\n\
             my.toml:2:22: defaults.date_keys: [] names no key. Write it as in date_keys = [\"date\"].",
        ),
        (
            "mail.retry_first = \"5h\"",
            "my.toml:1:20: mail.retry_first: \"5h\" is longer than mail.retry_most. Write retry_first, retry_most and \
             retry_period so that each is at least as long as the one before.",
        ),
        (
            "websub.hub = \"yes\"\nwebsub.allow_networks = [\"10.0.0.1\", \"10.0.0.1/8\"]\nwebsub.other_hubs = [\"hub\"]",
            "my.toml:1:14: websub.hub: \"yes\" is not one of the choices. Write \"on\" or \"off\".\n\
             my.toml:2:25: websub.allow_networks: [\"10.0.0.1\", \"10.0.0.1/8\"] has \"10.0.0.1\", which is not a network: it is \
             not an address, a slash and a number of bits. Write it as 192.168.1.0/24, or 192.168.1.7/32 for one address.\n\
             my.toml:2:25: websub.allow_networks: [\"10.0.0.1\", \"10.0.0.1/8\"] has \"10.0.0.1/8\", which is not a network: the \
             address goes on behind its first 8 bits. Write it as 192.168.1.0/24, or 192.168.1.7/32 for one address.\n\
             my.toml:3:21: websub.other_hubs: [\"hub\"] has \"hub\", which is not the URL of a hub. Write it as \
             https://hub.example.org/, without user and fragment.",
        ),
        (
            "[newsletters]",
            "my.toml:1:2: newsletters: there is no newsletter. Write a section [newsletters.NAME], as config/tidings.toml \
             shows.",
        ),
        (
            "defaults.feed_entries = \"20\"\ndefaults.include = \"*.md\"\ndefaults.exclude = [1]",
            "my.toml:1:25: defaults.feed_entries: this must be a whole number without quotes, not a string. Write it as in \
             feed_entries = 20.\n\
             my.toml:2:20: defaults.include: this must be a list of texts, not a string. Write it as in include = \
             [\"**/*.md\"].\n\
             my.toml:3:20: defaults.exclude: this must be a list of texts, not an array. Write it as in exclude = \
             [\"**/README.md\"].",
        ),
    ] {
        assert_eq!(wrong(text, &[]).join("\n"), error, "{text}");
    }
}

#[test]
fn each_mistake_in_the_environment_names_its_variable() {
    for (name, value, error) in [
        ("TIDINGS_SERVR__URL", "x", "TIDINGS_SERVR__URL: there is no such key. Did you mean TIDINGS_SERVER__URL?"),
        (
            "TIDINGS_NEWSLETTERS__NOWS__TITLE",
            "x",
            "TIDINGS_NEWSLETTERS__NOWS__TITLE: there is no such key. Did you mean TIDINGS_NEWSLETTERS__NEWS__TITLE?",
        ),
        (
            "TIDINGS_X",
            "x",
            "TIDINGS_X: there is no such key. It is TIDINGS_ and a key's path in upper case, joined by two underscores: \
             TIDINGS_SERVER__URL.",
        ),
        (
            "TIDINGS_MAIL__SMTP__PORT",
            "smtp",
            "TIDINGS_MAIL__SMTP__PORT: mail.smtp.port: \"smtp\" is not a whole number. Write it as in 587.",
        ),
        (
            "TIDINGS_DEFAULTS__INCLUDE",
            "[1]",
            "TIDINGS_DEFAULTS__INCLUDE: defaults.include: \"[1]\" is not a list of texts. Write it as in [\"**/*.md\"], or \
             as a,b,c.",
        ),
        (
            "TIDINGS_NEWSLETTERS__NEWS__SOURCE__ONLY",
            "type=newsletter",
            "TIDINGS_NEWSLETTERS__NEWS__SOURCE__ONLY: newsletters.news.source.only: \"type=newsletter\" is not a table of \
             texts. Write it as in { category = \"Newsletter\" }.",
        ),
        (
            "TIDINGS_MAIL__SMTP__PASSWORD_FILE",
            "no/such/file",
            "TIDINGS_MAIL__SMTP__PASSWORD_FILE: mail.smtp.password: the file \"no/such/file\" cannot be read: No such file \
             or directory (os error 2). Name a readable file that holds the value.",
        ),
        (
            "TIDINGS_DEFAULTS__POLL",
            "often",
            "TIDINGS_DEFAULTS__POLL: defaults.poll: \"often\" is not a duration: the number is missing. Write a number and a \
             unit: 30s, 15m, 2h or 14d.",
        ),
    ] {
        assert_eq!(wrong(MINIMAL, &[(name, value)]).join("\n"), error, "{name}");
    }
    let both = [("TIDINGS_SERVER__URL", "http://a.example/"), ("TIDINGS_SERVER__URL_FILE", "x")];
    let error = "TIDINGS_SERVER__URL_FILE: server.url: TIDINGS_SERVER__URL is set too. Set one of the two.";
    assert_eq!(wrong(MINIMAL, &both), [error]);
}
