//! What each web page shows: one struct for each template of `templates/web/`.

mod preview;

pub use preview::{PreviewPage, PreviewedIssue, in_words};

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
    /// What was just changed, if anything.
    pub done: Option<String>,
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
page!(PreferencesPage, "web/preferences.html");
page!(Index, "web/index.html");
page!(OutboxPage, "web/outbox.html");
page!(MailPage, "web/mail.html");

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        Frame {
            newsletter: "News & <Views>".to_owned(),
            description: "About \"things\"".to_owned(),
            language: "en".to_owned(),
            home: "https://news.example.org/".to_owned(),
            style: "/style-1.css".to_owned(),
            feeds: vec![FeedLink {
                title: "Atom".to_owned(),
                url: "https://news.example.org/atom.xml".to_owned(),
                media_type: "application/atom+xml".to_owned(),
            }],
        }
    }

    fn line(year: i32) -> IssueLine {
        IssueLine {
            title: "<script>".to_owned(),
            url: format!("https://news.example.org/{year}/"),
            date: format!("{year}-03-12"),
            date_words: format!("12 March {year}"),
            year,
            summary: "One & two".to_owned(),
        }
    }

    fn issue_page() -> IssuePage {
        IssuePage {
            frame: frame(),
            issue: line(2026),
            authors: vec!["A".to_owned(), "B".to_owned()],
            tags: vec!["c".to_owned()],
            image: Some("https://news.example.org/files/lead.png".to_owned()),
            html: "<p>Content</p>".to_owned(),
            previous: Some(line(2025)),
            next: None,
            subscribe: "/subscribe".to_owned(),
            cadences: vec![("weekly".to_owned(), "Weekly".to_owned())],
        }
    }

    fn every_page() -> Vec<String> {
        let templates = Templates::load(None).unwrap();
        let style = "/style-1.css".to_owned();
        let cadences = vec![("each".to_owned(), "Each".to_owned()), ("weekly".to_owned(), "Weekly".to_owned())];
        let issues = vec![line(2026), line(2026), line(2025)];
        let preferences = PreferencesPage {
            frame: frame(),
            cadences: cadences.clone(),
            chosen: "weekly".to_owned(),
            nothing: "-",
            done: Some("<h>".to_owned()),
        };
        let home = Home { frame: frame(), issues, subscribe: "/subscribe".to_owned(), cadences };
        let notice = Notice {
            frame: None,
            style: style.clone(),
            heading: "<h>".to_owned(),
            paragraphs: vec!["<p>".to_owned()],
            button: Some("Confirm".to_owned()),
        };
        let mail = OutboxLine {
            url: "/1".to_owned(),
            subject: String::new(),
            to: "a@example.org".to_owned(),
            date: String::new(),
        };
        let index =
            Index { style: style.clone(), newsletters: vec![("A".to_owned(), "B".to_owned(), "/a/".to_owned())] };
        let outbox = OutboxPage { style: style.clone(), mails: vec![mail.clone()] };
        let letter = MailPage {
            style,
            line: mail,
            html_url: "/1.html".to_owned(),
            text: "<text>".to_owned(),
            source: "<source>".to_owned(),
            back: "/".to_owned(),
        };
        vec![
            home.render(&templates).unwrap(),
            Home { issues: vec![], ..home }.render(&templates).unwrap(),
            issue_page().render(&templates).unwrap(),
            Notice { frame: Some(frame()), ..notice.clone() }.render(&templates).unwrap(),
            preferences.render(&templates).unwrap(),
            notice.render(&templates).unwrap(),
            index.render(&templates).unwrap(),
            outbox.render(&templates).unwrap(),
            letter.render(&templates).unwrap(),
        ]
    }

    #[test]
    fn no_page_needs_a_script_an_inline_style_or_another_host() {
        for page in every_page() {
            for forbidden in
                ["<script", "<style", "style=", " onclick", "http://", "<h>", "<text>", "<source>", "<Views>"]
            {
                assert!(!page.contains(forbidden), "{forbidden} in {page}");
            }
            assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"), "{page}");
            assert!(
                page.contains("<link rel=\"stylesheet\" href=\"/style-1.css\">") && page.contains("<main"),
                "{page}"
            );
        }
    }

    #[test]
    fn a_newsletters_pages_name_its_feeds_for_programs_and_for_people() {
        let autodiscovery = "<link rel=\"alternate\" type=\"application/atom+xml\" title=\"News &amp; &lt;Views&gt; (Atom)\" href=\"https://news.example.org/atom.xml\">";
        for page in every_page().iter().take(5) {
            assert!(page.contains(autodiscovery), "{page}");
            assert!(page.contains("<a href=\"https://news.example.org/atom.xml\""), "{page}");
        }
    }

    #[test]
    fn the_archive_is_grouped_by_year() {
        let pages = every_page();
        let home = pages.first().unwrap();
        assert_eq!(
            (home.matches("<h3>").count(), home.matches("<ol>").count(), home.matches("</ol>").count()),
            (2, 2, 2)
        );
        assert_eq!(home.matches("type=\"radio\" name=\"cadence\"").count(), 2);
        assert!(pages[1].contains("There is no issue yet."));
    }

    #[test]
    fn preferences_show_what_holds_and_how_to_end_it() {
        let pages = every_page();
        let page = pages.iter().find(|page| page.contains("Preferences")).unwrap();
        assert!(page.contains("value=\"weekly\" checked>") && !page.contains("value=\"each\" checked>"), "{page}");
        assert!(page.contains("name=\"cadence\" value=\"-\">") && page.contains("name=\"referrer\""), "{page}");
    }

    #[test]
    fn an_issue_is_escaped_but_for_its_content() {
        let page = issue_page().render(&Templates::load(None).unwrap()).unwrap();
        assert!(page.contains("<h1>&lt;script&gt;</h1>") && page.contains("\n<p>Content</p>\n"), "{page}");
        assert!(page.contains("<link rel=\"canonical\" href=\"https://news.example.org/2026/\">"), "{page}");
        assert!(page.contains("<input type=\"hidden\" name=\"cadence\" value=\"weekly\">"), "{page}");
        assert!(page.contains("12 March 2026</time> · A, B"), "{page}");
    }
}
