//! Hubs elsewhere: feeds name them, and they are pinged when a feed changed. And no hub at all.

use super::reader::{Mood, Reader};
use super::{HOUR, node, on_both, publish, work};
use crate::harness::{Backend, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn hubs_elsewhere_are_named_and_pinged_for_each_feed_that_changed() {
    let hub = Reader::start().await;
    let url = hub.callback("/publish");
    let extra = format!("[websub]\nhub = \"off\"\nother_hubs = [{url:?}]\nallow_networks = [\"127.0.0.1/32\"]\n");
    on_both(&extra, async |mut app| {
        let mut us = node(&app);
        for format in ["atom.xml", "rss.xml", "feed.json"] {
            let feed = app.get(&format!("/weekly/{format}")).await;
            assert_eq!(
                feed.header("link"),
                format!("<{}/weekly/{format}>; rel=\"self\", <{url}>; rel=\"hub\"", app.url)
            );
            assert!(feed.body.contains(&url), "{}", feed.body);
        }
        work(&app, &mut us).await;
        assert!(hub.seen().is_empty(), "what is there at the first look is no news");
        hub.mood(Mood { push: 503, ..Mood::default() });
        publish(&mut app, "Second").await;
        work(&app, &mut us).await;
        assert_eq!(hub.pushes().len(), 3);
        let (_, failing) = app.app().store.hub_failing(10).await.unwrap();
        assert_eq!(failing.len(), 3);
        assert!(failing[0].error.contains("503"), "{}", failing[0].error);
        hub.mood(Mood::default());
        app.advance(HOUR);
        work(&app, &mut us).await;
        let mut told: Vec<String> = Vec::new();
        for ping in hub.pushes() {
            assert_eq!(ping.header("content-type"), "application/x-www-form-urlencoded");
            let form: Vec<_> = url::form_urlencoded::parse(&ping.body).into_owned().collect();
            assert_eq!(form[0], ("hub.mode".to_owned(), "publish".to_owned()));
            assert_eq!(form[1].0, "hub.url");
            told.push(form[1].1.clone());
        }
        told.sort();
        let all = ["atom.xml", "feed.json", "rss.xml"].map(|format| format!("{}/weekly/{format}", app.url));
        assert_eq!(told, all);
        app.advance(HOUR);
        work(&app, &mut us).await;
        assert!(hub.seen().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_hub_feeds_name_none_and_nobody_can_subscribe() {
    let mut app = TestApp::start_with(Backend::Sqlite, "[websub]\nhub = \"off\"\n").await.unwrap();
    app.watch().await.unwrap();
    let feed = app.get("/weekly/atom.xml").await;
    assert_eq!(feed.header("link"), "");
    assert!(!feed.body.contains("rel=\"hub\""));
    assert!(!app.get("/weekly/feed.json").await.body.contains("hubs"));
    assert_eq!(app.get("/hub").await.status, 404);
    assert_eq!(app.post("/hub", &[("hub.mode", "subscribe")]).await.status, 405);
}
