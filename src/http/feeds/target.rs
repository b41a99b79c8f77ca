//! Which document of which feed a path names. Pure.

use crate::feed::Format;
use crate::feed::plan::ARCHIVE;
use crate::types::{FacetId, FacetKind};

/// What a path below a newsletter names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Target {
    /// The tag or author; `None` for the newsletter itself.
    pub facet: Option<FacetId>,
    pub name: Name,
    pub format: Format,
}

/// A document by what its path says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Name {
    /// `atom.xml`
    Current,
    /// `archive/3-0a1b2c3d4e5f/atom.xml`: as it is for ever.
    Archived { number: usize, folder: String },
    /// `archive/3/atom.xml`: as it is now.
    Numbered(usize),
}

impl Target {
    /// Reads a path such as `tags/rust/archive/3/atom.xml`. It need not be decoded: nothing in such a path is ever encoded.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').collect();
        let (file, folders) = parts.split_last()?;
        let format = Format::of_file(file)?;
        let (facet, rest) = match folders {
            [folder, slug, rest @ ..] if FacetKind::of_folder(folder).is_some() => {
                (Some(FacetId::parse(FacetKind::of_folder(folder)?, slug).ok()?), rest)
            }
            rest => (None, rest),
        };
        let name = match rest {
            [] => Name::Current,
            [archive, document] if *archive == ARCHIVE => Name::archived(document)?,
            _ => return None,
        };
        Some(Self { facet, name, format })
    }
}

impl Name {
    fn archived(document: &str) -> Option<Self> {
        let number = |text: &str| text.parse().ok().filter(|number: &usize| *number > 0 && number.to_string() == text);
        Some(match document.split_once('-') {
            Some((digits, _)) => Self::Archived { number: number(digits)?, folder: format!("{ARCHIVE}/{document}/") },
            None => Self::Numbered(number(document)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_one_document_or_none() {
        let tag = |slug| Some(FacetId::parse(FacetKind::Tag, slug).unwrap());
        let author = Some(FacetId::parse(FacetKind::Author, "archive").unwrap());
        let version = Name::Archived { number: 3, folder: "archive/3-aa/".into() };
        for (path, facet, name, format) in [
            ("atom.xml", None, Name::Current, Format::Atom),
            ("tags/rust/rss.xml", tag("rust"), Name::Current, Format::Rss),
            ("archive/3-aa/feed.json", None, version.clone(), Format::Json),
            ("archive/12/atom.xml", None, Name::Numbered(12), Format::Atom),
            ("tags/archive/archive/3-aa/atom.xml", tag("archive"), version, Format::Atom),
            ("authors/archive/rss.xml", author, Name::Current, Format::Rss),
        ] {
            assert_eq!(Target::parse(path), Some(Target { facet, name, format }), "{path}");
        }
        for path in [
            "",
            "atom",
            "/atom.xml",
            "x/atom.xml",
            "tags/atom.xml",
            "tags//atom.xml",
            "tags/A/atom.xml",
            "archive/atom.xml",
            "archive/0/atom.xml",
            "archive/03/atom.xml",
            "archive/x-1/atom.xml",
            "archive/1/2/atom.xml",
            "tags/a/b/atom.xml",
            "archive/99999999999999999999999/atom.xml",
        ] {
            assert_eq!(Target::parse(path), None, "{path}");
        }
    }
}
