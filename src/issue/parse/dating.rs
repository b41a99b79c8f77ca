//! When an issue is dated: from its header, its file name, its folders or its history, in the order a newsletter wants.

use chrono::{DateTime, FixedOffset};

use super::super::date;
use super::super::fields::Fields;
use super::super::front_matter::Kind;
use super::{Document, Reading, name_of};
use crate::types::{Finding, Place, Rule};

/// A place where the date of an issue may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateSource {
    /// A key of the header, see [`Reading::date_keys`].
    FrontMatter,
    /// `2020-03-12-NAME.md`, or the folder of an `index.md`.
    FileName,
    /// Folders such as `2020/03/12/` or `2020/03/`.
    Path,
    /// When the document first came into its repository, see [`Document::added_at`]. Never when it last changed: a
    /// date that moves with each edit would bring old issues to the top of feeds.
    Git,
}

impl DateSource {
    /// The place in words.
    fn words(self) -> &'static str {
        match self {
            Self::FrontMatter => "its front matter",
            Self::FileName => "its file name",
            Self::Path => "its folders",
            Self::Git => "a git history",
        }
    }
}

const EXAMPLE: &str = "2020-03-12";

/// The first date found. One in the header that is written wrongly is not passed over: it may be a draft's.
pub(super) fn date(
    fields: &Fields<'_>,
    document: &Document,
    reading: &Reading,
) -> Result<DateTime<FixedOffset>, Finding> {
    for source in &reading.date_sources {
        if let Some(date) = find(*source, fields, document, reading)? {
            return Ok(date);
        }
    }
    Err(missing(fields, reading))
}

/// Whether the history is the first place that may have the date.
pub(super) fn needs_history(fields: &Fields<'_>, document: &Document, reading: &Reading) -> bool {
    let mut sources = reading.date_sources.iter();
    let found = sources
        .find(|source| **source == DateSource::Git || !matches!(find(**source, fields, document, reading), Ok(None)));
    found == Some(&DateSource::Git)
}

fn find(
    source: DateSource,
    fields: &Fields<'_>,
    document: &Document,
    reading: &Reading,
) -> Result<Option<DateTime<FixedOffset>>, Finding> {
    let zone = reading.timezone;
    Ok(match source {
        DateSource::FrontMatter => written(fields, reading)?,
        DateSource::FileName => date::of_file_name(name_of(&document.path), zone),
        DateSource::Path => date::of_folders(&document.path, zone),
        DateSource::Git => document.added_at.map(|date| date.with_timezone(&zone).fixed_offset()),
    })
}

fn names(reading: &Reading) -> Vec<&str> {
    reading.date_keys.iter().map(String::as_str).collect()
}

fn written(fields: &Fields<'_>, reading: &Reading) -> Result<Option<DateTime<FixedOffset>>, Finding> {
    let Some((text, line)) = fields.text(&names(reading), EXAMPLE)? else { return Ok(None) };
    let date = date::read(&text, reading.timezone).ok_or_else(|| Finding {
        rule: Rule::NoDate,
        place: Place::line(fields.path, line),
        message: format!("{text:?} is not a date"),
        remedy: "Write it as 2020-03-12, 2020-03-12 18:30 or 2020-03-12T18:30:00+01:00.".into(),
    })?;
    Ok(Some(date))
}

/// No place has a date.
fn missing(fields: &Fields<'_>, reading: &Reading) -> Finding {
    let (names, kind) = (names(reading), fields.header.kind);
    let key = names.first().copied().unwrap_or("date");
    let line = fields.line(&names).filter(|_| reading.date_sources.contains(&DateSource::FrontMatter));
    let message = match line {
        Some(_) => "the date is empty".into(),
        None => {
            let places: Vec<_> = reading.date_sources.iter().map(|source| source.words()).collect();
            let listed = match places.split_last() {
                Some((last, [])) => (*last).to_owned(),
                Some((last, others)) => format!("{} or {last}", others.join(", ")),
                None => String::new(),
            };
            format!("it has no date in {listed}")
        }
    };
    let remedy = match line {
        Some(_) => format!("Write it like this: {}", kind.example(key, EXAMPLE)),
        None => remedy(kind, key, &reading.date_sources),
    };
    Finding { rule: Rule::NoDate, place: Place::line(fields.path, line.unwrap_or(1)), message, remedy }
}

/// The least work that gives a document a date where it is looked for.
fn remedy(kind: Kind, key: &str, sources: &[DateSource]) -> String {
    let has = |source| sources.contains(&source);
    if has(DateSource::FrontMatter) && (kind != Kind::Bare || !has(DateSource::FileName)) {
        kind.to_add(key, EXAMPLE)
    } else if has(DateSource::FileName) {
        "Start the name of the file with its date, 2020-03-12-NAME.md.".into()
    } else if has(DateSource::Path) {
        "Put the file into folders of its date, 2020/03/12/.".into()
    } else {
        "Commit the file, or set `date_sources` so that its date is looked for elsewhere.".into()
    }
}
