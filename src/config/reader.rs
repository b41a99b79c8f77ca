//! Finds values among the settings, and collects what is wrong with them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::error::{ConfigError, Origin};
use super::schema::{self, Kind};
use super::settings::{Leaf, Raw, Settings};
use super::values::Problem;

/// Reads values one after the other. `None` from a method that takes `&mut self` means that an error is on record,
/// unless the method says that the value may be missing.
pub(super) struct Reader<'a> {
    settings: &'a Settings,
    errors: Vec<ConfigError>,
}

/// A value that is set, with the path where it is.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) key: &'a str,
    leaf: &'a Leaf,
}

impl<'a> Found<'a> {
    fn text(self) -> &'a str {
        if let Raw::Text(text) = &self.leaf.raw { text } else { "" }
    }
}

impl<'a> Reader<'a> {
    /// Begins with the errors that are known already.
    pub(super) fn new(settings: &'a Settings, errors: Vec<ConfigError>) -> Self {
        Self { settings, errors }
    }

    /// Every error once, in the order of the file, then of the variables.
    pub(super) fn into_errors(self) -> Vec<ConfigError> {
        let mut errors: Vec<ConfigError> = Vec::new();
        for error in self.errors {
            // A value of [defaults] is read once for each newsletter.
            if !errors.contains(&error) {
                errors.push(error);
            }
        }
        errors.sort_by(|a, b| a.origin.order().cmp(&b.origin.order()));
        errors
    }

    pub(super) fn names(&self, section: &str) -> Vec<String> {
        self.settings.names(section)
    }

    pub(super) fn has_section(&self, section: &str) -> bool {
        self.settings.sections.contains_key(section)
    }

    /// Whether an error about a key or the names of a section is on record already.
    pub(super) fn is_broken(&self, path: &str) -> bool {
        self.settings.broken.contains(path)
    }

