//! Reads a document into an [`Issue`], or says as a [`Finding`] why it is held.

mod dating;
mod heading;

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, Utc};
use chrono_tz::Tz;

use crate::types::{Finding, IssueId, Place, Rule, Slug};

use super::fields::{Fields, Many};
use super::front_matter::{self, Kind, Parts};
use super::language::Languages;
pub use dating::DateSource;
use heading::Heading;

/// Counts the ways of reading. To be raised when the same document gives another issue than before, so that every
/// document is read again.
pub const VERSION: u32 = 3;

/// Bytes of the largest document that is read. A long issue has 100 KB; mail clients cut a message at that size.
pub const MAX_DOCUMENT: u64 = 1024 * 1024;

/// A file of the content source, as read at one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Path below the root of the source, with `/`.
    pub path: String,
    /// The raw bytes.
    pub bytes: Vec<u8>,
    /// The git blob id of the bytes (SHA-1 in hex), also for a directory source.
    pub blob: String,
    /// When the content of the path last changed: the committer date, or the file's modification time.
    pub changed_at: DateTime<Utc>,
    /// When the document first came into the history of its repository, however it was edited since. `None` where the
    /// source has no history, or was not asked.
    pub added_at: Option<DateTime<Utc>>,
}

/// How a newsletter's documents are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The zone of a date that has none.
    pub timezone: Tz,
    /// Names of the key that holds the date, in lower case; the first that has a value counts.
    pub date_keys: Vec<String>,
    /// Where the date may come from; the first that has one counts.
    pub date_sources: Vec<DateSource>,
    /// Keys, in lower case, with the value that each must have, or have in a list, for a document to be an issue.
    pub only: BTreeMap<String, String>,
    /// Which documents are in the newsletter's language.
    pub languages: Languages,
}

/// What an issue's text is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Markup {
    /// CommonMark and GFM, as it stands in the document.
    Markdown,
    /// HTML, as the project's site generator built it.
    Html,
}

/// A document's fields and its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Issue {
    /// The `id` of the front matter, if it has one.
    pub id: Option<IssueId>,
    /// The title as plain text.
    pub title: String,
    /// The date, in the zone it was written in, or the newsletter's.
    pub date: DateTime<FixedOffset>,
    /// Names of the authors, in order; may be empty.
    pub authors: Vec<String>,
    /// Tags and categories, in order, without repeats.
    pub tags: Vec<String>,
    /// BCP 47 language tag, where the document names one.
    pub language: Option<String>,
    /// The summary the editor wrote, as plain text.
    pub summary: Option<String>,
    /// The slug the editor wrote, else one made of the file name or of the title.
    pub slug: Slug,
    /// Path or URL of the lead image, as written.
    pub image: Option<String>,
    /// Not to be published.
    pub draft: bool,
    /// The public path or URL that the editor wrote, for [`super::permalink`].
    pub permalink: Option<String>,
    /// Paths under which the issue was found before, as written.
    pub aliases: Vec<String>,
    /// What `body` is written in.
    pub markup: Markup,
    /// The Markdown after the front matter, lines ended by `\n`; or what was taken out of the built page.
    pub body: String,
    /// Line of the file on which the body starts, from 1.
    pub body_line: u32,
}

