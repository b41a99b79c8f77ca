//! Where an issue stands on the project's own site: by the rule of its site generator, or as the document says. Pure.

use url::Url;

use super::Issue;

/// The rule for public URLs on another site than ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permalink {
    /// The site's URL; ends with `/`.
    pub site: Url,
    /// A path with placeholders, such as `/blog/:year/:month/:slug/`; `None` when every document says its own.
    pub pattern: Option<String>,
}

/// The placeholders of a pattern, with what they stand for.
pub const PLACEHOLDERS: [(&str, &str); 8] = [
    ("year", "four digits"),
    ("month", "two digits"),
    ("day", "two digits"),
    ("slug", "the slug of the front matter, else the file name"),
    ("name", "the file name without a date before it"),
    ("file", "the file name; of index.md the folder's name"),
    ("folder", "the folders of the document"),
    ("title", "the title in lower case with hyphens"),
];

/// The first word after a `:` that is no placeholder.
#[must_use]
pub fn unknown_placeholder(pattern: &str) -> Option<&str> {
    pieces(pattern).find_map(|piece| match piece {
        Piece::Placeholder(name) if !PLACEHOLDERS.iter().any(|(known, _)| *known == name) => Some(name),
        _ => None,
    })
}

enum Piece<'a> {
    Text(&'a str),
    Placeholder(&'a str),
}

/// `/blog/:year/x` as text, placeholder, text.
fn pieces(pattern: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = pattern;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let after = rest.strip_prefix(':');
        let end = match after {
            Some(name) => 1 + name.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(name.len()),
            None => rest.find(':').unwrap_or(rest.len()),
        };
        let (piece, later) = rest.split_at(end);
        rest = later;
        Some(piece.strip_prefix(':').map_or(Piece::Text(piece), Piece::Placeholder))
    })
}

impl Permalink {
    /// The public URL of an issue on the site; `None` when neither the document nor a pattern says it.
    #[must_use]
    pub fn url(&self, issue: &Issue, path: &str) -> Option<Url> {
        let below = match (&issue.permalink, &self.pattern) {
            (Some(own), _) => own.clone(),
            (None, Some(pattern)) => fill(pattern, issue, path),
            (None, None) => return None,
        };
        // Whatever stands in a document: on http, and a path with a scheme of its own is one that the editor wrote.
        let url = self.site.join(&below).ok()?;
        matches!(url.scheme(), "http" | "https").then_some(url)
    }

    /// Files of the built site that may be the page at a URL, the likeliest first; none for a URL of another site.
    #[must_use]
    pub fn files(&self, url: &Url) -> Vec<String> {
        let same = url.origin() == self.site.origin();
        let Some(below) = url.path().strip_prefix(self.site.path()).filter(|_| same) else { return Vec::new() };
        let Ok(path) = percent_encoding::percent_decode_str(below).decode_utf8() else { return Vec::new() };
        match path.strip_suffix('/').unwrap_or(&path) {
            "" => vec!["index.html".to_owned()],
            page if page.ends_with(".html") => vec![page.to_owned()],
            page => vec![format!("{page}/index.html"), format!("{page}.html"), page.to_owned()],
        }
    }
}

