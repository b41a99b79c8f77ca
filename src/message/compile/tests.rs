//! Messages as bytes, read back by a stranger's parser, and a corpus of texts that try to be something else.

use chrono::{DateTime, Utc};
use mail_parser::MessageParser;

use super::super::{CONFIRM_TOKEN, List, UNSUBSCRIBE_TOKEN, field_slot};
use super::*;
use crate::types::{FieldName, is_direction};

fn letter() -> Letter {
    Letter {
        newsletter: "weekly".into(),
        from_name: Some("The Weekly".into()),
        from: "news@example.org".into(),
        sender: None,
        reply_to: None,
        return_path: "bounces@example.org".into(),
        bounce_domain: None,
        complaint_address: None,
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
            unsubscribe_address: None,
            help: "https://example.org/preferences/".into(),
            owner: "editor+news@example.org".into(),
            archive: "https://example.org/".into(),
            archived_at: None,
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
        fields: Fields::default(),
    }
}

fn compile(mailing: MailingId, letter: &Letter) -> Result<Compiled, ComposeError> {
    Compiled::new(mailing, letter, &key(), &Signers::default())
}

fn named(name: &str) -> Recipient {
    let mut fields = Fields::default();
    fields.set(&FieldName::parse("name").unwrap(), name).unwrap();
    Recipient { fields, ..recipient() }
}

fn composed(letter: &Letter) -> String {
    composed_for(letter, &recipient())
}

