//! What goes out at most: to a domain, and on a relay's first days.

use std::time::Duration;

use tokio::time::Instant;

use super::{Bench, Plan};
use crate::crowd;
use crate::harness::{Backend, eventually, tidings};
use crate::smtp::{Peer, Script};

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_keeps_its_rate_over_two_nodes_and_holds_nobody_else_up() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let lines = "domains.slow = { domains = [\"Slow.Example\"], rate = \"20/s\" }\n";
        let Some(bench) = Bench::open(backend, Plan::new(400, 8).mail(lines), Script::default()).await else {
            continue;
        };
        // reader1, reader10 to 19 and reader100 to 199.
        let moved = "UPDATE subscriber SET address = REPLACE(address, '@reader.example', '@SLOW.example') \
             WHERE address LIKE 'reader1%'";
        crowd::run(&bench.app.database, moved.to_owned()).await;
        let start = Instant::now();
        let _nodes = [bench.sender(), bench.sender()];
        let count = |slow: bool| {
            let is_slow = |to: &String| to.ends_with("@slow.example") || to.ends_with("@SLOW.example");
            bench.peer.committed().iter().filter(|one| is_slow(&one.to) == slow).count()
        };
        let mut first_slow = None;
        let mut others_done_at_slow = None;
        while count(true) < 111 || count(false) < 289 {
            assert!(start.elapsed() < Duration::from_secs(60), "{} and {}", count(true), count(false));
            let slow = count(true);
            if slow > 0 && first_slow.is_none() {
                first_slow = Some((Instant::now(), slow));
            }
            if count(false) == 289 && others_done_at_slow.is_none() {
                others_done_at_slow = Some(slow);
            }
            if let Some((at, before)) = first_slow {
                let allowed = 20.0 * at.elapsed().as_secs_f64() + 4.0;
                assert!(((slow - before) as f64) <= allowed, "{slow} after {:?}", at.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let slow = others_done_at_slow.expect("the others were done first");
        assert!(slow < 100, "{slow} of 111 were through before the others were");
        bench.finishes(Duration::from_secs(20)).await;
        assert_eq!(bench.view().await.books.accepted, 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_warmed_up_takes_its_day_and_the_rest_waits_for_the_next() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let young = Peer::start(Script::default()).await;
        let lines = format!(
            "relays.young = {{ host = \"127.0.0.1\", port = {}, tls = \"none\", connections = 4, warm_up = [40, 100] }}\n\
             [defaults]\nrelays = [\"young\"]\n",
            young.port()
        );
        let Some(bench) = Bench::open(backend, Plan::new(120, 4).mail(&lines), Script::default()).await else {
            continue;
        };
        let nodes = [bench.sender(), bench.sender()];
        eventually(Duration::from_secs(30), "the day is used", async || young.count() >= 40).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(young.count(), 40);
        assert_eq!(
            status(&bench, &[]).matches("the relay young is warmed up, day 1 of 2: 40 of 40 messages today").count(),
            1
        );
        // Whose day is used up takes no batch, and gives none back.
        let epochs = || super::count(&bench.app.database, "SELECT CAST(SUM(epoch) AS BIGINT) FROM batch");
        let before = epochs().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(epochs().await, before, "batches are leased and given back for nothing");
        drop(nodes);
        crowd::run(&bench.app.database, "UPDATE warm_up SET day = day - 1".to_owned()).await;
        let _nodes = [bench.sender(), bench.sender()];
        eventually(Duration::from_secs(60), "the next day", async || bench.is_finished().await).await;
        assert_eq!((young.count(), bench.peer.count()), (120, 0));
        let step = super::count(&bench.app.database, "SELECT step FROM warm_up").await;
        assert_eq!(step, 1);
        let json: serde_json::Value = serde_json::from_str(&status(&bench, &["--json"])).unwrap();
        let today = &json["warm_up"][0];
        assert_eq!((&today["relay"], &today["day"], &today["allowed"]), (&"young".into(), &2.into(), &100.into()));
        // Each node may hold a few that it did not need.
        assert!((80..=90).contains(&today["used"].as_i64().unwrap()), "{today}");
    }
}

fn status(bench: &Bench, more: &[&str]) -> String {
    let output =
        tidings(bench.app.directory.path()).args(["--config", "tidings.toml", "status"]).args(more).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
