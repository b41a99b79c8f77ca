//! How fast relays, and mail to some domains, may go, and how much of that is used.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::config::{Mail, Transport};
use crate::store::{RateUse, Store, StoreError};

/// The rate of a relay or of a group of domains, over all nodes together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RateStatus {
    /// `relay NAME` or `domains NAME`.
    pub scope: String,
    /// As in `20/s, 5000/h`.
    pub rate: String,
    /// Its longer spans.
    pub spans: Vec<SpanStatus>,
    /// When mailings go on, if they have to wait now; confirmations may go before.
    pub waits_until: Option<DateTime<Utc>>,
}

/// A span in which messages are counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpanStatus {
    /// As in `5000/h`.
    pub limit: String,
    /// What the last hour had, when it is an hour.
    pub used: i64,
}

impl RateStatus {
    fn new(scope: String, usage: RateUse) -> Self {
        let RateUse { rate, spans, waits_until } = usage;
        let spans = spans.into_iter().map(|(span, used)| SpanStatus { limit: span.to_string(), used }).collect();
        Self { scope, rate: rate.to_string(), spans, waits_until }
    }

    /// The same in words.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { scope, rate, spans, waits_until } = self;
        let mut text = format!("the {scope}: at most {rate}");
        for SpanStatus { limit, used } in spans {
            text += &format!(", {used} of {limit} used");
        }
        if let Some(until) = waits_until {
            text += &format!("; mailings wait until {}", until.format("%H:%M UTC"));
        }
        text
    }
}

/// All that have a rate.
pub(super) async fn rates(store: &Store, mail: &Mail) -> Result<Vec<RateStatus>, StoreError> {
    let relays = match &mail.transport {
        Transport::Smtp(relays) => relays.as_slice(),
        Transport::Outbox(_) => &[],
    };
    let relays = relays.iter().filter_map(|relay| Some((format!("relay {}", relay.name), relay.rate?)));
    let domains = mail.domains.iter().map(|group| (format!("domains {}", group.name), group.rate));
    let mut all = Vec::new();
    for (scope, rate) in relays.chain(domains) {
        let usage = store.rate_use(&scope, rate).await?;
        all.push(RateStatus::new(scope, usage));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::rate::Rate;

    #[test]
    fn a_rate_says_what_is_used_and_when_it_goes_on() {
        let rate = Rate::parse("20/s, 5000/h").unwrap();
        let spans: Vec<_> = rate.counted().map(|span| (span, 4_750)).collect();
        let waits_until = Some("2020-03-12T09:41:10Z".parse().unwrap());
        let full = RateStatus::new("relay smtp".into(), RateUse { rate, spans, waits_until });
        let used = "the relay smtp: at most 20/s, 5000/h, 4750 of 5000/h used";
        assert_eq!(full.words(), format!("{used}; mailings wait until 09:41 UTC"));
        assert_eq!(RateStatus { waits_until: None, ..full }.words(), used);
    }
}
