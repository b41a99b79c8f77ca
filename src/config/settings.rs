//! The texts of the configuration before they mean anything: which key has which TOML value, and where it was set.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Origin};
use super::schema::{self, Key, Kind, children, join, nearest};
use crate::types::{Place, Slug};

/// A value that can stand behind a key. An empty text behind a key of any kind is a value that the environment emptied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    Text(String),
    Number(i64),
    List(Vec<String>),
    Map(BTreeMap<String, String>),
}

impl Raw {
    /// Takes a TOML value of the kind that the key wants; `None` for another kind.
    pub(super) fn read(kind: Kind, value: &DeValue<'_>) -> Option<Self> {
        match (kind, value) {
            (Kind::Text | Kind::Secret | Kind::SecretUrl, DeValue::String(text)) => Some(Self::Text(text.to_string())),
            (Kind::Number, DeValue::Integer(number)) => {
                i64::from_str_radix(number.as_str(), number.radix()).ok().map(Self::Number)
            }
            (Kind::List, DeValue::Array(items)) => {
                let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
                texts.collect::<Option<_>>().map(Self::List)
            }
            (Kind::Numbers, DeValue::Array(items)) => {
                let number = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
                    DeValue::Integer(number) => Some(number.to_string()),
                    _ => None,
                };
                items.iter().map(number).collect::<Option<_>>().map(Self::List)
            }
            (Kind::Map, DeValue::Table(table)) => {
                let text = |value: &Spanned<DeValue<'_>>| value.get_ref().as_str().map(str::to_owned);
                let texts = table.iter().map(|(key, value)| Some((key.get_ref().to_string(), text(value)?)));
                texts.collect::<Option<_>>().map(Self::Map)
            }
            _ => None,
        }
    }
}

/// A value and where it was set. Without `Debug`: it may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) raw: Raw,
    pub(super) origin: Origin,
}

/// The values of one file, or of several layers.
#[derive(Clone, Default)]
pub(super) struct Settings {
    /// By path, such as `mail.smtp.port`.
    pub(super) leaves: BTreeMap<String, Leaf>,
    /// Where each section begins, by path.
    pub(super) sections: BTreeMap<String, Origin>,
    /// Keys whose value is of the wrong kind, and sections with a name that is none: reported once, not as missing too.
    pub(super) broken: BTreeSet<String>,
}

/// Keys without values, some of which are secrets.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.leaves.keys()).finish()
    }
}

impl Settings {
    /// Reads a file, or the default when it has no name. `None` when it is not TOML; an unknown key or a value of
    /// the wrong kind is left out. Everything that is wrong goes to `errors`.
    pub(super) fn read(name: Option<&str>, text: &str, errors: &mut Vec<ConfigError>) -> Option<Self> {
        let mut walk = Walk { name, text, settings: Self::default(), errors };
        let (table, broken) = DeTable::parse_recoverable(text);
        for error in &broken {
            let what = format!("this is not TOML: {}", error.message());
            walk.refuse(error.span().unwrap_or_default(), "", &what, "See https://toml.io for how to write it.");
        }
        if !broken.is_empty() {
            return None;
        }
        walk.section("", "", table.get_ref());
        Some(walk.settings)
    }

    /// Puts `own` over these. Newsletters are not mixed: whoever names one does not want the example too.
    pub(super) fn overlay(&mut self, own: Self) {
        if own.sections.contains_key("newsletters") {
            self.leaves.retain(|path, _| !path.starts_with("newsletters."));
            self.sections.retain(|path, _| !path.starts_with("newsletters"));
        }
        self.leaves.extend(own.leaves);
        self.sections.extend(own.sections);
        self.broken.extend(own.broken);
    }

    /// The names that stand for `*` in a section, in their order.
    pub(super) fn names(&self, section: &str) -> Vec<String> {
        let inside = |path: &str| {
            let name = path.strip_prefix(section)?.strip_prefix('.')?.to_owned();
            (!name.contains('.')).then_some(name)
        };
        self.sections.keys().filter_map(|path| inside(path)).collect()
    }
}

/// One walk through one file.
struct Walk<'a> {
    name: Option<&'a str>,
    text: &'a str,
    settings: Settings,
    errors: &'a mut Vec<ConfigError>,
}

impl Walk<'_> {
    /// Takes in a section. `path` has the operator's names where `pattern` has `*`.
    fn section(&mut self, path: &str, pattern: &str, table: &DeTable<'_>) {
        let known = children(pattern);
        for (key, value) in table {
            let (name, span) = (key.get_ref().as_ref(), key.span());
            let part = if known == ["*"] { "*" } else { name };
            if part == "*" {
                if let Err(error) = Slug::parse(name) {
                    let remedy = "Such names stand in URLs and in feed ids for ever.";
                    self.refuse(span, &join(path, name), &error.to_string(), remedy);
                    self.settings.broken.insert(path.to_owned());
                    continue;
                }
            } else if !known.contains(&name) {
                self.unknown(span, &join(path, name), name, &known);
                continue;
            }
            let (path, pattern) = (join(path, name), join(pattern, part));
            match (schema::find(&path), value.get_ref()) {
                (Some(key), _) => self.leaf(path, key, value),
                (None, DeValue::Table(table)) => {
                    self.settings.sections.insert(path.clone(), self.origin(span));
                    self.section(&path, &pattern, table);
                }
                (None, _) => {
                    let what = format!("this is a section, not {}", article(value.get_ref().type_str()));
                    self.refuse(span, &path, &what, &format!("Write [{path}] and its keys below."));
                }
            }
        }
    }

    fn unknown(&mut self, span: Range<usize>, path: &str, name: &str, known: &[&str]) {
        let remedy = match nearest(name, known.iter().copied()) {
            Some(near) => format!("Did you mean {near:?}?"),
            None => format!("Known here: {}.", known.join(", ")),
        };
        self.refuse(span, path, "there is no such key", &remedy);
    }

    fn leaf(&mut self, path: String, key: &Key, value: &Spanned<DeValue<'_>>) {
        let Some(raw) = Raw::read(key.kind, value.get_ref()) else {
            let wanted = match key.kind {
                Kind::Text | Kind::Secret | Kind::SecretUrl => "a text in quotes",
                Kind::Number => "a whole number without quotes",
                Kind::List => "a list of texts",
                Kind::Numbers => "a list of whole numbers",
                Kind::Map => "a table of texts",
            };
            let what = format!("this must be {wanted}, not {}", article(value.get_ref().type_str()));
            let name = path.rsplit('.').next().unwrap_or_default();
            self.refuse(value.span(), &path, &what, &format!("Write it as in {name} = {}.", key.example));
            self.settings.broken.insert(path);
            return;
        };
        let origin = self.origin(value.span());
        self.settings.leaves.insert(path, Leaf { raw, origin });
    }

    fn refuse(&mut self, span: Range<usize>, key: &str, what: &str, remedy: &str) {
        let origin = self.origin(span);
        self.errors.push(ConfigError {
            origin,
            key: key.to_owned(),
            what: what.to_owned(),
            why: None,
            remedy: remedy.to_owned(),
        });
    }

    /// The line and column where a span begins, from 1.
    fn origin(&self, span: Range<usize>) -> Origin {
        let Some(name) = self.name else { return Origin::Default };
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let number = |count| u32::try_from(count).ok();
        Origin::File(Place { path: name.to_owned(), line: number(line), column: number(column) })
    }
}

/// `a string`, `an array`.
fn article(noun: &str) -> String {
    let an = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if an { "an" } else { "a" })
}
