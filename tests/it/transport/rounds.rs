//! Rounds of an open session: what is sent, what is believed, and what survives.

use std::time::Duration;

use tidings::config::Smtp;
use tidings::delivery::Phase;
use tidings::transport::{Announced, TransportError};

use super::{announced, answered, code, connect, envelope, message, relay, text, to};
use crate::harness::there;
use crate::sink::Sink;
use crate::smtp::{Action, Peer, Said, Script};

fn both() -> [Script; 2] {
    [Script::default(), Script::default().sequential()]
}

#[tokio::test]
async fn a_thousand_messages_arrive_in_order_on_one_connection() {
    for script in both() {
        let peer = Peer::start(script).await;
        let mut connection = connect(relay(peer.port())).await.unwrap();
        announced(&mut connection, 0).await;
        for n in 0..1000 {
            let round = connection.round(Some(&message(n)), (n < 999).then(|| to(n + 1)).as_ref()).await;
            assert_eq!(code(&round), Some(250), "{round:?}");
            assert!(round.broken.is_none());
        }
        connection.quit().await;
        let committed = peer.committed();
        assert_eq!(committed.len(), 1000);
        for (n, taken) in committed.iter().enumerate() {
            assert_eq!((taken.connection, taken.from.as_str()), (1, "bounces@example.org"));
            assert_eq!((taken.to.clone(), taken.bytes.clone()), (format!("r{n}@example.com"), text(n).into_bytes()));
        }
        assert_eq!(peer.lines().last().map(String::as_str), Some("QUIT"));
        assert!(!peer.lines().iter().any(|line| line.starts_with("NOOP") || line.starts_with("RSET")));
    }
}

#[tokio::test]
async fn a_refused_recipient_costs_neither_the_message_before_nor_the_connection() {
    for script in both() {
        let script = script.recipient("r1@example.com", Action::reply("550-5.1.1 no such\r\n550 5.1.1 user"));
        let peer = Peer::start(script).await;
        let mut connection = connect(relay(peer.port())).await.unwrap();
        announced(&mut connection, 0).await;
        let round = connection.round(Some(&message(0)), Some(&to(1))).await;
        assert_eq!((code(&round), answered(&round).as_str()), (Some(250), "Recipient 550"));
        let Some(Announced::Refused { reply, .. }) = &round.envelope else { panic!("{round:?}") };
        assert_eq!((reply.enhanced, reply.text.as_str()), (Some((5, 1, 1)), "5.1.1 no such user"));
        assert!(reply.mailbox_is_gone() && round.broken.is_none());
        announced(&mut connection, 2).await;
        assert_eq!(code(&connection.round(Some(&message(2)), None).await), Some(250));
        let to: Vec<_> = peer.committed().into_iter().map(|taken| taken.to).collect();
        assert_eq!((to, peer.connections()), (vec!["r0@example.com".to_owned(), "r2@example.com".to_owned()], 1));
    }
}

#[tokio::test]
async fn each_refusal_names_the_command_that_was_refused() {
    for (said, reply, expected) in [
        (Said::Mail, "451 4.3.0 busy", "Mail 451"),
        (Said::Mail, "550 5.7.1 not you", "Mail 550"),
        (Said::Recipient, "450 4.2.0 greylisted", "Recipient 450"),
        (Said::Data, "451 4.3.5 later", "Data 451"),
    ] {
        for script in both() {
            let peer = Peer::start(script.rule(move |event| {
                (event.said == said && event.time == 1 && event.to != "r2@example.com").then(|| Action::reply(reply))
            }))
            .await;
            let mut connection = connect(relay(peer.port())).await.unwrap();
            let round = connection.round(None, Some(&to(1))).await;
            assert_eq!(answered(&round), expected, "{round:?}");
            assert!(round.broken.is_none() && round.content.is_none(), "{round:?}");
            announced(&mut connection, 2).await;
            assert_eq!(code(&connection.round(Some(&message(2)), None).await), Some(250));
            assert_eq!(peer.committed().len(), 1);
        }
    }
}

