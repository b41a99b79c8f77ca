//! The HTML of a digest within a limit: Gmail shows about 102 KB of a mail and hides the rest, the way to unsubscribe included.

use super::super::templates::escape;
use super::super::{TemplateError, Templates};
use super::furnish::{Place, furnish};
use super::{Context, DigestMail, IssueContext, cut, inline};
use crate::message::SLOT_CHARACTERS;
use crate::types::TOKEN_LENGTH;

/// How the HTML of a digest came to its size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fit {
    /// Bytes as a mail program counts them: decoded, lines ended by CRLF, slots filled.
    pub size: usize,
    /// The styles of the content are a style sheet, which some programs drop: in its elements they would not have fit.
    pub lean: bool,
    /// Which issues end early, by their place in the digest.
    pub cut: Vec<usize>,
    /// Of those, the words that are left and the words that there were.
    pub(super) words: Vec<(usize, usize)>,
}

/// The most attempts to cut an issue shorter: what is rewritten after a cut may be a little longer than before.
const ATTEMPTS: usize = 8;

const TEMPLATE: &str = "email/digest/body.html";
const SHEET: &str = "email/content.css";

/// Renders the HTML: as it is meant to be if that fits, else with a style sheet, else with less of the longest issues.
pub(super) fn html(mail: &DigestMail, templates: &Templates) -> Result<(String, Fit), TemplateError> {
    let level = if mail.issues.len() > 1 { 3 } else { 2 };
    let anchors: Vec<String> = (1..=mail.issues.len()).map(|number| format!("issue-{number}")).collect();
    let picture = escape(templates.phrases(&mail.language).say("Picture"));
    let place = |at: usize| Place {
        anchor: anchors.get(at).map(String::as_str).unwrap_or_default(),
        url: mail.issues.get(at).map(|issue| issue.url.as_str()).unwrap_or_default(),
        level,
        picture: &picture,
    };
    let furnished = |at: usize, html: &str| furnish(html, &place(at));
    let contents: Vec<String> = mail.issues.iter().enumerate().map(|(at, issue)| furnished(at, &issue.html)).collect();

    let frame = frame(mail, templates, "", &[])?;
    if size(&frame) + contents.iter().map(|html| size(html)).sum::<usize>() <= mail.limit {
        let inlined = inlined(mail, templates, &contents)?;
        if let Some(html) = inlined.map(|contents| filled(&frame, &contents)).filter(|html| size(html) <= mail.limit) {
            let fit = Fit { size: size(&html), lean: false, cut: vec![], words: vec![] };
            return Ok((html, fit));
        }
    }
    let sheet = sheet(mail, templates)?;
    let html = filled(&self::frame(mail, templates, &sheet, &[])?, &contents);
    if size(&html) <= mail.limit {
        let fit = Fit { size: size(&html), lean: true, cut: vec![], words: vec![] };
        return Ok((html, fit));
    }
    // All of them marked as cut: the frame is then at its longest.
    let all: Vec<usize> = (0..contents.len()).collect();
    let room = mail.limit.saturating_sub(size(&self::frame(mail, templates, &sheet, &all)?));
    let rooms = shares(&contents.iter().map(|html| size(html)).collect::<Vec<_>>(), room);
    let (mut cuts, mut words) = (Vec::new(), Vec::new());
    let mut shortened = Vec::new();
    for (at, (html, room)) in contents.into_iter().zip(rooms).enumerate() {
        if size(&html) <= room {
            shortened.push(html);
        } else {
            cuts.push(at);
            let raw = mail.issues.get(at).map(|issue| issue.html.as_str()).unwrap_or_default();
            let left = shorter(raw, room, |html| furnished(at, html));
            words.push((cut::words(&left), cut::words(raw)));
            shortened.push(left);
        }
    }
    let html = filled(&self::frame(mail, templates, &sheet, &cuts)?, &shortened);
    let fit = Fit { size: size(&html), lean: true, cut: cuts, words };
    Ok((html, fit))
}

