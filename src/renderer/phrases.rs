//! The fixed words of pages and mails, in the languages of newsletters. An English text is its own key: templates read as what they say, and
//! what nobody translated is English.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, FixedOffset};

use super::TemplateError;
use crate::schedule::MONTHS;
use crate::types::hex;

/// `templates/words/LANGUAGE.toml`. The English file names every text there is.
pub(super) const BUILT_IN: &[(&str, &str)] = &[
    ("words/en.toml", include_str!("../../templates/words/en.toml")),
    ("words/de.toml", include_str!("../../templates/words/de.toml")),
    ("words/es.toml", include_str!("../../templates/words/es.toml")),
    ("words/fr.toml", include_str!("../../templates/words/fr.toml")),
    ("words/zh.toml", include_str!("../../templates/words/zh.toml")),
];

/// Texts by their English, of each language by its BCP 47 tag in lower case.
#[derive(Debug, Default)]
pub(super) struct Dictionary(BTreeMap<String, BTreeMap<String, String>>);

impl Dictionary {
    /// Reads the built-in files, and over them those of a directory, as name, path and source. A file for `de-AT` begins with the words
    /// of `de`; one may have any part of the texts.
    pub(super) fn read(own: &[(String, String, String)]) -> Result<Self, TemplateError> {
        let mut read = Self::default();
        let files = BUILT_IN.iter().map(|(name, source)| (*name, *name, *source));
        let own = own.iter().map(|(name, path, source)| (name.as_str(), path.as_str(), source.as_str()));
        // The short tags first: others build on them.
        let mut own: Vec<_> = own.filter(|(name, ..)| language(name).is_some()).collect();
        own.sort_by_key(|(name, ..)| name.len());
        for (name, path, source) in files.chain(own) {
            read.add(name, source).map_err(|(line, why)| TemplateError { name: path.to_owned(), line, why })?;
        }
        Ok(read)
    }

    fn add(&mut self, name: &str, source: &str) -> Result<(), (Option<usize>, String)> {
        let tag = language(name).unwrap_or_default();
        let texts: BTreeMap<String, String> = toml::from_str(source).map_err(|error| {
            let line = error.span().map(|span| source.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
            (line, error.message().to_owned())
        })?;
        let english = self.0.get("en");
        for (key, text) in &texts {
            if english.is_some_and(|english| !english.contains_key(key)) {
                return Err((
                    line_of(source, key),
                    format!("{key:?} is no text of ours; templates/words/en.toml has them all"),
                ));
            }
            if slots(key) != slots(text) {
                let why = format!("the text for {key:?} must have the same words in braces: {}", slots(key).join(" "));
                return Err((line_of(source, key), why));
            }
        }
        let base = self.0.get(&tag).or_else(|| self.0.get(primary(&tag))).cloned().unwrap_or_default();
        self.0.insert(tag, base.into_iter().chain(texts).collect());
        Ok(())
    }

    /// Everything in it, in few characters: what was rendered with other words has another one.
    pub(super) fn digest(&self) -> String {
        let texts = self.0.iter().flat_map(|(tag, texts)| texts.iter().map(move |(key, text)| (tag, key, text)));
        let all: String = texts.map(|(tag, key, text)| format!("{tag}\0{key}\0{text}\0")).collect();
        hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, all.as_bytes()).as_ref().iter().take(8))
    }

    /// The phrases for a language: its own, those of its primary language, or English.
    pub(super) fn phrases(&self, tag: &str) -> Phrases<'_> {
        let tag = tag.to_lowercase().replace('_', "-");
        let known = self.0.get(&tag).or_else(|| self.0.get(primary(&tag)));
        Phrases { texts: known.or_else(|| self.0.get("en")), translated: known.is_some() }
    }
}

/// Fixed words in one language.
#[derive(Clone, Copy, Debug)]
pub struct Phrases<'t> {
    texts: Option<&'t BTreeMap<String, String>>,
    translated: bool,
}

impl<'t> Phrases<'t> {
    /// Whether they are in the language that was asked for; else they are English.
    #[must_use]
    pub fn are_translated(&self) -> bool {
        self.translated
    }

