//! Reports as mail servers, mailbox providers and readers write them, and as strangers may.

use super::*;
use crate::types::{InstallKey, MailingId, Scope, Token, Unsubscribe};

fn key() -> InstallKey {
    InstallKey::new(&[7; 32])
}

fn newsletters() -> Vec<NewsletterId> {
    ["monthly", "weekly"].iter().map(|name| NewsletterId::parse(name).unwrap()).collect()
}

fn verp_of(key: &InstallKey) -> Verp {
    Verp::mint(key, MailingId::from_bytes([5; 10]), Bucket::new(3), SubscriberId::from_bytes([9; 10]))
}

fn read_as(message: &str) -> Result<Report, Unread> {
    let (key, newsletters) = (key(), newsletters());
    let ours = Ours { key: &key, newsletters: &newsletters };
    let with_tokens = message.replace("TOKEN", &verp_of(&key).to_string());
    // Both line ends: the wire has one, a mailbox the other.
    let read_here = read(with_tokens.as_bytes(), &ours);
    assert_eq!(read_here, read(with_tokens.replace('\n', "\r\n").as_bytes(), &ours), "other line ends");
    read_here
}

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

/// A report about one mail, with these fields of its recipient.
fn returned(recipient: &str) -> String {
    format!(
        "Return-Path: <>\nDelivered-To: bounces+TOKEN@bounce.news.example\nFrom: MAILER-DAEMON@mx.example (Mail Delivery System)\n\
         Subject: Undelivered Mail Returned to Sender\nTo: bounces+TOKEN@bounce.news.example\nAuto-Submitted: auto-replied\n\
         MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status;\n\tboundary=\"4CB5F1C0A2.1700/mx.example\"\n\n\
         This is a MIME-encapsulated message.\n\n--4CB5F1C0A2.1700/mx.example\nContent-Description: Notification\n\
         Content-Type: text/plain; charset=us-ascii\n\nI'm sorry to have to inform you that your message could not be delivered.\n\n\
         --4CB5F1C0A2.1700/mx.example\nContent-Description: Delivery report\nContent-Type: message/delivery-status\n\n\
         Reporting-MTA: dns; mx.example\nX-Queue-ID: 4CB5F1C0A2\nArrival-Date: Mon,  2 Mar 2026 09:00:00 +0000 (UTC)\n\n\
         {recipient}\n\n--4CB5F1C0A2.1700/mx.example\nContent-Description: Undelivered Message Headers\n\
         Content-Type: text/rfc822-headers\n\nReturn-Path: <bounces+TOKEN@bounce.news.example>\nSubject: March\n\n\
         --4CB5F1C0A2.1700/mx.example--\n"
    )
}

fn bounce(recipient: &str) -> Bounce {
    match read_as(&returned(recipient)) {
        Ok(Report::Bounce(verp, bounce)) if verp == verp_of(&key()) => bounce,
        other => panic!("{other:?}\n{recipient}"),
    }
}