    /// The first of these paths that is set. An empty text counts as not set: an environment can empty a variable
    /// but often not remove it.
    pub(super) fn find(&self, paths: &[&str]) -> Option<Found<'a>> {
        let leaf = |path: &&str| self.settings.leaves.get_key_value(*path);
        let set = |(_, leaf): &(&String, &Leaf)| leaf.raw != Raw::Text(String::new());
        paths.iter().filter_map(leaf).find(set).map(|(key, leaf)| Found { key, leaf })
    }

    /// Like [`Self::find`], but it is an error when none is set.
    pub(super) fn need(&mut self, paths: &[&str]) -> Option<Found<'a>> {
        let found = self.find(paths);
        if found.is_none()
            && let Some(path) = paths.first()
        {
            self.missing(path, None);
        }
        found
    }

    /// Reports a missing key. The place is where it was left empty, else `because`, else the section.
    pub(super) fn missing(&mut self, path: &str, because: Option<Found<'_>>) {
        if self.is_broken(path) {
            return;
        }
        let (section, name) = path.rsplit_once('.').unwrap_or(("", path));
        let empty = self.settings.leaves.get(path).map(|leaf| &leaf.origin);
        let origin = empty.or(because.map(|found| &found.leaf.origin)).or(self.settings.sections.get(section));
        let example = schema::find(path).map_or("...", |key| key.example);
        self.errors.push(ConfigError {
            origin: origin.cloned().unwrap_or(Origin::Default),
            key: path.to_owned(),
            what: if empty.is_some() { "the value is empty" } else { "the key is missing" }.to_owned(),
            why: because.map(|found| format!("{} = {:?} needs it", found.key, found.text())),
            remedy: format!("Write {name} = {example} in [{section}]."),
        });
    }

    /// Reports something about a section as a whole.
    pub(super) fn refuse_section(&mut self, path: &str, what: &str, remedy: &str) {
        let origin = self.settings.sections.get(path).cloned().unwrap_or(Origin::Default);
        let (what, remedy) = (what.to_owned(), remedy.to_owned());
        self.errors.push(ConfigError { origin, key: path.to_owned(), what, why: None, remedy });
    }

    /// Reports what is wrong with a value that is set.
    pub(super) fn refuse(&mut self, found: Found<'_>, problem: Problem) {
        let kind = schema::find(found.key).map(|key| key.kind);
        let value = match &found.leaf.raw {
            _ if matches!(kind, Some(Kind::Secret | Kind::SecretUrl)) => "the value".to_owned(),
            Raw::Text(text) => format!("{text:?}"),
            Raw::Number(number) => number.to_string(),
            Raw::List(items) => format!("{items:?}"),
            Raw::Map(texts) => format!("{texts:?}"),
        };
        self.errors.push(ConfigError {
            origin: found.leaf.origin.clone(),
            key: found.key.to_owned(),
            what: format!("{value} {}", problem.what),
            why: problem.why,
            remedy: problem.remedy,
        });
    }

    /// Reads a text that is set.
    pub(super) fn read<T>(&mut self, found: Found<'_>, parse: impl Fn(&str) -> Result<T, Problem>) -> Option<T> {
        parse(found.text()).map_err(|problem| self.refuse(found, problem)).ok()
    }

    /// Reads a text that must be set.
    pub(super) fn must<T>(&mut self, paths: &[&str], parse: impl Fn(&str) -> Result<T, Problem>) -> Option<T> {
        let found = self.need(paths)?;
        self.read(found, parse)
    }

    /// Reads a text that may be missing: `Some(None)` then.
    pub(super) fn may<T>(&mut self, paths: &[&str], parse: impl Fn(&str) -> Result<T, Problem>) -> Option<Option<T>> {
        match self.find(paths) {
            Some(found) => self.read(found, parse).map(Some),
            None => Some(None),
        }
    }

    /// Reads a number that must be set and within a range.
    pub(super) fn number<T: TryFrom<i64>>(&mut self, found: Found<'_>, range: RangeInclusive<i64>) -> Option<T> {
        let number = if let Raw::Number(number) = found.leaf.raw { number } else { 0 };
        let value = range.contains(&number).then(|| T::try_from(number).ok()).flatten();
        if value.is_none() {
            let (least, most) = range.into_inner();
            let what = format!("is not in {least}-{most}");
            self.refuse(found, Problem::new(&what, None, "Write a whole number in that range."));
        }
        value
    }

    /// Reads every item of a list that must be set.
    pub(super) fn list<T>(&mut self, paths: &[&str], parse: fn(&str) -> Result<T, Problem>) -> Option<Vec<T>> {
        let found = self.need(paths)?;
        let Raw::List(items) = &found.leaf.raw else { return Some(Vec::new()) };
        let mut values = Vec::new();
        for item in items {
            match parse(item) {
                Ok(value) => values.push(value),
                Err(problem) => {
                    let what = format!("has {item:?}, which {}", problem.what);
                    self.refuse(found, Problem { what, ..problem });
                }
            }
        }
        (values.len() == items.len()).then_some(values)
    }

    /// Reads a list that must be set and have items; `problem` is what an empty one does, and what to write.
    pub(super) fn some<T>(
        &mut self,
        paths: &[&str],
        parse: fn(&str) -> Result<T, Problem>,
        (what, remedy): (&str, &str),
    ) -> Option<Vec<T>> {
        let items = self.list(paths, parse)?;
        if items.is_empty() {
            if let Some(found) = self.find(paths) {
                self.refuse(found, Problem::new(what, None, remedy));
            }
            return None;
        }
        Some(items)
    }

    /// Reads texts by keys; none when they are not set.
    pub(super) fn map(&self, paths: &[&str]) -> BTreeMap<String, String> {
        match self.find(paths).map(|found| &found.leaf.raw) {
            Some(Raw::Map(texts)) => texts.clone(),
            _ => BTreeMap::new(),
        }
    }
}
