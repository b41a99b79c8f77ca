//! Every page with samples.

use super::*;

fn frame() -> Frame {
    Frame {
        newsletter: "News & <Views>".to_owned(),
        description: "About \"things\"".to_owned(),
        language: "en".to_owned(),
        direction: "ltr",
        home: "https://news.example.org/".to_owned(),
        root: "/".to_owned(),
        style: "/style-1.css".to_owned(),
        search: Some("/search".to_owned()),
        all_feeds: "https://news.example.org/feeds/".to_owned(),
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
        summary: "One & two".to_owned(),
    }
}

fn group(year: i32, issues: usize) -> Group {
    Group { title: year.to_string(), issues: vec![line(year); issues] }
}

fn way(title: &str) -> Way {
    Way { title: title.to_owned(), url: "https://news.example.org/way/".to_owned(), count: 2 }
}

fn form() -> Form {
    let cadences = vec![("each".to_owned(), "Each".to_owned()), ("weekly".to_owned(), "Weekly".to_owned())];
    Form {
        action: "/subscribe".to_owned(),
        cadences,
        fields: vec![("name".to_owned(), "Name".to_owned(), String::new())],
    }
}

fn article(title: &str) -> Article {
    let at = chrono::DateTime::parse_from_rfc3339("2026-03-12T08:00:00+01:00").unwrap();
    Article::new(&Facts {
        newsletter: ("News & <Views>", "https://news.example.org/"),
        title,
        summary: "",
        url: "https://news.example.org/2026/",
        published: at,
        modified: at.to_utc(),
        language: "en",
        authors: &[way("A")],
        tags: &[way("c")],
        image: None,
    })
}

fn issue_page() -> IssuePage {
    let section = |title: &str, below| Section { id: "x".to_owned(), title: title.to_owned(), below };
    IssuePage {
        frame: frame(),
        issue: line(2026),
        article: article("</script><script>alert(1)</script><!--"),
        authors: vec![way("A"), way("B")],
        tags: vec![way("c")],
        image: Some("https://news.example.org/files/lead.png".to_owned()),
        contents: vec![section("One <b>", vec![section("Below", vec![])])],
        html: "<p>Content</p>".to_owned(),
        previous: Some(line(2025)),
        next: None,
        form: Some(Form { cadences: vec![("weekly".to_owned(), "Weekly".to_owned())], ..form() }),
    }
}

fn home() -> Home {
    Home {
        frame: frame(),
        groups: vec![group(2026, 2), group(2025, 1)],
        years: vec![way("2026")],
        tags: vec![way("<h>")],
        authors: vec![way("<h>")],
        form: Some(form()),
    }
}

fn listing(kind: &'static str) -> Listing {
    Listing {
        frame: frame(),
        title: "<h>".to_owned(),
        kind,
        url: "https://news.example.org/tags/h/".to_owned(),
        count: 2,
        more: 1,
        brief: kind == "year",
        groups: vec![group(2026, 2)],
        years: vec![way("2026")],
    }
}

fn preferences() -> PreferencesPage {
    PreferencesPage {
        frame: frame(),
        cadences: form().cadences,
        chosen: "weekly".to_owned(),
        nothing: "-",
        fields: vec![("name".to_owned(), "Name".to_owned(), "\"><h>".to_owned())],
        saved: true,
    }
}