#[test]
fn who_is_to_blame_is_read_from_the_report() {
    use Blame::{Gone, Mailbox, Us};
    let ada = address("Ada@reader.example");
    let to_ada = "Final-Recipient: rfc822; ada@reader.example\nOriginal-Recipient: rfc822;ada@reader.example";
    for (recipient, status, blame) in [
        // As Postfix, Gmail, Exchange Online and Exim write them.
        (
            format!("{to_ada}\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 <ada@reader.example>: unknown"),
            (5, 1, 1),
            Gone,
        ),
        (
            "Final-Recipient: rfc822; ada@reader.example\nAction: failed\nStatus: 5.1.1\nRemote-MTA: dns; mx.reader.example.\n\
             Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist.\n 550 5.1.1 Please try again"
                .into(),
            (5, 1, 1),
            Gone,
        ),
        (
            "Final-Recipient: rfc822;ada@reader.example\nAction: failed\nStatus: 5.1.10\n\
             Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found by SMTP address lookup"
                .into(),
            (5, 1, 10),
            Gone,
        ),
        ("Action: failed\nFinal-Recipient: rfc822;ada@reader.example\nStatus: 5.0.0".into(), (5, 0, 0), Mailbox),
        // The program in between says less than the server did.
        (format!("{to_ada}\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 5.1.1 unknown"), (5, 1, 1), Gone),
        (format!("{to_ada}\nAction: failed\nDiagnostic-Code: smtp; 550 5.1.1 unknown"), (5, 1, 1), Gone),
        (format!("{to_ada}\nAction: failed\nStatus: 5.2.2 (mailbox full)"), (5, 2, 2), Mailbox),
        (format!("{to_ada}\nAction: failed\nStatus: 5.4.1\nDiagnostic-Code: smtp; 550 5.4.1 denied"), (5, 4, 1), Mailbox),
        (format!("{to_ada}\nAction: failed\nStatus: 4.2.2\nDiagnostic-Code: smtp; 452 4.2.2 over quota"), (4, 2, 2), Mailbox),
        // Not the mailbox.
        (format!("{to_ada}\nAction: failed\nStatus: 5.7.1\nDiagnostic-Code: smtp; 554 5.7.1 spam"), (5, 7, 1), Us),
        (format!("{to_ada}\nAction: failed\nStatus: 4.7.650"), (4, 7, 650), Us),
        (format!("{to_ada}\nAction: failed\nStatus: 4.4.1\nDiagnostic-Code: X-Postfix; connect: timed out"), (4, 4, 1), Us),
        // Another mailbox than the one we wrote to.
        ("Final-Recipient: rfc822; someone@else.example\nAction: failed\nStatus: 5.1.1".into(), (5, 1, 1), Mailbox),
        ("Action: failed\nStatus: 5.1.1".into(), (5, 1, 1), Mailbox),
        (
            format!("Final-Recipient: rfc822; someone@else.example\nAction: failed\nStatus: 5.2.2\n\n{to_ada}\nAction: failed\nStatus: 5.1.1"),
            (5, 1, 1),
            Gone,
        ),
    ] {
        let bounce = bounce(&recipient);
        let failure = bounce.of(Some(&ada)).unwrap();
        assert_eq!((failure.status, failure.blame(Some(&ada))), (status, blame), "{recipient}");
        assert_ne!(failure.blame(None), Gone, "somebody who was removed: {recipient}");
    }
}

#[test]
fn what_the_server_said_is_kept_and_names_nobody() {
    let said = |diagnostic: &str| {
        let bounce = bounce(&format!("Action: failed\nStatus: 5.1.1\nDiagnostic-Code: {diagnostic}"));
        bounce.of(None).unwrap().text.clone()
    };
    assert_eq!(
        said("smtp; 550 5.1.1 <ada@reader.example>: Recipient address\n rejected"),
        "5.1.1 (address) Recipient address rejected"
    );
    assert_eq!(said("X-Unix; user unknown"), "user unknown");
    assert_eq!(said("smtp; \u{1b}[31m"), "[31m");
    assert!(said(&format!("smtp; 550 {}", "x".repeat(5_000))).len() <= 500);
}

#[test]
fn what_was_delivered_or_is_late_did_not_come_back() {
    for action in ["delayed", "delivered", "relayed", "expanded"] {
        let message =
            returned(&format!("Final-Recipient: rfc822; ada@reader.example\nAction: {action}\nStatus: 4.4.1"));
        assert_eq!(read_as(&message), Ok(Report::Nothing), "{action}");
    }
}

#[test]
fn a_report_without_our_token_changes_nothing() {
    let real = returned("Final-Recipient: rfc822; ada@reader.example\nAction: failed\nStatus: 5.1.1");
    let other = verp_of(&InstallKey::new(&[8; 32])).to_string();
    for token in [other.as_str(), "", "x", &"0".repeat(52), &"v".repeat(5_000)] {
        assert_eq!(read_as(&real.replace("TOKEN", token)), Err(Unread::Foreign), "{token}");
    }
}

#[test]
fn the_token_is_found_in_the_envelope_as_programs_write_it_down() {
    let real = returned("Action: failed\nStatus: 5.1.1");
    let without = real.replace("Delivered-To: bounces+TOKEN", "Delivered-To: x").replace("To: bounces+TOKEN", "To: x");
    let bare = without.replace("Return-Path: <bounces+TOKEN", "Return-Path: <x");
    assert_eq!(read_as(&bare), Err(Unread::Foreign));
    assert!(matches!(read_as(&without), Ok(Report::Bounce(..))), "from the copy of our mail");
    for name in ["Delivered-To", "X-Original-To", "Envelope-To", "to"] {
        let message =
            format!("{name}: Bounces+{}@Bounce.News.Example\n{bare}", verp_of(&key()).to_string().to_uppercase());
        assert!(matches!(read_as(&message), Ok(Report::Bounce(..))), "{name}");
    }
}

