//! Names that are safe in a URL path, a file name, an environment variable and a mail header.

use std::fmt;

/// A name of 1 to 100 characters from `a-z`, `0-9` and `-`, not starting or ending with `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(String);

/// Why a text is not a [`Slug`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a name: use 1 to 100 lower-case letters a-z, digits and hyphens, with no hyphen at either end")]
pub struct SlugError(String);

impl Slug {
    /// Long enough for any title in use, short enough for a file name on every file system.
    pub(super) const MAX: usize = 100;

    /// Accepts a text that already is a slug.
    ///
    /// # Errors
    /// When the text is empty, too long, or has a character outside `a-z0-9-`.
    pub fn parse(text: &str) -> Result<Self, SlugError> {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let wrong = text.is_empty()
            || text.len() > Self::MAX
            || text.starts_with('-')
            || text.ends_with('-')
            || !text.chars().all(legal);
        if wrong {
            return Err(SlugError(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// Makes a slug of any text: ASCII letters and digits are kept in lower case, every run of
    /// anything else becomes one hyphen. `None` when nothing is left (a title in Chinese, say).
    #[must_use]
    pub fn from_words(text: &str) -> Option<Self> {
        let mut slug = String::new();
        for c in text.chars() {
            if c.is_ascii_alphanumeric() {
                slug.push(c.to_ascii_lowercase());
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
            if slug.len() >= Self::MAX {
                break;
            }
        }
        let slug = slug.trim_end_matches('-');
        Self::parse(slug).ok()
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! named {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Slug);

        impl $name {
            /// Accepts a text that is a [`Slug`].
            ///
            /// # Errors
            /// When the text is not a slug.
            pub fn parse(text: &str) -> Result<Self, SlugError> {
                Slug::parse(text).map(Self)
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

named!(
    /// The name of a newsletter, as in `[newsletters.NAME]` and in its URLs. Stable for ever: feed ids derive from it.
    NewsletterId
);
named!(
    /// The name of a cadence of one newsletter, as in `[newsletters.NAME.cadences.CADENCE]`.
    CadenceId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_lower_case_letters_digits_and_inner_hyphens() {
        for good in ["a", "2020", "this-month-in-tikv", "a--b"] {
            assert_eq!(Slug::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "-a", "a-", "A", "a b", "ä", "a/b", "..", &"x".repeat(101)] {
            assert!(Slug::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn words_become_a_slug_and_nothing_becomes_none() {
        assert_eq!(Slug::from_words("This Month: Février 2020!").unwrap().as_str(), "this-month-f-vrier-2020");
        assert_eq!(Slug::from_words("周刊"), None);
        assert_eq!(Slug::from_words(&"long ".repeat(50)).unwrap().as_str().len(), 99);
    }
}
