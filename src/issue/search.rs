//! What an issue is found by: its words, in which case and accents do not matter, and the terms of a question to find it.
//!
//! The index is one text for each issue, with each word once and a space before it: a term is looked for as the beginning of a
//! word, and one of a script without case (Chinese, Arabic, Thai), where words have no space or a prefix before them, anywhere.

use std::collections::HashSet;

use super::Revision;
use crate::types::folded;

/// Bytes of one issue's words. Ten times what a long issue has; more of them would be a list that nobody searches.
const LARGEST: usize = 64 * 1024;
/// Characters of a word or a term: longer ones are hashes and URLs.
const LONGEST: usize = 40;
/// Terms of a question that count. The statement that looks for them has as many places.
pub const TERMS: usize = 8;
/// Characters of a question that are read.
const QUESTION: usize = 200;

/// What the index holds of an issue. Each text has a space at both ends and between its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// Of the title.
    pub title: String,
    /// Of title, tags, authors and text.
    pub all: String,
}

/// The words of an issue.
#[must_use]
pub fn words(revision: &Revision) -> Words {
    let Revision { title, tags, authors, content, .. } = revision;
    let parts = std::iter::once(title).chain(tags).chain(authors).chain(std::iter::once(&content.text));
    Words { title: line(std::iter::once(title.as_str())), all: line(parts.map(String::as_str)) }
}

/// Without case and accents, and with the apostrophe of a keyboard.
fn plain(text: &str) -> String {
    folded(text).replace('\u{2019}', "'")
}

/// The folded words of some texts, each once.
fn line<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let (mut tokens, mut seen) = (HashSet::new(), HashSet::new());
    let mut line = " ".to_owned();
    let all = texts.flat_map(str::split_whitespace);
    for token in all.filter(|token| tokens.insert(*token)).filter(|token| !is_link(token)) {
        for word in forms(&plain(token)) {
            if line.len() + word.len() < LARGEST && seen.insert(word.clone()) {
                line.push_str(&word);
                line.push(' ');
            }
        }
    }
    line
}

/// A URL, or the number of one in the text part.
fn is_link(token: &str) -> bool {
    let number = token.trim_matches(|c: char| "[].,:;()".contains(c));
    token.contains("://") || (token.starts_with('[') && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A token as it stands (`tokio-util`, `3.0.10`, `c++`), and its parts (`util`).
fn forms(token: &str) -> Vec<String> {
    let mut forms: Vec<String> = Vec::new();
    for whole in wholes(token) {
        let parts = whole.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
        let all = std::iter::once(whole.as_str()).chain(parts);
        for form in all.map(|form| form.chars().take(LONGEST).collect::<String>()) {
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
    }
    forms
}

/// What of a token belongs together: letters and digits, and some marks between them, `+` and `#` also after them.
fn wholes(token: &str) -> impl Iterator<Item = String> {
    let inner = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '\'' | '+' | '#');
    let trimmed = move |whole: &str| {
        let whole = whole.trim_start_matches(|c: char| !c.is_alphanumeric());
        whole.trim_end_matches(['.', '-', '\'']).to_owned()
    };
    token.split(move |c| !inner(c)).map(trimmed).filter(|whole| !whole.is_empty())
}

/// One term of a question, as a pattern of `LIKE`. No term has a character that means something there.
#[must_use]
pub fn patterns(question: &str) -> Vec<String> {
    let question: String = plain(&question.chars().take(QUESTION).collect::<String>());
    let mut patterns: Vec<String> = Vec::new();
    for whole in question.split_whitespace().flat_map(wholes) {
        let term: String = whole.chars().take(LONGEST).collect();
        let caseless = term.chars().any(|c| c.is_alphabetic() && c.to_uppercase().eq(std::iter::once(c)));
        let pattern = if caseless { format!("%{term}%") } else { format!("% {term}%") };
        if !patterns.contains(&pattern) && patterns.len() < TERMS {
            patterns.push(pattern);
        }
    }
    patterns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(text: &str) -> String {
        line(std::iter::once(text))
    }

    /// Whether a text is found by a question, as `LIKE` finds it.
    fn finds(text: &str, question: &str) -> bool {
        let index = index(text);
        let found = patterns(question).iter().all(|pattern| index.contains(pattern.trim_matches('%')));
        found && !patterns(question).is_empty()
    }

    #[test]
    fn case_accents_and_word_ends_do_not_matter() {
        for (text, question) in [
            ("Zoë's Straße to Łódź", "zoe strasse lodz"),
            ("A release of TiKV 3.0.10", "RELEA tikv 3.0.10"),
            ("the `tokio-util` crate", "tokio-util"),
            ("the `tokio-util` crate", "util"),
            ("C++ and C#, .NET", "c++ c# net"),
            ("don’t panic", "don't panic"),
            ("snake_case/path", "snake_case path"),
            ("今年发布新版本。谢谢", "新版"),
            ("Ｆｕｌｌ　ｗｉｄｔｈ", "full width"),
            ("والكتاب الجديد", "كتاب"),
            ("한국어로", "한국"),
        ] {
            assert!(finds(text, question), "{question:?} in {:?}", index(text));
        }
    }

    #[test]
    fn a_term_is_the_beginning_of_a_word_and_all_must_be_there() {
        for (text, question) in [("relaunch", "launch"), ("alpha beta", "alpha gamma"), ("x", ""), ("x", "% _ . -")] {
            assert!(!finds(text, question), "{question:?} in {text:?}");
        }
    }

    #[test]
    fn links_are_no_words_and_each_word_is_there_once() {
        assert_eq!(index("See the [1] docs, see https://example.org/a [2]: the (docs) 2"), " see the docs 2 ");
        assert!(index(&(0..100_000).map(|n| format!("w{n} ")).collect::<String>()).len() <= LARGEST);
    }

    #[test]
    fn a_pattern_has_no_mark_of_its_own_and_a_question_has_bounds() {
        let hostile = "100% a_b \\ ' \" ; -- %%%".repeat(100);
        let patterns = patterns(&hostile);
        assert!(patterns.len() <= TERMS && !patterns.is_empty());
        for pattern in patterns {
            assert!(!pattern.trim_matches('%').contains(['%', '_', '\\']), "{pattern}");
        }
    }
}
