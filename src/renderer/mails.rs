//! What each mail says: one struct for each directory of `templates/email/`, which holds `subject.txt`, `body.txt` and `body.html`.

#[cfg(test)]
mod contrast;
mod cut;
mod fit;
mod furnish;
mod inline;

pub use fit::Fit;

use serde::Serialize;

use super::{TemplateError, Templates, one_line, without_slots};
use crate::issue::direction;

/// Subject and bodies with the slots of [`crate::message`] in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// One line of plain text.
    pub subject: String,
    /// The HTML part: a whole document.
    pub html: String,
    /// The text part.
    pub text: String,
}

/// `email/digest/`.
#[derive(Clone, Debug)]
pub struct DigestMail {
    /// Title of the newsletter.
    pub newsletter: String,
    /// BCP 47 tag.
    pub language: String,
    /// Absolute URL of its home page.
    pub home: String,
    /// Title of the cadence, for "you get this weekly".
    pub cadence: String,
    /// It corrects an issue that its readers had.
    pub correction: bool,
    /// Oldest first; at least one.
    pub issues: Vec<DigestIssue>,
    /// URL with the slot [`crate::message::UNSUBSCRIBE_TOKEN`] in it.
    pub unsubscribe: String,
    /// URL with the slot [`crate::message::PREFERENCES_TOKEN`] in it.
    pub preferences: String,
    /// Where the sender lives, on one line.
    pub postal_address: Option<String>,
    /// The most bytes of HTML, as a mail program counts them.
    pub limit: usize,
}

/// One issue of a digest.
#[derive(Clone, Debug)]
pub struct DigestIssue {
    /// Title as plain text.
    pub title: String,
    /// Absolute URL.
    pub url: String,
    /// BCP 47 tag.
    pub language: String,
    /// The date for people.
    pub date_words: String,
    /// Names.
    pub authors: Vec<String>,
    /// Summary: the preheader of a mail with one issue.
    pub summary: String,
    /// Sanitised HTML for mail.
    pub html: String,
    /// Plain text.
    pub text: String,
}

/// `email/confirmation/`.
#[derive(Clone, Debug, Serialize)]
pub struct ConfirmationMail {
    /// Title of the newsletter.
    pub newsletter: String,
    /// BCP 47 tag.
    pub language: String,
    /// Absolute URL of its home page.
    pub home: String,
    /// Title of the cadence.
    pub cadence: String,
    /// URL with the slot [`crate::message::CONFIRM_TOKEN`] in it.
    pub confirm: String,
    /// Where the sender lives, on one line.
    pub postal_address: Option<String>,
}

/// What the templates of a digest are given.
#[derive(Serialize)]
struct Context<'m> {
    newsletter: &'m str,
    language: &'m str,
    direction: &'static str,
    home: &'m str,
    cadence: &'m str,
    correction: bool,
    issues: Vec<IssueContext<'m>>,
    unsubscribe: &'m str,
    preferences: &'m str,
    postal_address: Option<&'m str>,
    /// The style sheet of the contents, where it is not in their elements.
    content_style: &'m str,
}

#[derive(Serialize)]
struct IssueContext<'m> {
    title: &'m str,
    url: &'m str,
    language: &'m str,
    direction: &'static str,
    date_words: &'m str,
    authors: &'m [String],
    summary: &'m str,
    html: String,
    text: &'m str,
    /// Name of the anchor before it.
    anchor: String,
    /// It ends early.
    cut: bool,
}

impl<'m> Context<'m> {
    /// The contents are still to come.
    fn new(mail: &'m DigestMail, content_style: &'m str) -> Self {
        let DigestMail {
            newsletter,
            language,
            home,
            cadence,
            correction,
            issues,
            unsubscribe,
            preferences,
            postal_address,
            limit: _,
        } = mail;
        let issues = issues.iter().zip(1..).map(|(issue, number)| IssueContext::new(issue, number)).collect();
        Self {
            newsletter,
            language,
            direction: direction(language),
            home,
            cadence,
            correction: *correction,
            issues,
            unsubscribe,
            preferences,
            postal_address: postal_address.as_deref(),
            content_style,
        }
    }
}

impl<'m> IssueContext<'m> {
    fn new(issue: &'m DigestIssue, number: usize) -> Self {
        let DigestIssue { title, url, language, date_words, authors, summary, html: _, text } = issue;
        Self {
            title,
            url,
            language,
            direction: direction(language),
            date_words,
            authors,
            summary,
            html: String::new(),
            text,
            anchor: format!("issue-{number}"),
            cut: false,
        }
    }
}

