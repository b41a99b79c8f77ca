//! Pushes: retries, the end of a subscription, many nodes, slow readers, a feed that is gone.

use std::time::Duration;

use tidings::app::App;
use tidings::chance::Chance;
use tokio::net::TcpListener;

use super::reader::{Mood, Reader};
use super::{ALLOW, HOUR, ask, node, on_both, publish, subscribe, subscriptions, try_work, work};
use crate::harness::{Backend, TestApp, tidings};

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_down_has_the_newest_feed_once_when_it_is_back() {
    on_both(ALLOW, async |mut app| {
        let (reader, mut hub) = (Reader::start().await, node(&app));
        subscribe(&app, &mut hub, &reader.callback("/cb"), &[]).await;
        let port = reader.stop().await;
        publish(&mut app, "Second").await;
        work(&app, &mut hub).await;
        let (failing, _) = app.app().store.hub_failing(10).await.unwrap();
        assert_eq!(failing.len(), 1);
        assert!(failing[0].error.contains("cannot be connected to"), "{}", failing[0].error);
        operators_see_it(&app).await;
        // The first wait is ten seconds, give or take a quarter.
        app.advance(Duration::from_secs(7));
        assert_eq!(try_work(&app, &mut hub).await.unwrap(), 0);
        app.advance(Duration::from_secs(6));
        assert_eq!(try_work(&app, &mut hub).await.unwrap(), 1);
        app.advance(10 * HOUR);
        work(&app, &mut hub).await;
        publish(&mut app, "Third").await;
        let reader = Reader::at(port).await;
        work(&app, &mut hub).await;
        let [push] = reader.pushes().try_into().unwrap();
        assert!(String::from_utf8_lossy(&push.body).contains("Third"));
        let (failing, _) = app.app().store.hub_failing(10).await.unwrap();
        assert_eq!(failing, [], "it is well again");
        app.advance(HOUR);
        work(&app, &mut hub).await;
        assert!(reader.seen().is_empty());
    })
    .await;
}

