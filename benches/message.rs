//! What one message costs: compiling a letter of 40 KB once, splicing it per recipient, against building the same mail
//! with lettre per recipient, and against copying its bytes.

#![allow(missing_docs, clippy::unwrap_used)] // a benchmark

use std::hint::black_box;

use chrono::DateTime;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lettre::message::{MultiPart, header};
use tidings::message::{Compiled, Letter, List, Recipient, UNSUBSCRIBE_TOKEN};
use tidings::types::{Bucket, EmailAddress, InstallKey, MailingId, SubscriberId, TOKEN_LENGTH};

/// HTML and text that come to a message of about 40 KB.
fn letter() -> Letter {
    let link = format!("https://news.example.org/unsubscribe/{UNSUBSCRIBE_TOKEN}");
    let html = "<p>Releases, reading and <a href=\"https://example.org/a\">thanks</a> – café.</p>\n".repeat(295);
    let text = "Releases, reading and thanks – café. https://example.org/a\n".repeat(145);
    Letter {
        newsletter: "weekly".into(),
        from_name: Some("The Weekly".into()),
        from: "news@example.org".into(),
        reply_to: None,
        return_path: "bounces@example.org".into(),
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
            archive: "https://news.example.org/".into(),
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

fn message(c: &mut Criterion) {
    let (letter, key, mailing) = (letter(), InstallKey::new(&[1; 32]), MailingId::from_bytes([5; 10]));
    let compiled = Compiled::new(mailing, &letter, &key).unwrap();
    let recipient = Recipient {
        bucket: Bucket::new(3),
        subscriber: SubscriberId::from_bytes([9; 10]),
        address: EmailAddress::parse("ada@example.com").unwrap(),
        request: 0,
    };
    let bytes = compiled.splice(&recipient).bytes;
    let mut group = c.benchmark_group(format!("message of {} bytes", bytes.len()));
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("compile", |b| b.iter(|| Compiled::new(mailing, black_box(&letter), &key).unwrap()));
    group.bench_function("splice", |b| b.iter(|| compiled.splice(black_box(&recipient))));
    group.bench_function("reference: memcpy", |b| b.iter(|| black_box(&bytes).clone()));
    let token = "0".repeat(TOKEN_LENGTH);
    group.bench_function("reference: lettre's builder", |b| {
        b.iter(|| by_lettre(black_box(&letter), "ada@example.com", &token));
    });
    group.finish();
}

criterion_group!(benches, message);
criterion_main!(benches);
