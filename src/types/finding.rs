//! A finding is data: which rule, where, what, and what to do about it.

use std::fmt;

/// The place a finding speaks of. Lines and columns count from 1; `None` means the whole file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Place {
    /// Path of the file, relative to the content source or the working directory, with `/`.
    pub path: String,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column in characters, from 1.
    pub column: Option<u32>,
}

impl Place {
    /// A whole file.
    #[must_use]
    pub fn file(path: impl Into<String>) -> Self {
        Self { path: path.into(), line: None, column: None }
    }

    /// A line of a file.
    #[must_use]
    pub fn line(path: impl Into<String>, line: u32) -> Self {
        Self { path: path.into(), line: Some(line), column: None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        Ok(())
    }
}

/// The rules a document can break. The wire form (`as_str`) is stable: operators filter by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// The file is not valid UTF-8.
    NotUtf8,
    /// The file or its header is larger than the limit.
    TooLarge,
    /// The header between the front matter marks does not parse, or is not closed.
    BrokenFrontMatter,
    /// A header key has a value of the wrong kind.
    BadField,
    /// No title in the header.
    NoTitle,
    /// No date in the header, or one that does not parse.
    NoDate,
    /// Two documents claim the same identity or the same slug.
    Duplicate,
    /// The text is made by a site generator: loops, includes, links that a template fills in.
    NeedsGenerator,
    /// The page that the site generator makes of it is not there, or has no text where the text should be.
    NotBuilt,
    /// Something that only a site generator understands is left out; the rest is published.
    TemplateRemains,
    /// The path is one that is never read: a link, a submodule, an odd name.
    UnsafePath,
    /// A new issue is dated long ago: published, not mailed.
    BackDated,
    /// Many new issues came at once: published, not mailed.
    Bulk,
    /// An issue is unfinished: published, not mailed.
    Stub,
}

impl Rule {
    /// Every rule, for `--help` and for reading the wire form back.
    pub const ALL: [Self; 14] = [
        Self::NotUtf8,
        Self::TooLarge,
        Self::BrokenFrontMatter,
        Self::BadField,
        Self::NoTitle,
        Self::NoDate,
        Self::Duplicate,
        Self::NeedsGenerator,
        Self::NotBuilt,
        Self::TemplateRemains,
        Self::UnsafePath,
        Self::BackDated,
        Self::Bulk,
        Self::Stub,
    ];

    /// The stable name, such as `no-date`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotUtf8 => "not-utf8",
            Self::TooLarge => "too-large",
            Self::BrokenFrontMatter => "broken-front-matter",
            Self::BadField => "bad-field",
            Self::NoTitle => "no-title",
            Self::NoDate => "no-date",
            Self::Duplicate => "duplicate",
            Self::NeedsGenerator => "needs-generator",
            Self::NotBuilt => "not-built",
            Self::TemplateRemains => "template-remains",
            Self::UnsafePath => "unsafe-path",
            Self::BackDated => "back-dated",
            Self::Bulk => "bulk",
            Self::Stub => "stub",
        }
    }

    /// Reads the stable name back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == text)
    }
}

/// Why a document is held, or what `check` has to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule.
    pub rule: Rule,
    /// Where.
    pub place: Place,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What the editor should do, as an imperative sentence.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({}). {}", self.place, self.message, self.rule.as_str(), self.remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_as_place_message_rule_remedy() {
        let finding = Finding {
            rule: Rule::NoDate,
            place: Place::line("2020/03.md", 3),
            message: "the date \"soon\" is not a date".into(),
            remedy: "Write it as 2020-03-12.".into(),
        };
        assert_eq!(
            finding.to_string(),
            "2020/03.md:3: the date \"soon\" is not a date (no-date). Write it as 2020-03-12."
        );
    }

    #[test]
    fn rules_read_back() {
        for rule in Rule::ALL {
            assert_eq!(Rule::parse(rule.as_str()), Some(rule));
        }
    }
}
