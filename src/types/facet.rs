//! What readers follow besides a whole newsletter: a tag or an author.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::{Slug, SlugError, hex};

/// The kinds of facets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FacetKind {
    /// A tag of issues.
    Tag,
    /// Someone who wrote issues.
    Author,
}

impl FacetKind {
    /// All of them, in the order pages list them.
    pub const ALL: [Self; 2] = [Self::Tag, Self::Author];

    /// The folder of its pages and feeds below the newsletter's URL.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::Tag => "tags",
            Self::Author => "authors",
        }
    }

    /// The kind whose folder this is.
    #[must_use]
    pub fn of_folder(folder: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.folder() == folder)
    }

    /// Its name in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Author => "author",
        }
    }

    /// Reads [`Self::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A tag or an author by what its URL says. Names that slug alike are one facet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FacetId {
    /// Tag or author.
    pub kind: FacetKind,
    /// Its name in URLs; derives from the name in words, see [`Facet::new`].
    pub slug: Slug,
}

impl FacetId {
    /// Reads the two parts of its URL.
    ///
    /// # Errors
    /// When `slug` is not a slug.
    pub fn parse(kind: FacetKind, slug: &str) -> Result<Self, SlugError> {
        Ok(Self { kind, slug: Slug::parse(slug)? })
    }
}

/// `tags/release`: the path of its pages below the newsletter's URL.
impl fmt::Display for FacetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.folder(), self.slug)
    }
}

/// A tag or an author with its name in words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Facet {
    /// Its identity.
    pub id: FacetId,
    /// The name as an issue writes it.
    pub name: String,
}

/// Hex digits of a hash that stands for what a slug cannot say. A newsletter has hundreds of tags: two in 2^32 do not meet.
const HASHED: usize = 8;

impl Facet {
    /// The facet of this name; `None` when the name is blank.
    ///
    /// The slug is the name in lower case without accents. Where that loses letters (`周刊`) or length, a hash of the name follows what
    /// is left, so that two such names do not meet; `C`, `C++` and `C#` are three tags.
    #[must_use]
    pub fn new(kind: FacetKind, name: &str) -> Option<Self> {
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
        if name.is_empty() {
            return None;
        }
        let (words, whole) = ascii(&name);
        let short = |slug: &Slug| slug.as_str().len() + HASHED < Slug::MAX;
        let id = match Slug::from_words(&words).filter(|slug| whole && short(slug)) {
            Some(slug) => slug,
            None => {
                let known: String = name.nfkc().flat_map(char::to_lowercase).collect();
                let hash = digest(&SHA256, known.as_bytes());
                let hash = hex(hash.as_ref().iter().take(HASHED / 2));
                let kept: String = words.chars().take(Slug::MAX - HASHED - 1).collect();
                Slug::from_words(&format!("{kept}-{hash}"))?
            }
        };
        Some(Self { id: FacetId { kind, slug: id }, name })
    }

    /// The facets of an issue, in the order of its tags and then its authors, without repeats.
    #[must_use]
    pub fn all(tags: &[String], authors: &[String]) -> Vec<Self> {
        let named = |kind, names: &[String]| names.iter().filter_map(|name| Self::new(kind, name)).collect::<Vec<_>>();
        let mut all = named(FacetKind::Tag, tags);
        all.extend(named(FacetKind::Author, authors));
        let mut seen = std::collections::HashSet::new();
        all.retain(|facet| seen.insert(facet.id.clone()));
        all
    }
}

/// The name in ASCII words, and whether that says all of it.
fn ascii(name: &str) -> (String, bool) {
    let (mut words, mut whole) = (String::new(), true);
    for c in name.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        match c {
            '+' => words.push_str(" plus "),
            // C# is a language, #rust is a habit.
            '#' if words.ends_with(|before: char| before.is_ascii_alphanumeric()) => words.push_str(" sharp "),
            '\u{2010}'..='\u{2027}' | '«' | '»' | '·' => words.push(' '),
            c if c.is_ascii() => words.push(c),
            c if c.is_whitespace() => words.push(' '),
            c => match plain(c) {
                Some(letters) => words.push_str(letters),
                None => {
                    whole = false;
                    words.push(' ');
                }
            },
        }
    }
    (words, whole)
}

/// A text in lower case and without accents: what people mean when they type it.
pub(crate) fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        match plain(c) {
            Some(letters) => folded.push_str(letters),
            None => folded.push(c),
        }
    }
    folded
}

/// Letters that no decomposition turns into ASCII.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ı' => "i",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slug(name: &str) -> String {
        Facet::new(FacetKind::Tag, name).unwrap().id.slug.to_string()
    }

    #[test]
    fn slugs_never_change() {
        // If this fails, feeds that people subscribed to have moved.
        for (name, expected) in [
            ("Release", "release"),
            ("  Ada   Lovelace\n", "ada-lovelace"),
            ("C", "c"),
            ("C++", "c-plus-plus"),
            ("C#", "c-sharp"),
            ("#rust", "rust"),
            ("Node.js & friends", "node-js-friends"),
            ("Zoë Müller-Strauß", "zoe-muller-strauss"),
            ("Łukasz Ørsted", "lukasz-orsted"),
            ("it’s “new”", "it-s-new"),
            ("周刊", "89ec2aa8"),
            ("Rust 周刊", "rust-12faa1d8"),
            ("\u{1F980}", "7224c588"),
        ] {
            assert_eq!(slug(name), expected, "{name}");
        }
    }

    #[test]
    fn names_that_differ_in_letters_are_different_and_in_case_are_not() {
        assert_ne!(slug("周刊"), slug("周报"));
        assert_eq!(slug("Новости"), slug("новости"));
        assert_eq!(slug("Rust"), slug("rust"));
        assert_ne!(slug(&format!("{}a", "x".repeat(120))), slug(&format!("{}b", "x".repeat(120))));
        assert_eq!(Facet::new(FacetKind::Tag, " \t"), None);
    }

    #[test]
    fn an_issue_has_each_facet_once() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let all = Facet::all(&names(&["Rust", "rust", "", "C"]), &names(&["Rust"]));
        let paths: Vec<_> = all.iter().map(|facet| facet.id.to_string()).collect();
        assert_eq!(paths, ["tags/rust", "tags/c", "authors/rust"]);
        assert_eq!(all[0].name, "Rust");
    }
}
