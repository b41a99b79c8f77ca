//! How fast mail leaves: the whole engine (the real program, its ledger durable, every message personal, 40 KB), and what that costs.
//!
//! `cargo bench --bench send -- [PART...] [MESSAGES [ROUNDS]]`, by default every part but the last, 20000 messages and 3 rounds:
//!
//! * `sink`: to Postfix's `smtp-sink`, against `smtp-source` with the same sink, size, count and sessions;
//! * `fast`: to a sink of our own that costs less, against `smtp-source` to that one, and against OpenSSL's speed at signing;
//! * `far`: to a relay that answers after 10 ms;
//! * `nodemailer`: to the sink of our own, against nodemailer (npm) with a pool and DKIM;
//! * `postgres`: PostgreSQL on the same machine against SQLite;
//! * `million`: a million readers: memory, and the last tenth against the first.
//!
//! What is compared is measured in turns, and medians are shown. Processor time is the steadiest figure on a busy machine.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic, clippy::disallowed_methods)] // a benchmark prints and takes the time

#[path = "../../tests/support/crowd.rs"]
mod crowd;
mod engine;
mod fast;
#[path = "../../tests/support/postgres.rs"]
mod postgres;
mod processor;
mod references;
#[path = "../../tests/support/sink.rs"]
mod sink;

use std::time::Duration;

use engine::{Keys, Plan, Ran};
use sink::Sink;

/// Size of one message, as `smtp-source -l` takes it and as our letter comes to within a percent.
const SIZE: usize = 40 * 1024;
/// Connections of the sender and sessions of what it is compared with.
const SESSIONS: usize = 50;

const PARTS: [&str; 6] = ["sink", "fast", "far", "nodemailer", "postgres", "million"];

/// What was measured of one sender, round by round.
#[derive(Debug, Default)]
struct Figures {
    rates: Vec<f64>,
    ran: Vec<Ran>,
}

impl Figures {
    fn add(&mut self, ran: Ran) {
        self.rates.push(ran.rate);
        self.ran.push(ran);
    }

    fn rate(&self) -> f64 {
        median(self.rates.iter().copied())
    }

    fn show(&self, name: &str, reference: &str, by: f64) {
        let cost = median(self.ran.iter().map(|ran| ran.cost));
        let rates: Vec<_> = self.rates.iter().map(|rate| format!("{rate:.0}")).collect();
        println!(
            "  {name:34} {:7.0}/s {:5.2} of {reference:22} {cost:4.0} us of processor time a message   ({})",
            self.rate(),
            self.rate() / by,
            rates.join(" ")
        );
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let numbers: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let (messages, rounds) = (numbers.first().copied().unwrap_or(20_000), numbers.get(1).copied().unwrap_or(3));
    let chosen: Vec<&str> = PARTS.into_iter().filter(|part| words.iter().any(|word| word == part)).collect();
    let parts = if chosen.is_empty() { &PARTS[..5] } else { &chosen };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    engine::weigh();
    let bench = Bench { runtime, messages, rounds };
    println!("{messages} messages of {SIZE} bytes, {SESSIONS} connections, {rounds} rounds");
    for part in parts {
        println!("{part}:");
        match *part {
            "sink" => bench.sink(),
            "fast" => bench.fast(),
            "far" => bench.far(),
            "nodemailer" => bench.nodemailer(),
            "postgres" => bench.postgres(),
            _ => bench.million(),
        }
    }
}

struct Bench {
    runtime: tokio::runtime::Runtime,
    messages: usize,
    rounds: usize,
}

impl Bench {
    fn send(&self, port: u16, keys: Keys, threads: usize) -> Ran {
        self.run(&Plan {
            port,
            people: self.messages,
            connections: SESSIONS,
            keys,
            threads,
            chunking: false,
            database: None,
        })
    }

    fn run(&self, plan: &Plan) -> Ran {
        self.runtime.block_on(engine::run(plan))
    }

    /// Every kind of signature in turns with the reference, whose rate it returns; and the microseconds that the sink takes of the same processors for a message.
    fn against_smtp_source(&self, port: u16, sink: impl Fn() -> f64, ours: &[(&str, Keys, usize)]) -> (f64, f64) {
        let (mut reference, mut costs, mut taken) = (Vec::new(), Vec::new(), Vec::new());
        let mut figures: Vec<Figures> = ours.iter().map(|_| Figures::default()).collect();
        for _ in 0..self.rounds {
            let (rate, cost) = references::smtp_source(port, self.messages, SESSIONS, SIZE);
            reference.push(rate);
            costs.push(cost);
            for ((_, keys, threads), figures) in ours.iter().zip(&mut figures) {
                let before = sink();
                figures.add(self.send(port, *keys, *threads));
                taken.push((sink() - before) * 1e6 / self.messages as f64);
            }
        }
        let by = median(reference.iter().copied());
        let (cost, taken) = (median(costs.into_iter()), median(taken.into_iter()));
        println!("  {:34} {by:7.0}/s      {:25} {cost:4.0} us of processor time a message", "smtp-source", "");
        for ((name, ..), figures) in ours.iter().zip(&figures) {
            figures.show(name, "smtp-source", by);
        }
        println!("  the sink takes {taken:.0} us of processor time for a message of ours");
        (by, taken)
    }

