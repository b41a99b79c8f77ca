//! Values with a meaning, read from texts. Pure; every refusal says what is wrong with the text and what to write.

mod places;

use std::time::Duration;

use chrono_tz::Tz;

pub(super) use places::{
    base_url, branch, database_url, folder, header_name, hello, host, is_loopback, listen, network, other_hub, path,
    picture, repository, webhook_secret,
};

use super::schema::nearest;
use crate::delivery::rate::Rate;
use crate::issue::{DateSource, permalink};
use crate::renderer::Cut;
use crate::schedule::{Schedule, ScheduleError};
use crate::types::{EmailAddress, FieldName, Mailbox};

/// What is wrong with a value. Most read on from its text: `"TEXT" WHAT: WHY. REMEDY`.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::config) struct Problem {
    pub(in crate::config) what: String,
    pub(in crate::config) why: Option<String>,
    pub(in crate::config) remedy: String,
}

impl Problem {
    pub(in crate::config) fn new(what: &str, why: impl Into<Option<String>>, remedy: impl Into<String>) -> Self {
        Self { what: what.to_owned(), why: why.into(), remedy: remedy.into() }
    }
}

/// Ten years: longer is a slip, and sums of times stay far from any limit.
const LONGEST: u64 = 3650 * 86_400;

/// `30s`, `15m`, `2h`, `14d`.
pub(super) fn duration(text: &str) -> Result<Duration, Problem> {
    let problem = |why: &str| {
        Problem::new("is not a duration", why.to_owned(), "Write a number and a unit: 30s, 15m, 2h or 14d.")
    };
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    if digits.is_empty() {
        return Err(problem(if text.is_empty() { "it is empty" } else { "the number is missing" }));
    }
    let seconds = match text.get(digits.len()..).unwrap_or_default() {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "" => return Err(problem("the unit is missing")),
        unit => return Err(problem(&format!("{unit:?} is not a unit"))),
    };
    let number = digits.parse::<u64>().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()));
    let number = number.ok_or_else(|| problem("it is not one number and one unit"))?;
    match number.checked_mul(seconds) {
        Some(seconds) if seconds <= LONGEST => Ok(Duration::from_secs(seconds)),
        _ => Err(problem("it is longer than ten years")),
    }
}

/// A duration that must not be shorter than another.
pub(super) fn at_least(least: Duration, text: &str) -> Result<Duration, Problem> {
    let read = duration(text)?;
    if read < least {
        let what = format!("is shorter than {}s", least.as_secs());
        return Err(Problem::new(&what, None, format!("Write {}s or more.", least.as_secs())));
    }
    Ok(read)
}

/// An IANA time zone.
pub(super) fn timezone(text: &str) -> Result<Tz, Problem> {
    text.parse().map_err(|_| {
        let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        let remedy = match nearest(text, names) {
            Some(near) => format!("Did you mean {near:?}?"),
            None => "Write a name of the IANA time zone database, such as Europe/Berlin or UTC.".to_owned(),
        };
        Problem::new("is not a time zone", None, remedy)
    })
}

/// The shape of a BCP 47 tag (RFC 5646 section 2.1): subtags of one to eight letters or digits.
pub(super) fn language(text: &str) -> Result<String, Problem> {
    let subtag = |tag: &str| (1..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric());
    let first = text.split('-').next().unwrap_or_default();
    let first = first.len() >= 2 && first.bytes().all(|b| b.is_ascii_alphabetic());
    if first && text.split('-').all(subtag) {
        return Ok(text.to_owned());
    }
    Err(Problem::new("is not a language tag", None, "Write a BCP 47 tag, such as en, de-AT or zh-Hant."))
}

/// An address with or without a name.
pub(super) fn mailbox(text: &str) -> Result<Mailbox, Problem> {
    let mailbox = Mailbox::parse(text).map_err(|error| {
        Problem::new("is not a mail address", error.to_string(), "Write it as The News <news@example.org>.")
    })?;
    address(mailbox.address().expose()).map(|_| mailbox)
}

/// A rate.
pub(super) fn rate(text: &str) -> Result<Rate, Problem> {
    Rate::parse(text).map_err(|error| {
        Problem::new("is not a rate", error.to_string(), "Write it as in 5000/h, or as in 20/s, 5000/h.")
    })
}

/// An address of ours.
pub(super) fn address(text: &str) -> Result<EmailAddress, Problem> {
    let remedy = "Write it as news@example.org.";
    let address =
        EmailAddress::parse(text).map_err(|error| Problem::new("is not a mail address", error.to_string(), remedy))?;
    if address.is_ascii() {
        return Ok(address);
    }
    let why = "the part before the @ is not ASCII, and a relay without SMTPUTF8 would refuse all mail".to_owned();
    Err(Problem::new("is not an address that every relay takes", why, remedy))
}