/// The start of an issue whose rewritten form takes at most `room`.
fn shorter(html: &str, room: usize, furnished: impl Fn(&str) -> String) -> String {
    let mut target = room;
    for _ in 0..ATTEMPTS {
        let html = furnished(&cut::cut(html, target));
        match size(&html).checked_sub(room).filter(|over| *over > 0) {
            None => return html,
            Some(over) => target = target.saturating_sub(over),
        }
    }
    String::new()
}

/// What each of several parts gets of the room: all it needs while others need more, and the longest share what is left.
fn shares(needs: &[usize], room: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..needs.len()).collect();
    order.sort_by_key(|at| needs.get(*at));
    let mut shares = vec![0; needs.len()];
    let mut left = room;
    for (done, at) in order.into_iter().enumerate() {
        let (Some(share), Some(need)) = (shares.get_mut(at), needs.get(at)) else { continue };
        *share = (left / (needs.len() - done)).min(*need);
        left -= *share;
    }
    shares
}

/// Bytes as a mail program counts them.
pub(super) fn size(html: &str) -> usize {
    let [open, close] = SLOT_CHARACTERS;
    let slots = html.split(open).skip(1).filter_map(|rest| rest.split_once(close));
    // A token has one length; anything else is taken for as long as its slot.
    let filled = slots.map(|(name, _)| TOKEN_LENGTH.saturating_sub(name.len() + open.len_utf8() + close.len_utf8()));
    html.len() + html.matches('\n').count() + filled.sum::<usize>()
}

/// The mail around its contents.
fn frame(mail: &DigestMail, templates: &Templates, sheet: &str, cut: &[usize]) -> Result<String, TemplateError> {
    let mut context = Context::new(mail, sheet);
    for (at, issue) in context.issues.iter_mut().enumerate() {
        issue.html = mark(at);
        issue.cut = cut.contains(&at);
    }
    inline::document(&templates.render(TEMPLATE, &context)?, TEMPLATE)
}

/// Stands for the content of an issue in a frame. No text can hold it: text is escaped.
fn mark(at: usize) -> String {
    format!("<!--issue {at}-->")
}

fn filled(frame: &str, contents: &[String]) -> String {
    let mut html = frame.to_owned();
    // From the last to the first: no content is looked at again.
    for (at, content) in contents.iter().enumerate().rev() {
        html = html.replace(&mark(at), content.trim());
    }
    html
}

/// The contents with their styles in them; `None` when one of them is nested too deep for that.
fn inlined(
    mail: &DigestMail,
    templates: &Templates,
    contents: &[String],
) -> Result<Option<Vec<String>>, TemplateError> {
    let sheet = |issue: &IssueContext| render_sheet(templates, issue.direction);
    let context = Context::new(mail, "");
    let both = contents.iter().zip(&context.issues);
    both.map(|(html, issue)| inline::content(html, &sheet(issue)?, SHEET)).collect()
}

fn sheet(mail: &DigestMail, templates: &Templates) -> Result<String, TemplateError> {
    render_sheet(templates, Context::new(mail, "").direction)
}

fn render_sheet(templates: &Templates, direction: &str) -> Result<String, TemplateError> {
    let sheet = templates.render(SHEET, std::collections::BTreeMap::from([("direction", direction)]))?;
    Ok(sheet.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::UNSUBSCRIBE_TOKEN;

    #[test]
    fn a_slot_counts_as_what_fills_it_and_a_line_as_it_is_sent() {
        assert_eq!(size("ä\n"), 4);
        assert_eq!(size(&format!("x{UNSUBSCRIBE_TOKEN}y{UNSUBSCRIBE_TOKEN}")), 2 + 2 * TOKEN_LENGTH);
    }

    #[test]
    fn short_parts_get_all_they_need_and_long_ones_share_the_rest() {
        for (needs, room, expected) in [
            (vec![10, 20, 30], 100, vec![10, 20, 30]),
            (vec![90, 10, 80], 100, vec![45, 10, 45]),
            (vec![50, 50], 7, vec![4, 3]),
            (vec![], 7, vec![]),
        ] {
            let shares = shares(&needs, room);
            assert_eq!(shares.iter().sum::<usize>(), expected.iter().sum::<usize>());
            assert!(shares.iter().zip(&expected).all(|(a, b)| a.abs_diff(*b) <= 1), "{shares:?}");
        }
    }
}
