//! Subscribe, confirm, unsubscribe: by people, by mail programs, and by link scanners that open everything.

use std::time::Duration;

use tidings::subscription::{State, Subscription};
use tidings::types::{Fields, Preferences, Scope, Token};

use crate::harness::{Backend, TestApp, on_both};

async fn states(app: &TestApp) -> Vec<State> {
    let page = app.app().store.list(None, None, 100).await.unwrap();
    page.into_iter().map(|listed| listed.subscription.state).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn double_opt_in_takes_a_form_a_mail_and_a_button() {
    on_both(async |mut app| {
        app.watch().await.unwrap();
        let answer = app.post("/weekly/subscribe", &[("email", "Ada@reader.example"), ("cadence", "mondays")]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(states(&app).await, [State::Pending]);
        app.send().await;
        let mails = app.outbox();
        assert_eq!(mails.len(), 1, "one confirmation mail");
        assert_eq!(mails[0].to, "Ada@reader.example");
        assert!(!mails[0].source.contains("List-Unsubscribe"), "there is nothing to unsubscribe from yet");

        let link = mails[0].link("/confirm/");
        for _ in 0..3 {
            let page = app.get(&link).await;
            assert_eq!(page.status, 200);
            assert!(page.body.contains("<button"), "{}", page.body);
            assert!(page.header("cache-control").contains("no-store"));
        }
        assert_eq!(states(&app).await, [State::Pending], "a GET changes nothing: scanners open every link");
        assert_eq!(app.post(&link, &[]).await.status, 200);
        assert_eq!(states(&app).await, [State::Confirmed]);
        assert_eq!(app.post(&link, &[]).await.status, 200, "pressing twice does no harm");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_answers_alike_for_known_and_unknown_addresses_and_floods_nobody() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    app.watch().await.unwrap();
    app.subscribe("ada@reader.example").await;
    let mut bodies = Vec::new();
    for address in ["ada@reader.example", "new@reader.example", "new@reader.example", "NEW@reader.example"] {
        bodies.push(app.post("/weekly/subscribe", &[("email", address), ("cadence", "mondays")]).await.body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
    app.send().await;
    let to_new = app.outbox().iter().filter(|mail| mail.to.eq_ignore_ascii_case("new@reader.example")).count();
    assert_eq!(to_new, 1, "three requests within a quarter of an hour are one mail");
    assert_eq!(app.outbox().iter().filter(|mail| mail.to == "ada@reader.example").count(), 1);
    app.advance(Duration::from_secs(16 * 60));
    app.post("/weekly/subscribe", &[("email", "new@reader.example"), ("cadence", "mondays")]).await;
    app.send().await;
    let to_new = app.outbox().iter().filter(|mail| mail.to.eq_ignore_ascii_case("new@reader.example")).count();
    assert_eq!(to_new, 2, "later, they may ask again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_address_is_told_why() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    app.watch().await.unwrap();
    let answer = app.post("/weekly/subscribe", &[("email", "ada@reader"), ("cadence", "mondays")]).await;
    assert_eq!(answer.status, 422);
    assert!(answer.body.contains("not a domain name"), "{}", answer.body);
    assert_eq!(app.post("/weekly/subscribe", &[("email", "a@b.example"), ("cadence", "hourly")]).await.status, 422);
    assert_eq!(app.post("/nothing/subscribe", &[("email", "a@b.example")]).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_click_and_the_page_both_unsubscribe_and_get_does_not() {
    on_both(async |mut app| {
        app.watch().await.unwrap();
        for address in ["page@reader.example", "click@reader.example", "stays@reader.example"] {
            app.subscribe(address).await;
        }
        app.write_issue("news.md", "News", "2026-03-02", "Hello.");
        app.watch().await.unwrap();
        app.schedule().await;
        app.advance(Duration::from_secs(3600));
        app.schedule().await;
        app.send().await;
        let digests = app.digests();
        assert_eq!(digests.len(), 3);
        let mail = |address: &str| digests.iter().find(|mail| mail.to == address).unwrap();

        let link = mail("page@reader.example").link("/unsubscribe/");
        let page = app.get(&link).await;
        assert!(page.status == 200 && page.body.contains("<button"));
        assert_eq!(states(&app).await.iter().filter(|s| **s == State::Confirmed).count(), 3, "a GET changes nothing");
        assert_eq!(app.post(&link, &[]).await.status, 200);

        let click = mail("click@reader.example");
        assert!(click.source.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"));
        let header = click.source.replace("\r\n ", " ");
        let url = header.split_once("List-Unsubscribe: <").unwrap().1.split_once('>').unwrap().0.to_owned();
        assert_eq!(app.post(&url, &[("List-Unsubscribe", "One-Click")]).await.status, 200);
        assert_eq!(app.get(&url).await.status, 200, "and again by hand: friendly");

        app.write_issue("more.md", "More news", "2026-03-02", "Hello again.");
        app.watch().await.unwrap();
        app.advance(Duration::from_secs(7 * 24 * 3600));
        app.schedule().await;
        app.send().await;
        let after: Vec<_> = app.digests().into_iter().map(|mail| mail.to).skip(3).collect();
        assert_eq!(after, ["stays@reader.example"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_for_its_own_purpose_and_request_only() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    app.watch().await.unwrap();
    app.post("/weekly/subscribe", &[("email", "ada@reader.example"), ("cadence", "mondays")]).await;
    app.send().await;
    let confirm = app.outbox()[0].link("/confirm/");
    let crossed = confirm.replace("/confirm/", "/unsubscribe/");
    assert_eq!(app.post(&crossed, &[]).await.status, 404);
    let token = confirm.rsplit('/').next().unwrap();
    for forged in [&token[..44], &"0".repeat(45), "x"] {
        assert_eq!(app.get(&format!("/weekly/confirm/{forged}")).await.status, 404, "{forged}");
        assert_eq!(app.post(&format!("/weekly/confirm/{forged}"), &[]).await.status, 404, "{forged}");
    }
    app.post(&confirm, &[]).await;
    let address = tidings::types::EmailAddress::parse("ada@reader.example").unwrap();
    let bucket = address.key().bucket(app.app().store.buckets());
    let listed = app.app().store.list(None, None, 10).await.unwrap();
    let subscription = &listed[0].subscription;
    app.app()
        .store
        .unsubscribe(&subscription.newsletter, bucket, subscription.subscriber, app.clock.now())
        .await
        .unwrap();
    app.advance(Duration::from_secs(3600));
    app.post("/weekly/subscribe", &[("email", "ada@reader.example"), ("cadence", "mondays")]).await;
    app.post(&confirm, &[]).await;
    assert_eq!(states(&app).await, [State::Pending], "an old link does not confirm a later request");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preferences_link_shows_and_changes_how_often_mail_comes() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(mut app) = TestApp::start_with(backend, TWO_CADENCES).await else { continue };
        app.watch().await.unwrap();
        app.subscribe("ada@reader.example").await;
        app.write_issue("one.md", "One", "2026-03-01", "A text.");
        app.watch().await.unwrap();
        app.schedule().await;
        app.advance(Duration::from_secs(3600));
        app.schedule().await;
        app.send().await;
        let link = app.digests()[0].link("/preferences/");

        let page = app.get(&link).await;
        assert!(page.body.contains("value=\"mondays\" checked") && page.header("cache-control") == "no-store");
        assert_eq!(cadences(&app).await, ["mondays"], "a GET changes nothing");
        assert_eq!(app.post(&link, &[("cadence", "hourly")]).await.status, 422);

        let page = app.post(&link, &[("cadence", "daily")]).await;
        assert!(page.body.contains("value=\"daily\" checked") && page.body.contains("Saved."), "{}", page.body);
        assert_eq!(cadences(&app).await, ["daily"]);
        app.post(&link, &[("cadence", "mondays")]).await;
        app.post(&link, &[("cadence", "mondays")]).await;
        assert_eq!(cadences(&app).await, ["mondays"], "there and back, and twice is once");

        let forged = link.replace("/preferences/", "/unsubscribe/");
        assert_eq!(app.get(&forged).await.status, 404, "a token has one purpose");
        assert_eq!(app.get(&link[..link.len() - 1]).await.status, 404);

        let page = app.post(&link, &[("cadence", "-")]).await;
        assert!(page.body.contains("You are unsubscribed"), "{}", page.body);
        assert!(cadences(&app).await.is_empty());
        let page = app.post(&link, &[("cadence", "daily")]).await;
        assert!(page.body.contains("unsubscribed since"), "an old link brings nobody back: {}", page.body);
        assert!(cadences(&app).await.is_empty());
    }
}

const TWO_CADENCES: &str = r#"
[newsletters.weekly]
title = "The Weekly"
from = "The Weekly <weekly@news.example>"
settle = "0s"
min_length = 1
max_age = "60d"
[newsletters.weekly.source]
directory = {issues}
[newsletters.weekly.cadences.daily]
title = "Every day"
cron = "0 7 * * *"
[newsletters.weekly.cadences.mondays]
title = "Every Monday"
cron = "0 9 * * 1"
"#;

/// The cadences that somebody is subscribed to.
async fn cadences(app: &TestApp) -> Vec<String> {
    let page = app.app().store.list(None, None, 100).await.unwrap();
    let confirmed = page.into_iter().filter(|listed| listed.subscription.state == State::Confirmed);
    confirmed.map(|listed| listed.subscription.cadence.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_tell_about_themselves_is_theirs_to_change_and_goes_with_them() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let extra = format!("[defaults]\nfields = [\"name\"]\n{TWO_CADENCES}");
        let Some(mut app) = TestApp::start_with(backend, &extra).await else { continue };
        app.watch().await.unwrap();
        assert!(app.get("/weekly/").await.body.contains("name=\"name\""), "the form asks");
        let long = [("email", "ada@reader.example"), ("cadence", "mondays"), ("name", &"x".repeat(101))];
        assert_eq!(app.post("/weekly/subscribe", &long).await.status, 422);
        let form = [("email", "ada@reader.example"), ("cadence", "mondays"), ("name", " Ada\r\nBcc: x "), ("age", "3")];
        app.post("/weekly/subscribe", &form).await;
        app.send().await;
        app.post(&app.outbox()[0].link("/confirm/"), &[]).await;
        assert_eq!(names(&app).await, ["Ada Bcc: x"], "one line, and only what was asked");

        let forged = [("email", "ada@reader.example"), ("cadence", "mondays"), ("name", "Mallory")];
        app.post("/weekly/subscribe", &forged).await;
        let other = [("email", "ada@reader.example"), ("cadence", "daily"), ("name", "Mallory")];
        app.post("/weekly/subscribe", &other).await;
        assert_eq!(confirmed(&app).await[0].fields.get("name"), Some("Ada Bcc: x"), "nobody else can change it");

        let scope = confirmed(&app).await.remove(0);
        let token = Token::<Preferences>::mint(
            app.app().store.key(),
            &Scope { newsletter: &scope.newsletter, bucket: scope.bucket, subscriber: scope.subscriber, request: 0 },
        );
        let link = format!("/weekly/preferences/{token}");
        assert!(app.get(&link).await.body.contains("value=\"Ada Bcc: x\""));
        app.post(&link, &[("cadence", "mondays"), ("name", "Ada")]).await;
        assert_eq!(confirmed(&app).await[0].fields.get("name"), Some("Ada"));
        app.post(&link, &[("cadence", "daily"), ("name", "Countess")]).await;
        let now = confirmed(&app).await;
        assert_eq!((now[0].cadence.as_str(), now[0].fields.get("name")), ("daily", Some("Countess")));
        app.post(&link, &[("cadence", "-")]).await;
        let left = app.app().store.list(None, None, 100).await.unwrap();
        assert!(
            left.iter()
                .filter(|l| l.subscription.state == State::Unsubscribed)
                .all(|l| l.subscription.fields == Fields::default())
        );
    }
}

async fn confirmed(app: &TestApp) -> Vec<Subscription> {
    let page = app.app().store.list(None, None, 100).await.unwrap();
    page.into_iter().map(|listed| listed.subscription).filter(|s| s.state == State::Confirmed).collect()
}

async fn names(app: &TestApp) -> Vec<String> {
    confirmed(app).await.iter().filter_map(|s| s.fields.get("name").map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newsletter_speaks_its_language_from_the_form_to_the_last_goodbye() {
    let mut app = TestApp::start_with(Backend::Sqlite, "[defaults]\nlanguage = \"de\"\n").await.unwrap();
    let tip = "> [!TIP]\n> Ein Rat.[^1]\n\n[^1]: Woher.";
    app.write_issue("eins.md", "Eins", "2026-03-01", tip);
    app.watch().await.unwrap();
    app.schedule().await;
    let home = app.get("/weekly/").await.body;
    for words in ["lang=\"de\"", "Ihre E-Mail-Adresse", "<button>Abonnieren</button>", "1. März 2026"] {
        assert!(home.contains(words), "{words} in {home}");
    }
    let issue = app.get("/weekly/issues/eins").await.body;
    for words in ["<strong>Tipp</strong>", "aria-label=\"Zurück zum Text\"", "Suche"] {
        assert!(issue.contains(words), "{words} in {issue}");
    }
    assert!(app.get("/weekly/atom.xml").await.body.contains("Tipp"));
    let wrong = app.post("/weekly/subscribe", &[("email", "ada"), ("cadence", "mondays")]).await;
    assert!(wrong.status == 422 && wrong.body.contains("Es fehlt das @."), "{}", wrong.body);
    let asked = app.post("/weekly/subscribe", &[("email", "ada@reader.example"), ("cadence", "mondays")]).await;
    assert!(asked.body.contains("Bitte sehen Sie in Ihr Postfach"), "{}", asked.body);
    app.send().await;
    let mail = app.outbox().remove(0);
    assert_eq!(mail.subject, "Bestätigen Sie Ihr Abonnement von The Weekly");
    assert!(mail.text.contains("drücken dort den Knopf") && mail.html.contains("Abonnement bestätigen"));
    assert!(!mail.html.contains("lang=\"en\""), "nothing in it is English");
    let done = app.post(&mail.link("/confirm/"), &[]).await.body;
    assert!(done.contains("<h1>Sie haben abonniert</h1>") && done.contains("The Weekly kommt zu Ihnen"), "{done}");

    app.write_issue("zwei.md", "Zwei", "2026-03-02", "Ein Text.");
    app.watch().await.unwrap();
    app.advance(Duration::from_secs(3600));
    app.schedule().await;
    app.send().await;
    let digest = app.digests().remove(0);
    assert!(digest.text.contains("Abbestellen: ") && digest.html.contains("2. März 2026"), "{}", digest.text);
    let preferences = app.get(&digest.link("/preferences/")).await.body;
    assert!(preferences.contains("Nichts mehr: abbestellen"), "{preferences}");
    let gone = app.post(&digest.link("/unsubscribe/"), &[]).await.body;
    assert!(gone.contains("Es kommt keine E-Mail von The Weekly mehr zu Ihnen."), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_subscribes_strangers_is_told_to_wait() {
    let mut app = TestApp::start(Backend::Sqlite).await.unwrap();
    app.watch().await.unwrap();
    let mut config = app.config();
    config.server.client_header = Some("x-real-ip".into());
    let (url, server) = app.serve_as(config).await;
    let ask = async |who: usize, from: &str| {
        let (path, address) = (format!("{url}/weekly/subscribe"), format!("stranger{who}@reader.example"));
        app.post_with(&path, &[("email", &address), ("cadence", "mondays")], &[("X-Real-IP", from)]).await
    };
    let mut answers = Vec::new();
    for who in 0..8 {
        answers.push(ask(who, "192.0.2.1").await);
    }
    let refused = answers.pop().unwrap();
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 200, 200, 200, 200, 429, 429]);
    assert!(refused.body.contains("Please wait a little") && refused.header("cache-control").contains("no-store"));
    assert!((1..=301).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
    assert_eq!(ask(20, "192.0.2.2").await.status, 200, "others are not");
    assert_eq!(ask(0, "192.0.2.1").await.status, 429, "whether the address is known or not");
    let wrong = [("email", "nobody"), ("cadence", "mondays")];
    let path = format!("{url}/weekly/subscribe");
    assert_eq!(app.post_with(&path, &wrong, &[("X-Real-IP", "192.0.2.1")]).await.status, 422, "mails nobody");
    app.send().await;
    assert_eq!(app.outbox().len(), 6);
    server.abort();
}
