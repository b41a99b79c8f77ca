//! An issue as data for search engines: `Article` of schema.org, written as JSON-LD into the page.

use serde::Serialize;

/// What a page says of its issue. The template writes it with `tojson`, which escapes `<`, `>`, `&` and `'`: no title ends the block.
#[derive(Clone, Debug, Serialize)]
pub struct Article {
    #[serde(rename = "@context")]
    context: &'static str,
    #[serde(rename = "@type")]
    kind: &'static str,
    headline: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    url: String,
    #[serde(rename = "mainEntityOfPage")]
    page: String,
    #[serde(rename = "datePublished")]
    published: String,
    #[serde(rename = "dateModified")]
    modified: String,
    #[serde(rename = "inLanguage")]
    language: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    author: Vec<Thing>,
    publisher: Thing,
    #[serde(rename = "isPartOf")]
    part_of: Thing,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keywords: Vec<String>,
}

/// A person, an organisation, a periodical.
#[derive(Clone, Debug, Serialize)]
struct Thing {
    #[serde(rename = "@type")]
    kind: &'static str,
    name: String,
    url: String,
}

/// What an [`Article`] is made of.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Title of the newsletter, and its home page.
    pub newsletter: (&'a str, &'a str),
    /// Title of the issue.
    pub title: &'a str,
    /// Its summary.
    pub summary: &'a str,
    /// Its canonical URL.
    pub url: &'a str,
    /// When it was published, with the editor's zone.
    pub published: chrono::DateTime<chrono::FixedOffset>,
    /// When its content last changed.
    pub modified: chrono::DateTime<chrono::Utc>,
    /// BCP 47 tag.
    pub language: &'a str,
    /// Names with their pages.
    pub authors: &'a [super::Way],
    /// Names of tags.
    pub tags: &'a [super::Way],
    /// Absolute URL of the lead image.
    pub image: Option<&'a str>,
}

impl Article {
    /// Puts the facts in schema.org's words.
    #[must_use]
    pub fn new(facts: &Facts<'_>) -> Self {
        let Facts {
            newsletter: (name, home),
            title,
            summary,
            url,
            published,
            modified,
            language,
            authors,
            tags,
            image,
        } = *facts;
        let thing = |kind, name: &str, url: &str| Thing { kind, name: name.to_owned(), url: url.to_owned() };
        Self {
            context: "https://schema.org",
            kind: "Article",
            headline: title.to_owned(),
            description: summary.to_owned(),
            url: url.to_owned(),
            page: url.to_owned(),
            published: published.to_rfc3339(),
            modified: modified.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            language: language.to_owned(),
            author: authors.iter().map(|author| thing("Person", &author.title, &author.url)).collect(),
            publisher: thing("Organization", name, home),
            part_of: thing("Periodical", name, home),
            image: image.map(str::to_owned),
            keywords: tags.iter().map(|tag| tag.title.clone()).collect(),
        }
    }
}