#[tokio::test]
async fn refused_content_is_a_reply_and_the_next_envelope_is_ready() {
    for script in both() {
        let peer = Peer::start(script.at(Said::Content, "r0@example.com", 1, Action::reply("554 5.6.0 no"))).await;
        let mut connection = connect(relay(peer.port())).await.unwrap();
        announced(&mut connection, 0).await;
        let round = connection.round(Some(&message(0)), Some(&to(1))).await;
        assert_eq!((code(&round), answered(&round).as_str()), (Some(554), "ready"));
        assert_eq!(code(&connection.round(Some(&message(1)), None).await), Some(250));
        assert_eq!(peer.committed().len(), 1);
    }
}

#[tokio::test]
async fn a_421_is_a_reply_and_ends_the_connection() {
    for script in both() {
        for (said, content, envelope) in [
            (Said::Content, Some(421), "-"),
            (Said::Mail, Some(250), "Mail 421"),
            (Said::Recipient, Some(250), "Recipient 421"),
            (Said::Data, Some(250), "Data 421"),
        ] {
            let peer = Peer::start(script.clone().rule(move |event| {
                let second = event.said == Said::Content || event.to == "r1@example.com" || event.time == 2;
                (event.said == said && second).then(|| Action::reply("421 4.3.2 closing"))
            }))
            .await;
            let mut connection = connect(relay(peer.port())).await.unwrap();
            announced(&mut connection, 0).await;
            let round = connection.round(Some(&message(0)), Some(&to(1))).await;
            assert_eq!((code(&round), answered(&round).as_str()), (content, envelope), "{said:?}");
            assert!(matches!(round.broken, Some(TransportError::Lost(_))), "{round:?}");
            let after = connection.round(None, Some(&to(2))).await;
            assert!(after.broken.is_some() && after.envelope.is_none(), "{after:?}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_is_lost_after_the_dot_leaves_the_message_in_doubt() {
    for script in both() {
        for (action, taken) in [(Action::Drop, 0), (Action::CommitAndDrop, 1)] {
            let peer = Peer::start(script.clone().on(Said::Content, action)).await;
            let mut connection = connect(relay(peer.port())).await.unwrap();
            announced(&mut connection, 0).await;
            let round = connection.round(Some(&message(0)), Some(&to(1))).await;
            assert_eq!((code(&round), answered(&round).as_str()), (None, "-"));
            assert!(matches!(round.broken, Some(TransportError::Lost(_))), "{round:?}");
            assert_eq!(peer.committed().len(), taken);
        }
    }
}

#[tokio::test]
async fn the_reply_to_the_content_holds_when_the_connection_is_lost_later_in_the_round() {
    for script in both() {
        let peer = Peer::start(script.recipient("r1@example.com", Action::Drop)).await;
        let mut connection = connect(relay(peer.port())).await.unwrap();
        announced(&mut connection, 0).await;
        let round = connection.round(Some(&message(0)), Some(&to(1))).await;
        assert_eq!((code(&round), answered(&round).as_str()), (Some(250), "-"));
        assert!(matches!(round.broken, Some(TransportError::Lost(_))), "{round:?}");
    }
}

#[tokio::test]
async fn a_slow_answer_is_a_timeout_and_is_never_read_by_another_round() {
    for script in both() {
        let late = Action::After(Duration::from_millis(400), Box::new(Action::reply("550 5.1.1 no such user")));
        let peer = Peer::start(script.recipient("r1@example.com", late)).await;
        let fast = Smtp { timeout: Duration::from_millis(150), ..relay(peer.port()) };
        let mut connection = connect(fast).await.unwrap();
        announced(&mut connection, 0).await;
        let round = connection.round(Some(&message(0)), Some(&to(1))).await;
        assert_eq!((code(&round), answered(&round).as_str()), (Some(250), "-"));
        assert!(matches!(round.broken, Some(TransportError::Timeout { phase: Phase::Recipient, .. })), "{round:?}");
        tokio::time::sleep(Duration::from_millis(400)).await;
        let after = connection.round(None, Some(&to(2))).await;
        assert!(after.broken.is_some() && after.envelope.is_none(), "{after:?}");
        assert_eq!(peer.committed().len(), 1);
    }
}

#[tokio::test]
async fn a_cancelled_round_cannot_be_followed_by_another() {
    for script in both() {
        let slow = Action::After(Duration::from_millis(300), Box::new(Action::Willing));
        let peer = Peer::start(script.on(Said::Content, slow)).await;
        let mut connection = connect(relay(peer.port())).await.unwrap();
        announced(&mut connection, 0).await;
        let (content, next) = (message(0), to(1));
        let round = connection.round(Some(&content), Some(&next));
        assert!(tokio::time::timeout(Duration::from_millis(100), round).await.is_err());
        tokio::time::sleep(Duration::from_millis(400)).await;
        let after = connection.round(Some(&message(1)), None).await;
        assert!(after.content.is_none() && after.broken.is_some(), "{after:?}");
        assert_eq!(peer.committed().len(), 1);
    }
}

#[tokio::test]
async fn replies_that_are_out_of_step_are_not_believed() {
    // One 250 too many before a refusal: read naively, the refused message was accepted.
    let stray = Action::reply("250 2.0.0 stray\r\n554 5.6.0 refused");
    let peer = Peer::start(Script::default().on(Said::Content, stray)).await;
    let mut connection = connect(relay(peer.port())).await.unwrap();
    announced(&mut connection, 0).await;
    let round = connection.round(Some(&message(0)), Some(&to(1))).await;
    assert_eq!((code(&round), answered(&round).as_str()), (None, "-"));
    assert!(matches!(round.broken, Some(TransportError::Protocol(_))), "{round:?}");
}

#[tokio::test]
async fn wrong_codes_are_not_taken_for_right_ones() {
    for script in both() {
        for (said, reply) in [
            (Said::Data, "250 2.0.0 go on"),
            (Said::Content, "354 go on"),
            (Said::Content, "221 2.0.0 bye"),
            (Said::Mail, "220 hello again"),
            (Said::Content, "what is this"),
            (Said::Content, "999 nothing"),
        ] {
            let peer = Peer::start(script.clone().on(said, Action::reply(reply))).await;
            let mut connection = connect(relay(peer.port())).await.unwrap();
            let mut round = connection.round(None, Some(&to(0))).await;
            if said == Said::Content {
                round = connection.round(Some(&message(0)), Some(&to(1))).await;
            }
            assert_eq!((code(&round), answered(&round).as_str()), (None, "-"), "{said:?} {reply}");
            assert!(matches!(round.broken, Some(TransportError::Protocol(_))), "{said:?} {reply} {round:?}");
        }
    }
}

#[tokio::test]
async fn a_refusal_in_latin_1_is_a_refusal() {
    let peer =
        Peer::start(Script::default().recipient("r0@example.com", Action::reply("550 5.1.1 bo\u{ee}te inconnue")))
            .await;
    let mut connection = connect(relay(peer.port())).await.unwrap();
    let round = connection.round(None, Some(&to(0))).await;
    assert_eq!(answered(&round), "Recipient 550");
    assert!(round.broken.is_none());
}

#[tokio::test]
async fn a_relay_that_never_ends_a_line_is_given_up() {
    let peer =
        Peer::start(Script::default().on(Said::Mail, Action::Reply("250 ".to_owned() + &"x".repeat(200_000)))).await;
    let mut connection = connect(relay(peer.port())).await.unwrap();
    let round = connection.round(None, Some(&to(0))).await;
    let Some(TransportError::Lost(why)) = &round.broken else { panic!("{round:?}") };
    assert!(why.contains("more than any reply") && round.envelope.is_none(), "{why}");
}

#[tokio::test]
async fn ten_thousand_lines_of_dots_arrive_as_they_were() {
    let body: String = (0..10_000).map(|n| format!("{}{n}\r\n", ".".repeat(n % 4))).collect();
    let content = format!("Subject: dots\r\n\r\n.\r\n{body}.\r\n..\r\nRCPT TO:<x@example.com>\r\n");
    for script in both() {
        let peer = Peer::start(script).await;
        let mut connection = connect(relay(peer.port())).await.unwrap();
        announced(&mut connection, 0).await;
        let round = connection.round(Some(&super::content(content.as_str())), Some(&to(1))).await;
        assert_eq!((code(&round), answered(&round).as_str()), (Some(250), "ready"));
        assert!(peer.committed()[0].bytes == content.as_bytes());
    }
}

#[test]
fn a_message_that_is_not_fit_cannot_be_given_to_a_connection() {
    for unfit in ["a\r\n.\r\nMAIL FROM:<x@example.com>", "a\n.\n\r\n", "a\r.\r\r\n", "é\r\n", "a\0\r\n"] {
        let refused = tidings::transport::Content::new(vec![tidings::message::fit::Piece::new(unfit)]);
        assert!(matches!(refused, Err(TransportError::Unfit(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_round_that_does_not_fit_what_was_announced_sends_nothing() {
    let peer = Peer::start(Script::default()).await;
    let mut connection = connect(relay(peer.port())).await.unwrap();
    let round = connection.round(Some(&message(0)), None).await;
    assert!(round.broken.is_some() && round.content.is_none());
    let mut connection = connect(relay(peer.port())).await.unwrap();
    announced(&mut connection, 0).await;
    let round = connection.round(None, Some(&to(1))).await;
    assert!(round.broken.is_some() && round.envelope.is_none());
    assert!(peer.committed().is_empty());
    assert_eq!(peer.lines().iter().filter(|line| line.starts_with("MAIL")).count(), 1);
}

#[tokio::test]
async fn a_354_without_a_recipient_costs_the_connection_and_delivers_nothing() {
    let script = Script::default()
        .recipient("r0@example.com", Action::reply("550 5.1.1 no"))
        .on(Said::Data, Action::reply("354 anyway"));
    let peer = Peer::start(script).await;
    let mut connection = connect(relay(peer.port())).await.unwrap();
    let round = connection.round(None, Some(&to(0))).await;
    assert_eq!(answered(&round), "Recipient 550");
    assert!(matches!(round.broken, Some(TransportError::Protocol(_))), "{round:?}");
    drop(connection);
    assert!(peer.committed().is_empty());
}

#[tokio::test]
async fn postfix_takes_what_we_send() {
    let sink = Sink::start();
    there(sink.is_some(), "smtp-sink (Postfix)");
    let Some(sink) = sink else { return };
    let mut connection = connect(relay(sink.port)).await.unwrap();
    assert!(format!("{connection:?}").contains("pipelining: true"), "{connection:?}");
    announced(&mut connection, 0).await;
    let dots: String = (0..2_000).map(|n| format!(".{n}\r\n")).collect();
    for n in 0..100 {
        let round = connection.round(Some(&super::content(dots.as_str())), Some(&to(n + 1))).await;
        assert_eq!((code(&round), answered(&round).as_str()), (Some(250), "ready"), "{round:?}");
    }
    assert_eq!(code(&connection.round(Some(&message(9)), None).await), Some(250));
    connection.quit().await;
}

#[tokio::test]
async fn an_address_that_the_relay_cannot_carry_is_refused_alone_and_nothing_is_said() {
    for script in both() {
        let peer = Peer::start(script).await;
        let mut connection = connect(relay(peer.port())).await.unwrap();
        let round = connection.round(None, Some(&envelope("jörg@example.com"))).await;
        assert_eq!((answered(&round).as_str(), round.broken.is_none()), ("Recipient 550", true));
        announced(&mut connection, 0).await;
        let round = connection.round(Some(&message(0)), Some(&envelope("jörg@example.com"))).await;
        assert_eq!((code(&round), answered(&round).as_str()), (Some(250), "Recipient 550"), "{round:?}");
        let Some(Announced::Refused { reply, .. }) = &round.envelope else { panic!("{round:?}") };
        assert!(reply.text.contains("does not offer SMTPUTF8") && !reply.mailbox_is_gone(), "{reply:?}");
        announced(&mut connection, 1).await;
        assert_eq!(code(&connection.round(Some(&message(1)), None).await), Some(250));
        assert_eq!((peer.committed().len(), peer.connections()), (2, 1));
        assert!(peer.lines().iter().all(|line| line.is_ascii() && !line.starts_with("RSET")));
    }
}
