//! What is wrong with the configuration, as data.

use std::fmt;

use crate::types::Place;

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is the compiled-in default.
    Default,
    /// In the configuration file.
    File(Place),
    /// In an environment variable of this name.
    Environment(String),
}

impl Origin {
    /// A whole file.
    pub(super) fn file(name: &str) -> Self {
        Self::File(Place::file(name))
    }

    /// Errors are shown in the order of the file, then of the variables' names.
    pub(super) fn order(&self) -> (u8, Option<u32>, Option<u32>, &str) {
        match self {
            Self::Default => (0, None, None, ""),
            Self::File(place) => (1, place.line, place.column, &place.path),
            Self::Environment(name) => (2, None, None, name),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default configuration"),
            Self::File(place) => place.fmt(f),
            Self::Environment(name) => f.write_str(name),
        }
    }
}

/// One thing that is wrong. Displays as `where: key: what: why. What to do.`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where the value stands, or the section that lacks it.
    pub origin: Origin,
    /// The key with its sections, such as `mail.smtp.port`; empty when it is not about one key.
    pub key: String,
    /// What is wrong. Never repeats a secret.
    pub what: String,
    /// Why, where there is more to say.
    pub why: Option<String>,
    /// What to do, in full sentences.
    pub remedy: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, key, what, why, remedy } = self;
        write!(f, "{origin}: ")?;
        if !key.is_empty() {
            write!(f, "{key}: ")?;
        }
        f.write_str(what)?;
        if let Some(why) = why {
            write!(f, ": {why}")?;
        }
        write!(f, ". {remedy}")
    }
}

impl std::error::Error for ConfigError {}
