//! What each web page shows: one struct for each template of `templates/web/`.

use serde::Serialize;

use super::{TemplateError, Templates};

/// What every page of a newsletter shows around its content.
#[derive(Clone, Debug, Serialize)]
pub struct Frame {
    /// Title of the newsletter.
    pub newsletter: String,
    /// One sentence about it.
    pub description: String,
    /// BCP 47 tag of the page.
    pub language: String,
    /// Absolute URL of the newsletter's home page, ending with `/`.
    pub home: String,
    /// Path of the style sheet, with a hash of its content.
    pub style: String,
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

/// `web/home.html`: the archive, the form and the feeds.
#[derive(Clone, Debug, Serialize)]
pub struct Home {
    /// The frame.
    pub frame: Frame,
    /// Newest first.
    pub issues: Vec<IssueLine>,
    /// Where the form is posted.
    pub subscribe: String,
    /// The choices of the form: name and title; with one there is nothing to choose.
    pub cadences: Vec<(String, String)>,
    /// When the next digest of the first cadence goes out, in words; `None` when unknown.
    pub next: Option<String>,
}

/// A line of the archive.
#[derive(Clone, Debug, Serialize)]
pub struct IssueLine {
    /// Title as plain text.
    pub title: String,
    /// Absolute URL.
    pub url: String,
    /// RFC 3339 date, for `datetime`.
    pub date: String,
    /// The date for people, such as `12 March 2020`.
    pub date_words: String,
    /// Year, for grouping.
    pub year: i32,
    /// Summary as plain text.
    pub summary: String,
}

/// `web/issue.html`.
#[derive(Clone, Debug, Serialize)]
pub struct IssuePage {
    /// The frame.
    pub frame: Frame,
    /// The issue.
    pub issue: IssueLine,
    /// Names.
    pub authors: Vec<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Absolute URL of the lead image.
    pub image: Option<String>,
    /// Sanitised HTML: the one value that the template does not escape.
    pub html: String,
    /// The issue before.
    pub previous: Option<IssueLine>,
    /// The issue after.
    pub next: Option<IssueLine>,
    /// Where the form is posted.
    pub subscribe: String,
    /// The choices of the form.
    pub cadences: Vec<(String, String)>,
}

/// `web/notice.html`: one message, and maybe one button. Confirm, unsubscribe, their results, and errors.
#[derive(Clone, Debug, Serialize)]
pub struct Notice {
    /// The frame; `None` on a page that belongs to no newsletter.
    pub frame: Option<Frame>,
    /// Path of the style sheet.
    pub style: String,
    /// Heading.
    pub heading: String,
    /// Paragraphs of plain text.
    pub paragraphs: Vec<String>,
    /// Label of a button that POSTs to the page's own URL.
    pub button: Option<String>,
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
page!(IssuePage, "web/issue.html");
page!(Notice, "web/notice.html");
page!(Index, "web/index.html");
page!(OutboxPage, "web/outbox.html");
page!(MailPage, "web/mail.html");