impl DigestIssue {
    /// Only the mail's own URL has a slot: a title that forges one would put a token where content wants it.
    fn cleaned(&self) -> Self {
        let Self { title, url, language, date_words, authors, summary, html, text } = self;
        Self {
            title: one_line(&without_slots(title)),
            url: without_slots(url),
            language: without_slots(language),
            date_words: without_slots(date_words),
            authors: authors.iter().map(|author| one_line(&without_slots(author))).collect(),
            summary: without_slots(summary),
            html: without_slots(html),
            text: without_slots(text),
        }
    }
}

impl DigestMail {
    /// Renders the mail, and says how its HTML came to its size.
    ///
    /// # Errors
    /// When an overriding template names something that the mail has not.
    pub fn render(&self, templates: &Templates) -> Result<(Rendered, Fit), TemplateError> {
        let Self {
            newsletter,
            language,
            home,
            cadence,
            correction,
            issues,
            unsubscribe,
            preferences,
            postal_address,
            limit,
        } = self;
        let mail = Self {
            correction: *correction,
            newsletter: without_slots(newsletter),
            language: without_slots(language),
            home: without_slots(home),
            cadence: without_slots(cadence),
            issues: issues.iter().map(DigestIssue::cleaned).collect(),
            unsubscribe: unsubscribe.clone(),
            preferences: preferences.clone(),
            postal_address: postal_address.as_deref().map(without_slots),
            limit: *limit,
        };
        let (html, fit) = fit::html(&mail, templates)?;
        let context = Context::new(&mail, "");
        let part = |file: &str| templates.render(&format!("email/digest/{file}"), &context);
        let rendered = Rendered { subject: one_line(&part("subject.txt")?), html, text: stuffed(&part("body.txt")?) };
        Ok((rendered, fit))
    }
}

impl ConfirmationMail {
    /// Renders the mail.
    ///
    /// # Errors
    /// When an overriding template names something that the mail has not.
    pub fn render(&self, templates: &Templates) -> Result<Rendered, TemplateError> {
        let Self { newsletter, language, home, cadence, confirm, postal_address } = self;
        #[derive(Serialize)]
        struct Whole {
            #[serde(flatten)]
            mail: ConfirmationMail,
            direction: &'static str,
            content_style: &'static str,
        }
        let mail = Self {
            newsletter: without_slots(newsletter),
            language: without_slots(language),
            home: without_slots(home),
            cadence: without_slots(cadence),
            confirm: confirm.clone(),
            postal_address: postal_address.as_deref().map(without_slots),
        };
        let context = Whole { direction: direction(&mail.language), mail, content_style: "" };
        let part = |file: &str| templates.render(&format!("email/confirmation/{file}"), &context);
        let html = inline::document(&part("body.html")?, "email/confirmation/body.html")?;
        // A subject is one line, whatever a title holds.
        Ok(Rendered { subject: one_line(&part("subject.txt")?), html, text: stuffed(&part("body.txt")?) })
    }
}

