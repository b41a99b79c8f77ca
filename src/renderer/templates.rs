//! minijinja templates: compiled in, and replaced file by file from a directory.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use minijinja::value::{Kwargs, Serde, Value};
use minijinja::{AutoEscape, Environment, State, UndefinedBehavior};

use super::phrases::{self, Dictionary, Phrases, Piece};
use super::wrap::{COLUMNS, flow, underlined};
use crate::message::field_slot;
use crate::types::{FieldName, hex};

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        /// Every template by name. A directory can replace these and no others.
        const BUILT_IN: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../templates/", $name)))),*];
    };
}

built_in![
    "email/base.html",
    "email/confirmation/body.html",
    "email/confirmation/body.txt",
    "email/confirmation/subject.txt",
    "email/content.css",
    "email/digest/body.html",
    "email/digest/body.txt",
    "email/digest/subject.txt",
    "web/base.html",
    "web/feed.css",
    "web/feeds.html",
    "web/home.html",
    "web/index.html",
    "web/issue.html",
    "web/list.html",
    "web/lines.html",
    "web/mail.html",
    "web/notice.html",
    "web/outbox.html",
    "web/search.html",
    "web/preferences.html",
    "web/preview.html",
    "web/style.css",
    "web/favicon.svg",
    "web/subscribe.html",
];

/// Style sheets and the icon are served as they are, not rendered.
const STYLE: &str = "web/style.css";
const FEED_STYLE: &str = "web/feed.css";
const ICON: &str = "web/favicon.svg";
/// The icon for those that know no drawings; the one file that is no text.
const OLD_ICON: &str = "web/favicon.ico";

/// The loaded templates.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    dictionary: Arc<Dictionary>,
    words_digest: String,
    style: String,
    style_name: String,
    icon: String,
    old_icon: Vec<u8>,
    feed_style: String,
}

/// A template that does not load or does not render.
#[derive(Debug, thiserror::Error)]
#[error("template {name}{}: {why}", line.map(|l| format!(":{l}")).unwrap_or_default())]
pub struct TemplateError {
    /// Name, such as `web/issue.html`; of a file in an overriding directory, its path.
    pub name: String,
    /// Line, from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub why: String,
}

impl TemplateError {
    fn file(path: &Path, why: String) -> Self {
        Self { name: path.display().to_string(), line: None, why }
    }

    fn template(name: &str, error: &minijinja::Error) -> Self {
        let kind = error.kind().to_string();
        Self {
            name: error.name().unwrap_or(name).to_owned(),
            line: error.line(),
            why: error.detail().map_or_else(|| kind.clone(), |detail| format!("{kind}: {detail}")),
        }
    }
}

impl Templates {
    /// Loads the compiled-in templates, each replaced by the file of the same name below `directory` where there is one.
    ///
    /// # Errors
    /// When a template or the words of a language do not parse, or a file in `directory` has a name that none of ours has.
    pub fn load(directory: Option<&Path>) -> Result<Self, TemplateError> {
        let mut files = Vec::new();
        if let Some(directory) = directory {
            read(directory, "", &mut files)?;
        }
        let dictionary = Arc::new(Dictionary::read(&files)?);
        let mut environment = environment(&dictionary);
        let (mut style, mut feed_style, mut icon) = (String::new(), String::new(), String::new());
        for (name, built_in) in BUILT_IN {
            let (path, source) = files
                .iter()
                .find(|(file, ..)| file == name)
                .map_or((*name, *built_in), |(_, path, source)| (path.as_str(), source.as_str()));
            if *name == STYLE {
                source.clone_into(&mut style);
            } else if *name == ICON {
                source.clone_into(&mut icon);
            } else if *name == FEED_STYLE {
                source.clone_into(&mut feed_style);
            } else {
                environment.add_template_owned(*name, source.to_owned()).map_err(|error| TemplateError {
                    name: path.to_owned(),
                    ..TemplateError::template(name, &error)
                })?;
            }
        }
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, style.as_bytes());
        let hash = hex(digest.as_ref().iter().take(4));
        let old_icon = match directory.map(|directory| directory.join(OLD_ICON)).filter(|path| path.exists()) {
            Some(path) => {
                fs::read(&path).map_err(|error| TemplateError::file(&path, format!("cannot read it: {error}")))?
            }
            None => include_bytes!("../../templates/web/favicon.ico").to_vec(),
        };
        Ok(Self {
            environment,
            words_digest: dictionary.digest(),
            dictionary,
            style,
            style_name: format!("style-{hash}.css"),
            feed_style,
            icon,
            old_icon,
        })
    }

    /// Renders `name` with a context. `.html` templates escape, `.txt` templates do not.
    ///
    /// # Errors
    /// When the template names something that the context has not.
    pub fn render(&self, name: &str, context: impl serde::Serialize) -> Result<String, TemplateError> {
        let template = self.environment.get_template(name).map_err(|error| TemplateError::template(name, &error))?;
        template.render(Serde(context)).map_err(|error| TemplateError::template(name, &error))
    }

    /// The fixed words for a language, a BCP 47 tag.
    #[must_use]
    pub fn phrases(&self, language: &str) -> Phrases<'_> {
        self.dictionary.phrases(language)
    }

    /// The fixed words of all languages, in few characters.
    #[must_use]
    pub fn words_digest(&self) -> &str {
        &self.words_digest
    }

    /// The style sheet of the web pages.
    #[must_use]
    pub fn style(&self) -> &str {
        &self.style
    }

    /// The icon, as SVG.
    #[must_use]
    pub fn icon(&self) -> &str {
        &self.icon
    }

    /// The icon, as ICO.
    #[must_use]
    pub fn old_icon(&self) -> &[u8] {
        &self.old_icon
    }

    /// The style sheet of feeds that are opened in a browser.
    #[must_use]
    pub fn feed_style(&self) -> &str {
        &self.feed_style
    }

    /// A file name for the style sheet that changes with its content, `style-<8 hex digits>.css`, so that
    /// browsers may keep it for ever.
    #[must_use]
    pub fn style_name(&self) -> &str {
        &self.style_name
    }
}

