//! What each mail says: one struct for each directory of `templates/email/`, which holds `subject.txt`, `body.txt` and `body.html`.

use serde::Serialize;

use super::{TemplateError, Templates, without_slots};

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
#[derive(Clone, Debug, Serialize)]
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
}

/// One issue of a digest.
#[derive(Clone, Debug, Serialize)]
pub struct DigestIssue {
    /// Title as plain text.
    pub title: String,
    /// Absolute URL.
    pub url: String,
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
}

impl DigestIssue {
    /// Only the mail's own URL has a slot: a title that forges one would put a token where content wants it.
    fn cleaned(&self) -> Self {
        let Self { title, url, date_words, authors, summary, html, text } = self;
        Self {
            title: without_slots(title),
            url: without_slots(url),
            date_words: without_slots(date_words),
            authors: authors.iter().map(|author| without_slots(author)).collect(),
            summary: without_slots(summary),
            html: without_slots(html),
            text: without_slots(text),
        }
    }
}

impl DigestMail {
    /// Renders the mail.
    ///
    /// # Errors
    /// When an overriding template names something that the mail has not.
    pub fn render(&self, templates: &Templates) -> Result<Rendered, TemplateError> {
        let Self { newsletter, language, home, cadence, correction, issues, unsubscribe, preferences } = self;
        let mail = Self {
            correction: *correction,
            newsletter: without_slots(newsletter),
            language: without_slots(language),
            home: without_slots(home),
            cadence: without_slots(cadence),
            issues: issues.iter().map(DigestIssue::cleaned).collect(),
            unsubscribe: unsubscribe.clone(),
            preferences: preferences.clone(),
        };
        render("digest", &mail, templates)
    }
}

impl ConfirmationMail {
    /// Renders the mail.
    ///
    /// # Errors
    /// When an overriding template names something that the mail has not.
    pub fn render(&self, templates: &Templates) -> Result<Rendered, TemplateError> {
        let Self { newsletter, language, home, cadence, confirm } = self;
        let mail = Self {
            newsletter: without_slots(newsletter),
            language: without_slots(language),
            home: without_slots(home),
            cadence: without_slots(cadence),
            confirm: confirm.clone(),
        };
        render("confirmation", &mail, templates)
    }
}

fn render(name: &str, context: impl Serialize, templates: &Templates) -> Result<Rendered, TemplateError> {
    let part = |file: &str| templates.render(&format!("email/{name}/{file}"), &context);
    // A subject is one line, whatever a title holds.
    let subject = part("subject.txt")?.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Rendered { subject, html: part("body.html")?, text: part("body.txt")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{CONFIRM_TOKEN, PREFERENCES_TOKEN, UNSUBSCRIBE_TOKEN};

    fn issue(title: &str) -> DigestIssue {
        DigestIssue {
            title: title.to_owned(),
            url: "https://news.example.org/march/?a&b".to_owned(),
            date_words: "12 March 2026".to_owned(),
            authors: vec!["A".to_owned(), "B".to_owned()],
            summary: "Summary".to_owned(),
            html: "<p>Content</p>".to_owned(),
            text: "Content\n".to_owned(),
        }
    }

    fn digest(issues: Vec<DigestIssue>) -> Rendered {
        let mail = DigestMail {
            correction: false,
            newsletter: "News & <Views>".to_owned(),
            language: "en".to_owned(),
            home: "https://news.example.org/".to_owned(),
            cadence: "Weekly".to_owned(),
            issues,
            unsubscribe: format!("https://news.example.org/unsubscribe/{UNSUBSCRIBE_TOKEN}"),
            preferences: format!("https://news.example.org/preferences/{PREFERENCES_TOKEN}"),
        };
        mail.render(&Templates::load(None).unwrap()).unwrap()
    }

    #[test]
    fn a_digest_of_one_issue_is_that_issue() {
        let mail = digest(vec![issue("March & April")]);
        assert_eq!(mail.subject, "March & April");
        assert!(mail.html.contains("March &amp; April") && mail.html.contains("<p>Content</p>"));
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

    #[test]
    fn a_confirmation_has_the_link_as_a_button_and_as_text() {
        let confirm = format!("https://news.example.org/confirm/{CONFIRM_TOKEN}");
        let mail = ConfirmationMail {
            newsletter: format!("News{CONFIRM_TOKEN}"),
            language: "en".to_owned(),
            home: "https://news.example.org/".to_owned(),
            cadence: "Weekly".to_owned(),
            confirm: confirm.clone(),
        };
        let mail = mail.render(&Templates::load(None).unwrap()).unwrap();
        // The button, and the link with its text.
        assert_eq!(mail.html.matches(&confirm).count(), 3);
        assert!(mail.text.contains(&format!("\n{confirm}\n")), "{}", mail.text);
        assert!(mail.subject.contains("Newsconfirm"), "{}", mail.subject);
    }
}