/// Those of a newsletter first, then those of none.
fn every_page() -> Vec<String> {
    let templates = Templates::load(None).unwrap();
    let style = "/style-1.css".to_owned();
    let notice = Notice {
        frame: None,
        style: style.clone(),
        front: "/".to_owned(),
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
    let index = Index { style: style.clone(), newsletters: vec![("A".to_owned(), "B".to_owned(), "/a/".to_owned())] };
    let outbox = OutboxPage { style: style.clone(), mails: vec![mail.clone()] };
    let letter = MailPage {
        style,
        line: mail,
        html_url: "/1.html".to_owned(),
        text: "<text>".to_owned(),
        source: "<source>".to_owned(),
        back: "/".to_owned(),
    };
    let search = SearchPage { frame: frame(), question: "<h>".to_owned(), issues: vec![line(2026)], more: true };
    vec![
        home().render(&templates).unwrap(),
        Home { groups: vec![], years: vec![], form: None, ..home() }.render(&templates).unwrap(),
        listing("year").render(&templates).unwrap(),
        listing("tag").render(&templates).unwrap(),
        search.render(&templates).unwrap(),
        SearchPage { question: String::new(), ..search.clone() }.render(&templates).unwrap(),
        issue_page().render(&templates).unwrap(),
        IssuePage { form: None, ..issue_page() }.render(&templates).unwrap(),
        preferences().render(&templates).unwrap(),
        Notice { frame: Some(frame()), ..notice.clone() }.render(&templates).unwrap(),
        notice.render(&templates).unwrap(),
        index.render(&templates).unwrap(),
        outbox.render(&templates).unwrap(),
        letter.render(&templates).unwrap(),
    ]
}

/// How many pages of [`every_page`] are a newsletter's.
const OF_A_NEWSLETTER: usize = 10;

#[test]
fn no_page_needs_a_script_an_inline_style_or_another_host() {
    for page in every_page() {
        // A block of data is no script.
        let page = page.replace("<script type=\"application/ld+json\">", "");
        for forbidden in ["<script", "<style", "style=", " onclick", "http://", "<h>", "<text>", "<source>", "<Views>"]
        {
            assert!(!page.contains(forbidden), "{forbidden} in {page}");
        }
        assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"), "{page}");
        assert!(page.contains("<link rel=\"stylesheet\" href=\"/style-1.css\">") && page.contains("<main"), "{page}");
    }
}

#[test]
fn preferences_show_what_holds_and_how_to_end_it() {
    let page = preferences().render(&Templates::load(None).unwrap()).unwrap();
    assert!(page.contains("value=\"weekly\" checked>") && !page.contains("value=\"each\" checked>"), "{page}");
    assert!(page.contains("name=\"cadence\" value=\"-\">") && page.contains("name=\"referrer\""), "{page}");
}

#[test]
fn a_newsletters_pages_name_its_feeds_for_programs_and_for_people() {
    let autodiscovery = "<link rel=\"alternate\" type=\"application/atom+xml\" title=\"News &amp; &lt;Views&gt; (Atom)\" href=\"https://news.example.org/atom.xml\">";
    for page in every_page().iter().take(OF_A_NEWSLETTER) {
        assert!(page.contains(autodiscovery), "{page}");
        assert!(page.contains("<a href=\"https://news.example.org/atom.xml\""), "{page}");
    }
}

#[test]
fn the_archive_is_grouped_by_year() {
    let pages = every_page();
    let home = pages.first().unwrap();
    assert_eq!((home.matches("<h3>").count(), home.matches("<ol>").count(), home.matches("</ol>").count()), (2, 2, 2));
    assert_eq!(home.matches("type=\"radio\" name=\"cadence\"").count(), 2);
    assert!(pages[1].contains("There is no issue yet."));
}

#[test]
fn a_static_site_has_no_form() {
    let templates = Templates::load(None).unwrap();
    let still = || Frame { search: None, ..frame() };
    for page in [
        Home { frame: still(), form: None, ..home() }.render(&templates).unwrap(),
        IssuePage { frame: still(), form: None, ..issue_page() }.render(&templates).unwrap(),
    ] {
        assert!(!page.contains("<form") && !page.contains("<input"), "{page}");
        assert!(page.contains("comes to your feed reader by\n<a href"), "{page}");
    }
}

#[test]
fn an_issue_is_escaped_but_for_its_content() {
    let page = issue_page().render(&Templates::load(None).unwrap()).unwrap();
    assert!(page.contains("<h1 dir=\"auto\">&lt;script&gt;</h1>") && page.contains("\n<p>Content</p>\n"), "{page}");
    assert!(page.contains("<link rel=\"canonical\" href=\"https://news.example.org/2026/\">"), "{page}");
    assert!(page.contains("<input type=\"hidden\" name=\"cadence\" value=\"weekly\">"), "{page}");
    assert!(page.contains("<li><a href=\"#x\" dir=\"auto\">One &lt;b&gt;</a>\n<ol>"), "{page}");
}

#[test]
fn the_data_of_an_issue_is_read_back_whatever_its_title() {
    let templates = Templates::load(None).unwrap();
    for title in ["</script><script>alert(1)</script>", "<!--<script>", "it's \u{2028} \"a\" & \\", "]]>"] {
        let page = IssuePage { article: article(title), ..issue_page() }.render(&templates).unwrap();
        let (_, block) = page.split_once("<script type=\"application/ld+json\">").unwrap();
        let (json, rest) = block.split_once("</script>").unwrap();
        assert!(!json.contains(['<', '>', '&']) && !rest.contains("<script"), "{page}");
        let data: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!((data["@type"].as_str(), data["headline"].as_str()), (Some("Article"), Some(title)));
        assert_eq!(data["datePublished"], "2026-03-12T08:00:00+01:00");
        assert_eq!(data["author"][0]["name"], "A");
        assert_eq!(data.get("image"), None);
    }
}
