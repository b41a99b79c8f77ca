//! How fast mail leaves: N messages of 40 KB over C connections to Postfix's `smtp-sink`, in turn with Postfix's own
//! `smtp-source`, same count, size, connections and sink.
//!
//! `cargo bench --bench send -- [MESSAGES [CONNECTIONS [ROUNDS]]]`, by default 5000, 10 and 5.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods)] // a benchmark prints and takes the time

#[path = "../tests/support/sink.rs"]
mod sink;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::DateTime;
use sink::{Sink, postfix};
use tidings::config::{self, InDoubt, Protocol, Smtp, Tls};
use tidings::delivery::Patience;
use tidings::message::{Compiled, Letter, List, Message, Recipient, Signers, UNSUBSCRIBE_TOKEN};
use tidings::transport::{Announced, Content, Envelope, Transport};
use tidings::types::{Bucket, EmailAddress, Fields, InstallKey, MailingId, SubscriberId};

/// Size of one message, as `smtp-source -l` takes it and as our letter comes to within a percent.
const SIZE: usize = 40 * 1024;

/// What one run sends.
#[derive(Clone, Copy)]
struct Load {
    port: u16,
    messages: u64,
    connections: usize,
}

/// A way to send a load; gives the time it took. Another way (through the ledger) is another line in [`main`].
type Sender<'a> = (&'a str, Box<dyn Fn(Load) -> Duration + 'a>);

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let mut number = |default| numbers.next().unwrap_or(default);
    let (messages, connections, rounds) = (number(5_000), number(10), number(5));
    let Some(sink) = Sink::start() else {
        println!("send: Postfix's smtp-sink and smtp-source are not installed; nothing was measured");
        return;
    };
    let load = Load { port: sink.port, messages, connections: usize::try_from(connections).unwrap() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let compiled = Arc::new(compiled());
    println!(
        "{messages} messages of {} bytes over {connections} connections, {rounds} rounds",
        compose(&compiled, 0).bytes.len()
    );
    let senders: [Sender; 2] = [
        ("smtp-source", Box::new(smtp_source)),
        ("tidings, transport", Box::new(|load| runtime.block_on(transport(load, compiled.clone())))),
    ];
    let mut rates = vec![Vec::new(); senders.len()];
    for round in 1..=rounds {
        for ((name, send), rates) in senders.iter().zip(&mut rates) {
            let rate = messages as f64 / send(load).as_secs_f64();
            println!("round {round}: {name:20} {rate:8.0} messages/s");
            rates.push(rate);
        }
    }
    let medians: Vec<f64> = rates.iter_mut().map(|rates| median(rates)).collect();
    for ((name, _), rate) in senders.iter().zip(&medians) {
        println!("median:  {name:20} {rate:8.0} messages/s   {:.2} of smtp-source", rate / medians[0]);
    }
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// The reference.
fn smtp_source(load: Load) -> Duration {
    let Load { port, messages, connections } = load;
    let mut command = postfix("smtp-source").unwrap();
    // -d keeps a connection for many messages, as we do.
    command.args(["-d", "-s", &connections.to_string(), "-m", &messages.to_string(), "-l", &SIZE.to_string()]);
    let start = Instant::now();
    assert!(command.arg(format!("127.0.0.1:{port}")).status().unwrap().success());
    start.elapsed()
}

/// Composing and sending, without a ledger.
async fn transport(load: Load, compiled: Arc<Compiled>) -> Duration {
    let transport = Transport::all(&mail(load)).remove(0);
    let next = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..load.connections {
        workers.spawn(work(transport.clone(), compiled.clone(), next.clone(), load.messages));
    }
    let sent: u64 = workers.join_all().await.iter().sum();
    assert_eq!(sent, load.messages);
    start.elapsed()
}

/// One connection: takes the next message until there is none, one round each.
async fn work(transport: Transport, compiled: Arc<Compiled>, next: Arc<AtomicU64>, messages: u64) -> u64 {
    let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < messages).map(|n| compose(&compiled, n));
    let envelope = |message: &Message| Envelope { from: message.return_path.clone(), to: message.to.clone() };
    let mut connection = transport.connect().await.unwrap();
    let mut current: Option<Message> = None;
    let mut sent = 0;
    loop {
        let following = take();
        if current.is_none() && following.is_none() {
            break;
        }
        let content = current.map(|message| Content::new(message.bytes).unwrap());
        let round = connection.round(content.as_ref(), following.as_ref().map(envelope).as_ref()).await;
        assert!(round.broken.is_none(), "{round:?}");
        sent += u64::from(round.content.is_some_and(|reply| reply.code == 250));
        assert_eq!(round.envelope.is_some_and(|answer| answer == Announced::Ready), following.is_some());
        current = following;
    }
    connection.quit().await;
    sent
}

