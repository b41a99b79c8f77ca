//! Reads a document into an [`Issue`], or says as a [`Finding`] why it is held.

use std::borrow::Cow;

use chrono::{DateTime, FixedOffset, Utc};
use chrono_tz::Tz;

use crate::types::{Finding, IssueId, Place, Rule, Slug};

use super::fields::Fields;
use super::{date, front_matter};

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
}

/// How a newsletter's documents are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The zone of a date that has none.
    pub timezone: Tz,
}

/// A document's fields and its Markdown.
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
    /// The Markdown after the front matter. Lines end with `\n`.
    pub body: String,
    /// Line of the file on which the body starts, from 1.
    pub body_line: u32,
}

/// Reads one document.
///
/// # Errors
/// A [`Finding`] that names the file, the line and the remedy; the document is held.
pub fn parse(document: &Document, reading: &Reading) -> Result<Issue, Finding> {
    let text = text_of(document)?;
    let parts = front_matter::read(&document.path, &text)?;
    let fields = Fields { path: &document.path, header: &parts.header };
    let title = title(&fields)?;
    let date = date(&fields, reading.timezone)?;
    let mut tags = fields.list(&["tags"], Some(','), "releases, community")?;
    tags.extend(fields.list(&["categories"], Some(','), "releases, community")?);
    let optional = |names: &[&str], example| fields.text(names, example).map(|found| found.map(|(text, _)| text));
    Ok(Issue {
        id: id(&fields)?,
        date,
        authors: fields.list(&["authors", "author"], None, "Ada Lovelace")?,
        tags: without_repeats(tags),
        language: language(&fields)?,
        summary: optional(&["summary", "description", "excerpt"], "What this issue is about.")?,
        slug: slug(&fields, document, &title)?,
        image: optional(&["image"], "cover.png")?,
        draft: fields.flag("draft")?,
        title,
        body: parts.body.to_owned(),
        body_line: parts.body_line,
    })
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

fn title(fields: &Fields<'_>) -> Result<String, Finding> {
    let example = "This Month in Gardening: March";
    if let Some((title, _)) = fields.text(&["title"], example)? {
        return Ok(title);
    }
    Err(missing(fields, Rule::NoTitle, "title", example))
}

fn date(fields: &Fields<'_>, zone: Tz) -> Result<DateTime<FixedOffset>, Finding> {
    let example = "2020-03-12";
    let Some((text, line)) = fields.text(&["date"], example)? else {
        return Err(missing(fields, Rule::NoDate, "date", example));
    };
    date::read(&text, zone).ok_or_else(|| Finding {
        rule: Rule::NoDate,
        place: Place::line(fields.path, line),
        message: format!("{text:?} is not a date"),
        remedy: "Write it as 2020-03-12, 2020-03-12 18:30 or 2020-03-12T18:30:00+01:00.".into(),
    })
}

/// A key that every issue has is not there, or has nothing after it.
fn missing(fields: &Fields<'_>, rule: Rule, key: &str, example: &str) -> Finding {
    let line = fields.line(&[key]);
    let example = fields.header.kind.example(key, example);
    Finding {
        rule,
        place: Place::line(fields.path, line.unwrap_or(1)),
        message: match line {
            Some(_) => format!("the {key} is empty"),
            None => format!("the front matter has no {key}"),
        },
        remedy: match line {
            Some(_) => format!("Write it like this: {example}"),
            None => format!("Add a line like this: {example}"),
        },
    }
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

fn slug(fields: &Fields<'_>, document: &Document, title: &str) -> Result<Slug, Finding> {
    if let Some((text, line)) = fields.text(&["slug"], "march-2020")? {
        let slug = Slug::from_words(&text);
        let message = || format!("no name for a URL can be made of the slug {text:?}");
        return slug.ok_or_else(|| fields.bad(line, message(), "slug", "march-2020"));
    }
    let blob: String = document.blob.chars().take(10).collect();
    let made = Slug::from_words(name_of(&document.path)).or_else(|| Slug::from_words(title));
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

fn without_repeats(tags: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for tag in tags {
        if !kept.contains(&tag) {
            kept.push(tag);
        }
    }
    kept
}

#[cfg(test)]
mod tests;
