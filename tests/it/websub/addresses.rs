//! Callbacks that lead inside: no connection is opened, whatever the spelling. A listener on the forbidden address sees to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;

use super::reader::Reader;
use super::{ALLOW, ask, node, on_both, publish, subscribe, subscriptions, work};

/// Counts who connects to this machine, on every one of its addresses and both families.
async fn trap() -> (u16, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let four = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = four.local_addr().unwrap().port();
    let mut listeners = vec![four];
    // A machine without IPv6 cannot be reached by it either.
    listeners.extend(TcpListener::bind(("::1", port)).await.ok());
    for listener in listeners {
        let count = Arc::clone(&count);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    (port, count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_inside_is_never_connected_to() {
    on_both("", async |app| {
        let (port, count) = trap().await;
        let mut hub = node(&app);
        for host in [
            "127.0.0.1",
            "127.1",
            "0x7f000001",
            "2130706433",
            "0177.0.0.1",
            "127.255.1.2",
            "0.0.0.0",
            "[::]",
            "[::1]",
            "[::127.0.0.1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[64:ff9b::127.0.0.1]",
            "[64:ff9b:1::7f00:1]",
            "[2002:7f00:1::1]",
            "[2001::80ff:fffe]",
            "169.254.169.254",
        ] {
            let answer = ask(&app, "subscribe", &format!("http://{host}:{port}/"), &[]).await;
            assert_eq!(answer.status, 400, "{host}: {}", answer.body);
            assert!(answer.body.contains("where this hub does not connect"), "{host}: {}", answer.body);
        }
        for name in ["localhost", "LocalHost", "localhost."] {
            for scheme in ["http", "https"] {
                subscribe(&app, &mut hub, &format!("{scheme}://{name}:{port}/"), &[]).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!((count.load(Ordering::SeqCst), subscriptions(&app).await), (0, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trap_is_one_and_an_allowed_network_is_reached() {
    on_both("[websub]\nallow_networks = [\"127.0.0.0/8\", \"::1/128\"]\n", async |app| {
        let (port, count) = trap().await;
        let mut hub = node(&app);
        assert_eq!(ask(&app, "subscribe", &format!("http://localhost:{port}/"), &[]).await.status, 202);
        hub.tick(app.clock.now()).await.unwrap();
        tokio::time::timeout(Duration::from_secs(5), async {
            while count.load(Ordering::SeqCst) == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .unwrap();
    })
    .await;
}

/// As when a name that was public leads inside later: what counts is where it leads when it is connected to.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_checked_again_when_it_connects() {
    on_both(ALLOW, async |mut app| {
        let (reader, mut hub) = (Reader::start().await, node(&app));
        for host in ["127.0.0.1", "localhost"] {
            let answer = ask(&app, "subscribe", &format!("http://{host}:{}/cb", reader.port), &[]).await;
            assert_eq!(answer.status, 202, "{}", answer.body);
        }
        work(&app, &mut hub).await;
        assert!(subscriptions(&app).await >= 1, "localhost may be ::1 as well, which is not allowed");
        reader.seen();
        app.restart_with("[websub]\nallow_networks = []\n").await;
        let mut hub = node(&app);
        publish(&mut app, "Second").await;
        work(&app, &mut hub).await;
        assert!(reader.seen().is_empty());
        let (failing, _) = app.app().store.hub_failing(10).await.unwrap();
        assert!(failing[0].error.contains("is loopback"), "{}", failing[0].error);
    })
    .await;
}
