//! The lists of those who get less than our own pages: feed readers and mail programs.
//!
//! It reads HTML as the sanitiser writes it: each tag without `<` and `>` inside, each value in double quotes. Whatever is not on the
//! audience's list, a tag or an attribute, is left out; what the list lets through, the sanitiser has looked at.

use memchr::memchr;

use super::Links;
use super::sanitise::{ALIGNED, ATTRIBUTES, GENERIC, NOT_IN_MAIL, TAGS};

/// Who reads the HTML elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// Feed readers, which sanitise again and know no style sheet.
    Feed,
    /// Mail programs, which know the HTML of 1999 and little of what came after.
    Mail,
}

impl Audience {
    fn takes(self, tag: &str) -> bool {
        TAGS.binary_search(&tag).is_ok() || (self == Self::Feed && NOT_IN_MAIL.contains(&tag))
    }

    fn takes_attribute(self, tag: &str, name: &str) -> bool {
        let of_tag = || ATTRIBUTES.iter().any(|(of, names)| *of == tag && names.contains(&name));
        GENERIC.contains(&name)
            || of_tag()
            || (name == "align" && ALIGNED.contains(&tag))
            // The renderer of a mail makes anchors of those that are linked to, and drops the others.
            || (self == Self::Mail && name == "id")
    }
}

/// What an audience gets of the HTML of our own pages. Elsewhere a fragment leads to the page at its public URL.
pub(super) fn narrow(web: &str, audience: Audience, links: &Links) -> String {
    let page = links.issue.as_str().replace('&', "&amp;");
    let mut out = String::with_capacity(web.len());
    let mut rest = web;
    // What stays as it is is copied in one piece: `kept` bytes of `rest` so far.
    let mut kept = 0;
    while let Some(start) = rest.as_bytes().get(kept..).and_then(|text| memchr(b'<', text)).map(|at| kept + at) {
        let (tag, after) = rest.get(start + 1..).and_then(|tag| tag.split_once('>')).unwrap_or_default();
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let takes = audience.takes(name.strip_prefix('/').unwrap_or(name));
        if takes && attributes.is_empty() {
            kept = rest.len() - after.len();
            continue;
        }
        out.push_str(rest.get(..start).unwrap_or_default());
        if takes {
            out.push('<');
            out.push_str(name);
            for (key, value) in read(attributes).filter(|(key, _)| audience.takes_attribute(name, key)) {
                let page = if key == "href" && value.starts_with('#') { page.as_str() } else { "" };
                out.extend([" ", key, "=\"", page, value, "\""]);
            }
            out.push('>');
        }
        (rest, kept) = (after, 0);
    }
    out.push_str(rest);
    out
}

/// Names and values of attributes as they are written, with references.
fn read(mut attributes: &str) -> impl Iterator<Item = (&str, &str)> {
    std::iter::from_fn(move || {
        let (key, value) = attributes.trim_start_matches(' ').split_once("=\"")?;
        let (value, rest) = value.split_once('"')?;
        attributes = rest;
        Some((key, value))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use ammonia::Builder;

    use super::super::fixture::links;
    use super::super::sanitise::{self, Assets, WITH_CONTENT};
    use super::super::urls;
    use super::*;

    /// What a sanitiser of its own gives the audience, with a parser of its own.
    fn sanitised(html: &str, audience: Audience) -> String {
        let align = HashMap::from([("align", HashSet::from(["left", "center", "right"]))]);
        let less: &[&str] = if audience == Audience::Mail { NOT_IN_MAIL } else { &[] };
        let mut builder = Builder::empty();
        builder
            .tags(TAGS.iter().chain(NOT_IN_MAIL).filter(|tag| !less.contains(tag)).copied().collect())
            .clean_content_tags(WITH_CONTENT.iter().copied().collect())
            .tag_attributes(ATTRIBUTES.iter().map(|(tag, names)| (*tag, names.iter().copied().collect())).collect())
            .tag_attribute_values(ALIGNED.iter().map(|tag| (*tag, align.clone())).collect())
            .generic_attributes(GENERIC.iter().copied().collect())
            .url_schemes(urls::LINK_SCHEMES.iter().copied().chain(["document"]).collect())
            .link_rel(None)
            .attribute_filter(|_, name, value| match name {
                "href" => urls::link(value, &links()).map(|target| target.url.into()),
                "src" => urls::image(value, &links()).map(|target| target.url.into()),
                "width" | "height" => {
                    value.trim_end_matches('%').parse::<u16>().is_ok().then(|| value.to_owned().into())
                }
                "id" => value.chars().all(|c| c.is_alphanumeric() || "-_.:".contains(c)).then(|| value.into()),
                _ => Some(value.into()),
            });
        if audience == Audience::Mail {
            builder.add_generic_attributes(["id"]);
        }
        builder.clean(html).to_string()
    }

    #[test]
    fn what_is_narrowed_is_what_a_sanitiser_with_the_list_of_the_audience_gives() {
        let golden = super::super::html::write(
            &super::super::markdown::Markdown::read(include_str!("../../tests/fixtures/renderer/issue.md")),
            "march",
            &super::super::Labels::default(),
        );
        // Attributes that are dropped stand last: the sanitiser fills the gap with the last one.
        for html in [
            golden.as_str(),
            "<a id=x href='#a' rel=me class=y>l</a><img src=a.png loading=eager srcset=b><details open><summary id=s>s</summary>d</details>",
            "<section class=footnotes><hr><ol start=3><li class=task id=fn-1>a <a href='https://news.example.org/2026/march/#b'>b</a></ol></section>",
            "<a title='> onclick=x <b>' href='x?a=1&b=%22><script>'>a > b & c < d &quot;&nbsp;</a>",
            "<abbr title='&lt;script&gt;\"&quot;&#62;'>x</abbr><td align=left>1<table><tr><td align=JUSTIFY align=center colspan=2>1",
            "<svg><a href='#x'><title><p id=\"</title><img src=x onerror=y>\"></title></a></svg><math><mtext><p id=a>x",
            "<p align=\"center\" style=x onclick='<b>'><code class=\"language-rust x\">a</code><time datetime='2026'>t</time>",
            "<summary><summary><section><pre>\n\na <b id='a=\"b\"'>b</b></pre>",
            "<h2 lang=de dir=rtl id='a b'>x</h2><a href='javascript:alert(1)'>x</a><a href='//host/x'>y</a><a href=#>z</a>",
            "<img width='100%' height=x src='data:x' alt='a\"b<c>d'>{{<summary>{</summary>%",
        ] {
            let web = sanitise::parsed(html, &links(), &Assets::default());
            for audience in [Audience::Feed, Audience::Mail] {
                assert_eq!(narrow(&web, audience, &links()), sanitised(html, audience), "{audience:?} of {html}");
            }
        }
    }

    #[test]
    fn what_no_sanitiser_writes_is_no_way_around_the_list() {
        for (html, left) in [
            ("<script>x</script><p onclick=\"a\" title='>'\">y", "x<p>'\">y"),
            ("<a href=\"a\" <b onclick=\"x\">y", "<a href=\"a\">y"),
            ("<img src=\"x\" onerror=y src", ""),
            ("<p\nonclick=\"x\">a</p\n></ p><//p>", "a"),
        ] {
            assert_eq!(narrow(html, Audience::Feed, &links()), left, "{html}");
        }
    }

    #[test]
    fn tags_are_in_the_order_in_which_they_are_looked_for() {
        assert!(TAGS.is_sorted());
    }
}