#[test]
fn a_report_that_a_gateway_wrapped_or_encoded_is_read() {
    let fields = "Final-Recipient: rfc822; ada@reader.example\nAction: failed\nStatus: 5.1.1";
    let real = returned(fields);
    let (head, body) = real.split_once("\n\n").unwrap();
    let (addressed, of_report) = head.split_once("Content-Type:").unwrap();
    let wrapped = format!(
        "{addressed}Content-Type: multipart/mixed; boundary=outer\n\n--outer\nContent-Type:{of_report}\n\n{body}\n--outer\n\n\
         Confidential.\n--outer--\n"
    );
    assert_eq!(read_as(&wrapped), read_as(&real));
    // "Reporting-MTA: dns; mx.example\n\n" and the fields above, in base64.
    let encoded = "UmVwb3J0aW5nLU1UQTogZG5zOyBteC5leGFtcGxlCgpGaW5hbC1SZWNpcGllbnQ6IHJmYzgyMjsg\n\
                   YWRhQHJlYWRlci5leGFtcGxlCkFjdGlvbjogZmFpbGVkClN0YXR1czogNS4xLjEK\n";
    let plain = real.split("Content-Type: message/delivery-status\n\n").nth(1).unwrap().split("\n--").next().unwrap();
    let in_base64 = real.replace(
        &format!("message/delivery-status\n\n{plain}"),
        &format!("message/delivery-status\nContent-Transfer-Encoding: base64\n\n{encoded}"),
    );
    assert_ne!(in_base64, real);
    assert_eq!(read_as(&in_base64), read_as(&real));
    // Cut off behind the report: a copy of our mail may be as long as it likes.
    let cut = real.split("--4CB5F1C0A2.1700/mx.example\nContent-Description: Undelivered").next().unwrap();
    assert_eq!(read_as(cut), read_as(&real));
}

fn complaint(kind: &str) -> String {
    format!(
        "From: feedback@provider.example\nTo: complaints@news.example\nSubject: FW: March\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=part\n\n--part\nContent-Type: text/plain\n\n\
         This is an email abuse report.\n\n--part\nContent-Type: message/feedback-report\n\nFeedback-Type: {kind}\n\
         User-Agent: Provider-FBL/1.0\nVersion: 1\n\n--part\nContent-Type: message/rfc822\n\n\
         From: weekly@news.example\nTo: ada@reader.example\nCFBL-Feedback-ID:\n TOKEN\nSubject: March\n\nText.\n--part--\n"
    )
}

#[test]
fn a_complaint_is_told_from_other_feedback() {
    let verp = verp_of(&key());
    for kind in ["abuse", "Fraud", "opt-out"] {
        assert_eq!(read_as(&complaint(kind)), Ok(Report::Complaint(verp)), "{kind}");
    }
    for kind in ["not-spam", "auth-failure", "other"] {
        assert_eq!(read_as(&complaint(kind)), Err(Unread::NoReport), "{kind}");
    }
    // Where the copy is redacted, the envelope sender says it.
    let redacted = complaint("abuse").replace("CFBL-Feedback-ID:\n TOKEN\n", "");
    assert_eq!(read_as(&redacted), Err(Unread::Foreign));
    let by_sender =
        redacted.replace("Version: 1", "Version: 1\nOriginal-Mail-From: <bounces+TOKEN@bounce.news.example>");
    assert_eq!(read_as(&by_sender), Ok(Report::Complaint(verp)));
}

