//! The configuration: one validated struct, passed down by section. The only module that reads the environment.
//!
//! Every key, its default and its reason stand in `config/tidings.toml`, which is compiled in as the default. A file
//! changes keys of it, the environment changes keys of both, and everything that is wrong is reported at once.

mod build;
mod environment;
mod error;
mod model;
mod print;
mod reader;
mod schema;
mod settings;
mod values;

use std::fs;
use std::path::{Path, PathBuf};

pub use environment::log_filter;
pub use error::{ConfigError, Origin};
pub use model::{
    Cadence, Database, Dkim, DomainGroup, InDoubt, Login, Mail, Newsletter, Protocol, Server, Smtp, Source,
    SourcePlace, Tls, Transport, WebSub,
};

use reader::Reader;
use settings::Settings;

use crate::site;

/// The file that is read when none is named and it exists in the working directory.
const USUAL_FILE: &str = "config/tidings.toml";

/// What holds without a file and without an environment.
const DEFAULT: &str = include_str!("../../config/tidings.toml");

/// Everything the program is told. Made by [`load`]; every value is checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it was read from; `None` when only the compiled-in default and the environment speak.
    pub file: Option<PathBuf>,
    /// `[server]`
    pub server: Server,
    /// `[websub]`
    pub websub: WebSub,
    /// `[database]`
    pub database: Database,
    /// `[mail]`
    pub mail: Mail,
    /// `[templates]`: a directory whose files replace the compiled-in templates of the same name.
    pub templates: Option<PathBuf>,
    /// `[data]`: where mirrors of repositories live. Created when missing.
    pub data: PathBuf,
    /// `[newsletters.NAME]`, in the order of their names. At least one.
    pub newsletters: Vec<Newsletter>,
    /// The texts behind all of it, and where each was set.
    settings: Settings,
}

impl Config {
    /// The URLs of the hubs that our feeds name: our own first, when it is on.
    #[must_use]
    pub fn hubs(&self) -> Vec<String> {
        self.own_hub().into_iter().chain(self.websub.other_hubs.iter().cloned()).collect()
    }

    /// The URL of our own hub, when it is on.
    #[must_use]
    pub fn own_hub(&self) -> Option<String> {
        self.websub.hub.then(|| site::hub(&self.server.url).to_string())
    }

    /// The effective configuration as TOML that can be read back, with secrets masked and a comment behind each value
    /// that is not the default: `# from TIDINGS_SERVER__URL`, `# from my.toml:12`.
    #[must_use]
    pub fn effective(&self) -> String {
        print::effective(&self.settings)
    }

    /// Where a key such as `newsletters.example.source.directory` was set: for messages about a value that only turns
    /// out wrong when it is used. `None` when it is not set.
    #[must_use]
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.settings.leaves.get(key).map(|leaf| &leaf.origin)
    }
}

/// Reads the configuration: the file at `path`, else the one that `TIDINGS_CONFIG` names, else `config/tidings.toml` in
/// the working directory when it exists, over the compiled-in default; then the `TIDINGS_` variables.
///
/// # Errors
/// Everything that is wrong, in the order of the file, then of the environment.
pub fn load(path: Option<&Path>) -> Result<Config, Vec<ConfigError>> {
    from(path, &environment::variables()?)
}

/// What [`load`] does, given the variables.
fn from(path: Option<&Path>, variables: &[(String, String)]) -> Result<Config, Vec<ConfigError>> {
    let named = variables.iter().find(|(name, value)| name == environment::CONFIG && !value.is_empty());
    let named = named.map(|(_, value)| PathBuf::from(value));
    let usual = || Some(PathBuf::from(USUAL_FILE)).filter(|path| path.exists());
    let Some(path) = path.map(Path::to_owned).or(named).or_else(usual) else {
        return parse(None, variables);
    };
    let name = path.display().to_string();
    let text = fs::read_to_string(&path).map_err(|error| {
        vec![ConfigError {
            origin: Origin::file(&name),
            key: String::new(),
            what: "the configuration cannot be read".to_owned(),
            why: Some(error.to_string()),
            remedy: format!("Name a readable file with --config or {}.", environment::CONFIG),
        }]
    })?;
    parse(Some((&name, &text)), variables)
}

/// What [`load`] does after reading: a file as name and text, and the environment's variables. Only the files that
/// `..._FILE` variables name are read.
///
/// # Errors
/// As for [`load`].
pub fn parse(file: Option<(&str, &str)>, variables: &[(String, String)]) -> Result<Config, Vec<ConfigError>> {
    let mut errors = Vec::new();
    let mut settings = Settings::read(None, DEFAULT, &mut errors).unwrap_or_default();
    if let Some((name, text)) = file {
        match Settings::read(Some(name), text, &mut errors) {
            Some(own) => settings.overlay(own),
            // Without the file's keys, whatever else could be said would be about another configuration.
            None => return Err(errors),
        }
    }
    environment::apply(&mut settings, variables, &mut errors);
    let mut reader = Reader::new(&settings, errors);
    let sections = build::sections(&mut reader);
    let errors = reader.into_errors();
    match sections {
        Some(sections) if errors.is_empty() => Ok(Config {
            file: file.map(|(name, _)| PathBuf::from(name)),
            server: sections.server,
            websub: sections.websub,
            database: sections.database,
            mail: sections.mail,
            templates: sections.templates,
            data: sections.data,
            newsletters: sections.newsletters,
            settings,
        }),
        _ => Err(errors),
    }
}

#[cfg(test)]
mod tests;