fn fill(pattern: &str, issue: &Issue, path: &str) -> String {
    let (folders, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let (folder, file) = match (stem, folders.rsplit_once('/')) {
        ("index", Some((outer, last))) => (outer, last),
        ("index", None) => ("", folders),
        _ => (folders, stem),
    };
    let filled = pieces(pattern).map(|piece| match piece {
        Piece::Text(text) => text.to_owned(),
        Piece::Placeholder("year") => issue.date.format("%Y").to_string(),
        Piece::Placeholder("month") => issue.date.format("%m").to_string(),
        Piece::Placeholder("day") => issue.date.format("%d").to_string(),
        Piece::Placeholder("slug") => issue.slug.to_string(),
        Piece::Placeholder("name") => undated(file).to_owned(),
        Piece::Placeholder("file") => file.to_owned(),
        Piece::Placeholder("folder") => folder.to_owned(),
        Piece::Placeholder("title") => {
            crate::types::Slug::from_words(&issue.title).map_or_else(String::new, |s| s.to_string())
        }
        Piece::Placeholder(other) => format!(":{other}"),
    });
    // An empty folder leaves two slashes.
    let mut url = String::new();
    for c in filled.collect::<String>().chars() {
        if c != '/' || !url.ends_with('/') {
            url.push(c);
        }
    }
    url
}

/// `2020-03-12-news` without its date.
fn undated(file: &str) -> &str {
    let mut rest = file;
    for digits in [4, 2, 2] {
        match rest.split_at_checked(digits) {
            Some((number, after)) if number.bytes().all(|b| b.is_ascii_digit()) && after.starts_with('-') => {
                rest = &after[1..]
            }
            _ => return file,
        }
    }
    if rest.is_empty() { file } else { rest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issue::Markup;
    use crate::types::Slug;

    fn issue(permalink: Option<&str>) -> Issue {
        Issue {
            id: None,
            title: "News of March!".into(),
            date: chrono::DateTime::parse_from_rfc3339("2020-03-09T00:00:00+01:00").unwrap(),
            authors: vec![],
            tags: vec![],
            language: None,
            summary: None,
            slug: Slug::parse("march").unwrap(),
            image: None,
            draft: false,
            permalink: permalink.map(str::to_owned),
            aliases: vec![],
            markup: Markup::Markdown,
            body: String::new(),
            body_line: 1,
        }
    }

    #[test]
    fn the_rules_of_site_generators_are_patterns() {
        for (generator, pattern, path, url) in [
            ("Jekyll", "/:year/:month/:day/:name.html", "_posts/2020-03-09-news.md", "/2020/03/09/news.html"),
            ("Hugo", "/blog/:year/:slug/", "blog/monthly.md", "/blog/2020/march/"),
            ("Hugo bundle", "/:folder/:file/", "newsletter/042/index.md", "/newsletter/042/"),
            ("Pelican", "blog/:year/:month/:day/:slug/", "2020-03-09-x.md", "/blog/2020/03/09/march/"),
            ("Zola", "/:folder/:name/", "2020-03-09-news.md", "/news/"),
            ("VuePress", "/blog/:file.html", "blog/2020-03-09-news.md", "/blog/2020-03-09-news.html"),
            ("title", "/:title", "x.md", "/news-of-march"),
        ] {
            let rule = Permalink { site: Url::parse("https://example.org/").unwrap(), pattern: Some(pattern.into()) };
            assert_eq!(rule.url(&issue(None), path).unwrap().path(), url, "{generator}");
        }
    }

    #[test]
    fn a_document_may_say_its_own_and_no_rule_is_no_url() {
        let rule = Permalink { site: Url::parse("https://example.org/blog/").unwrap(), pattern: None };
        let url = |own| rule.url(&issue(own), "x.md").map(|url| url.to_string());
        assert_eq!(url(Some("/news/42/")).as_deref(), Some("https://example.org/news/42/"));
        assert_eq!(url(Some("news/42")).as_deref(), Some("https://example.org/blog/news/42"));
        assert_eq!(url(Some("https://other.example/42")).as_deref(), Some("https://other.example/42"));
        assert_eq!(url(Some("javascript:alert(1)")), None);
        assert_eq!(url(None), None);
    }

    #[test]
    fn a_url_leads_to_the_file_that_a_generator_writes() {
        let rule = Permalink { site: Url::parse("https://example.org/blog/").unwrap(), pattern: None };
        let files = |url: &str| rule.files(&Url::parse(url).unwrap());
        assert_eq!(files("https://example.org/blog/2020/m%C3%A4rz/")[0], "2020/märz/index.html");
        assert_eq!(files("https://example.org/blog/march"), ["march/index.html", "march.html", "march"]);
        assert_eq!(files("https://example.org/blog/march.html#x"), ["march.html"]);
        assert_eq!(files("https://example.org/blog/"), ["index.html"]);
        for elsewhere in
            ["https://other.example/blog/march/", "https://example.org/march/", "https://example.org/blog/%ff"]
        {
            assert_eq!(files(elsewhere), [""; 0], "{elsewhere}");
        }
    }

    #[test]
    fn a_placeholder_that_is_none_is_named() {
        assert_eq!(unknown_placeholder("/:year/:moth/:slug"), Some("moth"));
        assert_eq!(unknown_placeholder("/:year/:month/:slug.html"), None);
        assert_eq!(unknown_placeholder("/:"), Some(""));
    }
}