    fn sink(&self) {
        let Some(sink) = Sink::start() else { return missing("smtp-sink and smtp-source (Debian: postfix)") };
        let (by, taken) = self.against_smtp_source(
            sink.port,
            || processor::of(sink.process()),
            &[
                ("RSA-2048, one thread", Keys::Rsa, 1),
                ("RSA-2048 and Ed25519, two threads", Keys::Both, 2),
                ("Ed25519, two threads", Keys::Ed25519, 2),
                ("unsigned, two threads", Keys::None, 2),
            ],
        );
        // What nobody exceeds who signs: with two threads, of the two processors that the sink is on as well.
        if let (Some(one), Some(two)) = (references::openssl(1), references::openssl(2)) {
            let beside = 1.0 / (1.0 / two + taken / 2e6);
            println!(
                "  RSA-2048 signatures alone (openssl speed): {:.2} of smtp-source with one thread, {:.2} with two",
                one / by,
                beside / by
            );
        }
    }

    fn fast(&self) {
        let port = fast::start(Duration::ZERO);
        if sink::postfix("smtp-source").is_none() {
            return missing("smtp-source (Debian: postfix)");
        }
        self.against_smtp_source(
            port,
            processor::own,
            &[("Ed25519, two threads", Keys::Ed25519, 2), ("unsigned, two threads", Keys::None, 2)],
        );
        let mut figures = Figures::default();
        let (mut alone, mut together) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let (Some(one), Some(two)) = (references::openssl(1), references::openssl(2)) else {
                return missing("openssl");
            };
            alone.push(one);
            together.push(two);
            figures.add(self.send(port, Keys::Rsa, 2));
        }
        figures.show("RSA-2048, two threads", "openssl speed -multi 2", median(together.into_iter()));
        let (cost, signature) = (median(figures.ran.iter().map(|ran| ran.cost)), 1e6 / median(alone.into_iter()));
        println!("  a message is {:.2} of openssl's {signature:.0} us for an RSA-2048 signature", cost / signature);
    }

    fn far(&self) {
        let delay = Duration::from_millis(10);
        let port = fast::start(delay);
        for (connections, chunking) in [(1, false), (10, false), (10, true)] {
            let people = self.messages.min(1_000 * connections);
            let plan = Plan { port, people, connections, keys: Keys::Rsa, threads: 2, chunking, database: None };
            let mut figures = Figures::default();
            (0..self.rounds).for_each(|_| figures.add(self.run(&plan)));
            let trips = figures.rate() * delay.as_secs_f64() / connections as f64;
            println!(
                "  {connections:2} connections{}: {:.0}/s, {trips:.2} messages in the time of a round trip",
                if chunking { ", BDAT" } else { "" },
                figures.rate()
            );
        }
    }

    fn nodemailer(&self) {
        let port = fast::start(Duration::ZERO);
        let Some(place) = references::nodemailer() else { return missing("npm, or nodemailer from its registry") };
        let keys = tempfile::tempdir().unwrap();
        let [rsa, _] = engine::keys(keys.path());
        let (mut reference, mut figures) = (Vec::new(), Figures::default());
        for _ in 0..self.rounds {
            let messages = self.messages / 10;
            reference.push(references::with_nodemailer(&place, port, messages, SESSIONS, &rsa, &engine::html()));
            figures.add(self.send(port, Keys::Rsa, 2));
        }
        let by = median(reference.into_iter());
        println!("  {:34} {by:7.0}/s", "nodemailer");
        figures.show("RSA-2048, two threads", "nodemailer", by);
    }

    fn postgres(&self) {
        let port = fast::start(Duration::ZERO);
        let Some(server) = postgres::Server::durable() else { return missing("PostgreSQL (Debian: postgresql)") };
        let (mut sqlite, mut figures) = (Figures::default(), Figures::default());
        for _ in 0..self.rounds {
            sqlite.add(self.send(port, Keys::Ed25519, 2));
            let database = Some(self.runtime.block_on(server.fresh_database("")));
            figures.add(self.run(&Plan {
                port,
                people: self.messages,
                connections: SESSIONS,
                keys: Keys::Ed25519,
                threads: 2,
                chunking: false,
                database,
            }));
        }
        sqlite.show("SQLite, Ed25519", "itself", sqlite.rate());
        figures.show("PostgreSQL, Ed25519", "SQLite", sqlite.rate());
    }

    fn million(&self) {
        let port = fast::start(Duration::ZERO);
        let Ran { rate, cost, peak, tail } = self.run(&Plan {
            port,
            people: 1_000_000,
            connections: SESSIONS,
            keys: Keys::Ed25519,
            threads: 2,
            chunking: false,
            database: None,
        });
        println!(
            "  {rate:.0}/s, {cost:.0} us of processor time a message, {peak:.0} MiB resident at most, the last tenth {tail:.2} of the rate of the first"
        );
    }
}

fn missing(what: &str) {
    println!("  not measured: {what} is not installed");
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
