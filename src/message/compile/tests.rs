//! Messages as bytes, read back by a stranger's parser, and a corpus of texts that try to be something else.

use chrono::{DateTime, Utc};
use mail_parser::MessageParser;

use super::super::{CONFIRM_TOKEN, List, UNSUBSCRIBE_TOKEN};
use super::*;

fn letter() -> Letter {
    Letter {
        newsletter: "weekly".into(),
        from_name: Some("The Weekly".into()),
        from: "news@example.org".into(),
        reply_to: None,
        return_path: "bounces@example.org".into(),
        subject: "Number 3".into(),
        html: format!("<p>Hi</p><a href=\"https://example.org/u/{UNSUBSCRIBE_TOKEN}\">no more</a>\n"),
        text: format!("Hi\n\nNo more: https://example.org/u/{UNSUBSCRIBE_TOKEN}\n"),
        date: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
        domain: "example.org".into(),
        language: "en".into(),
        list: Some(List {
            id: "weekly.example.org".into(),
            title: "The Weekly".into(),
            unsubscribe: "https://example.org/unsubscribe/".into(),
            archive: "https://example.org/".into(),
        }),
    }
}

fn key() -> InstallKey {
    InstallKey::new(&[1; 32])
}

fn mailing() -> MailingId {
    MailingId::from_bytes([5; 10])
}

fn recipient() -> Recipient {
    Recipient {
        bucket: Bucket::new(3),
        subscriber: SubscriberId::from_bytes([9; 10]),
        address: EmailAddress::parse("ada@example.com").unwrap(),
        request: 7,
    }
}

fn composed(letter: &Letter) -> String {
    let message = Compiled::new(mailing(), letter, &key()).unwrap().splice(&recipient());
    let text = String::from_utf8(message.bytes).unwrap();
    assert!(text.is_ascii());
    assert!(!text.replace("\r\n", "").contains(['\r', '\n', '\0']), "{text}");
    assert!(text.split("\r\n").all(|line| line.len() <= 998), "{text}");
    text
}

fn token(text: &str) -> String {
    text.chars().take(crate::types::TOKEN_LENGTH).collect()
}

#[test]
fn a_digest_is_these_bytes() {
    let text = composed(&letter());
    let (header, body) = text.split_once("\r\n\r\n").unwrap();
    let boundary = format!("=_{}", mailing());
    let id = header.split_once("Message-ID: <").unwrap().1.split_once('@').unwrap().0;
    let token = token(header.split_once("/unsubscribe/").unwrap().1);
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'v').contains(&b)), "{id}");
    let expected = format!(
        "Date: Fri, 15 Jan 2027 08:00:00 +0000\n\
         From: \"The Weekly\" <news@example.org>\n\
         To: ada@example.com\n\
         Message-ID: <{id}@example.org>\n\
         Subject: Number 3\n\
         MIME-Version: 1.0\n\
         Content-Type: multipart/alternative;\n boundary=\"{boundary}\"\n\
         Content-Language: en\n\
         List-Id: \"The Weekly\" <weekly.example.org>\n\
         List-Unsubscribe: <https://example.org/unsubscribe/{token}>\n\
         List-Unsubscribe-Post: List-Unsubscribe=One-Click\n\
         List-Archive: <https://example.org/>\n\
         Precedence: bulk\n\
         Auto-Submitted: auto-generated"
    );
    assert_eq!(header, expected.replace('\n', "\r\n"));
    let expected = format!(
        "--{boundary}\nContent-Type: text/plain; charset=utf-8; format=flowed; delsp=yes\nContent-Transfer-Encoding: quoted-printable\n\n\
         Hi\n\nNo more: https://example.org/u/{token}\n\
         --{boundary}\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n\
         <p>Hi</p><a href=3D\"https://example.org/u/=\n{token}\">no more</a>\n\
         --{boundary}--\n"
    );
    assert_eq!(body, expected.replace('\n', "\r\n"));
}