fn compose(compiled: &Compiled, n: u64) -> Message {
    let mut id = [0; 10];
    id[2..].copy_from_slice(&n.to_be_bytes());
    let recipient = Recipient {
        bucket: Bucket::new(0),
        subscriber: SubscriberId::from_bytes(id),
        address: EmailAddress::parse(&format!("reader{n}@example.com")).unwrap(),
        request: 0,
        fields: Fields::default(),
    };
    compiled.splice(&recipient).unwrap()
}

/// A letter that comes to a message of [`SIZE`] bytes, give or take a percent.
fn compiled() -> Compiled {
    let compile = |lines: usize| {
        let html = "<p>Releases, reading, <a href=\"https://example.org/a\">thanks</a> and a table of numbers</p>\n";
        let link = format!("https://news.example.org/unsubscribe/{UNSUBSCRIBE_TOKEN}");
        let letter = Letter {
            newsletter: "weekly".into(),
            from_name: Some("The Weekly".into()),
            from: "news@example.org".into(),
            sender: None,
            reply_to: None,
            bounce_domain: None,
            complaint_address: None,
            return_path: "bounces@example.org".into(),
            subject: "The Weekly, number 42".into(),
            html: format!("{}<p><a href=\"{link}\">Unsubscribe</a></p>\n", html.repeat(lines)),
            text: format!(
                "{}\nUnsubscribe: {link}\n",
                "Releases, reading, thanks and a table of numbers\n".repeat(lines)
            ),
            date: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
            domain: "example.org".into(),
            language: "en".into(),
            list: Some(List {
                id: "weekly.example.org".into(),
                title: "The Weekly".into(),
                unsubscribe: "https://news.example.org/unsubscribe/".into(),
                unsubscribe_address: None,
                help: "https://news.example.org/preferences/".into(),
                owner: "editor@example.org".into(),
                archive: "https://news.example.org/".into(),
                archived_at: None,
            }),
        };
        Compiled::new(MailingId::from_bytes([5; 10]), &letter, &InstallKey::new(&[1; 32]), &Signers::default()).unwrap()
    };
    (1..).map(compile).find(|compiled| compose(compiled, 0).bytes.len() >= SIZE).unwrap()
}

fn mail(load: Load) -> config::Mail {
    let second = Duration::from_secs(1);
    let relay = Smtp {
        name: "smtp".to_owned(),
        weight: None,
        protocol: Protocol::Smtp,
        host: "127.0.0.1".to_owned(),
        port: load.port,
        socket: None,
        chunking: false,
        tls: Tls::None,
        login: None,
        connections: load.connections,
        messages: u32::MAX,
        rate: None,
        warm_up: Vec::new(),
        idle: Duration::from_secs(10),
        hello: "sender.example".to_owned(),
        timeout: Duration::from_secs(30),
    };
    config::Mail {
        transport: config::Transport::Smtp(vec![relay]),
        in_doubt: InDoubt::Resend,
        patience: Patience { first: second, most: second, period: second },
        domains: Vec::new(),
    }
}
