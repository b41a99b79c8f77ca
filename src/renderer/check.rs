//! Whether a document can be read without the site generator it was written for, and what its readers miss.

use pulldown_cmark::{Event, Tag, TagEnd};

use super::markdown::Markdown;
use super::{body, remains};
use crate::issue::{Issue, Markup};
use crate::types::{Finding, Place, Rule};
use remains::{Dropped, Fate};

/// Looks for what a site generator was to fill in; `path` is for the findings.
///
/// # Errors
/// The reason to hold the document: it loops, includes or is nothing without the generator, so what is left of it is
/// not what its editor wrote. Whatever else is left out is a finding that does not hold it.
pub fn check(issue: &Issue, path: &str) -> Result<Vec<Finding>, Finding> {
    // What the generator has built is whole.
    if issue.markup == Markup::Html {
        return Ok(Vec::new());
    }
    let body = body(issue);
    let cleaned = remains::clean(&body);
    let finding = |rule, dropped: &Dropped, message: String, remedy: &str| Finding {
        rule,
        place: Place::line(path, issue.body_line.saturating_add(dropped.line - 1)),
        message,
        remedy: remedy.to_owned(),
    };
    let needs = |dropped: &&Dropped| dropped.fate == Fate::NeedsGenerator;
    if let Some(dropped) = cleaned.dropped.iter().find(needs) {
        let message =
            format!("{} is filled in by a site generator, and the text is not whole without it", dropped.what);
        return Err(finding(Rule::NeedsGenerator, dropped, message, WRITE_IT));
    }
    let left_out = || cleaned.dropped.iter().filter(|dropped| dropped.fate == Fate::LeftOut);
    if let Some(dropped) = left_out().next().filter(|_| says_nothing(&cleaned.text)) {
        let message = format!("nothing but headings is left of the text without {}", dropped.what);
        return Err(finding(Rule::NeedsGenerator, dropped, message, WRITE_IT));
    }
    let warning = |dropped: &Dropped| {
        let times = if dropped.times > 1 { format!(" ({} times)", dropped.times) } else { String::new() };
        let message = format!("{} is left out{times}", dropped.what);
        finding(Rule::TemplateRemains, dropped, message, "Write it in Markdown if readers need it.")
    };
    Ok(left_out().map(warning).collect())
}

const WRITE_IT: &str = "Write what it stands for into the document, or put it into code if it is meant to be read.";

/// Whether there is no text and no image but in headings.
fn says_nothing(text: &str) -> bool {
    let markdown = Markdown::read(text);
    let mut heading = false;
    !markdown.body.iter().any(|event| {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = true,
            Event::End(TagEnd::Heading(_)) => heading = false,
            _ => {}
        }
        let says = match event {
            Event::Text(text) | Event::Code(text) => !text.trim().is_empty(),
            Event::Html(html) | Event::InlineHtml(html) => html.contains("<img") || html.contains("</"),
            Event::Start(Tag::Image { .. }) => true,
            _ => false,
        };
        says && !heading
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::issue;
    use super::*;

    fn checked(body: &str) -> Result<Vec<String>, String> {
        let mut issue = issue(body);
        issue.body_line = 5;
        let texts = |findings: Vec<Finding>| findings.iter().map(ToString::to_string).collect();
        check(&issue, "a.md").map(texts).map_err(|finding| finding.to_string())
    }

    #[test]
    fn what_is_left_out_is_told_once_with_its_line() {
        let body = "Text\n\n{{< info >}}x{{< /info >}}\n{{< figure src=\"a.png\" >}}\n\n{{ page.x }} {{< info />}}\n";
        assert_eq!(
            checked(body).unwrap(),
            [
                "a.md:7: the shortcode `info` is left out (2 times) (template-remains). Write it in Markdown if readers need it.",
                "a.md:10: the variable `page.x` is left out (template-remains). Write it in Markdown if readers need it.",
            ]
        );
        assert_eq!(checked("Plain *text*.").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_document_that_a_generator_makes_is_held() {
        for (body, what) in [
            (
                "x\n{% for a in b %}\n- {{ a }}\n{% endfor %}",
                "a.md:6: the template tag `{% for a in b %}` is filled in",
            ),
            ("x\n\n{% include news.html %}", "a.md:7: the template tag `{% include news.html %}`"),
            ("x {{% include \"a.md\" %}}", "a.md:5: the shortcode `include \"a.md\"`"),
            ("{%- assign a = 1 -%} x", "`{% assign a = 1 %}`"),
            ("[a]\n\n[a]: {{ page.home }}/a", "a.md:7: the variable `page.home`"),
            ("x\n\n<ul>\n<li v-for=\"x in xs\">{{ x }}</li>\n</ul>", "a.md:8: `<li v-for"),
            ("x <!--@include: ./a.md-->", "`<!--@include: ./a.md-->`"),
            (
                "# Blog\n\n<BlogPosts />\n",
                "a.md:7: nothing but headings is left of the text without the component `<BlogPosts>`",
            ),
            ("{{< news >}}", "without the shortcode `news`"),
        ] {
            let held = checked(body).unwrap_err();
            assert!(held.contains(what) && held.contains("(needs-generator)"), "{body}\n{held}");
        }
    }

    #[test]
    fn templates_in_code_comments_and_raw_regions_hold_nothing() {
        for body in [
            "x `{% for a in b %}`",
            "x\n\n```\n{% include a %}\n```",
            "x\n\n    {% include a %}\n",
            "x\n<!-- {% include a %} -->",
            "x {% raw %}{% for a in b %}{% endraw %}",
            "x {% comment %}{% include a %}{% endcomment %}",
            "x \\{% include a %}",
            "<!-- only a comment -->",
            "",
        ] {
            assert_eq!(checked(body), Ok(vec![]), "{body}");
        }
    }
}
