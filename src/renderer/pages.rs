//! What each web page shows: one struct for each template of `templates/web/`.

mod article;
mod preview;

pub use preview::{PreviewPage, PreviewedIssue, in_words};

use serde::Serialize;

pub use article::{Article, Facts};

use super::{Section, TemplateError, Templates};

/// What every page of a newsletter shows around its content.
#[derive(Clone, Debug, Serialize)]
pub struct Frame {
    /// Title of the newsletter.
    pub newsletter: String,
    /// One sentence about it.
    pub description: String,
    /// BCP 47 tag of the page.
    pub language: String,
    /// `rtl` for a language that is written from right to left, else `ltr`.
    pub direction: &'static str,
    /// Absolute URL of the newsletter's home page, ending with `/`.
    pub home: String,
    /// Path of the install, ending with `/`: the icons are below it.
    pub root: String,
    /// Path of the style sheet, with a hash of its content.
    pub style: String,
    /// Path of the search page; `None` on a static site.
    pub search: Option<String>,
    /// Absolute URL of the page that lists the feeds of tags and authors as well.
    pub all_feeds: String,
    /// Title and absolute URL and media type of each feed, for autodiscovery and for people.
    pub feeds: Vec<FeedLink>,
}

/// A link to a feed.
#[derive(Clone, Debug, Serialize)]
pub struct FeedLink {
    /// `Atom`, `RSS`, `JSON Feed`.
    pub title: String,
    /// Absolute URL.
    pub url: String,
    /// Media type without parameters.
    pub media_type: String,
}

/// `web/subscribe.html`: the form, where there is someone to take it.
#[derive(Clone, Debug, Serialize)]
pub struct Form {
    /// Where the form is posted.
    pub action: String,
    /// The choices of the form: name and title; with one there is nothing to choose.
    pub cadences: Vec<(String, String)>,
    /// What the form asks for besides: name, label and an empty text.
    pub fields: Vec<(String, String, String)>,
}

/// `web/home.html`: the newest issues, ways to the others, the form and the feeds.
#[derive(Clone, Debug, Serialize)]
pub struct Home {
    /// The frame.
    pub frame: Frame,
    /// Newest first: all of a small archive, the newest of a large one.
    pub groups: Vec<Group>,
    /// The years of a large archive, newest first.
    pub years: Vec<Way>,
    /// The tags that most issues have.
    pub tags: Vec<Way>,
    /// The authors who wrote most, when there are several.
    pub authors: Vec<Way>,
    /// The form; `None` on a static site.
    pub form: Option<Form>,
}

/// Issues of one year or month.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// `2020`, or `March 2020`.
    pub title: String,
    /// Newest first.
    pub issues: Vec<IssueLine>,
}

/// A link to some of the issues: those of a year, a tag or an author.
#[derive(Clone, Debug, Serialize)]
pub struct Way {
    /// The year, or the name.
    pub title: String,
    /// Absolute URL.
    pub url: String,
    /// How many there are.
    pub count: usize,
}

/// A line of an archive.
#[derive(Clone, Debug, Serialize)]
pub struct IssueLine {
    /// Title as plain text.
    pub title: String,
    /// Absolute URL.
    pub url: String,
    /// RFC 3339 date, for `datetime`.
    pub date: String,
    /// The date for people: `12 March 2020`, or `2020-03-12` where there are no words for the language.
    pub date_words: String,
    /// Summary as plain text.
    pub summary: String,
}

/// `web/list.html`: the issues of a year, a tag or an author.
#[derive(Clone, Debug, Serialize)]
pub struct Listing {
    /// The frame; its feeds are those of the tag or author.
    pub frame: Frame,
    /// What the issues have in common: the year or the name.
    pub title: String,
    /// `year`, `tag` or `author`.
    pub kind: &'static str,
    /// Absolute URL of the page.
    pub url: String,
    /// How many issues there are.
    pub count: usize,
    /// How many of them are not on the page, because they are too many.
    pub more: usize,
    /// Whether summaries are left out, because the issues are many.
    pub brief: bool,
    /// The issues, newest first.
    pub groups: Vec<Group>,
    /// Years: the one before and the one after, or all of them where there is `more`.
    pub years: Vec<Way>,
}

/// `web/search.html`
#[derive(Clone, Debug, Serialize)]
pub struct SearchPage {
    /// The frame.
    pub frame: Frame,
    /// What was asked for; empty before.
    pub question: String,
    /// What was found, best first.
    pub issues: Vec<IssueLine>,
    /// Whether there are more than are shown.
    pub more: bool,
}