#[test]
fn a_mail_may_unsubscribe_the_reader_of_its_token_from_one_newsletter() {
    let newsletter = newsletters().remove(1);
    let (bucket, subscriber) = (Bucket::new(3), SubscriberId::from_bytes([9; 10]));
    let token = Token::<Unsubscribe>::mint(&key(), &Scope { newsletter: &newsletter, bucket, subscriber, request: 0 });
    let left = Report::Unsubscribe { newsletter, bucket, subscriber };
    for subject in [
        format!("unsubscribe {token}"),
        format!("Unsubscribe {}", token.to_string().to_uppercase()),
        format!("=?utf-8?Q?unsubscribe_{token}?="),
        format!("unsubscribe\n {token}"),
    ] {
        let mail = format!(
            "From: Ada <ada@reader.example>\nTo: leave@news.example\nSubject: {subject}\n\nSent from my phone\n"
        );
        assert_eq!(read_as(&mail).as_ref(), Ok(&left), "{subject}");
    }
    let forged = "0".repeat(45);
    assert_eq!(read_as(&format!("Subject: unsubscribe {forged}\n\n")), Err(Unread::NoReport));
}

#[test]
fn a_holiday_note_is_nothing_and_what_people_write_is_theirs() {
    let note = "From: ada@reader.example\nTo: bounces+TOKEN@bounce.news.example\nSubject: Away\nAuto-Submitted: auto-replied (vacation)\n\nI am away.\n";
    assert_eq!(read_as(note), Ok(Report::Nothing));
    for left in [
        note.replace("Auto-Submitted: auto-replied (vacation)\n", ""),
        note.replace("bounces+TOKEN", "editors"),
        note.replace("auto-replied", "no"),
        String::new(),
        "\n\n".into(),
        "no head at all".into(),
        "Subject: Hello\n\nPlease take me off your list.\n".into(),
    ] {
        assert_eq!(read_as(&left), Err(Unread::NoReport), "{left}");
    }
}

#[test]
fn a_mailbox_is_dead_when_a_weeks_mail_came_back() {
    let day = |day: i64, back: bool| (DateTime::from_timestamp(1_800_000_000 + day * 86_400, 0).unwrap(), back);
    for (mailings, dead) in [
        (vec![], false),
        (vec![day(30, true)], false),
        (vec![day(30, true), day(20, true)], false),
        (vec![day(30, true), day(20, true), day(10, true)], true),
        (vec![day(30, true), day(29, true), day(28, true)], false),
        (vec![day(30, true), day(24, true), day(23, true)], true),
        (vec![day(30, true), day(20, false), day(10, true), day(5, true)], false),
        (vec![day(30, false), day(20, true), day(10, true), day(1, true)], false),
    ] {
        assert_eq!(is_dead(&mailings), dead, "{mailings:?}");
    }
}

#[test]
fn no_mail_of_a_stranger_can_hurt() {
    let real = returned("Final-Recipient: rfc822; ada@reader.example\nAction: failed\nStatus: 5.1.1");
    let texts = [real.clone(), complaint("abuse")];
    // Messages within messages, as deep as a mail of the size that is read can have them.
    let deep = "Content-Type: message/rfc822\n\n".repeat(30_000);
    let digests = "Content-Type: multipart/digest; boundary=a\n\n--a\n".repeat(20_000);
    for deep in [&deep, &digests] {
        let _ = read_as(deep);
        let inside = real.replace("Content-Type: message/delivery-status\n\n", deep.as_str());
        let _ = read_as(&inside);
        let _ = read_as(&real.replace("Content-Type: text/rfc822-headers\n\n", deep.as_str()));
        // What it is said to be twice.
        let twice = format!("Content-Type: message/delivery-status\n{deep}");
        let _ = read_as(&real.replace("Content-Type: message/delivery-status\n\n", &twice));
        let encoded = format!("Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n{deep}");
        let _ = read_as(&real.replace("Content-Type: message/delivery-status\n\n", &encoded));
    }
    // Many parts, long lines, and every text cut anywhere or with a byte changed.
    let _ = read_as(&"--4CB5F1C0A2.1700/mx.example\n".repeat(30_000));
    let _ = read_as(&real.replace("mx.example", &"x".repeat(500_000)));
    let (key, newsletters) = (key(), newsletters());
    let ours = Ours { key: &key, newsletters: &newsletters };
    let mut random = 1_u64;
    for text in &texts {
        let bytes = text.replace("TOKEN", &verp_of(&key).to_string()).into_bytes();
        for cut in 0..bytes.len() {
            let _ = read(bytes.get(..cut).unwrap(), &ours);
            let mut changed = bytes.clone();
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            changed[cut] = (random >> 56) as u8;
            let _ = read(&changed, &ours);
        }
    }
}