/// A domain name, in A-labels.
pub(super) fn domain(text: &str) -> Result<String, Problem> {
    let address = EmailAddress::parse(&format!("x@{text}"));
    let remedy = "Write it as example.org.";
    address.map(|address| address.domain().to_owned()).map_err(|_| Problem::new("is not a domain name", None, remedy))
}

/// The name of a subscriber's field.
pub(super) fn field(text: &str) -> Result<FieldName, Problem> {
    let known = ["email", "cadence"].contains(&text);
    match FieldName::parse(text) {
        Ok(name) if !known => Ok(name),
        _ => {
            let remedy = "Write a name of lower-case letters, digits and hyphens, such as name or first-name; email and \
                          cadence are asked for anyway.";
            Err(Problem::new("is not the name of a field", None, remedy))
        }
    }
}

/// Messages of one day.
pub(super) fn day(text: &str) -> Result<u32, Problem> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| {
        Problem::new("is no number of messages", None, "Write one number for each day: [200, 400, 800].")
    })
}

/// A text for headers and headings.
pub(super) fn line(text: &str) -> Result<String, Problem> {
    if text.chars().any(char::is_control) {
        return Err(Problem::new("has a line break or another control character", None, "Write it on one line."));
    }
    Ok(text.trim().to_owned())
}

/// A pattern of paths, in globset's syntax.
pub(super) fn pattern(text: &str) -> Result<String, Problem> {
    match globset::Glob::new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => {
            let remedy = "Write it as **/*.md: * is any name, ** any folders, {a,b} one of two.";
            Err(Problem::new("is not a pattern", error.kind().to_string(), remedy))
        }
    }
}

/// A CSS selector.
pub(super) fn selector(text: &str) -> Result<String, Problem> {
    match Cut::new(text, &[]) {
        Ok(_) => Ok(text.to_owned()),
        Err((_, why)) => {
            let remedy = "Write it as article, #main or div.post.";
            Err(Problem::new("is not a CSS selector", why, remedy))
        }
    }
}

/// A rule for the path of an issue.
pub(super) fn permalink(text: &str) -> Result<String, Problem> {
    let Some(unknown) = permalink::unknown_placeholder(text) else { return Ok(text.to_owned()) };
    let known = permalink::PLACEHOLDERS.map(|(name, _)| format!(":{name}")).join(", ");
    let why = format!(":{unknown} is no placeholder");
    Err(Problem::new("is not a rule for paths", why, format!("Write one of {known}.")))
}

/// A key of the metadata of documents, in lower case.
pub(super) fn metadata_key(text: &str) -> Result<String, Problem> {
    let key = text.trim().to_lowercase();
    if key.is_empty() || key.contains([':', '=']) || key.chars().any(char::is_control) {
        return Err(Problem::new("is not a key", None, "Write it as it stands in the documents: publish_date."));
    }
    Ok(key)
}

/// A place where the date of an issue may stand.
pub(super) fn date_source(text: &str) -> Result<DateSource, Problem> {
    let choices = [
        ("front-matter", DateSource::FrontMatter),
        ("file-name", DateSource::FileName),
        ("path", DateSource::Path),
        ("git", DateSource::Git),
    ];
    choice(text, &choices)
}

/// A schedule in a time zone.
pub(super) fn schedule(text: &str, timezone: Tz) -> Result<Schedule, Problem> {
    let remedy = "Write five fields: minute hour day-of-month month day-of-week.";
    Schedule::parse(text, timezone).map_err(|error| match error {
        ScheduleError::Syntax(why) => Problem::new("is not a schedule", why, remedy),
        ScheduleError::Never(_) => Problem::new("never fires", "no date matches it".to_owned(), remedy),
    })
}

/// One of a few words.
pub(super) fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, Problem> {
    choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = choices.iter().map(|(word, _)| format!("{word:?}")).collect();
        Problem::new("is not one of the choices", None, format!("Write {}.", words.join(" or ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_one_number_and_one_unit() {
        for (text, seconds) in
            [("0s", 0), ("90s", 90), ("15m", 900), ("2h", 7_200), ("14d", 1_209_600), ("3650d", LONGEST)]
        {
            assert_eq!(duration(text).unwrap().as_secs(), seconds, "{text}");
        }
        for (text, why) in [
            ("", "it is empty"),
            ("30", "the unit is missing"),
            ("m", "the number is missing"),
            ("-5m", "it is not one number and one unit"),
            ("1h30m", "it is not one number and one unit"),
            ("1.5h", "it is not one number and one unit"),
            ("5 m", "\" m\" is not a unit"),
            ("2w", "\"w\" is not a unit"),
            ("3651d", "it is longer than ten years"),
            ("99999999999999999d", "it is longer than ten years"),
        ] {
            assert_eq!(duration(text).unwrap_err().why.as_deref(), Some(why), "{text}");
        }
    }
}