#[test]
fn a_stranger_reads_back_what_was_written() {
    let letter = Letter {
        from_name: Some("Ünïcode \"Team\"".into()),
        reply_to: Some("editor@example.org".into()),
        subject: "Fünf Äpfel 😀 und ein sehr langer Betreff, der auf keine einzige Zeile passt".into(),
        ..letter()
    };
    let text = composed(&letter);
    let mail = MessageParser::default().parse(text.as_bytes()).unwrap();
    let token = Token::<Unsubscribe>::mint(
        &key(),
        &Scope {
            newsletter: &NewsletterId::parse("weekly").unwrap(),
            bucket: Bucket::new(3),
            subscriber: recipient().subscriber,
            request: 0,
        },
    )
    .to_string();
    let from = mail.from().and_then(|from| from.first()).unwrap();
    assert_eq!((from.name(), from.address()), (letter.from_name.as_deref(), Some("news@example.org")));
    assert_eq!(mail.subject(), Some(letter.subject.as_str()));
    assert_eq!(mail.date().unwrap().to_timestamp(), letter.date.timestamp());
    let trimmed = |part: &str| part.replace("\r\n", "\n").trim_end().to_owned();
    let filled = |part: &str| part.replace(UNSUBSCRIBE_TOKEN, &token).trim_end().to_owned();
    assert_eq!(trimmed(&mail.body_text(0).unwrap()), filled(&letter.text));
    assert_eq!(trimmed(&mail.body_html(0).unwrap()), filled(&letter.html));
    assert!(text.contains(&format!("<https://example.org/unsubscribe/{token}>")));
}

#[test]
fn a_confirmation_is_no_list_mail_and_carries_the_token_of_its_request() {
    let text = format!("Confirm: https://example.org/c/{CONFIRM_TOKEN}");
    let confirmation = Letter { list: None, text, html: "<p>".into(), ..letter() };
    let text = composed(&confirmation);
    for absent in ["List-", "Precedence", "unsubscribe"] {
        assert!(!text.contains(absent), "{absent} in {text}");
    }
    assert!(text.contains("\r\nAuto-Submitted: auto-generated\r\n"));
    let token = Token::<Confirm>::parse(&token(text.split_once("/c/").unwrap().1)).unwrap();
    let newsletter = NewsletterId::parse("weekly").unwrap();
    let Recipient { bucket, subscriber, request, .. } = recipient();
    assert!(token.answers(&key(), &Scope { newsletter: &newsletter, bucket, subscriber, request }));
}

#[test]
fn a_message_is_the_same_every_time_and_different_for_everyone() {
    let compile = |mailing| Compiled::new(mailing, &letter(), &key()).unwrap();
    let ada = compile(mailing()).splice(&recipient());
    assert_eq!(ada, compile(mailing()).splice(&recipient()));
    let bob = Recipient { subscriber: SubscriberId::from_bytes([8; 10]), ..recipient() };
    let bob = compile(mailing()).splice(&bob);
    assert_ne!(ada.message_id, bob.message_id);
    assert_ne!(ada.message_id, compile(MailingId::from_bytes([6; 10])).splice(&recipient()).message_id);
    assert_eq!(ada.bytes.len(), bob.bytes.len());
    assert!(String::from_utf8(ada.bytes.clone()).unwrap().contains(&format!("<{}>", ada.message_id)));
    assert!(!format!("{ada:?}").contains("ada@"), "{ada:?}");
}

/// Texts that try to be something else than text.
fn hostile() -> Vec<String> {
    vec![
        format!("--=_{}--", mailing()),
        "--boundary\u{2028}Bcc: x@example.org".into(),
        "=?utf-8?q?=0D=0ABcc:_x=40example.org?=".into(),
        "=?utf-8?b?SGk=?= =?utf-8?b?SGk=?=".into(),
        "\u{202E}gro.elpmaxe@swen\u{202C}".into(),
        "\"><script>alert(1)</script>".into(),
        "a, b <c@example.org>; (d) \\".into(),
        "x".repeat(5_000),
        "long title ".repeat(40).trim_end().into(),
        "😀".repeat(300),
        "e\u{301}\u{200D}\u{FEFF}".into(),
        " leading,  double and trailing ".into(),
        "{{ user }} {% for %} ${x} %s".into(),
    ]
}