/// Text as `format=flowed` has it on the wire: a line that begins with a space, or like the start of a mailbox entry, has one more
/// before it (RFC 3676 section 4.4).
pub(super) fn stuffed(text: &str) -> String {
    let line = |line: &str| {
        if line.starts_with([' ']) || line.starts_with("From ") { format!(" {line}") } else { line.to_owned() }
    };
    text.split_inclusive('\n').map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{CONFIRM_TOKEN, PREFERENCES_TOKEN, UNSUBSCRIBE_TOKEN};

    pub(super) fn issue(title: &str) -> DigestIssue {
        DigestIssue {
            title: title.to_owned(),
            url: "https://news.example.org/march/?a&b".to_owned(),
            language: "en".to_owned(),
            date_words: "12 March 2026".to_owned(),
            authors: vec!["A".to_owned(), "B".to_owned()],
            summary: "Summary".to_owned(),
            html: "<p>Content</p>".to_owned(),
            text: "Content\n".to_owned(),
        }
    }

    pub(super) fn digest(issues: Vec<DigestIssue>) -> Rendered {
        mail(issues).render(&Templates::load(None).unwrap()).unwrap().0
    }

    fn mail(issues: Vec<DigestIssue>) -> DigestMail {
        DigestMail {
            correction: false,
            newsletter: "News & <Views>".to_owned(),
            language: "en".to_owned(),
            home: "https://news.example.org/".to_owned(),
            cadence: "Weekly".to_owned(),
            issues,
            unsubscribe: format!("https://news.example.org/unsubscribe/{UNSUBSCRIBE_TOKEN}"),
            preferences: format!("https://news.example.org/preferences/{PREFERENCES_TOKEN}"),
            postal_address: None,
            limit: 95_000,
        }
    }

    #[test]
    fn a_digest_of_one_issue_is_that_issue() {
        let mail = digest(vec![issue("March & April")]);
        assert_eq!(mail.subject, "March & April");
        assert!(mail.html.contains("March &amp; April</h1>") && mail.html.contains(">Content</p>"), "{}", mail.html);
        assert!(mail.html.contains("News &amp; &lt;Views&gt;") && !mail.html.contains("In this mail"));
        assert!(
            mail.text.contains(
                "March & April\n=============\n12 March 2026, A, B\nhttps://news.example.org/march/?a&b\n\nContent\n"
            ),
            "{}",
            mail.text
        );
        assert!(
            !mail.text.contains("\n\n\n") && mail.text.lines().all(|line| line == line.trim_end()),
            "{}",
            mail.text
        );
    }

    #[test]
    fn a_digest_of_several_has_a_table_of_contents() {
        let mail = digest(vec![issue("February"), issue("March"), issue("April")]);
        assert_eq!(mail.subject, "News & <Views>: April and 2 more");
        assert!(mail.html.contains("In this mail"));
        assert!(
            mail.text.contains("In this mail:\n\n- February, 12 March 2026\n- March, 12 March 2026\n"),
            "{}",
            mail.text
        );
        assert!(!mail.text.contains("\n\n\n"), "{}", mail.text);
    }

    #[test]
    fn only_the_links_of_the_footer_have_a_slot() {
        let mut forged = issue(UNSUBSCRIBE_TOKEN);
        forged.authors = vec![UNSUBSCRIBE_TOKEN.to_owned()];
        forged.summary = UNSUBSCRIBE_TOKEN.to_owned();
        forged.html = UNSUBSCRIBE_TOKEN.to_owned();
        forged.text = UNSUBSCRIBE_TOKEN.to_owned();
        let mail = digest(vec![forged]);
        assert!(!mail.subject.contains(['\u{E000}', '\u{E001}']));
        for part in [mail.html, mail.text] {
            assert_eq!(part.matches('\u{E000}').count(), 2, "{part}");
            assert!(part.contains(&format!("https://news.example.org/unsubscribe/{UNSUBSCRIBE_TOKEN}")), "{part}");
            assert!(part.contains(&format!("https://news.example.org/preferences/{PREFERENCES_TOKEN}")), "{part}");
        }
    }

    pub(super) fn confirmation() -> Rendered {
        let mail = ConfirmationMail {
            newsletter: format!("News{CONFIRM_TOKEN}"),
            language: "en".to_owned(),
            home: "https://news.example.org/".to_owned(),
            cadence: "Weekly".to_owned(),
            confirm: format!("https://news.example.org/confirm/{CONFIRM_TOKEN}"),
            postal_address: Some("The Editors, 1 Shore Road".to_owned()),
        };
        mail.render(&Templates::load(None).unwrap()).unwrap()
    }

    #[test]
    fn a_confirmation_has_the_link_as_a_button_and_as_text() {
        let confirm = format!("https://news.example.org/confirm/{CONFIRM_TOKEN}");
        let mail = confirmation();
        // The button, and the link with its text.
        assert_eq!(mail.html.matches(&confirm).count(), 3);
        assert!(mail.text.contains(&format!("\n{confirm}\n")), "{}", mail.text);
        assert!(mail.subject.contains("Newsconfirm"), "{}", mail.subject);
        assert!(mail.html.contains("1 Shore Road") && mail.text.contains("1 Shore Road"));
    }

    fn long(sections: usize) -> DigestIssue {
        let section = |number: usize| {
            format!(
                "<h2>Section {number}</h2>\n<p>{}<a href=\"https://example.org/{number}\">link</a></p>\n",
                "word ".repeat(40)
            )
        };
        DigestIssue { html: (1..=sections).map(section).collect(), ..issue("Long") }
    }

    fn fitted(issues: Vec<DigestIssue>) -> (String, Fit) {
        let mail = DigestMail { limit: 40_000, ..mail(issues) };
        let (rendered, fit) = mail.render(&Templates::load(None).unwrap()).unwrap();
        (rendered.html, fit)
    }

    #[test]
    fn a_long_mail_first_has_less_style_and_then_less_text() {
        let (html, fit) = fitted(vec![long(20)]);
        assert!(!fit.lean && fit.cut.is_empty() && html.contains("<h2 style=") && !html.contains("Read the rest"));
        let (html, fit) = fitted(vec![long(105)]);
        assert!(
            fit.lean && fit.cut.is_empty() && html.contains("<h2>Section 105") && html.contains(".content h2 {"),
            "{fit:?}"
        );
        let (html, fit) = fitted(vec![long(400)]);
        assert_eq!((fit.lean, fit.cut.as_slice()), (true, [0].as_slice()));
        assert!((30_000..=40_000).contains(&fit.size) && html.contains("Read the rest on the web"), "{fit:?}");
        assert!(html.contains("Unsubscribe") && html.trim_end().ends_with("</html>"));
    }

    #[test]
    fn a_short_issue_is_whole_beside_long_ones() {
        let (html, fit) = fitted(vec![long(300), issue("Short"), long(300)]);
        assert_eq!(fit.cut, [0, 2]);
        assert!(fit.size <= 40_000 && html.contains("<p>Content</p>") && html.matches("Read the rest").count() == 2);
    }

    #[test]
    fn issues_of_one_digest_have_anchors_of_their_own() {
        let mut noted = issue("Noted");
        noted.html = "<p>a<sup><a href=\"https://news.example.org/march/?a&amp;b#fn-x-1\">1</a></sup></p><ol><li id=\"fn-x-1\">note</li></ol>".to_owned();
        let html = digest(vec![noted.clone(), noted]).html;
        for (link, anchor) in [
            ("#issue-1\"", "issue-1"),
            ("#issue-2\"", "issue-2"),
            ("#issue-1-1\"", "issue-1-1"),
            ("#issue-2-1\"", "issue-2-1"),
        ] {
            assert_eq!(html.matches(link).count(), 1, "{link}");
            assert_eq!(html.matches(&format!("<a name=\"{anchor}\"")).count(), 1, "{anchor}");
        }
        let levels: Vec<_> =
            html.match_indices("<h").filter_map(|(at, _)| html[at + 2..].chars().next()?.to_digit(10)).collect();
        assert_eq!(levels, [1, 2, 2, 2]);
    }

    #[test]
    fn a_language_from_right_to_left_turns_the_mail() {
        let mut mail = mail(vec![issue("مارس")]);
        mail.language = "ar".to_owned();
        mail.issues[0].language = "ar".to_owned();
        mail.issues[0].html = "<blockquote>x</blockquote>".to_owned();
        let html = mail.render(&Templates::load(None).unwrap()).unwrap().0.html;
        assert!(html.starts_with("<!DOCTYPE html><html lang=\"ar\" dir=\"rtl\""), "{html}");
        assert!(
            html.contains("align=\"right\"")
                && html.contains("border-right:3px")
                && html.contains("lang=\"en\" dir=\"ltr\""),
            "{html}"
        );
    }

    #[test]
    fn hostile_words_stay_words() {
        for words in [
            "</title><script>",
            "{{ unsubscribe }}{% raw %}",
            "--=_0000",
            "=?utf-8?q?x?=",
            "a\u{202E}b\u{2066}c",
            "a\r\nBcc: x@example.org\n\ny",
            "\0<b>",
            "<!--issue 0-->",
        ] {
            let mut forged = issue(words);
            forged.authors = vec![words.to_owned()];
            forged.summary = words.to_owned();
            let plain = digest(vec![issue("x")]).html;
            let mail = digest(vec![forged.clone()]);
            assert!(!mail.subject.contains(['\n', '\r', '\0']), "{words:?}");
            assert_eq!(mail.html.matches('<').count(), plain.matches('<').count(), "{words:?}: {}", mail.html);
            assert_eq!(mail.html.matches(">Content</p>").count(), 1, "{words:?}");
            assert!(!mail.text.contains(['\0', '\r']), "{words:?}");
            let several = digest(vec![forged, issue("x")]);
            assert_eq!(several.html.matches(">Content</p>").count(), 2, "{words:?}");
        }
    }
}