/// `web/issue.html`.
#[derive(Clone, Debug, Serialize)]
pub struct IssuePage {
    /// The frame.
    pub frame: Frame,
    /// The issue.
    pub issue: IssueLine,
    /// The same for programs: JSON-LD, a block of data that no browser runs.
    pub article: Article,
    /// Names, with their pages.
    pub authors: Vec<Way>,
    /// Tags, with their pages.
    pub tags: Vec<Way>,
    /// Absolute URL of the lead image.
    pub image: Option<String>,
    /// The sections of a long issue.
    pub contents: Vec<Section>,
    /// Sanitised HTML: the one value that the template does not escape.
    pub html: String,
    /// The issue before.
    pub previous: Option<IssueLine>,
    /// The issue after.
    pub next: Option<IssueLine>,
    /// The form; `None` on a static site.
    pub form: Option<Form>,
}

/// `web/notice.html`: one message, and maybe one button. Confirm, unsubscribe, their results, and errors.
#[derive(Clone, Debug, Serialize)]
pub struct Notice {
    /// The frame; `None` on a page that belongs to no newsletter.
    pub frame: Option<Frame>,
    /// Path of the style sheet.
    pub style: String,
    /// Path of the front page, for one that belongs to no newsletter.
    pub front: String,
    /// Heading.
    pub heading: String,
    /// Paragraphs of plain text.
    pub paragraphs: Vec<String>,
    /// Label of a button that POSTs to the page's own URL.
    pub button: Option<String>,
}

/// `web/preferences.html`: how often mail comes, as choices of a form that POSTs to the page's own URL.
#[derive(Clone, Debug, Serialize)]
pub struct PreferencesPage {
    /// The frame.
    pub frame: Frame,
    /// Name and title of each cadence.
    pub cadences: Vec<(String, String)>,
    /// Name of the cadence that holds now.
    pub chosen: String,
    /// What the form says in place of a cadence to end the subscription.
    pub nothing: &'static str,
    /// What the newsletter asks for: name, label and what is known.
    pub fields: Vec<(String, String, String)>,
    /// Whether a choice was just saved.
    pub saved: bool,
}

/// `web/index.html`: the newsletters of an install that has several.
#[derive(Clone, Debug, Serialize)]
pub struct Index {
    /// Path of the style sheet.
    pub style: String,
    /// Title, description and absolute URL of each.
    pub newsletters: Vec<(String, String, String)>,
}

/// `web/outbox.html`, on the private listener: the mails of the outbox, newest first.
#[derive(Clone, Debug, Serialize)]
pub struct OutboxPage {
    /// Path of the style sheet.
    pub style: String,
    /// The mails.
    pub mails: Vec<OutboxLine>,
}

/// One mail of the outbox.
#[derive(Clone, Debug, Serialize)]
pub struct OutboxLine {
    /// Path of its page.
    pub url: String,
    /// Subject.
    pub subject: String,
    /// Recipient.
    pub to: String,
    /// Date for people.
    pub date: String,
}

/// `web/mail.html`, on the private listener: one mail as HTML (in a sandboxed frame), text and source.
#[derive(Clone, Debug, Serialize)]
pub struct MailPage {
    /// Path of the style sheet.
    pub style: String,
    /// The mail.
    pub line: OutboxLine,
    /// Path that serves the HTML part alone, for the frame.
    pub html_url: String,
    /// The text part.
    pub text: String,
    /// The source.
    pub source: String,
    /// Path of the list.
    pub back: String,
}

macro_rules! page {
    ($type:ty, $template:literal) => {
        impl $type {
            /// Renders the page.
            ///
            /// # Errors
            /// When an overriding template names something that the page has not.
            pub fn render(&self, templates: &Templates) -> Result<String, TemplateError> {
                templates.render($template, self)
            }
        }
    };
}

page!(Home, "web/home.html");
page!(Listing, "web/list.html");
page!(SearchPage, "web/search.html");
page!(IssuePage, "web/issue.html");
page!(Notice, "web/notice.html");
page!(PreferencesPage, "web/preferences.html");
page!(Index, "web/index.html");
page!(OutboxPage, "web/outbox.html");
page!(MailPage, "web/mail.html");

#[cfg(test)]
mod tests;
