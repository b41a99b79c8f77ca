//! What one message of about 40 KB costs a core, for each recipient: spliced, with an Ed25519 signature, with an RSA signature, and
//! with both, each against the bare primitives in the same run; and lettre's builder as a far reference.
//!
//! The figure of a row is the least of many short turns, taken by all rows in rotation: what else the machine does can only add to
//! a turn, so the least is the processor's time.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)] // a benchmark
#![allow(clippy::disallowed_methods)] // and it reads the clock itself

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256};
use chrono::DateTime;
use lettre::message::{MultiPart, header};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use tidings::message::{Algorithm, Compiled, Letter, List, Recipient, Signers, SigningKey, UNSUBSCRIBE_TOKEN};
use tidings::types::{Bucket, EmailAddress, Fields, InstallKey, MailingId, NewsletterId, SubscriberId, TOKEN_LENGTH};

/// HTML and text that come to a message of about 40 KB.
fn letter() -> Letter {
    let link = format!("https://news.example.org/unsubscribe/{UNSUBSCRIBE_TOKEN}");
    let html = "<p>Releases, reading and <a href=\"https://example.org/a\">thanks</a> – café.</p>\n".repeat(295);
    let text = "Releases, reading and thanks – café. https://example.org/a\n".repeat(145);
    Letter {
        newsletter: "weekly".into(),
        from_name: Some("The Weekly".into()),
        from: "news@example.org".into(),
        sender: None,
        reply_to: None,
        return_path: "bounces@example.org".into(),
        bounce_domain: Some("bounce.example.org".into()),
        complaint_address: None,
        subject: "The Weekly, number 42".into(),
        html: format!("{html}<p><a href=\"{link}\">Unsubscribe</a></p>\n"),
        text: format!("{text}\nUnsubscribe: {link}\n"),
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
    }
}

/// The same mail by lettre's builder: bodies filled, then encoded, for every recipient.
fn by_lettre(letter: &Letter, to: &str, token: &str) -> Vec<u8> {
    let fill = |body: &str| body.replace(UNSUBSCRIBE_TOKEN, token);
    let name = letter.from_name.clone();
    lettre::Message::builder()
        .from(lettre::message::Mailbox::new(name, letter.from.parse().unwrap()))
        .to(to.parse().unwrap())
        .subject(letter.subject.clone())
        .date(letter.date.into())
        .message_id(Some("<0123456789abcdef0123456789abcdef@example.org>".to_owned()))
        .header(header::MIME_VERSION_1_0)
        .multipart(MultiPart::alternative_plain_html(fill(&letter.text), fill(&letter.html)))
        .unwrap()
        .formatted()
}

fn compiled(letter: &Letter, keys: &[&str]) -> Compiled {
    let key = |pem: &&str| SigningKey::from_pem("example.org", "a", pem).unwrap();
    let mut signers = Signers::default();
    signers.insert(NewsletterId::parse("weekly").unwrap(), keys.iter().map(key).collect());
    Compiled::new(MailingId::from_bytes([5; 10]), letter, &InstallKey::new(&[1; 32]), &signers).unwrap()
}

/// A turn is long enough for the clock, and short enough to fit between two interruptions.
const TURN: Duration = Duration::from_millis(2);
const TURNS: usize = 300;

type Row<'a> = (&'a str, Box<dyn Fn() + 'a>);

/// The least time of one call of each row, in microseconds.
fn measure(rows: &[Row<'_>]) -> Vec<f64> {
    let timed = |call: &dyn Fn(), times: u32| {
        let start = Instant::now();
        (0..times).for_each(|_| call());
        start.elapsed()
    };
    let times = |call: &dyn Fn()| {
        let once = timed(call, 10) / 10;
        u32::try_from((TURN.as_nanos() / once.as_nanos().max(1)).clamp(1, 100_000)).unwrap()
    };
    let plans: Vec<u32> = rows.iter().map(|(_, call)| times(call)).collect();
    let mut least = vec![f64::MAX; rows.len()];
    for _ in 0..TURNS {
        for (number, (_, call)) in rows.iter().enumerate() {
            let micros = timed(call, plans[number]).as_secs_f64() * 1e6 / f64::from(plans[number]);
            least[number] = least[number].min(micros);
        }
    }
    least
}

fn main() {
    let letter = letter();
    let (rsa_pem, ed25519_pem) = (Algorithm::Rsa.generate().unwrap(), Algorithm::Ed25519.generate().unwrap());
    let plain = compiled(&letter, &[]);
    let (ed25519, rsa) = (compiled(&letter, &[&ed25519_pem]), compiled(&letter, &[&rsa_pem]));
    let both = compiled(&letter, &[&rsa_pem, &ed25519_pem]);
    let der = |pem: &str| PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
    let bare_rsa = rsa::KeyPair::from_pkcs8(der(&rsa_pem).secret_pkcs8_der()).unwrap();
    let bare_ed25519 = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der(&ed25519_pem).secret_pkcs8_der()).unwrap();
    let recipient = Recipient {
        bucket: Bucket::new(3),
        subscriber: SubscriberId::from_bytes([9; 10]),
        address: EmailAddress::parse("ada@example.com").unwrap(),
        request: 0,
        fields: Fields::default(),
    };
    let bytes = plain.splice(&recipient).unwrap().bytes();
    let body = &bytes[bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4..];
    let hash = digest(&SHA256, body);
    let token = "0".repeat(TOKEN_LENGTH);
    let splice = |compiled: &Compiled| drop(black_box(compiled.splice(black_box(&recipient)).unwrap()));
    let rows: Vec<Row<'_>> = vec![
        ("SHA-256 of the body", Box::new(|| _ = black_box(digest(&SHA256, black_box(body))))),
        ("the library's Ed25519 signature", Box::new(|| _ = black_box(bare_ed25519.sign(black_box(hash.as_ref()))))),
        (
            "the library's RSA-2048 signature",
            Box::new(|| {
                let mut signature = [0; 256];
                bare_rsa.sign_digest(&RSA_PKCS1_SHA256, black_box(&hash), &mut signature).unwrap();
                black_box(signature);
            }),
        ),
        ("spliced, unsigned", Box::new(|| splice(&plain))),
        ("spliced, Ed25519", Box::new(|| splice(&ed25519))),
        ("spliced, RSA-2048", Box::new(|| splice(&rsa))),
        ("spliced, both", Box::new(|| splice(&both))),
        ("compiled once", Box::new(|| drop(black_box(compiled(&letter, &[&rsa_pem]))))),
        ("lettre's builder, unsigned", Box::new(|| drop(black_box(by_lettre(&letter, "ada@example.com", &token))))),
    ];
    let micros = measure(&rows);
    println!("a message of {} bytes, microseconds a call:", bytes.len());
    for ((name, _), micros) in rows.iter().zip(&micros) {
        println!("{micros:10.2}  {name}");
    }
    let [sha, one, two, unsigned, with_ed25519, with_rsa, ..] = micros[..] else { return };
    println!("unsigned: {unsigned:.2} us (at most 5)");
    println!("Ed25519:  {:.3} of hash plus signature (at most 1.5)", with_ed25519 / (sha + one));
    println!("RSA-2048: {:.3} of hash plus signature (at most 1.15)", with_rsa / (sha + two));
}
