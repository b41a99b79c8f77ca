//! The life of a subscription and the rules that keep people from being flooded. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::types::{Bucket, CadenceId, EmailAddress, Fields, NewsletterId, SubscriberId};

/// `Pending -> Confirmed -> Unsubscribed`, and again from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Asked for, not confirmed: only the confirmation mail is ever sent.
    Pending,
    /// Gets the digests.
    Confirmed,
    /// Gets nothing, for ever, unless the person subscribes again.
    Unsubscribed,
}

impl State {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Unsubscribed => "unsubscribed",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Confirmed, Self::Unsubscribed].into_iter().find(|state| state.as_str() == text)
    }
}

/// One subscription with its subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The newsletter.
    pub newsletter: NewsletterId,
    /// How often.
    pub cadence: CadenceId,
    /// The subscriber's bucket.
    pub bucket: Bucket,
    /// The subscriber.
    pub subscriber: SubscriberId,
    /// The address; `None` when an operator removed the person.
    pub address: Option<EmailAddress>,
    /// Where in its life.
    pub state: State,
    /// Counts requests to subscribe; a confirmation token answers one of them.
    pub request: i64,
    /// When the last request came.
    pub requested_at: DateTime<Utc>,
    /// When it was last confirmed.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub unsubscribed_at: Option<DateTime<Utc>>,
    /// What the person told about themselves, for this newsletter.
    pub fields: Fields,
}

/// How permission was given: kept with the subscription, word for word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// `form`, `import` or `operator`.
    pub source: ConsentSource,
    /// A note: the page, the file, the operator's reason.
    pub note: String,
}

/// Who says that the person agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsentSource {
    /// The person, in our form, and then by the confirmation mail.
    Form,
    /// The operator, for a list brought from elsewhere.
    Import,
    /// The operator, for one person.
    Operator,
}

impl ConsentSource {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Import => "import",
            Self::Operator => "operator",
        }
    }
}

/// Why an address is never mailed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuppressionReason {
    /// The mailbox does not exist.
    Bounce,
    /// The person called our mail spam.
    Complaint,
    /// An operator said so.
    Operator,
}

impl SuppressionReason {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
            Self::Operator => "operator",
        }
    }
}

/// A person's request to subscribe, before we know whether they are new.
#[derive(Clone, Debug)]
pub struct Request {
    /// The newsletter.
    pub newsletter: NewsletterId,
    /// How often.
    pub cadence: CadenceId,
    /// The address.
    pub address: EmailAddress,
    /// When.
    pub now: DateTime<Utc>,
    /// How permission is given.
    pub consent: Consent,
    /// What the person tells about themselves. It waits for the confirmation like the request itself: what a stranger writes about an
    /// address is in no mail to it.
    pub fields: Fields,
}

/// What a subscriber chose on the preferences page.
#[derive(Clone, Debug)]
pub struct Choice {
    /// How often.
    pub cadence: CadenceId,
    /// All they tell about themselves from now on.
    pub fields: Fields,
    /// When.
    pub now: DateTime<Utc>,
    /// Where they said so.
    pub consent: Consent,
}

/// At most one confirmation mail in this time to one address and newsletter, however often the form is sent: nobody can
/// flood a stranger through our form.
pub const CONFIRMATION_INTERVAL: Duration = Duration::from_secs(15 * 60);

/// What a request to subscribe leads to. The web face answers all three alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Record it as pending and mail a confirmation.
    Confirm,
    /// Already confirmed with this cadence, or a confirmation was mailed a moment ago: nothing to do.
    Nothing,
    /// The address is suppressed: never mail it.
    Suppressed,
}

/// Decides what a request leads to, from what is known of the address and newsletter.
#[must_use]
pub fn answer(now: DateTime<Utc>, suppressed: bool, current: Option<&Subscription>) -> Answer {
    if suppressed {
        return Answer::Suppressed;
    }
    match current {
        Some(Subscription { state: State::Confirmed, .. }) => Answer::Nothing,
        Some(Subscription { state: State::Pending, requested_at, .. })
            if now.signed_duration_since(requested_at).abs().to_std().is_ok_and(|ago| ago < CONFIRMATION_INTERVAL) =>
        {
            Answer::Nothing
        }
        _ => Answer::Confirm,
    }
}

/// A line of an operator's list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The subscription.
    pub subscription: Subscription,
    /// Why the address is suppressed, if it is.
    pub suppressed: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(minute * 60, 0).unwrap()
    }

    fn asked(state: State, at: i64) -> Subscription {
        Subscription {
            newsletter: NewsletterId::parse("n").unwrap(),
            cadence: CadenceId::parse("c").unwrap(),
            bucket: Bucket::new(0),
            subscriber: SubscriberId::from_bytes([0; 10]),
            address: None,
            state,
            request: 1,
            requested_at: minute(at),
            confirmed_at: None,
            unsubscribed_at: None,
            fields: Fields::default(),
        }
    }

    #[test]
    fn a_request_is_answered_by_what_is_known_of_the_address() {
        for (known, suppressed, answered) in [
            (None, false, Answer::Confirm),
            (None, true, Answer::Suppressed),
            (Some(asked(State::Confirmed, 0)), false, Answer::Nothing),
            (Some(asked(State::Unsubscribed, 999)), false, Answer::Confirm),
            (Some(asked(State::Pending, 986)), false, Answer::Nothing),
            (Some(asked(State::Pending, 985)), false, Answer::Confirm),
            (Some(asked(State::Pending, 1001)), false, Answer::Nothing),
            (Some(asked(State::Pending, 9999)), false, Answer::Confirm),
            (Some(asked(State::Confirmed, 0)), true, Answer::Suppressed),
        ] {
            assert_eq!(answer(minute(1000), suppressed, known.as_ref()), answered, "{known:?}");
        }
    }
}
