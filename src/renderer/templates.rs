//! minijinja templates: compiled in, and replaced file by file from a directory.

use std::path::Path;

/// The loaded templates.
#[derive(Debug)]
pub struct Templates {}

/// A template that does not load or does not render.
#[derive(Debug, thiserror::Error)]
#[error("template {name}{}: {why}", line.map(|l| format!(":{l}")).unwrap_or_default())]
pub struct TemplateError {
    /// Name, such as `web/issue.html`.
    pub name: String,
    /// Line, from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub why: String,
}

impl Templates {
    /// Loads the compiled-in templates, each replaced by the file of the same name below `directory` where there is one.
    ///
    /// # Errors
    /// When a template does not parse, or a file in `directory` has a name that no template has.
    pub fn load(directory: Option<&Path>) -> Result<Self, TemplateError> {
        let _ = directory;
        todo!()
    }

    /// Renders `name` with a context. `.html` templates escape, `.txt` templates do not.
    ///
    /// # Errors
    /// When the template names something that the context has not.
    pub fn render(&self, name: &str, context: impl serde::Serialize) -> Result<String, TemplateError> {
        let _ = (name, context);
        todo!()
    }
}