fn composed_for(letter: &Letter, recipient: &Recipient) -> String {
    let message = compile(mailing(), letter).unwrap().splice(recipient).unwrap();
    let text = String::from_utf8(message.bytes()).unwrap();
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
    let (preferences, mailing) = (token(header.split_once("/preferences/").unwrap().1), mailing());
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
         List-Help: <https://example.org/preferences/{preferences}>\n\
         List-Owner: <mailto:editor+news@example.org>\n\
         List-Archive: <https://example.org/>\n\
         List-Post: NO\n\
         Precedence: bulk\n\
         Feedback-ID: {mailing}:weekly:digest:nuls6t1iik\n\
         Auto-Submitted: auto-generated\n\
         X-Auto-Response-Suppress: OOF, AutoReply"
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
    let confirmation =
        Letter { list: None, text, html: "<p>".into(), complaint_address: Some("fbl@example.org".into()), ..letter() };
    let text = composed(&confirmation);
    for absent in ["List-", "Precedence", "unsubscribe", "Archived-At"] {
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
    let compile = |mailing| compile(mailing, &letter()).unwrap();
    let ada = compile(mailing()).splice(&recipient()).unwrap();
    assert_eq!(ada, compile(mailing()).splice(&recipient()).unwrap());
    let bob = Recipient { subscriber: SubscriberId::from_bytes([8; 10]), ..recipient() };
    let bob = compile(mailing()).splice(&bob).unwrap();
    assert_ne!(ada.message_id, bob.message_id);
    assert_ne!(ada.message_id, compile(MailingId::from_bytes([6; 10])).splice(&recipient()).unwrap().message_id);
    assert_eq!(ada.bytes().len(), bob.bytes().len());
    assert!(String::from_utf8(ada.bytes()).unwrap().contains(&format!("<{}>", ada.message_id)));
    assert!(!format!("{ada:?}").contains("ada@"), "{ada:?}");
}

#[test]
fn every_header_that_is_configured_stands_in_its_form() {
    let list = List {
        unsubscribe_address: Some("leave+x&y@example.org".into()),
        archived_at: Some("https://example.org/issues/3".into()),
        ..letter().list.unwrap()
    };
    let letter = Letter {
        sender: Some("list@example.net".into()),
        bounce_domain: Some("Bounce.Bücher.example".into()),
        complaint_address: Some("fbl@example.org".into()),
        list: Some(list),
        ..letter()
    };
    let text = composed(&letter);
    let message = compile(mailing(), &letter).unwrap().splice(&recipient()).unwrap();
    let verp = Verp::mint(&key(), mailing(), recipient().bucket, recipient().subscriber);
    assert_eq!(message.return_path.expose(), format!("bounces+{verp}@bounce.xn--bcher-kva.example"));
    let unsubscribe = token(text.split_once("/unsubscribe/").unwrap().1);
    for header in [
        "Sender: list@example.net".to_owned(),
        format!(">,\r\n <mailto:leave+x%26y@example.org?subject=unsubscribe%20{unsubscribe}>"),
        "Archived-At: <https://example.org/issues/3>".to_owned(),
        format!("CFBL-Address: fbl@example.org; report=arf\r\nCFBL-Feedback-ID: {verp}"),
    ] {
        assert!(text.contains(&format!("{header}\r\n")), "{header} in {text}");
    }
    let same = Letter { sender: Some("NEWS@example.org".into()), ..letter };
    assert!(!composed(&same).contains("\r\nSender:"), "it would say the same as From");
}

#[test]
fn only_an_address_beyond_ascii_makes_a_message_beyond_ascii() {
    let address = EmailAddress::parse("jörg@bücher.example").unwrap();
    let message = compile(mailing(), &letter()).unwrap().splice(&Recipient { address, ..recipient() }).unwrap();
    let text = String::from_utf8(message.bytes()).unwrap();
    let other: Vec<&str> = text.split("\r\n").filter(|line| !line.is_ascii()).collect();
    assert_eq!(other, ["To: jörg@xn--bcher-kva.example"]);
}

/// Texts that try to be something else than text.
fn hostile() -> Vec<String> {
    vec![
        format!("--=_{}--", mailing()),
        "--boundary\u{2028}Bcc: x@example.org".into(),
        "=?utf-8?q?=0D=0ABcc:_x=40example.org?=".into(),
        "=?utf-8?b?SGk=?= =?utf-8?b?SGk=?=".into(),
        "\u{202E}gro.elpmaxe@swen\u{202C} \u{2066}x".into(),
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

/// What is left of a text in a header.
fn undirected(text: &str) -> String {
    text.replace(is_direction, "")
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
        assert_eq!(mail.subject(), Some(undirected(&text).as_str()));
        assert_eq!(mail.from().and_then(|from| from.first()).unwrap().name(), Some(undirected(&text).as_str()));
        assert_eq!(mail.headers().len(), 19, "{bytes}");
        assert_eq!(mail.parts.len(), 3, "{bytes}");
        let read = mail.body_html(0).unwrap().replace("\r\n", "\n");
        assert_eq!(read.trim_end(), body.trim_end());
        assert!(!bytes.contains("\r\n.") && !bytes.contains("\r\nFrom "));
    }
}

#[test]
fn a_field_is_escaped_for_the_part_it_stands_in() {
    let slot = field_slot("name", "dear & reader");
    let letter = Letter {
        subject: format!("News for {slot}"),
        html: format!("<p title=\"{slot}\">Hello {slot}!</p>\n<p>{slot}</p>"),
        text: format!("Hello {slot}!\n{slot}\n"),
        ..letter()
    };
    for (name, text, html) in [
        ("", "dear & reader", "dear &amp; reader"),
        ("Ada", "Ada", "Ada"),
        (
            "<b>'Ö\" & =?utf-8?q?x?= {{ x }}",
            "<b>'Ö\" & =?utf-8?q?x?= {{ x }}",
            "&lt;b&gt;&#39;Ö&quot; &amp; =?utf-8?q?x?= {{ x }}",
        ),
        (".From = --=_", ".From = --=_", ".From = --=_"),
    ] {
        let bytes = composed_for(&letter, &named(name));
        let mail = MessageParser::default().parse(bytes.as_bytes()).unwrap();
        assert_eq!(mail.subject(), Some(format!("News for {text}").as_str()));
        let body = |part: std::borrow::Cow<'_, str>| part.replace("\r\n", "\n");
        assert_eq!(body(mail.body_text(0).unwrap()).trim_end(), format!("Hello {text}!\n{text}"));
        let expected = format!("<p title=\"{html}\">Hello {html}!</p>\n<p>{html}</p>");
        assert_eq!(body(mail.body_html(0).unwrap()).trim_end(), expected);
        assert_eq!((mail.headers().len(), mail.parts.len()), (19, 3), "{bytes}");
    }
}

#[test]
fn no_value_of_a_field_changes_the_headers_or_the_structure() {
    let slot = field_slot("name", "");
    let letter = Letter {
        subject: format!("{slot} and news"),
        html: format!("<p>{slot}</p>{slot}"),
        text: format!("{slot}\n{slot} x {slot}"),
        ..letter()
    };
    let raw = |value: &str| {
        let fields: Fields = serde_json::from_value(serde_json::json!({ "name": value })).unwrap();
        Recipient { fields, ..recipient() }
    };
    let shape = |bytes: &str| {
        let mail = MessageParser::default().parse(bytes.as_bytes()).unwrap();
        let names: Vec<String> = mail.headers().iter().map(|header| header.name.as_str().to_owned()).collect();
        (names, mail.parts.len())
    };
    let plain = shape(&composed_for(&letter, &named("Ada")));
    let parts = [
        "\r\nBcc: x@example.org",
        "\n",
        "\r",
        "\0",
        "=\r\n",
        "--=_",
        "=?utf-8?q?",
        "\u{202E}",
        "\u{E000}confirm\u{E001}",
    ];
    let more = [".", "\r\n.\r\n", "é", "😀", " ", "{{ x }}", "<b>", "\u{2028}", "\u{E000}field.name.x\u{E001}", "x"];
    let parts: Vec<&str> =
        parts.into_iter().chain(more).chain(["From ", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]).collect();
    // A fixed sequence that looks random: the test is the same every time.
    let mut seed = 1_u64;
    for _ in 0..3_000 {
        let mut value = String::new();
        for _ in 0..1 + seed % 7 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            value.push_str(parts[usize::try_from(seed >> 33).unwrap() % parts.len()]);
        }
        let bytes = composed_for(&letter, &raw(&value));
        assert_eq!(shape(&bytes), plain, "{value:?}");
        assert!(bytes.split("\r\n").skip_while(|line| !line.is_empty()).all(|line| line.len() <= 76), "{value:?}");
        assert!(!bytes.contains("\r\n.") && !bytes.contains("\r\nFrom "), "{value:?}");
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
        ("sender", |l, t| l.sender = Some(t.into()), &["", "a\r\nb@example.org", "jörg@example.org"]),
        ("complaint_address", |l, t| l.complaint_address = Some(t.into()), &["", "x"]),
        ("bounce_domain", |l, t| l.bounce_domain = Some(t.into()), &["", "a b", "a@b.example"]),
        ("list.owner", |l, t| l.list.as_mut().unwrap().owner = t.into(), &["", "x"]),
        ("list.help", |l, t| l.list.as_mut().unwrap().help = t.into(), &["", "https://a b"]),
        ("list.archived_at", |l, t| l.list.as_mut().unwrap().archived_at = Some(t.into()), &["", "https://a>b"]),
        (
            "list.unsubscribe_address",
            |l, t| l.list.as_mut().unwrap().unsubscribe_address = Some(t.into()),
            &["", "a> <b"],
        ),
        ("return_path", |l, t| l.return_path = t.into(), &["", "a> SIZE=1"]),
        (
            "subject",
            |l, t| l.subject = t.into(),
            &["", "a\r\nBcc: b", "a\0", UNSUBSCRIBE_TOKEN, "a\tb", "\u{E000}field.name.\u{E001}"],
        ),
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
            let error = compile(mailing(), &letter).unwrap_err();
            assert!(matches!(error, ComposeError::Header { field, .. } if field == *name), "{name} {text:?}: {error}");
        }
    }
    for date in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        assert!(compile(mailing(), &Letter { date, ..letter() }).is_err());
    }
    let stray = Letter { html: "\u{E000}admin\u{E001}".into(), ..letter() };
    assert_eq!(compile(mailing(), &stray).unwrap_err(), ComposeError::Slot { part: "html" });
}