/// On the private listener and on the command line; the callback itself is the reader's secret.
async fn operators_see_it(app: &TestApp) {
    let status: serde_json::Value =
        serde_json::from_str(&app.get(&format!("{}/status", app.private)).await.body).unwrap();
    let topic = super::topic(app);
    assert_eq!(status["websub"]["feeds"][0]["feed"], topic);
    assert_eq!(status["websub"]["feeds"][0]["subscriptions"], 1);
    assert_eq!(status["websub"]["failing_pushes"][0]["host"], "127.0.0.1");
    let metrics = app.get(&format!("{}/metrics", app.private)).await.body;
    for line in ["tidings_hub_subscriptions", "tidings_hub_failing"] {
        assert!(metrics.contains(&format!("{line}{{feed=\"{topic}\"}} 1\n")), "{metrics}");
    }
    // By its own clock, which is far ahead of the test's, the lease is over: it lists failures alone.
    let shown = tidings(app.directory.path()).args(["--config", "tidings.toml", "status"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains(&format!("push of {topic} to 127.0.0.1 fails since")), "{shown}");
    assert!(!shown.contains("/cb"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_says_gone_or_fails_for_three_days_is_not_told_any_more() {
    on_both(ALLOW, async |mut app| {
        let (reader, mut hub) = (Reader::start().await, node(&app));
        subscribe(&app, &mut hub, &reader.callback("/gone"), &[]).await;
        reader.mood(Mood { push: 410, ..Mood::default() });
        publish(&mut app, "Second").await;
        work(&app, &mut hub).await;
        assert_eq!((reader.pushes().len(), subscriptions(&app).await), (1, 0));

        reader.mood(Mood::default());
        subscribe(&app, &mut hub, &reader.callback("/failing"), &[]).await;
        reader.mood(Mood { push: 500, ..Mood::default() });
        for hours in 0..73 {
            // A new issue each day gives nobody who is not there more time.
            if hours % 24 == 0 {
                publish(&mut app, &format!("Day {hours}")).await;
            }
            work(&app, &mut hub).await;
            assert_eq!(subscriptions(&app).await, i64::from(hours < 72), "{hours}");
            app.advance(HOUR);
        }
        let tried = reader.pushes().len();
        assert!((36..90).contains(&tried), "{tried} attempts in three days");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_tell_each_reader_once() {
    on_both(ALLOW, async |mut app| {
        let (reader, mut hub) = (Reader::start().await, node(&app));
        let other = App::open(app.config(), app.clock.clone(), Chance::system()).await.unwrap();
        let mut other_hub = other.distributor(&other.web()).unwrap();
        for number in 0..60 {
            if number % 25 == 24 {
                app.advance(Duration::from_secs(60)); // the hub takes 30 requests of a host in a minute
            }
            assert_eq!(ask(&app, "subscribe", &reader.callback(&format!("/{number}")), &[]).await.status, 202);
        }
        work(&app, &mut hub).await;
        reader.seen();
        for round in 0..3 {
            publish(&mut app, &format!("Round {round}")).await;
            let mut looks = 0;
            loop {
                let now = app.clock.now();
                let (one, two) = tokio::join!(hub.tick(now), other_hub.tick(now));
                let (one, two) = (one.unwrap(), two.unwrap());
                tokio::join!(hub.settled(), other_hub.settled());
                looks += one.changed + two.changed;
                if one.begun + two.begun == 0 {
                    break;
                }
            }
            assert_eq!(looks, 1, "one of them finds that the feed changed");
            let mut told: Vec<_> = reader.pushes().into_iter().map(|push| push.path).collect();
            told.sort();
            let count = told.len();
            told.dedup();
            assert_eq!((told.len(), count), (60, 60));
        }
        other.store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_a_failure_and_leads_nowhere() {
    on_both(ALLOW, async |mut app| {
        let (reader, elsewhere, mut hub) = (Reader::start().await, Reader::start().await, node(&app));
        subscribe(&app, &mut hub, &reader.callback("/cb"), &[]).await;
        for push in [301, 302, 303, 307, 308] {
            reader.mood(Mood { push, location: Some(elsewhere.callback("/")), ..Mood::default() });
            publish(&mut app, &format!("Issue {push}")).await;
            work(&app, &mut hub).await;
            assert_eq!(reader.pushes().len(), 1, "{push}");
        }
        assert!(elsewhere.seen().is_empty());
        let (failing, _) = app.app().store.hub_failing(10).await.unwrap();
        assert!(failing[0].error.contains("redirects are not followed"), "{}", failing[0].error);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_takes_the_connection_and_says_nothing_is_given_up() {
    let mut app = TestApp::start_with(Backend::Sqlite, ALLOW).await.unwrap();
    app.watch().await.unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let callback = format!("http://{}/", silent.local_addr().unwrap());
    let (reader, mut hub) = (Reader::start().await, node(&app));
    assert_eq!(ask(&app, "subscribe", &callback, &[]).await.status, 202);
    let begun = tokio::time::Instant::now();
    hub.tick(app.clock.now()).await.unwrap();
    let _held = silent.accept().await.unwrap();
    // Others are not kept waiting.
    assert_eq!(ask(&app, "subscribe", &reader.callback("/cb"), &[]).await.status, 202);
    hub.tick(app.clock.now()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), async {
        while subscriptions(&app).await == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    hub.settled().await;
    let took = begun.elapsed().as_secs();
    assert!((14..25).contains(&took), "{took} s");
    assert_eq!(subscriptions(&app).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_a_feed_that_is_gone_for_a_day_are_told_so() {
    let issues = tempfile::TempDir::new().unwrap();
    let two = |first: &str, second: &str| {
        let newsletter = |name: &str| {
            format!(
                "[newsletters.{name}]\ntitle = \"N\"\nfrom = \"n@news.example\"\nsource.directory = {:?}\n\
                 cadences.mondays = {{ title = \"M\", cron = \"0 9 * * 1\" }}\n",
                issues.path().display().to_string()
            )
        };
        format!("{ALLOW}{}{}", newsletter(first), newsletter(second))
    };
    on_both(&two("weekly", "other"), async |mut app| {
        let (reader, mut hub) = (Reader::start().await, node(&app));
        subscribe(&app, &mut hub, &reader.callback("/cb"), &[]).await;
        reader.seen();
        app.restart_with(&two("other", "another")).await;
        let mut hub = node(&app);
        for _ in 0..23 {
            app.advance(HOUR);
            work(&app, &mut hub).await;
        }
        assert_eq!((reader.seen().len(), subscriptions(&app).await), (0, 1), "another node may know it");
        app.advance(HOUR);
        work(&app, &mut hub).await;
        let [denied] = reader.seen().try_into().unwrap();
        assert_eq!((denied.method.as_str(), denied.parameter("hub.mode")), ("GET", "denied"));
        assert!(denied.parameter("hub.topic").ends_with("/weekly/atom.xml"));
        assert_eq!(denied.parameter("hub.reason"), "There is no such feed here any more.");
        assert_eq!(subscriptions(&app).await, 0);
    })
    .await;
}
