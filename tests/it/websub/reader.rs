//! A feed reader's callback: it remembers what came, and answers as it is told.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How it answers.
#[derive(Clone, Debug)]
pub struct Mood {
    /// To a verification: the status, and what stands in place of the challenge.
    pub verification: (u16, Option<String>),
    /// To a push.
    pub push: u16,
    /// The `Location` of every answer.
    pub location: Option<String>,
}

impl Default for Mood {
    fn default() -> Self {
        Self { verification: (200, None), push: 204, location: None }
    }
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: Method,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seen {
    pub fn parameter(&self, name: &str) -> &str {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

pub struct Reader {
    pub port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    mood: Arc<Mutex<Mood>>,
    server: JoinHandle<()>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Reader {
    pub async fn start() -> Self {
        Self::at(0).await
    }

    /// At a port where one was before.
    pub async fn at(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, mood) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::<Mutex<Mood>>::default());
        let (its_seen, its_mood) = (Arc::clone(&seen), Arc::clone(&mood));
        let router = Router::new().fallback(move |request: Request| answer(request, its_seen, its_mood));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port, seen, mood, server }
    }

    /// Ends it: the port is closed afterwards.
    pub async fn stop(mut self) -> u16 {
        self.server.abort();
        let _ = (&mut self.server).await;
        self.port
    }

    pub fn callback(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub fn mood(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// What came since this was asked last.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }

    /// The bodies that were pushed since this was asked last.
    pub fn pushes(&self) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.method == Method::POST).collect()
    }
}

async fn answer(request: Request, seen: Arc<Mutex<Vec<Seen>>>, mood: Arc<Mutex<Mood>>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let query = url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let came = Seen { method: head.method, path: head.uri.path().to_owned(), query, headers: head.headers, body };
    let mood = mood.lock().unwrap().clone();
    let (status, text) = match &mood.verification {
        _ if came.method == Method::POST => (mood.push, String::new()),
        (status, Some(text)) => (*status, text.clone()),
        (status, None) => (*status, came.parameter("hub.challenge").to_owned()),
    };
    seen.lock().unwrap().push(came);
    let mut response = Response::builder().status(status);
    if let Some(location) = mood.location {
        response = response.header("location", location);
    }
    response.body(text.into()).unwrap()
}
