//! Opens a listener and serves a router on it until told to stop.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;

use super::clients::Peer;
use super::front::Front;
use super::patient::Patient;

/// How long requests in flight may take after the signal to stop. A page takes milliseconds; who reads slower than this is cut off.
const GRACE: Duration = Duration::from_secs(5);

/// Why nothing can be served at an address.
#[derive(Debug, thiserror::Error)]
#[error("{what}: cannot listen on {address}: {why}. {remedy}")]
pub struct ServeError {
    what: String,
    address: SocketAddr,
    why: String,
    remedy: String,
}

/// Opens a listener. `what` is the configuration's key for the address, such as `server.public`, for the error.
///
/// # Errors
/// When the address is taken, forbidden or not this machine's; in words, with the remedy.
pub async fn bind(address: SocketAddr, what: &str) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|error| {
        let (why, remedy) = explained(&error, what);
        ServeError { what: what.to_owned(), address, why, remedy }
    })
}

fn explained(error: &io::Error, what: &str) -> (String, String) {
    match error.kind() {
        io::ErrorKind::AddrInUse => (
            "another program listens there already".to_owned(),
            format!("Stop it (it may be another Tidings), or set {what} to another port."),
        ),
        io::ErrorKind::PermissionDenied => (
            "the system does not allow it".to_owned(),
            format!("Set {what} to a port above 1023, and put a proxy in front for 80 and 443."),
        ),
        io::ErrorKind::AddrNotAvailable => (
            "this machine does not have that address".to_owned(),
            format!("Set {what} to 127.0.0.1, 0.0.0.0 or an address of this machine."),
        ),
        _ => (error.to_string(), format!("Check {what}.")),
    }
}

/// Serves until `shutdown` ends; then takes no new connection, finishes requests in flight, and returns within a few seconds.
///
/// Not `axum::serve`, which knows routers only: each request for a feed would pay for a route, three layers and six boxes.
pub async fn run(listener: TcpListener, front: impl Into<Front>, shutdown: impl Future<Output = ()> + Send + 'static) {
    let (mut listener, front, connections) = (Patient(listener), front.into(), GracefulShutdown::new());
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        let front = front.clone();
        let service = service_fn(move |request| front.answer(request, Peer(peer)).ready());
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("a connection of {peer} ended: {error}");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(GRACE, connections.shutdown()).await.is_err() {
        tracing::warn!("some HTTP clients were too slow and are cut off");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    async fn started() -> (SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
        let listener = bind("127.0.0.1:0".parse().unwrap(), "server.public").await.unwrap();
        let address = listener.local_addr().unwrap();
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            "done"
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let router = Router::new().route("/slow", get(slow));
        let server = tokio::spawn(run(listener, router, async {
            let _ = stopped.await;
        }));
        (address, stop, server)
    }

    #[tokio::test]
    async fn a_port_in_use_is_explained() {
        let first = bind("127.0.0.1:0".parse().unwrap(), "server.public").await.unwrap();
        let address = first.local_addr().unwrap();
        let error = bind(address, "server.public").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "server.public: cannot listen on {address}: another program listens there already. \
                 Stop it (it may be another Tidings), or set server.public to another port."
            )
        );
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_explained() {
        let error = bind("192.0.2.1:0".parse().unwrap(), "server.private").await.unwrap_err().to_string();
        assert!(error.contains("this machine does not have that address"), "{error}");
    }

    #[tokio::test]
    async fn a_request_in_flight_is_finished_before_the_stop() {
        let (address, stop, server) = started().await;
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        stop.send(()).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("done"), "{answer}");
        server.await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_says_nothing_does_not_hold_the_stop() {
        let (address, stop, server) = started().await;
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET /slow HT").await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        stop.send(()).unwrap();
        tokio::time::timeout(GRACE + Duration::from_secs(2), server).await.unwrap().unwrap();
    }
}
