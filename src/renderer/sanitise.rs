//! Allow-lists for web, feed and mail. Never svg, math, script, style, forms or frames.
//!
//! This is the security boundary: whatever the Markdown or the HTML in it says, what leaves here is harmless,
//! and every URL in it is absolute. It also notes which files of the source the HTML shows. HTML is parsed once, for the web, whose
//! list is the widest; [`narrow`] makes the others of what came out.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use ammonia::Builder;
use memchr::{memchr_iter, memchr2_iter};

use super::narrow::{Audience, narrow};
use super::{Links, finish, guard, urls, without_slots};

pub(super) const TAGS: &[&str] = &[
    "a",
    "abbr",
    "b",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "dd",
    "del",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "time",
    "tr",
    "u",
    "ul",
    "var",
    "wbr",
];

/// What a mail program shows wrongly or not at all; the content stays.
pub(super) const NOT_IN_MAIL: &[&str] = &["details", "section", "summary"];

/// Elements whose content goes with them. Their text is code, or a fallback for code.
pub(super) const WITH_CONTENT: &[&str] = &[
    "script", "style", "svg", "math", "iframe", "object", "embed", "noscript", "noembed", "noframes", "template",
    "textarea", "select", "title",
];

pub(super) const ATTRIBUTES: &[(&str, &[&str])] = &[
    ("a", &["href"]),
    ("abbr", &["title"]),
    ("details", &["open"]),
    ("img", &["src", "alt", "title", "width", "height"]),
    ("ol", &["start"]),
    ("td", &["colspan", "rowspan"]),
    ("th", &["colspan", "rowspan", "scope"]),
    ("time", &["datetime"]),
];

/// What every element may have.
pub(super) const GENERIC: &[&str] = &["lang", "dir"];

/// Presentational, but all that is left where `style` and style sheets are not to be had.
pub(super) const ALIGNED: &[&str] = &["div", "h1", "h2", "h3", "h4", "h5", "h6", "p", "td", "th", "tr"];

/// The classes that our own Markdown writer sets and our style sheet knows.
const CLASSES: &[(&str, &[&str])] = &[
    ("blockquote", &["alert-note", "alert-tip", "alert-important", "alert-warning", "alert-caution"]),
    ("section", &["footnotes"]),
    ("li", &["task"]),
];

/// Files of the source that the HTML shows, in order.
pub(super) type Assets = Arc<Mutex<Vec<String>>>;

/// What [`in_pieces`] puts in.
pub(super) const SEAM: &str = "<!---->";

/// Whether any audience gets the element.
pub(super) fn knows(tag: &str) -> bool {
    TAGS.contains(&tag) || NOT_IN_MAIL.contains(&tag)
}

/// Puts an empty comment, which [`clean`] takes out again, after every so many character references of one text. The parser
/// adds each reference to the text before it by copying all of it: a megabyte of `&` would take minutes.
pub(super) fn in_pieces(html: String) -> String {
    const PIECE: usize = 500;
    if memchr_iter(b'&', html.as_bytes()).count() < PIECE {
        return html;
    }
    let mut out = String::with_capacity(html.len() + html.len() / PIECE);
    let (mut written, mut references) = (0, 0);
    for at in memchr2_iter(b';', b'<', html.as_bytes()) {
        references = if html.as_bytes().get(at) == Some(&b'<') { 0 } else { references + 1 };
        if references == PIECE {
            out.push_str(html.get(written..=at).unwrap_or_default());
            out.push_str(SEAM);
            (written, references) = (at + 1, 0);
        }
    }
    out.push_str(html.get(written..).unwrap_or_default());
    out
}

/// One fragment as each audience gets it.
pub(super) struct Clean {
    pub web: String,
    pub feed: String,
    pub mail: String,
}

/// Cleans a fragment and notes the files it shows.
pub(super) fn clean(html: &str, links: &Links, assets: &Assets) -> Clean {
    // Character references bring back what was taken out of the source, so the result is cleaned as well.
    let web = without_slots(&parsed(html, links, assets));
    let narrowed = |audience| guard::html(narrow(&web, audience, links));
    Clean { feed: narrowed(Audience::Feed), mail: narrowed(Audience::Mail), web: guard::html(web) }
}

/// What a parser makes of a fragment and our own pages may have of it.
pub(super) fn parsed(html: &str, links: &Links, assets: &Assets) -> String {
    let mut attributes: HashMap<&str, HashSet<&str>> =
        ATTRIBUTES.iter().map(|(tag, names)| (*tag, names.iter().copied().collect())).collect();
    attributes.entry("code").or_default().insert("class");
    let mut builder = Builder::empty();
    builder
        .tags(TAGS.iter().chain(NOT_IN_MAIL).copied().collect())
        .clean_content_tags(WITH_CONTENT.iter().copied().collect())
        .tag_attributes(attributes)
        .tag_attribute_values(alignments())
        .generic_attributes(GENERIC.iter().copied().chain(["id"]).collect())
        .url_schemes(urls::LINK_SCHEMES.iter().copied().chain([urls::DOCUMENT.trim_end_matches(':')]).collect())
        .link_rel(Some("noopener noreferrer"))
        .allowed_classes(CLASSES.iter().map(|(tag, names)| (*tag, names.iter().copied().collect())).collect())
        .set_tag_attribute_value("img", "loading", "lazy")
        .attribute_filter(filter(links, assets));
    builder.clean(html).to_string()
}

