//! The hash that decides whether an issue's content changed.

use aws_lc_rs::digest;

use super::{Issue, Markup};
use crate::types::hex;

/// SHA-256 in hex over the fields that readers see, and the body. Path, blob, id and slug are not part of it: a moved
/// or renamed file, or a header written in another way with the same meaning, is no change.
#[must_use]
pub fn content_hash(issue: &Issue) -> String {
    // Exhaustive, so that a new field cannot be forgotten here.
    let Issue {
        id: _,
        title,
        date,
        authors,
        tags,
        language,
        summary,
        slug: _,
        image,
        draft: _,
        permalink: _,
        aliases: _,
        markup,
        body,
        body_line: _,
    } = issue;
    let mut parts = Parts(digest::Context::new(&digest::SHA256));
    parts.text(title);
    parts.text(&date.to_rfc3339());
    parts.list(authors);
    parts.list(tags);
    parts.option(language.as_deref());
    parts.option(summary.as_deref());
    parts.option(image.as_deref());
    parts.text(body);
    if *markup == Markup::Html {
        parts.text("html");
    }
    hex(parts.0.finish().as_ref())
}

/// Feeds texts with their lengths before them, so that two fields cannot run together.
struct Parts(digest::Context);

impl Parts {
    fn length(&mut self, length: usize) {
        self.0.update(&u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.update(text.as_bytes());
    }

    fn list(&mut self, texts: &[String]) {
        self.length(texts.len());
        for text in texts {
            self.text(text);
        }
    }

    fn option(&mut self, text: Option<&str>) {
        self.length(usize::from(text.is_some()));
        if let Some(text) = text {
            self.text(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::types::{IssueId, Slug};

    fn issue() -> Issue {
        Issue {
            id: None,
            title: "News".into(),
            date: DateTime::parse_from_rfc3339("2020-03-12T00:00:00+01:00").unwrap(),
            authors: vec!["a".into(), "b".into()],
            tags: vec![],
            language: None,
            summary: None,
            slug: Slug::parse("news").unwrap(),
            image: None,
            draft: false,
            permalink: None,
            aliases: vec![],
            markup: Markup::Markdown,
            body: "Body\n".into(),
            body_line: 5,
        }
    }

    #[test]
    fn the_hash_is_stable() {
        let hash = content_hash(&issue());
        assert_eq!(hash, "23e5fc356264ac78c7bc7c841e8f820ff00bef3ef41b7051f269fab46b8220d2");
        let unseen = Issue {
            id: IssueId::parse("x").ok(),
            slug: Slug::parse("new").unwrap(),
            draft: true,
            permalink: Some("x".into()),
            aliases: vec!["x".into()],
            body_line: 9,
            ..issue()
        };
        assert_eq!(content_hash(&unseen), hash, "what readers do not see does not count");
    }

    #[test]
    fn every_field_that_readers_see_changes_it_and_fields_do_not_run_together() {
        let later = DateTime::parse_from_rfc3339("2020-03-12T00:00:00+00:00").unwrap();
        let variants = [
            issue(),
            Issue { title: "New".into(), ..issue() },
            Issue { date: later, ..issue() },
            Issue { authors: vec!["ab".into()], ..issue() },
            Issue { authors: vec!["a".into()], tags: vec!["b".into()], ..issue() },
            Issue { tags: vec!["a".into()], ..issue() },
            Issue { language: Some("de".into()), ..issue() },
            Issue { summary: Some("de".into()), ..issue() },
            Issue { summary: Some(String::new()), ..issue() },
            Issue { image: Some("de".into()), ..issue() },
            Issue { body: "Body".into(), ..issue() },
        ];
        let mut hashes: Vec<_> = variants.iter().map(content_hash).collect();
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), variants.len());
    }
}
