//! `tidings status --watch`: how far open mailings are, live.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use super::output;
use crate::status::{ProgressStatus, RelayStatus};
use crate::store::{MailingState, Store};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// Shows a screen a second on a terminal; elsewhere a paragraph, or a line of JSON, a second.
pub async fn watch(store: &Store, json: bool) -> anyhow::Result<()> {
    let screen = std::io::stdout().is_terminal() && !json;
    loop {
        let progress: Vec<_> = store.progress().await?.into_iter().map(ProgressStatus::from).collect();
        let relays: Vec<_> = store.relay_troubles().await?.into_iter().map(RelayStatus::from).collect();
        if json {
            println!("{}", serde_json::to_string(&progress)?);
        } else {
            if screen {
                // Home, and clear what is below: no flicker, and no more than a terminal has had since the VT100.
                print!("\x1b[H\x1b[J");
            }
            print!("{}", view(&progress, &relays));
        }
        std::io::stdout().flush()?;
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

fn view(progress: &[ProgressStatus], relays: &[RelayStatus]) -> String {
    let mut text = String::new();
    for relay in relays {
        text += &format!("the relay {} is down: {}\n", relay.relay, relay.reason);
    }
    for mailing in progress {
        text += &format!("{} {} {:?}\n  {}\n", mailing.mailing, mailing.newsletter, mailing.subject, line(mailing));
        if let Some(reason) = &mailing.reason {
            text += &format!("  {reason}\n");
        }
    }
    if progress.is_empty() {
        text += "no mailing is open\n";
    }
    text
}

/// One line: a bar, counts, rate and the time that is left.
pub fn line(mailing: &ProgressStatus) -> String {
    const WIDTH: i64 = 30;
    let ProgressStatus { people, done, per_second, seconds_left, limit, waits_until, state, .. } = mailing;
    let all = people.unwrap_or_default().max(1);
    let full = usize::try_from((done * WIDTH / all).clamp(0, WIDTH)).unwrap_or_default();
    let bar = format!("[{}{}]", "#".repeat(full), ".".repeat(30 - full));
    let of = people.map(|people| format!(" of {people}, {}%", done * 100 / all)).unwrap_or_default();
    let limit = limit.as_ref().map(|limit| format!(" (at most {limit})")).unwrap_or_default();
    let rest = match (state, waits_until, seconds_left) {
        (MailingState::Paused, ..) => "paused".to_owned(),
        (_, Some(until), _) => format!("waits for its rate until {}", until.format("%H:%M UTC")),
        (_, None, Some(seconds)) => format!("{} left", span(*seconds)),
        (_, None, None) => "standing still".to_owned(),
    };
    format!("{bar} {done}{of}, {per_second:.1} a second{limit}, {rest}")
}

fn span(seconds: u64) -> String {
    match seconds {
        ..120 => output::count(usize::try_from(seconds).unwrap_or_default(), "second"),
        120..7_200 => format!("{} minutes", seconds / 60),
        _ => format!("{} hours {} minutes", seconds / 3_600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_how_fast_and_how_long() {
        let mailing = ProgressStatus {
            mailing: "m".into(),
            newsletter: "weekly".into(),
            subject: "News".into(),
            state: MailingState::Open,
            reason: None,
            people: Some(1_000),
            done: 500,
            per_second: 12.5,
            seconds_left: Some(40),
            limit: None,
            waits_until: None,
        };
        let half = "###############...............";
        assert_eq!(line(&mailing), format!("[{half}] 500 of 1000, 50%, 12.5 a second, 40 seconds left"));
        let limit = Some("20/s, 5000/h".to_owned());
        let still = ProgressStatus { seconds_left: None, limit, per_second: 0.0, ..mailing.clone() };
        assert!(line(&still).ends_with("0.0 a second (at most 20/s, 5000/h), standing still"));
        let waits = ProgressStatus { waits_until: Some("2020-03-12T09:41:10Z".parse().unwrap()), ..still };
        assert!(line(&waits).ends_with(" (at most 20/s, 5000/h), waits for its rate until 09:41 UTC"));
        let new = ProgressStatus { people: None, done: 0, seconds_left: None, ..mailing.clone() };
        assert!(line(&new).starts_with("[..............................] 0, 12.5"), "{}", line(&new));
        let paused = ProgressStatus { state: MailingState::Paused, reason: Some("why".into()), ..mailing };
        assert!(view(&[paused], &[]).ends_with(", paused\n  why\n"));
        assert_eq!(view(&[], &[]), "no mailing is open\n");
    }

    #[test]
    fn a_span_has_the_units_that_matter() {
        for (seconds, shown) in
            [(1, "1 second"), (119, "119 seconds"), (180, "3 minutes"), (7_320, "2 hours 2 minutes")]
        {
            assert_eq!(span(seconds), shown);
        }
    }
}
