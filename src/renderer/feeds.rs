//! What the page of all feeds shows.

use serde::Serialize;

use super::pages::{FeedLink, Frame};
use super::{TemplateError, Templates};

/// `web/feeds.html`: every feed of a newsletter, and what to do with it.
#[derive(Clone, Debug, Serialize)]
pub struct FeedsPage {
    /// The frame.
    pub frame: Frame,
    /// The feeds of the newsletter itself.
    pub all: FeedLine,
    /// The feeds of its tags and authors.
    pub groups: Vec<FeedGroup>,
    /// Absolute URL of the list of all these feeds.
    pub opml: String,
    /// Absolute URL of the list of all newsletters, where there are several.
    pub install_opml: Option<String>,
}

/// The feeds of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct FeedGroup {
    /// Heading.
    pub heading: String,
    /// Its feeds.
    pub feeds: Vec<FeedLine>,
}

/// A feed in all its formats.
#[derive(Clone, Debug, Serialize)]
pub struct FeedLine {
    /// Title as plain text.
    pub title: String,
    /// Absolute URL of its page.
    pub home: String,
    /// How many issues it has, archived ones too; `None` where that is not shown.
    pub issues: Option<i64>,
    /// One link for each format.
    pub formats: Vec<FeedLink>,
}

impl FeedsPage {
    /// Renders the page.
    ///
    /// # Errors
    /// When a template of the operator's fails.
    pub fn render(&self, templates: &Templates) -> Result<String, TemplateError> {
        templates.render("web/feeds.html", self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(title: &str, issues: Option<i64>) -> FeedLine {
        let link = FeedLink {
            title: "Atom".into(),
            url: "https://news.example.org/atom.xml?a&b".into(),
            media_type: "application/atom+xml".into(),
        };
        FeedLine { title: title.into(), home: "https://news.example.org/".into(), issues, formats: vec![link] }
    }

    fn page() -> FeedsPage {
        FeedsPage {
            frame: Frame {
                newsletter: "News".into(),
                description: String::new(),
                language: "en".into(),
                home: "https://news.example.org/".into(),
                style: "/style-1.css".into(),
                direction: "ltr",
                root: "/".to_owned(),
                search: None,
                all_feeds: "https://news.example.org/feeds/".to_owned(),
                feeds: vec![],
            },
            all: line("News", None),
            groups: vec![FeedGroup {
                heading: "Tags".into(),
                feeds: vec![line("<script>", Some(1)), line("Rust", Some(2))],
            }],
            opml: "https://news.example.org/feeds.opml".into(),
            install_opml: None,
        }
    }

    #[test]
    fn the_page_lists_every_feed_and_says_what_to_do_with_it() {
        let html = page().render(&Templates::load(None).unwrap()).unwrap();
        for part in [
            "<h1>Feeds</h1>",
            "feed reader",
            "<h2>Tags</h2>",
            "&lt;script&gt;",
            "1 issue<",
            "2 issues<",
            "href=\"https://news.example.org/atom.xml?a&amp;b\"",
            "href=\"https://news.example.org/feeds.opml\"",
        ] {
            assert!(html.contains(part), "{part} is not in {html}");
        }
        assert!(!html.contains("<script") && !html.contains("all newsletters"), "{html}");
        let several = FeedsPage { install_opml: Some("https://news.example.org/all.opml".into()), ..page() };
        assert!(several.render(&Templates::load(None).unwrap()).unwrap().contains("https://news.example.org/all.opml"));
    }
}