/// Reads one document. `None` when it is no issue of this newsletter: its metadata does not meet [`Reading::only`], or it
/// is in another language.
///
/// # Errors
/// A [`Finding`] that names the file, the line and the remedy; the document is held.
pub fn parse(document: &Document, reading: &Reading) -> Result<Option<Issue>, Finding> {
    let text = text_of(document)?;
    let parts = take_apart(document, &text, reading)?;
    let fields = Fields { path: &document.path, header: &parts.header };
    if !fields.meet(&reading.only) {
        return Ok(None);
    }
    let language = reading.languages.of(&document.path, language(&fields)?.as_deref());
    if !reading.languages.is_own(language.as_deref()) {
        return Ok(None);
    }
    let heading = heading::first(parts.body);
    let title = title(&fields, heading.as_ref())?;
    // Pages and mails put the title above the text: a heading that repeats it would stand there twice.
    let body = match heading {
        Some(heading) if heading.says(&title) => heading.blanked(parts.body),
        _ => parts.body.to_owned(),
    };
    let optional = |names: &[&str], example| fields.text(names, example).map(|found| found.map(|(text, _)| text));
    Ok(Some(Issue {
        id: id(&fields)?,
        date: dating::date(&fields, document, reading)?,
        authors: authors(&fields)?,
        tags: tags(&fields)?,
        language,
        summary: optional(&["summary", "description", "excerpt"], "What this issue is about.")?,
        slug: slug(&fields, document, &reading.languages, &title)?,
        image: optional(&["image"], "cover.png")?,
        draft: draft(&fields)?,
        permalink: optional(&["permalink", "url", "path"], "/news/2020/march/")?,
        aliases: fields.list(&["aliases", "redirect_from"], Many::No, "/news/march/")?,
        title,
        markup: Markup::Markdown,
        body,
        body_line: parts.body_line,
    }))
}

/// Whether [`Document::added_at`] would be used: reading a history takes time, and few documents need it.
#[must_use]
pub fn needs_history(document: &Document, reading: &Reading) -> bool {
    let Ok(text) = text_of(document) else { return false };
    let Ok(parts) = take_apart(document, &text, reading) else { return false };
    let fields = Fields { path: &document.path, header: &parts.header };
    fields.meet(&reading.only) && dating::needs_history(&fields, document, reading)
}

fn take_apart<'a>(document: &Document, text: &'a str, reading: &Reading) -> Result<Parts<'a>, Finding> {
    let telling: Vec<&str> = std::iter::once("title").chain(reading.date_keys.iter().map(String::as_str)).collect();
    front_matter::read(&document.path, text, &telling)
}

/// The finding for a document of more than [`MAX_DOCUMENT`] bytes.
#[must_use]
pub fn too_large(path: &str, size: u64) -> Finding {
    Finding {
        rule: Rule::TooLarge,
        place: Place::file(path),
        message: format!("the file has {size} bytes, more than the {MAX_DOCUMENT} that are read"),
        remedy: "Move images and attachments into files beside it and link them.".into(),
    }
}

/// The text without a byte order mark, with `\n` at the end of lines.
fn text_of(document: &Document) -> Result<Cow<'_, str>, Finding> {
    let size = u64::try_from(document.bytes.len()).unwrap_or(u64::MAX);
    if size > MAX_DOCUMENT {
        return Err(too_large(&document.path, size));
    }
    let text = std::str::from_utf8(&document.bytes).map_err(|error| {
        let before = document.bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Finding {
            rule: Rule::NotUtf8,
            place: Place::line(&document.path, u32::try_from(line).unwrap_or(u32::MAX)),
            message: "the line has bytes that are not UTF-8".into(),
            remedy: "Save the file in the encoding UTF-8.".into(),
        }
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // A bare CR is a line end in CommonMark (section 2.1), and must not reach a mail.
    Ok(if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    })
}

/// The title of the header, else the heading that the text starts with.
fn title(fields: &Fields<'_>, heading: Option<&Heading>) -> Result<String, Finding> {
    let example = "This Month in Gardening: March";
    if let Some((title, _)) = fields.text(&["title"], example)? {
        return Ok(title);
    }
    let (line, kind) = (fields.line(&["title"]), fields.header.kind);
    if let Some(heading) = heading.filter(|heading| heading.leads && !heading.text.is_empty()) {
        return Ok(heading.text.clone());
    }
    let (message, remedy) = match (line, kind) {
        (Some(_), _) => ("the title is empty", format!("Write it like this: {}", kind.example("title", example))),
        (None, Kind::Bare) => (
            "the file has no front matter and does not start with a heading, so it has no title",
            format!(
                "Write the title above the text: # {example}; or, if it is not an issue, add it to `exclude` of the source."
            ),
        ),
        (None, _) => {
            ("the front matter has no title, and the text does not start with a heading", kind.to_add("title", example))
        }
    };
    let place = Place::line(fields.path, line.unwrap_or(1));
    Err(Finding { rule: Rule::NoTitle, place, message: message.into(), remedy })
}