fn alignments() -> HashMap<&'static str, HashMap<&'static str, HashSet<&'static str>>> {
    let values = HashSet::from(["left", "center", "right"]);
    ALIGNED.iter().map(|tag| (*tag, HashMap::from([("align", values.clone())]))).collect()
}

type Filter = Box<dyn for<'u> Fn(&str, &str, &'u str) -> Option<Cow<'u, str>> + Send + Sync>;

fn filter(links: &Links, assets: &Assets) -> Filter {
    let (links, assets) = (links.clone(), assets.clone());
    Box::new(move |element, attribute, value| match (element, attribute) {
        (_, "href") => {
            let target = urls::link(value, &links)?;
            note(target.file, &assets);
            Some(Cow::Owned(within_page(target.url, &links)))
        }
        (_, "src") => {
            let target = urls::image(value, &links)?;
            note(target.file, &assets);
            Some(Cow::Owned(target.url))
        }
        (_, "width" | "height") => value.trim_end_matches('%').parse::<u16>().is_ok().then_some(Cow::Borrowed(value)),
        ("code", "class") => value.starts_with(finish::LANGUAGE).then_some(Cow::Borrowed(value)),
        (_, "id") => value.chars().all(|c| c.is_alphanumeric() || "-_.:".contains(c)).then_some(Cow::Borrowed(value)),
        _ => Some(Cow::Borrowed(value)),
    })
}

/// A link into the page that it stands on is a fragment there, so that it works on a preview as well.
fn within_page(url: String, links: &Links) -> String {
    match url.strip_prefix(links.issue.as_str()) {
        Some(fragment) if fragment.starts_with('#') => fragment.to_owned(),
        _ => url,
    }
}

pub(super) fn note(file: Option<String>, assets: &Assets) {
    let mut assets = assets.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(file) = file.filter(|file| !assets.contains(file)) {
        assets.push(file);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::links;
    use super::*;

    fn cleaned(html: &str) -> Clean {
        clean(html, &links(), &Assets::default())
    }

    #[test]
    fn nothing_that_runs_or_frames_gets_through_to_anyone() {
        for (html, left) in [
            ("<script>alert(1)</script>x", "x"),
            ("<svg><script>alert(1)</script><text>t</text></svg>x", "x"),
            ("<math><mtext><style><img src=x onerror=alert(1)></style></mtext></math>x", "x"),
            ("<style>p{}</style>x", "x"),
            ("<iframe src='https://example.org'></iframe>x", "x"),
            ("<form action='/'><input name=a><button>Go</button></form>", "Go"),
            ("<p onclick='alert(1)' style='color:red' class=x>x</p>", "<p>x</p>"),
            ("<a>x</a>", "<a>x</a>"),
            ("<img alt=x src='data:image/svg+xml,<svg/>'>", "<img alt=\"x\">"),
            ("<base href='https://evil.example'><meta http-equiv=refresh><link rel=stylesheet href=x>x", "x"),
            ("a<!-- b -->c", "ac"),
            ("<noscript><p title='</noscript><img alt=y onerror=alert(1)>'></noscript>x", "<img alt=\"y\">'&gt;x"),
        ] {
            let Clean { web, feed, mail } = cleaned(html);
            let web = web.replace(" rel=\"noopener noreferrer\"", "").replace(" loading=\"lazy\"", "");
            for part in [web, feed, mail] {
                assert_eq!(part, left, "{html}");
            }
        }
    }

    #[test]
    fn a_text_of_many_references_is_taken_apart_and_comes_out_whole() {
        let html = format!("<p>{}</p><p title=\"{}\">x</p>", "a&amp;; ".repeat(2_000), "&lt;".repeat(400));
        let pieces = in_pieces(html.clone());
        assert_eq!(pieces.matches("<!---->").count(), 8);
        assert_eq!(cleaned(&pieces).web, cleaned(&html).web);
        assert_eq!(in_pieces("a;b&amp;".into()), "a;b&amp;");
    }

    #[test]
    fn each_audience_gets_what_it_can_use() {
        let html = "<a id=x href='#a'>l</a><img src=a.png><details><summary>s</summary>d</details>";
        let files = "https://news.example.org/files/2026/03/a.png";
        let issue = "https://news.example.org/2026/march/#a";
        let Clean { web, feed, mail } = cleaned(html);
        assert_eq!(
            web,
            format!(
                "<a id=\"x\" href=\"#a\" rel=\"noopener noreferrer\">l</a><img src=\"{files}\" loading=\"lazy\"><details><summary>s</summary>d</details>"
            )
        );
        assert_eq!(
            feed,
            format!("<a href=\"{issue}\">l</a><img src=\"{files}\"><details><summary>s</summary>d</details>")
        );
        assert_eq!(mail, format!("<a id=\"x\" href=\"{issue}\">l</a><img src=\"{files}\">sd"));
    }

    #[test]
    fn files_are_noted_once_and_in_order() {
        let assets = Assets::default();
        clean("<img src=b.png><a href=a.pdf>a</a><img src=b.png><a href='#x'>x</a>", &links(), &assets);
        assert_eq!(*assets.lock().unwrap(), ["2026/03/b.png", "2026/03/a.pdf"]);
    }

    #[test]
    fn sizes_and_ids_are_plain() {
        assert_eq!(
            cleaned("<img alt=a width='100%' height='9999999'><p id='a b'>x</p>").web,
            "<img alt=\"a\" width=\"100%\" loading=\"lazy\"><p>x</p>"
        );
    }
}
