//! Tests.

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
    assert!(!mail.text.contains("\n\n\n") && mail.text.lines().all(|line| line == line.trim_end()), "{}", mail.text);
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