fn authors(fields: &Fields<'_>) -> Result<Vec<String>, Finding> {
    let many = fields.list(&["authors"], Many::Yes, "Ada Lovelace")?;
    if many.is_empty() { fields.list(&["author"], Many::No, "Ada Lovelace") } else { Ok(many) }
}

/// Tags, then categories, without repeats.
fn tags(fields: &Fields<'_>) -> Result<Vec<String>, Finding> {
    let example = "releases, community";
    let mut tags = fields.list(&["tags"], Many::Yes, example)?;
    tags.extend(fields.list(&["categories", "category"], Many::Yes, example)?);
    let mut kept: Vec<String> = Vec::new();
    for tag in tags {
        if !kept.contains(&tag) {
            kept.push(tag);
        }
    }
    Ok(kept)
}

/// Not to be published: `draft: true`, or as Pelican (`Status: draft`) and Jekyll (`published: false`) say it.
fn draft(fields: &Fields<'_>) -> Result<bool, Finding> {
    let elsewhere = fields.says("status", &["draft", "hidden", "skip"]) || fields.says("published", &["false", "no"]);
    Ok(fields.flag("draft")? || elsewhere)
}

fn id(fields: &Fields<'_>) -> Result<Option<IssueId>, Finding> {
    let Some((text, line)) = fields.text(&["id"], "2020-03")? else { return Ok(None) };
    let parsed = IssueId::parse(&text);
    parsed.map(Some).map_err(|_| fields.bad(line, "the id is longer than 1024 bytes".into(), "id", "2020-03"))
}

/// A BCP 47 tag (RFC 5646 section 2.1) by its shape; `pt_BR`, as operating systems write it, is taken as `pt-BR`.
fn language(fields: &Fields<'_>) -> Result<Option<String>, Finding> {
    let Some((text, line)) = fields.text(&["lang", "language"], "pt-BR")? else { return Ok(None) };
    let tag = text.replace('_', "-");
    let mut parts = tag.split('-');
    let primary = parts.next().unwrap_or_default();
    let fine = (2..=8).contains(&primary.len())
        && primary.chars().all(|c| c.is_ascii_alphabetic())
        && parts.all(|part| (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric()));
    if fine {
        return Ok(Some(tag));
    }
    Err(fields.bad(line, format!("{text:?} is not a language tag"), "lang", "pt-BR"))
}

fn slug(fields: &Fields<'_>, document: &Document, languages: &Languages, title: &str) -> Result<Slug, Finding> {
    if let Some((text, line)) = fields.text(&["slug"], "march-2020")? {
        let slug = Slug::from_words(&text);
        let message = || format!("no name for a URL can be made of the slug {text:?}");
        return slug.ok_or_else(|| fields.bad(line, message(), "slug", "march-2020"));
    }
    let blob: String = document.blob.chars().take(10).collect();
    let made = Slug::from_words(languages.unmarked(name_of(&document.path))).or_else(|| Slug::from_words(title));
    made.or_else(|| Slug::from_words(&format!("issue-{blob}"))).ok_or_else(|| {
        fields.bad(1, "no name for a URL can be made of file name or title".into(), "slug", "march-2020")
    })
}

/// The file name without its extension; of `index.md` the folder's name. A date in it stays: without it, every issue
/// of many newsletters would be `update`.
fn name_of(path: &str) -> &str {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    if stem == "index" { folder.rsplit('/').next().unwrap_or_default() } else { stem }
}

#[cfg(test)]
mod tests;