#[test]
fn hostile_text_stays_text() {
    for text in hostile() {
        let list = List { title: text.clone(), ..letter().list.unwrap() };
        let body = format!("{text}\n.\n..\nFrom {text}\n--\n");
        let letter = Letter {
            from_name: Some(text.clone()),
            subject: text.clone(),
            html: body.clone(),
            text: body.clone(),
            list: Some(list),
            ..letter()
        };
        let bytes = composed(&letter);
        let mail = MessageParser::default().parse(bytes.as_bytes()).unwrap();
        assert_eq!(mail.subject(), Some(text.as_str()));
        assert_eq!(mail.from().and_then(|from| from.first()).unwrap().name(), Some(text.as_str()));
        assert_eq!(mail.headers().len(), 14, "{bytes}");
        assert_eq!(mail.parts.len(), 3, "{bytes}");
        let read = mail.body_html(0).unwrap().replace("\r\n", "\n");
        assert_eq!(read.trim_end(), body.trim_end());
        assert!(!bytes.contains("\r\n.") && !bytes.contains("\r\nFrom "));
    }
}

#[test]
fn a_letter_that_cannot_be_a_mail_is_refused_with_the_field() {
    type Spoil = fn(&mut Letter, &str);
    let cases: &[(&str, Spoil, &[&str])] = &[
        ("newsletter", |l, t| l.newsletter = t.into(), &["", "A b", "x\r\ny"]),
        ("from_name", |l, t| l.from_name = Some(t.into()), &["a\rb", "a\nb", "a\0b", "a\u{E000}b", "a\u{85}b"]),
        ("from", |l, t| l.from = t.into(), &["", "a@b@", "a\r\nb@example.org"]),
        ("reply_to", |l, t| l.reply_to = Some(t.into()), &["", "a, b@example.org"]),
        ("return_path", |l, t| l.return_path = t.into(), &["", "a> SIZE=1"]),
        ("subject", |l, t| l.subject = t.into(), &["", "a\r\nBcc: b", "a\0", UNSUBSCRIBE_TOKEN, "a\tb"]),
        ("domain", |l, t| l.domain = t.into(), &["", "a b", "x@example.org", "example.org>\r\n"]),
        ("language", |l, t| l.language = t.into(), &["", "en\r\nx: y", "en; q"]),
        ("list.id", |l, t| l.list.as_mut().unwrap().id = t.into(), &["", "x", "a b.c", "a>.b"]),
        ("list.title", |l, t| l.list.as_mut().unwrap().title = t.into(), &["a\nb", CONFIRM_TOKEN]),
        (
            "list.unsubscribe",
            |l, t| l.list.as_mut().unwrap().unsubscribe = t.into(),
            &["", "/u/", "https://a b", "https://a>,<mailto:b"],
        ),
        (
            "list.archive",
            |l, t| l.list.as_mut().unwrap().archive = t.into(),
            &["", "javascript:x", "https://ä.example"],
        ),
    ];
    for (name, spoil, texts) in cases {
        for text in *texts {
            let mut letter = letter();
            spoil(&mut letter, text);
            let error = Compiled::new(mailing(), &letter, &key()).unwrap_err();
            assert!(matches!(error, ComposeError::Header { field, .. } if field == *name), "{name} {text:?}: {error}");
        }
    }
    for date in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        assert!(Compiled::new(mailing(), &Letter { date, ..letter() }, &key()).is_err());
    }
    let stray = Letter { html: "\u{E000}admin\u{E001}".into(), ..letter() };
    assert_eq!(Compiled::new(mailing(), &stray, &key()).unwrap_err(), ComposeError::Slot { part: "html" });
}