fn environment(dictionary: &Arc<Dictionary>) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|name| {
        if Path::new(name).extension().is_some_and(|extension| extension == "html") {
            AutoEscape::Html
        } else {
            AutoEscape::None
        }
    });
    if let Ok(syntax) = minijinja::syntax::SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
    {
        environment.set_syntax(syntax);
    }
    environment.set_formatter(|out, state, value| match value.as_str() {
        Some(text) if matches!(state.auto_escape(), AutoEscape::Html) && !value.is_safe() => {
            out.write_str(&escape(text)).map_err(minijinja::Error::from)
        }
        _ => minijinja::escape_formatter(out, state, value),
    });
    environment.add_function("field", field);
    let words = Arc::clone(dictionary);
    environment.add_function("say", move |state: &State<'_, '_>, english: &str, values: Kwargs| {
        say(state, words.phrases(&language(state)).say(english), &values)
    });
    let words = Arc::clone(dictionary);
    environment
        .add_function("translated", move |state: &State<'_, '_>| words.phrases(&language(state)).are_translated());
    environment.add_filter("wrap", |text: String| flow(text.trim(), COLUMNS).join("\n"));
    environment.add_filter("underlined", |text: String, mark: char| underlined(text.trim(), mark, COLUMNS).join("\n"));
    environment
}

/// The language of a page or a mail; English for what belongs to no newsletter.
fn language(state: &State<'_, '_>) -> String {
    let of_page = state.lookup("frame").and_then(|frame| frame.get_attr("language").ok());
    let language = of_page.filter(|value| !value.is_undefined()).or_else(|| state.lookup("language"));
    language.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_else(|| "en".to_owned())
}

/// `say("{count} issues", count=2)`: fixed words in the language of the page or mail. What stands for a name in braces is escaped as any
/// value is.
fn say(state: &State<'_, '_>, text: &str, values: &Kwargs) -> Result<Value, minijinja::Error> {
    let html = matches!(state.auto_escape(), AutoEscape::Html);
    let mut said = String::with_capacity(text.len());
    for piece in phrases::pieces(text) {
        match piece {
            Piece::Text(text) if html => said.push_str(&escape(text)),
            Piece::Text(text) => said.push_str(text),
            Piece::Slot(name) => {
                let value: Value = values.get(name)?;
                let text = value.to_string();
                said.push_str(&if html && !value.is_safe() { escape(&text) } else { text });
            }
        }
    }
    values.assert_all_used()?;
    Ok(if html { Value::from_safe_string(said) } else { Value::from(said) })
}

/// `field("name", "reader")`: what a subscriber told about themselves, and what everyone else reads there.
fn field(name: &str, fallback: &str) -> Result<String, minijinja::Error> {
    let wrong = |error: String| minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, error);
    let name = FieldName::parse(name).map_err(|error| wrong(error.to_string()))?;
    Ok(field_slot(name.as_str(), fallback))
}

/// What HTML text and quoted attributes need. minijinja also escapes `/`, which makes every URL in a page unreadable.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Reads the files below `directory`, as name, path and source. Names that start with a dot are skipped:
/// editors and mounted volumes keep their own things there.
fn read(directory: &Path, prefix: &str, files: &mut Vec<(String, String, String)>) -> Result<(), TemplateError> {
    let unreadable = |path: &Path, error: std::io::Error| TemplateError::file(path, format!("cannot read it: {error}"));
    for entry in fs::read_dir(directory).map_err(|error| unreadable(directory, error))? {
        let path = entry.map_err(|error| unreadable(directory, error))?.path();
        let Some(file) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        if file.starts_with('.') {
            continue;
        }
        let name = format!("{prefix}{file}");
        if path.is_dir() {
            read(&path, &format!("{name}/"), files)?;
        } else if name == OLD_ICON {
            // Read by itself, since it is no text.
        } else if BUILT_IN.iter().any(|(known, _)| *known == name) || phrases::language(&name).is_some() {
            let source = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
            files.push((name, path.display().to_string(), source));
        } else {
            let nearest = BUILT_IN.iter().map(|(known, _)| *known).min_by_key(|known| distance(known, &name));
            let why = format!(
                "no template has this name; the nearest is {}. Rename or remove the file",
                nearest.unwrap_or_default()
            );
            return Err(TemplateError::file(&path, why));
        }
    }
    Ok(())
}

