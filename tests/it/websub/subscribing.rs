//! Subscribe and unsubscribe: discovery, verification of intent, leases, secrets, refusals, limits.

use std::time::Duration;

use aws_lc_rs::hmac;

use super::reader::{Mood, Reader};
use super::{ALLOW, HOUR, ask, node, on_both, publish, subscribe, subscriptions, topic, work};

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_finds_the_hub_means_it_and_has_each_new_issue_until_it_leaves() {
    on_both(ALLOW, async |mut app| {
        let (reader, mut hub) = (Reader::start().await, node(&app));
        // Discovery, section 4: in the headers and in the feed.
        let feed = app.get("/weekly/atom.xml").await;
        let links = format!("<{0}/weekly/atom.xml>; rel=\"self\", <{0}/hub>; rel=\"hub\"", app.url);
        assert_eq!(feed.header("link"), links);
        assert!(feed.body.contains(&format!("<link href=\"{}/hub\" rel=\"hub\"/>", app.url)), "{}", feed.body);

        subscribe(&app, &mut hub, &reader.callback("/cb?id=7"), &[("hub.lease_seconds", "86400")]).await;
        let [asked] = reader.seen().try_into().unwrap();
        assert_eq!((asked.method.as_str(), asked.path.as_str(), asked.parameter("id")), ("GET", "/cb", "7"));
        assert_eq!(asked.parameter("hub.mode"), "subscribe");
        assert_eq!(asked.parameter("hub.topic"), topic(&app));
        assert_eq!(asked.parameter("hub.lease_seconds"), "86400");
        assert!(asked.parameter("hub.challenge").len() >= 32, "it cannot be guessed");
        assert_eq!(subscriptions(&app).await, 1);

        publish(&mut app, "Second").await;
        work(&app, &mut hub).await;
        let [push] = reader.pushes().try_into().unwrap();
        let feed = app.get("/weekly/atom.xml").await;
        assert_eq!(push.body, feed.body.as_bytes());
        assert!(feed.body.contains("Second"));
        assert_eq!(push.header("content-type"), feed.header("content-type"));
        assert_eq!(push.header("link"), links);
        assert_eq!(push.header("x-hub-signature"), "", "there is no secret");
        assert_eq!((push.path.as_str(), push.parameter("id")), ("/cb", "7"));

        // What is no news to readers is none to the hub.
        app.watch().await.unwrap();
        work(&app, &mut hub).await;
        app.advance(HOUR);
        work(&app, &mut hub).await;
        assert!(reader.seen().is_empty());

        assert_eq!(ask(&app, "unsubscribe", &reader.callback("/cb?id=7"), &[]).await.status, 202);
        publish(&mut app, "Third").await;
        work(&app, &mut hub).await;
        let [left] =
            reader.seen().into_iter().filter(|seen| seen.method == "GET").collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(left.parameter("hub.mode"), "unsubscribe");
        assert_eq!(subscriptions(&app).await, 0);
        publish(&mut app, "Fourth").await;
        work(&app, &mut hub).await;
        assert!(reader.seen().is_empty());
        assert_eq!(ask(&app, "unsubscribe", &reader.callback("/cb?id=7"), &[]).await.status, 404);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_repeat_the_challenge_is_not_subscribed_and_an_error_is_asked_about_three_times() {
    on_both(ALLOW, async |mut app| {
        let mut hub = node(&app);
        for (verification, asked) in [
            ((404, None), 1),
            ((200, Some("another challenge")), 1),
            ((200, Some("")), 1),
            ((302, None), 1),
            ((410, None), 1),
            ((500, None), 3),
        ] {
            let reader = Reader::start().await;
            let (status, text) = verification;
            reader.mood(Mood { verification: (status, text.map(str::to_owned)), ..Mood::default() });
            subscribe(&app, &mut hub, &reader.callback("/cb"), &[]).await;
            for _ in 0..10 {
                app.advance(Duration::from_secs(120));
                work(&app, &mut hub).await;
            }
            assert_eq!(reader.seen().len(), asked, "{verification:?}");
            assert_eq!(subscriptions(&app).await, 0, "{verification:?}");
        }
        // A challenge with no end to it.
        let reader = Reader::start().await;
        reader.mood(Mood { verification: (200, Some("x".repeat(50_000_000))), ..Mood::default() });
        subscribe(&app, &mut hub, &reader.callback("/cb"), &[]).await;
        assert_eq!((reader.seen().len(), subscriptions(&app).await), (1, 0));
        publish(&mut app, "Second").await;
        work(&app, &mut hub).await;
        assert!(reader.seen().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_mean_to_leave_stays() {
    on_both(ALLOW, async |mut app| {
        let (reader, mut hub) = (Reader::start().await, node(&app));
        subscribe(&app, &mut hub, &reader.callback("/cb"), &[]).await;
        reader.mood(Mood { verification: (404, None), ..Mood::default() });
        assert_eq!(ask(&app, "unsubscribe", &reader.callback("/cb"), &[]).await.status, 202);
        work(&app, &mut hub).await;
        publish(&mut app, "Second").await;
        work(&app, &mut hub).await;
        assert_eq!(reader.pushes().len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_bounded_ends_and_is_renewed() {
    on_both(ALLOW, async |mut app| {
        let (reader, mut hub) = (Reader::start().await, node(&app));
        for (asked, granted) in [("1", "3600"), ("999999999", "2592000"), ("", "864000")] {
            let callback = reader.callback(&format!("/{granted}"));
            subscribe(&app, &mut hub, &callback, &[("hub.lease_seconds", asked)]).await;
            assert_eq!(reader.seen()[0].parameter("hub.lease_seconds"), granted);
        }
        app.advance(HOUR - Duration::from_secs(1));
        publish(&mut app, "Second").await;
        work(&app, &mut hub).await;
        assert_eq!(reader.pushes().len(), 3);
        subscribe(&app, &mut hub, &reader.callback("/864000"), &[("hub.lease_seconds", "2592000")]).await;
        app.advance(Duration::from_secs(1));
        publish(&mut app, "Third").await;
        work(&app, &mut hub).await;
        assert_eq!((reader.pushes().len(), subscriptions(&app).await), (2, 2));
        app.advance(29 * 24 * HOUR);
        publish(&mut app, "Fourth").await;
        work(&app, &mut hub).await;
        assert_eq!(reader.pushes().len(), 2, "one of them has been renewed");
        app.advance(2 * 24 * HOUR);
        publish(&mut app, "Fifth").await;
        work(&app, &mut hub).await;
        assert_eq!((reader.pushes().len(), subscriptions(&app).await), (0, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_are_signed_with_the_newest_secret() {
    on_both(ALLOW, async |mut app| {
        let (reader, mut hub) = (Reader::start().await, node(&app));
        for (number, secret) in ["first secret", "second secret", ""].into_iter().enumerate() {
            subscribe(&app, &mut hub, &reader.callback("/cb"), &[("hub.secret", secret)]).await;
            publish(&mut app, &format!("Issue {number}")).await;
            work(&app, &mut hub).await;
            let [push] = reader.pushes().try_into().unwrap();
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            let signed: String = hmac::sign(&key, &push.body).as_ref().iter().map(|b| format!("{b:02x}")).collect();
            let expected = if secret.is_empty() { String::new() } else { format!("sha256={signed}") };
            assert_eq!(push.header("x-hub-signature"), expected);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_with_a_reason() {
    on_both(ALLOW, async |app| {
        let good = topic(&app);
        let own_with_query = format!("{good}?x=1");
        let (home, style) = (format!("{}/weekly/", app.url), format!("{}/weekly/files/atom.xml", app.url));
        let callback = ("hub.callback", "https://reader.example/cb");
        let subscribe = ("hub.mode", "subscribe");
        let long = "s".repeat(200);
        for (form, status, words) in [
            (vec![subscribe, ("hub.topic", "https://other.example/feed.xml"), callback], 403, "rel=\"self\""),
            (vec![subscribe, ("hub.topic", &own_with_query), callback], 403, "exact URL"),
            (vec![subscribe, ("hub.topic", &home), callback], 403, "not a feed"),
            (vec![subscribe, ("hub.topic", &style), callback], 403, "not a feed"),
            (vec![subscribe, ("hub.topic", "not a url \u{1F980}"), callback], 403, "not a feed"),
            (vec![subscribe, callback], 400, "hub.topic is missing"),
            (vec![("hub.topic", &good), callback], 400, "hub.mode is missing"),
            (vec![subscribe, ("hub.topic", &good)], 400, "hub.callback is missing"),
            (
                vec![subscribe, ("hub.topic", &good), ("hub.callback", "mailto:a@b.example")],
                400,
                "must begin with https",
            ),
            (vec![subscribe, ("hub.topic", &good), callback, ("hub.secret", &long)], 400, "shorter than 200"),
            (
                vec![subscribe, ("hub.topic", &good), callback, ("hub.lease_seconds", "soon")],
                400,
                "positive whole number",
            ),
            (vec![("hub.mode", "publish"), ("hub.url", &good)], 400, "nothing to publish"),
            (vec![("hub.mode", "unsubscribe"), ("hub.topic", &good), callback], 404, "no such subscription"),
        ] {
            let answer = app.post("/hub", &form).await;
            assert_eq!(answer.status, status, "{form:?}: {}", answer.body);
            assert!(answer.body.contains(words), "{form:?}: {}", answer.body);
            assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        }
        let json = reqwest::Client::builder().no_proxy().build().unwrap();
        let json = json.post(format!("{}/hub", app.url)).header("content-type", "application/json").body("{}");
        assert_eq!(json.send().await.unwrap().status(), 415);
        let page = app.get("/hub").await;
        assert_eq!(page.status, 200);
        assert!(page.body.contains("hub for feed readers"), "{}", page.body);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_cannot_make_us_ask_anyone_all_day() {
    on_both(ALLOW, async |app| {
        let (reader, mut hub) = (Reader::start().await, node(&app));
        subscribe(&app, &mut hub, &reader.callback("/0"), &[]).await;
        for number in 1..30 {
            let answer = ask(&app, "subscribe", &reader.callback(&format!("/{number}")), &[]).await;
            assert_eq!(answer.status, 202, "{number}: {}", answer.body);
        }
        let answer = ask(&app, "subscribe", &reader.callback("/30"), &[]).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, "60"), "{}", answer.body);
        work(&app, &mut hub).await;
        assert_eq!(reader.seen().len(), 30);
        // Of all hosts together: 31 of the reader, one of them in vain, and 89 of others.
        for number in 0..90 {
            let answer = ask(&app, "subscribe", &format!("http://host{number}.invalid/"), &[]).await;
            assert_eq!(answer.status, if number < 89 { 202 } else { 503 }, "{number}: {}", answer.body);
        }
        app.advance(Duration::from_secs(60));
        assert_eq!(ask(&app, "subscribe", &reader.callback("/30"), &[]).await.status, 202);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feeds_of_authors_are_topics_as_every_feed_is() {
    on_both(ALLOW, async |mut app| {
        let (reader, mut hub) = (Reader::start().await, node(&app));
        let page = app.get("/weekly/feeds/").await.body;
        let path = page.split('"').find(|text| text.contains("the-editors") && text.ends_with("rss.xml")).unwrap();
        let feed = app.get(path).await;
        let topic = format!("{}/{}", app.url, path.trim_start_matches(&app.url).trim_start_matches('/'));
        assert_eq!(feed.header("link"), format!("<{topic}>; rel=\"self\", <{}/hub>; rel=\"hub\"", app.url));
        let callback = reader.callback("/author");
        let form = [("hub.mode", "subscribe"), ("hub.topic", topic.as_str()), ("hub.callback", &callback)];
        assert_eq!(app.post("/hub", &form).await.status, 202);
        work(&app, &mut hub).await;
        publish(&mut app, "Second").await;
        work(&app, &mut hub).await;
        let [push] = reader.pushes().try_into().unwrap();
        let feed = app.get(path).await;
        assert_eq!(push.body, feed.body.as_bytes());
        assert_eq!(push.header("link"), feed.header("link"));
        assert!(feed.body.contains("Second"));
    })
    .await;
}
