//! Reads a YAML header with serde-saphyr, under a budget that fits a header and nothing else.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::NonFiniteFloatPolicy;
use serde_saphyr::{Location, MessageFormatter, Options, Spanned, UserMessageFormatter};

use super::{Broken, Field, Value};

/// The keys of a header, with lines counted within it.
pub(super) fn read(header: &str) -> Result<Vec<Field>, Broken> {
    if header.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Vec::new());
    }
    let Keys(keys) = serde_saphyr::from_str_with_options(header, options()).map_err(|error| broken(&error))?;
    let field = |(key, raw): (Spanned<String>, Spanned<Raw>)| Field {
        line: line(key.referenced),
        key: key.value,
        value: raw_value(raw, header),
    };
    Ok(keys.into_iter().map(field).collect())
}

/// A header has some twenty keys. These numbers leave room for odd ones and none for an alias bomb.
fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 8_000,
            max_nodes: 4_000,
            max_depth: 16,
            max_aliases: 64,
            max_anchors: 64,
            max_recorded_anchor_events: 4_000,
            max_recorded_anchor_bytes: 64 * 1024,
            max_merge_keys: 16,
            max_documents: 1,
            max_total_scalar_bytes: 64 * 1024,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 4_000,
            max_replay_stack_depth: 8,
        },
        // Text is text here, also `.nan` and `0755`; see `Raw::Plain`.
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

fn broken(error: &serde_saphyr::Error) -> Broken {
    let place = error.location().filter(|place| *place != Location::UNKNOWN);
    Broken {
        line: place.map_or(1, line),
        column: place.and_then(|place| u32::try_from(place.column()).ok()),
        why: UserMessageFormatter.format_message(error.without_snippet()).into_owned(),
        remedy: remedy(error).into(),
    }
}

fn remedy(error: &serde_saphyr::Error) -> &'static str {
    match error {
        serde_saphyr::Error::DuplicateMappingKey { .. } => "Delete one of the two lines.",
        serde_saphyr::Error::Message { msg, .. } if msg == NO_KEYS => "Write each as a line of its own, title: News.",
        _ => {
            "Correct the line; a text with \": \" in it, or with a special character at its start, needs quotes: \
             title: \"News: March\"."
        }
    }
}

fn line(place: Location) -> u32 {
    u32::try_from(place.line()).unwrap_or(u32::MAX)
}

/// A value before its text is known.
enum Raw {
    Empty,
    Text(String),
    /// A scalar that YAML takes for a number or a boolean. Its text is cut from the source, so that the version
    /// `1.10` does not become 1.1 nor the language `no` false.
    Plain,
    List(Vec<Spanned<Raw>>),
    Group,
}

fn raw_value(raw: Spanned<Raw>, header: &str) -> Value {
    match raw.value {
        Raw::Empty => Value::Empty,
        Raw::Text(text) => Value::Text(text),
        Raw::Plain => Value::Text(cut(header, raw.defined).unwrap_or_default().trim().to_owned()),
        Raw::List(items) => Value::List(items.into_iter().map(|item| raw_value(item, header)).collect()),
        Raw::Group => Value::Group,
    }
}

/// The source text of a node.
fn cut(header: &str, place: Location) -> Option<&str> {
    let start = usize::try_from(place.span().byte_offset()?).ok()?;
    let length = usize::try_from(place.span().byte_len()?).ok()?;
    header.get(start..start.checked_add(length)?)
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Empty)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Raw::Group)
    }
}

/// The keys at the top of the header.
struct Keys(Vec<(Spanned<String>, Spanned<Raw>)>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeysVisitor)
    }
}

struct KeysVisitor;

/// What is said of a header that is one text or a list.
const NO_KEYS: &str = "it is not made of keys and values";

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = Keys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lines of the form \"key: value\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Keys, A::Error> {
        let mut keys = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            keys.push(entry);
        }
        Ok(Keys(keys))
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Keys, E> {
        Err(E::custom(NO_KEYS))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Keys, A::Error> {
        Err(A::Error::custom(NO_KEYS))
    }
}
