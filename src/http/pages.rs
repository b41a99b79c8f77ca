//! The pages people read: the newsletters, a newsletter's home with its archive, and one issue.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};

use super::Web;
use super::answer::{self, Words};
use super::error::Error;
use super::parts;
use crate::config::Newsletter;
use crate::issue::Revision;
use crate::renderer::pages::{Home, Index, IssueLine, IssuePage};
use crate::site;
use crate::store::IssueHead;

/// `GET /`: the newsletters, or the home of the only one.
pub(super) async fn front(State(web): State<Web>, headers: HeaderMap) -> Result<Response, Error> {
    let base = &web.config().server.url;
    if let [only] = web.config().newsletters.as_slice() {
        return Ok(Redirect::temporary(site::home(base, &only.id).path()).into_response());
    }
    let line = |newsletter: &Newsletter| {
        let home = site::home(base, &newsletter.id).to_string();
        (newsletter.title.clone(), newsletter.description.clone(), home)
    };
    let newsletters = web.config().newsletters.iter().map(line).collect();
    let index = Index { style: web.style_path(), newsletters };
    Ok(answer::page(&headers, index.render(web.templates())?))
}

/// `GET /{newsletter}`, and `GET` of the form's target, which a browser asks for when a page is loaded again.
pub(super) async fn with_slash(State(web): State<Web>, Path(name): Path<String>) -> Result<Redirect, Error> {
    let newsletter = web.newsletter(&name)?;
    Ok(Redirect::to(site::home(&web.config().server.url, &newsletter.id).path()))
}

/// `GET /{newsletter}/`
pub(super) async fn home(
    State(web): State<Web>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let newsletter = web.newsletter(&name)?;
    let archive = web.store().archive(&newsletter.id).await?;
    let home = Home {
        frame: parts::frame(&web, newsletter, &newsletter.language),
        issues: archive.iter().map(line).collect(),
        subscribe: parts::subscribe_path(&web, newsletter),
        cadences: parts::cadences(newsletter),
    };
    Ok(answer::page(&headers, home.render(web.templates())?))
}

/// `GET /{newsletter}/issues/{slug}`
pub(super) async fn issue(
    State(web): State<Web>,
    Path((name, slug)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let newsletter = web.newsletter(&name)?;
    let (revision, published) = web.store().issue_by_slug(&newsletter.id, &slug).await?.ok_or(Error::NotFound)?;
    if !published {
        let words = Words {
            heading: "This issue was withdrawn",
            paragraphs: &["Its editors took it back. The other issues are in the archive."],
            button: None,
        };
        return answer::notice(&web, newsletter, StatusCode::GONE, &words);
    }
    let archive = web.store().archive(&newsletter.id).await?;
    let (newer, older) = neighbours(&archive, &slug);
    let page = IssuePage {
        frame: parts::frame(&web, newsletter, revision.language.as_deref().unwrap_or(&newsletter.language)),
        issue: line_of(&revision),
        authors: revision.authors,
        tags: revision.tags,
        image: revision.image,
        html: revision.content.web,
        previous: older.map(line),
        next: newer.map(line),
        subscribe: parts::subscribe_path(&web, newsletter),
        cadences: parts::cadences(newsletter),
    };
    Ok(answer::page(&headers, page.render(web.templates())?))
}

/// Redirects for good to the issue that was at this path before.
pub(super) async fn moved(web: &Web, newsletter: &Newsletter, path: &str) -> Result<Response, Error> {
    let path = site::alias(path).ok_or(Error::NotFound)?;
    let url = web.store().redirect(&newsletter.id, &path).await?.ok_or(Error::NotFound)?;
    Ok(Redirect::permanent(&url).into_response())
}

/// The issues after and before one, in an archive with the newest first.
fn neighbours<'a>(archive: &'a [IssueHead], slug: &str) -> (Option<&'a IssueHead>, Option<&'a IssueHead>) {
    let Some(at) = archive.iter().position(|head| head.slug.as_str() == slug) else { return (None, None) };
    (at.checked_sub(1).and_then(|newer| archive.get(newer)), archive.get(at + 1))
}

pub(super) fn line(head: &IssueHead) -> IssueLine {
    issue_line(&head.title, &head.url, head.date, &head.summary)
}

fn line_of(revision: &Revision) -> IssueLine {
    issue_line(&revision.title, &revision.url, revision.date, &revision.content.summary)
}

fn issue_line(title: &str, url: &str, date: chrono::DateTime<chrono::FixedOffset>, summary: &str) -> IssueLine {
    IssueLine {
        title: title.to_owned(),
        url: url.to_owned(),
        date: date.format("%Y-%m-%d").to_string(),
        date_words: date.format("%-d %B %Y").to_string(),
        year: chrono::Datelike::year(&date),
        summary: summary.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{IssueId, Slug};

    fn head(slug: &str) -> IssueHead {
        IssueHead {
            issue: IssueId::parse(slug).unwrap(),
            slug: Slug::parse(slug).unwrap(),
            title: slug.to_uppercase(),
            date: chrono::DateTime::parse_from_rfc3339("2020-03-02T23:30:00-08:00").unwrap(),
            summary: String::new(),
            url: format!("https://example.org/n/issues/{slug}"),
            path: format!("{slug}.md"),
            news_at: None,
        }
    }

    #[test]
    fn an_issue_has_the_next_before_and_the_previous_after_it_in_the_archive() {
        let archive = [head("c"), head("b"), head("a")];
        let around = |slug| {
            let (newer, older) = neighbours(&archive, slug);
            (newer.map(|h| h.slug.as_str().to_owned()), older.map(|h| h.slug.as_str().to_owned()))
        };
        assert_eq!(around("c"), (None, Some("b".into())));
        assert_eq!(around("b"), (Some("c".into()), Some("a".into())));
        assert_eq!(around("a"), (Some("b".into()), None));
        assert_eq!(around("x"), (None, None));
    }

    #[test]
    fn a_date_is_the_day_its_editor_wrote() {
        let line = line(&head("a"));
        assert_eq!((line.date.as_str(), line.date_words.as_str(), line.year), ("2020-03-02", "2 March 2020", 2020));
    }
}
