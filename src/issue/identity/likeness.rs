//! How much of one text is in another, to find a document that was moved and edited in one step. Pure.
//!
//! The measure is git's for renames: what both texts have, by the size of the larger one. The pieces are clauses, where
//! git takes lines, because a paragraph on one line with a comma mended is still the same paragraph.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// A piece that stands in more earlier texts than this tells none of them apart.
const COMMON: usize = 4;

/// How many earlier texts a document is compared with in full: those that share most of what is rare.
const CANDIDATES: usize = 8;

/// A text in pieces.
pub(super) struct Text<'a> {
    /// The last part of its path.
    name: &'a str,
    /// Hash and size of each piece, in the order of hashes.
    pieces: Vec<(u64, u64)>,
    size: u64,
}

impl<'a> Text<'a> {
    pub(super) fn new(path: &'a str, bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let ends =
            |c: char| c == '\n' || (c.is_ascii_punctuation() && ".,;:!?()".contains(c)) || "。，、；".contains(c);
        let pieces = text.split(ends).map(str::trim).filter(|piece| !piece.is_empty());
        let mut pieces: Vec<(u64, u64)> =
            pieces.map(|piece| (hash(piece), u64::try_from(piece.len()).unwrap_or(u64::MAX))).collect();
        pieces.sort_unstable();
        let size = pieces.iter().map(|(_, size)| size).sum();
        Self { name: path.rsplit('/').next().unwrap_or(path), pieces, size }
    }

    /// Each piece once.
    fn distinct(&self) -> impl Iterator<Item = (u64, u64)> {
        self.pieces.chunk_by(|a, b| a.0 == b.0).filter_map(|same| same.first().copied())
    }
}

fn hash(piece: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    piece.hash(&mut hasher);
    hasher.finish()
}

/// What both have, as a part of the larger.
#[allow(clippy::cast_precision_loss)] // of sizes below a megabyte
fn likeness(a: &Text<'_>, b: &Text<'_>) -> f64 {
    let (mut left, mut right, mut both) = (a.pieces.iter().peekable(), b.pieces.iter().peekable(), 0);
    while let (Some(one), Some(other)) = (left.peek(), right.peek()) {
        match one.0.cmp(&other.0) {
            std::cmp::Ordering::Less => drop(left.next()),
            std::cmp::Ordering::Greater => drop(right.next()),
            std::cmp::Ordering::Equal => {
                both += one.1;
                left.next();
                right.next();
            }
        }
    }
    let larger = a.size.max(b.size);
    if larger == 0 { 0.0 } else { both as f64 / larger as f64 }
}

/// Pairs of an old and a new text, as indices, each text in one pair at most; the most alike first, and among equals those that
/// kept their name. `least` says how alike an old text must be. The work grows with the size of the texts, not with the number
/// of possible pairs.
pub(super) fn pairs(old: &[Text<'_>], new: &[Text<'_>], least: impl Fn(usize) -> f64) -> Vec<(usize, usize)> {
    let mut holders: HashMap<u64, Vec<usize>> = HashMap::new();
    for (index, text) in old.iter().enumerate() {
        for (piece, _) in text.distinct() {
            holders.entry(piece).or_default().push(index);
        }
    }
    let mut found = Vec::new();
    for (index, text) in new.iter().enumerate() {
        for candidate in candidates(text, &holders) {
            let Some(before) = old.get(candidate) else { continue };
            let alike = likeness(before, text);
            if alike >= least(candidate) {
                found.push((alike, before.name == text.name, candidate, index));
            }
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)).then((a.2, a.3).cmp(&(b.2, b.3))));
    let (mut taken, mut given) = (vec![false; old.len()], vec![false; new.len()]);
    let mut pairs = Vec::new();
    for (_, _, before, now) in found {
        if let (Some(taken), Some(given)) = (taken.get_mut(before), given.get_mut(now))
            && !*taken
            && !*given
        {
            (*taken, *given) = (true, true);
            pairs.push((before, now));
        }
    }
    pairs
}

/// The earlier texts that share most of what few have.
fn candidates(text: &Text<'_>, holders: &HashMap<u64, Vec<usize>>) -> Vec<usize> {
    let mut shared: HashMap<usize, u64> = HashMap::new();
    for (piece, size) in text.distinct() {
        for holder in holders.get(&piece).into_iter().filter(|holders| holders.len() <= COMMON).flatten() {
            *shared.entry(*holder).or_default() += size;
        }
    }
    let mut shared: Vec<_> = shared.into_iter().collect();
    shared.sort_unstable_by_key(|(holder, size)| (std::cmp::Reverse(*size), *holder));
    shared.into_iter().take(CANDIDATES).map(|(holder, _)| holder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(a: &str, b: &str) -> f64 {
        likeness(&Text::new("a", a.as_bytes()), &Text::new("b", b.as_bytes()))
    }

    #[test]
    fn likeness_is_what_both_have_by_the_larger() {
        for (a, b, least, most) in [
            ("One, two, three.", "One, two, three.", 1.0, 1.0),
            ("One, two, three.", "three: two\none", 0.6, 0.8),
            ("aaaa. bbbb.", "aaaa. cccc.", 0.5, 0.5),
            ("aaaa.", "aaaa. bbbb. cccc. dddd.", 0.25, 0.25),
            ("aaaa. aaaa. aaaa.", "aaaa.", 0.3, 0.4),
            ("", "", 0.0, 0.0),
            ("x", "", 0.0, 0.0),
            ("  spaces   \r\n", "spaces", 1.0, 1.0),
        ] {
            let found = alike(a, b);
            assert!((least..=most).contains(&found), "{a:?} {b:?}: {found}");
            assert!((found - alike(b, a)).abs() < f64::EPSILON, "it is the same both ways");
        }
    }

    #[test]
    fn each_text_is_in_one_pair_and_the_best_pairs_go_first() {
        let words = |number: usize| -> String { (0..40).map(|n| format!("word {}. ", number * 100 + n)).collect() };
        let old: Vec<String> = (0..300).map(|n| format!("title: News\ndate: soon\n{}", words(n))).collect();
        let new: Vec<String> = (0..300).rev().map(|n| format!("title: New\n{} and more", words(n))).collect();
        let texts = |texts: &[String]| texts.iter().map(|text| Text::new("x", text.as_bytes())).collect::<Vec<_>>();
        let mut found = pairs(&texts(&old), &texts(&new), |_| 0.5);
        found.sort_unstable();
        let expected: Vec<_> = (0..300).map(|n| (n, 299 - n)).collect();
        assert_eq!(found, expected);
        assert!(pairs(&texts(&old), &texts(&new), |_| 0.99).is_empty());
        let same = vec!["the same words, all of them".to_owned(); 2];
        assert_eq!(pairs(&texts(&same), &texts(&same), |_| 0.5), [(0, 0), (1, 1)]);
    }

    #[test]
    fn among_equals_the_name_decides() {
        let text = b"the same words, all of them";
        let old = [Text::new("old/b.md", text), Text::new("old/a.md", text)];
        let new = [Text::new("new/a.md", text), Text::new("new/b.md", text)];
        assert_eq!(pairs(&old, &new, |_| 0.5), [(0, 1), (1, 0)]);
    }
}
