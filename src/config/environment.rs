//! The environment: `TIDINGS_` and a key's path in upper case, joined by `__`. The one file that asks for it.

use std::collections::BTreeMap;
use std::fs;

use toml::de::DeValue;

use super::error::{ConfigError, Origin};
use super::schema::{self, KEYS, Key, Kind, nearest};
use super::settings::{Leaf, Raw, Settings};
use super::values::Problem;

const PREFIX: &str = "TIDINGS_";
/// Names the configuration file.
pub(super) const CONFIG: &str = "TIDINGS_CONFIG";
/// What is logged.
const LOG: &str = "TIDINGS_LOG";
/// Variables of the tests, which are none of our business.
const TEST_PREFIX: &str = "TIDINGS_TEST_";
/// `TIDINGS_KEY_FILE` names a file that holds the value of `TIDINGS_KEY`: how container platforms hand out secrets.
const FILE: &str = "_FILE";

/// What `TIDINGS_LOG` says is to be logged, such as `debug` or `tidings=debug,sqlx=warn`.
#[must_use]
#[allow(clippy::disallowed_methods)] // this is the one file that may
pub fn log_filter() -> Option<String> {
    std::env::var(LOG).ok().filter(|filter| !filter.is_empty())
}

/// Every `TIDINGS_` variable of this process.
#[allow(clippy::disallowed_methods)] // this is the one file that may
pub(super) fn variables() -> Result<Vec<(String, String)>, Vec<ConfigError>> {
    let mut variables = Vec::new();
    let mut errors = Vec::new();
    for (name, value) in std::env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        match value.into_string() {
            Ok(value) => variables.push((name.to_owned(), value)),
            Err(_) => {
                errors.push(error(name, "", Problem::new("the value is not UTF-8", None, "Set it again as text.")));
            }
        }
    }
    if errors.is_empty() { Ok(variables) } else { Err(errors) }
}

/// Puts the variables over the settings.
pub(super) fn apply(settings: &mut Settings, variables: &[(String, String)], errors: &mut Vec<ConfigError>) {
    let known = known(settings);
    for (name, value) in variables {
        if name == CONFIG || name == LOG || name.starts_with(TEST_PREFIX) {
            continue;
        }
        let plain = name.strip_suffix(FILE).and_then(|plain| known.get(plain));
        let (path, outcome) = match (known.get(name), plain) {
            (Some(path), _) => (path, raw(path, value.clone())),
            (None, Some(path)) => (path, read(variables, name, path, value)),
            (None, None) => {
                errors.push(error(name, "", unknown(name, &known)));
                continue;
            }
        };
        match outcome {
            Ok(raw) => {
                settings.broken.remove(path);
                settings.leaves.insert(path.clone(), Leaf { raw, origin: Origin::Environment(name.clone()) });
            }
            Err(problem) => {
                // Its own error says more than that it is missing.
                settings.broken.insert(path.clone());
                errors.push(error(name, path, problem));
            }
        }
    }
}

/// The variable of every key that can be set, with the key's path.
fn known(settings: &Settings) -> BTreeMap<String, String> {
    let mut known = BTreeMap::new();
    for key in KEYS {
        let mut paths = vec![String::new()];
        for part in key.path.split('.') {
            let names = |path: &String| if part == "*" { settings.names(path) } else { vec![part.to_owned()] };
            paths =
                paths.iter().flat_map(|path| names(path).into_iter().map(|name| schema::join(path, &name))).collect();
        }
        known.extend(paths.into_iter().map(|path| (variable(&path), path)));
    }
    known
}

/// `mail.in_doubt` is `TIDINGS_MAIL__IN_DOUBT`; a `-` in a name is a `_`, which no name has.
fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.to_ascii_uppercase().replace('.', "__").replace('-', "_"))
}

fn read(variables: &[(String, String)], name: &str, path: &str, file: &str) -> Result<Raw, Problem> {
    let plain = name.strip_suffix(FILE).unwrap_or(name);
    if variables.iter().any(|(other, _)| other == plain) {
        return Err(Problem::new(&format!("{plain} is set too"), None, "Set one of the two."));
    }
    let text = fs::read_to_string(file).map_err(|why| {
        let what = format!("the file {file:?} cannot be read");
        Problem::new(&what, why.to_string(), "Name a readable file that holds the value.")
    })?;
    raw(path, text.trim().to_owned())
}

/// A variable's text as the kind of value its key takes.
fn raw(path: &str, text: String) -> Result<Raw, Problem> {
    let Some(key) = schema::find(path) else { return Ok(Raw::Text(text)) };
    match key.kind {
        Kind::Text | Kind::Secret | Kind::SecretUrl => Ok(Raw::Text(text)),
        _ if text.is_empty() => Ok(Raw::Text(text)), // not set, as for every key
        Kind::Number => text.trim().parse().map(Raw::Number).map_err(|_| {
            let remedy = format!("Write it as in {}.", key.example);
            Problem::new(&format!("{text:?} is not a whole number"), None, remedy)
        }),
        Kind::List | Kind::Numbers if text.trim_start().starts_with('[') => toml(key, &text).ok_or_else(|| {
            let remedy = format!("Write it as in {}, or as a,b,c.", key.example);
            let what = if key.kind == Kind::List { "texts" } else { "whole numbers" };
            Problem::new(&format!("{text:?} is not a list of {what}"), None, remedy)
        }),
        Kind::Map => toml(key, &text).ok_or_else(|| {
            let remedy = format!("Write it as in {}.", key.example);
            Problem::new(&format!("{text:?} is not a table of texts"), None, remedy)
        }),
        Kind::List | Kind::Numbers => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Raw::List(items.map(str::to_owned).collect()))
        }
    }
}

/// A variable's text as the TOML value that its key takes.
fn toml(key: &Key, text: &str) -> Option<Raw> {
    DeValue::parse(text).ok().and_then(|value| Raw::read(key.kind, value.get_ref()))
}

fn unknown(name: &str, known: &BTreeMap<String, String>) -> Problem {
    let remedy = match nearest(name, known.keys().map(String::as_str)) {
        Some(near) => format!("Did you mean {near}?"),
        None => {
            "It is TIDINGS_ and a key's path in upper case, joined by two underscores: TIDINGS_SERVER__URL.".to_owned()
        }
    };
    Problem::new("there is no such key", None, remedy)
}

fn error(name: &str, path: &str, problem: Problem) -> ConfigError {
    let Problem { what, why, remedy } = problem;
    ConfigError { origin: Origin::Environment(name.to_owned()), key: path.to_owned(), what, why, remedy }
}
