//! The outbox as pages: the mails that would have left.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{Html, IntoResponse, Redirect, Response};

use super::Web;
use super::error::Error;
use super::mail::Mail;
use crate::renderer::pages::{MailPage, OutboxLine, OutboxPage};

/// How many mails the list shows: each is read for its headers.
const LISTED: usize = 200;

/// The HTML of a mail is a stranger's page: it may show images and open links in a new tab, and nothing else.
const POLICY: &str = "default-src 'none'; img-src https: http: data:; style-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox";

/// `GET /outbox`
pub(super) async fn with_slash() -> Redirect {
    Redirect::to("/outbox/")
}

/// `GET /outbox/`
pub(super) async fn list(State(web): State<Web>) -> Result<Response, Error> {
    let outbox = web.outbox()?;
    let mut mails = Vec::new();
    for name in outbox.list().await?.into_iter().take(LISTED) {
        // Between the list and the look someone may have deleted it.
        if let Some(file) = outbox.read(&name).await? {
            mails.push(line(&name, &Mail::read(&file.bytes)));
        }
    }
    let page = OutboxPage { style: style(&web), mails };
    Ok(Html(page.render(web.templates())?).into_response())
}

/// `GET /outbox/{name}`
pub(super) async fn mail(State(web): State<Web>, Path(name): Path<String>) -> Result<Response, Error> {
    let file = web.outbox()?.read(&name).await?.ok_or(Error::NotFound)?;
    let mail = Mail::read(&file.bytes);
    let line = line(&name, &mail);
    let page = MailPage {
        style: style(&web),
        html_url: format!("{}/html", line.url),
        line,
        text: mail.text,
        source: String::from_utf8_lossy(&file.bytes).into_owned(),
        back: "/outbox/".to_owned(),
    };
    Ok(Html(page.render(web.templates())?).into_response())
}

/// `GET /outbox/{name}/html`: the HTML part alone, for the frame.
pub(super) async fn html(State(web): State<Web>, Path(name): Path<String>) -> Result<Response, Error> {
    let file = web.outbox()?.read(&name).await?.ok_or(Error::NotFound)?;
    let html = in_new_tabs(&Mail::read(&file.bytes).html);
    Ok(([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(html)).into_response())
}

/// Links of the framed mail open in a new tab: the page they lead to refuses to stand in a frame.
fn in_new_tabs(html: &str) -> String {
    const BASE: &str = "<base target=\"_blank\">";
    let lower = html.to_ascii_lowercase();
    // `<head>` or `<head lang="en">`, but not `<header>`.
    let head = lower.match_indices("<head").map(|(at, _)| at + "<head".len()).find(|after| {
        lower.get(*after..).is_some_and(|rest| rest.starts_with('>') || rest.starts_with(char::is_whitespace))
    });
    let end = head.and_then(|after| lower.get(after..)?.find('>').map(|end| after + end + 1));
    match end.and_then(|end| html.split_at_checked(end)) {
        Some((before, after)) => format!("{before}{BASE}{after}"),
        None => format!("{BASE}{html}"),
    }
}

fn line(name: &str, mail: &Mail) -> OutboxLine {
    // The encoding of forms writes a space as `+`, which is itself in a path.
    let segment: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    let url = format!("/outbox/{}", segment.replace('+', "%20"));
    OutboxLine { url, subject: mail.subject.clone(), to: mail.to.clone(), date: mail.date.clone() }
}

fn style(web: &Web) -> String {
    format!("/{}", web.templates().style_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_file_name_has_a_path() {
        assert_eq!(line("a b+c%/ä.eml", &Mail::default()).url, "/outbox/a%20b%2Bc%25%2F%C3%A4.eml");
    }

    #[test]
    fn links_of_a_framed_mail_open_in_a_new_tab() {
        for (html, framed) in [
            ("<html><head><title>x</title></head>", "<html><head><base target=\"_blank\"><title>x</title></head>"),
            ("<HTML><HEAD lang='en'>x", "<HTML><HEAD lang='en'><base target=\"_blank\">x"),
            ("<header>x</header>", "<base target=\"_blank\"><header>x</header>"),
            ("", "<base target=\"_blank\">"),
        ] {
            assert_eq!(in_new_tabs(html), framed);
        }
    }
}