    /// A text by its English.
    #[must_use]
    pub fn say<'s>(&self, english: &'s str) -> &'s str
    where
        't: 's,
    {
        self.texts.and_then(|texts| texts.get(english)).map_or(english, String::as_str)
    }

    /// A text with `{name}` in it, and what stands there.
    #[must_use]
    pub fn fill(&self, english: &str, values: &[(&str, &str)]) -> String {
        pieces(self.say(english))
            .map(|piece| {
                values.iter().find(|(name, _)| piece == Piece::Slot(name)).map_or(piece.raw(), |(_, value)| value)
            })
            .collect()
    }

    /// A day as its editor wrote it: `12 March 2020`. Without words for the language it is `2020-03-12`, which is right in every one.
    #[must_use]
    pub fn date(&self, date: DateTime<FixedOffset>) -> String {
        if !self.translated {
            return date.format("%Y-%m-%d").to_string();
        }
        let (day, year) = (date.day().to_string(), date.year().to_string());
        self.fill("{day} {month} {year}", &[("day", &day), ("month", self.name_of(date)), ("year", &year)])
    }

    /// The month of a day: `March`, or `2020-03`.
    #[must_use]
    pub fn month(&self, date: DateTime<FixedOffset>) -> String {
        if self.translated { self.name_of(date).to_owned() } else { date.format("%Y-%m").to_string() }
    }

    fn name_of(&self, date: DateTime<FixedOffset>) -> &'t str {
        self.say(MONTHS.get(date.month0() as usize).copied().unwrap_or_default())
    }
}

/// The fixed words that stand inside the content of issues.
#[derive(Clone, Debug)]
pub struct Labels {
    /// Titles of GFM alerts.
    pub note: String,
    /// See `note`.
    pub tip: String,
    /// See `note`.
    pub important: String,
    /// See `note`.
    pub warning: String,
    /// See `note`.
    pub caution: String,
    /// What the arrow behind a footnote does, for those who do not see it.
    pub to_text: String,
    /// What the mark behind a heading does, for them.
    pub to_section: String,
}

impl From<Phrases<'_>> for Labels {
    fn from(phrases: Phrases<'_>) -> Self {
        let say = |english: &str| phrases.say(english).to_owned();
        Self {
            note: say("Note"),
            tip: say("Tip"),
            important: say("Important"),
            warning: say("Warning"),
            caution: say("Caution"),
            to_text: say("Back to the text"),
            to_section: say("Link to this section"),
        }
    }
}

/// In English.
impl Default for Labels {
    fn default() -> Self {
        Self::from(Phrases { texts: None, translated: false })
    }
}

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// As it stands.
    Text(&'t str),
    /// `{name}`, without the braces.
    Slot(&'t str),
}

impl<'t> Piece<'t> {
    fn raw(self) -> &'t str {
        match self {
            Self::Text(text) | Self::Slot(text) => text,
        }
    }
}

/// The parts of a text.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if let Some((name, after)) = rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            rest = after;
            return Some(Piece::Slot(name));
        }
        let end = rest.char_indices().skip(1).find(|(_, c)| *c == '{').map_or(rest.len(), |(at, _)| at);
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(Piece::Text(piece))
    })
}

/// The names in braces, in order of their letters: languages put them where they need them.
fn slots(text: &str) -> Vec<&str> {
    let slot = |piece| match piece {
        Piece::Slot(name) => Some(name),
        Piece::Text(_) => None,
    };
    let mut names: Vec<_> = pieces(text).filter_map(slot).collect();
    names.sort_unstable();
    names
}

/// `de-at` of `words/de-AT.toml`.
pub(super) fn language(name: &str) -> Option<String> {
    Some(name.strip_prefix("words/")?.strip_suffix(".toml")?.to_lowercase())
}

/// `de` of `de-at`.
fn primary(tag: &str) -> &str {
    tag.split('-').next().unwrap_or(tag)
}

/// Where a key stands in its file.
fn line_of(source: &str, key: &str) -> Option<usize> {
    let quoted = format!("{key:?}");
    source.lines().position(|line| line.trim_start().starts_with(&quoted)).map(|line| line + 1)
}

#[cfg(test)]
mod tests;