/// Levenshtein's distance: how many characters must be changed, added or removed.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.chars()) {
            let cost = (diagonal + usize::from(x != y)).min(left + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, cost);
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, source) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, source).unwrap();
        }
        directory
    }

    fn load(files: &[(&str, &str)]) -> Result<Templates, String> {
        let directory = directory(files);
        let root = directory.path().display().to_string();
        Templates::load(Some(directory.path())).map_err(|error| error.to_string().replace(&root, "DIR"))
    }

    #[test]
    fn a_file_replaces_the_template_of_its_name_and_no_other() {
        let templates =
            load(&[("email/digest/subject.txt", "<{{ a }}>"), (".git/x", ""), ("web/style.css", "p{}")]).unwrap();
        let context = std::collections::BTreeMap::from([("a", "<b>")]);
        assert_eq!(templates.render("email/digest/subject.txt", &context).unwrap(), "<<b>>");
        assert_eq!(templates.style(), "p{}");
        assert_ne!(templates.style_name(), Templates::load(None).unwrap().style_name());
    }

    #[test]
    fn a_wrong_file_is_an_error_that_says_what_to_do() {
        for (name, source, message) in [
            (
                "web/isue.html",
                "",
                "template DIR/web/isue.html: no template has this name; the nearest is web/issue.html. Rename or remove the file",
            ),
            ("web/home.html", "a\n{% if %}", "template DIR/web/home.html:2: syntax error: unexpected end of block"),
        ] {
            assert_eq!(load(&[(name, source)]).map(|_| ()), Err(message.to_owned()));
        }
        let missing = Templates::load(Some(Path::new("/nowhere"))).unwrap_err().to_string();
        assert!(missing.starts_with("template /nowhere: cannot read it: "), "{missing}");
    }

    #[test]
    fn words_are_in_the_language_of_the_page_and_what_is_filled_in_is_escaped() {
        let html = "{% set bold %}<b>{{ name }}</b>{% endset %}{{ say(\"1 issue for {question}\", question=name) }}|\
                    {{ say(\"1 issue for {question}\", question=bold) }}|{{ say(\"Subscribe\") }}|{{ translated() }}";
        let text = "{{ say(\"1 issue for {question}\", question=name) }}";
        let templates = load(&[("web/home.html", html), ("email/digest/subject.txt", text)]).unwrap();
        let render = |name: &str, language: &str| {
            let context = std::collections::BTreeMap::from([("name", "<\"{x}\">"), ("language", language)]);
            templates.render(name, &context).unwrap()
        };
        let escaped = "&lt;&quot;{x}&quot;&gt;";
        assert_eq!(
            render("web/home.html", "fr"),
            format!("1 numéro pour {escaped}|1 numéro pour <b>{escaped}</b>|S’abonner|True")
        );
        assert_eq!(
            render("web/home.html", "pl"),
            format!("1 issue for {escaped}|1 issue for <b>{escaped}</b>|Subscribe|False")
        );
        assert_eq!(render("email/digest/subject.txt", "de"), "1 Ausgabe zu <\"{x}\">");
        let frame = serde_json::json!({ "frame": { "language": "de" }, "name": "x" });
        assert!(templates.render("web/home.html", frame).unwrap().contains("|Abonnieren|"));
        let wrong = load(&[("web/home.html", "\n{{ say(\"{count} issues\", coutn=2) }}")]).unwrap();
        let error = wrong.render("web/home.html", ()).unwrap_err();
        assert_eq!(error.line, Some(2), "{error}");
    }

    #[test]
    fn a_name_that_the_context_has_not_is_an_error_with_its_line() {
        let templates = load(&[("web/home.html", "\n{{ nothing }}")]).unwrap();
        let error = templates.render("web/home.html", ()).unwrap_err();
        assert_eq!((error.name.as_str(), error.line), ("web/home.html", Some(2)));
        assert!(templates.render("web/nothing.html", ()).is_err());
    }

    #[test]
    fn only_html_is_escaped_and_urls_stay_readable() {
        let templates = load(&[("web/home.html", "{{ a }}"), ("email/digest/body.txt", "{{ a }}")]).unwrap();
        let context = std::collections::BTreeMap::from([("a", "https://example.org/?a&b=\"'<>")]);
        assert_eq!(
            templates.render("web/home.html", &context).unwrap(),
            "https://example.org/?a&amp;b=&quot;&#39;&lt;&gt;"
        );
        assert_eq!(templates.render("email/digest/body.txt", &context).unwrap(), "https://example.org/?a&b=\"'<>");
    }

    #[test]
    fn distances_are_levenshteins() {
        for (a, b, expected) in [("", "", 0), ("abc", "abc", 0), ("kitten", "sitting", 3), ("", "ab", 2), ("ab", "", 2)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
