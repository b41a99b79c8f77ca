//! Bare URLs in text become links (GFM 6.9, extended autolinks with a scheme).

use pulldown_cmark::{CowStr, Event, TagEnd};

use super::markdown::link_to;

/// The text as events: texts, and links around the URLs in it.
pub(super) fn events(text: CowStr<'_>) -> Vec<Event<'_>> {
    let mut events = Vec::new();
    let mut done = 0;
    while let Some((start, end)) = find(&text, done) {
        push_text(&mut events, &text[done..start]);
        let url = text[start..end].to_owned();
        events.extend([Event::Start(link_to(url.clone())), Event::Text(url.into()), Event::End(TagEnd::Link)]);
        done = end;
    }
    if done == 0 {
        return vec![Event::Text(text)];
    }
    push_text(&mut events, &text[done..]);
    events
}

fn push_text(events: &mut Vec<Event<'_>>, text: &str) {
    if !text.is_empty() {
        events.push(Event::Text(text.to_owned().into()));
    }
}

/// Start and end of the next URL that starts at or after `from`.
fn find(text: &str, from: usize) -> Option<(usize, usize)> {
    let mut from = from;
    loop {
        let rest = text.get(from..)?;
        let at = from + rest.find("http")?;
        let begins =
            text[..at].chars().next_back().is_none_or(|c| c.is_whitespace() || "*_~(<[\"'“‘（「：，。".contains(c));
        let url = text[at..].split(|c: char| c.is_whitespace() || c == '<').next().unwrap_or_default();
        let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let url = trim(url);
        if begins && host.is_some_and(|host| host.starts_with(char::is_alphanumeric)) {
            return Some((at, at + url.len()));
        }
        from = at + "http".len();
    }
}

/// Without the punctuation that belongs to the sentence, and without a `)` that nothing in the URL opens.
fn trim(url: &str) -> &str {
    let mut url = url;
    loop {
        let shorter =
            url.trim_end_matches(['?', '!', '.', ',', ':', ';', '*', '_', '~', '\'', '"', '”', '’', '。', '，']);
        let unopened = shorter.ends_with(')') && shorter.matches(')').count() > shorter.matches('(').count();
        let shorter = if unopened { &shorter[..shorter.len() - 1] } else { shorter };
        if shorter.len() == url.len() {
            return url;
        }
        url = shorter;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_ends_where_the_sentence_goes_on() {
        for (text, url) in [
            ("See https://example.org/a_b?c=d.", "https://example.org/a_b?c=d"),
            ("(https://example.org/a_(b))", "https://example.org/a_(b)"),
            ("\"http://example.org\", he said", "http://example.org"),
            ("见 https://example.org/a。", "https://example.org/a"),
            ("https://", ""),
            ("xhttps://example.org", ""),
            ("http is https://. not", ""),
        ] {
            let found = find(text, 0).map(|(start, end)| &text[start..end]).unwrap_or_default();
            assert_eq!(found, url, "{text}");
        }
    }

    #[test]
    fn text_around_urls_stays() {
        let text = "a https://example.org b https://example.com";
        let back: String =
            events(text.into()).iter().filter_map(|e| if let Event::Text(t) = e { Some(&**t) } else { None }).collect();
        assert_eq!(back, text);
        assert_eq!(events("plain".into()), [Event::Text("plain".into())]);
    }
}
