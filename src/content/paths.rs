//! Which paths are documents, and which paths are never touched.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::SourceError;
use crate::types::{Finding, Place, Rule};

/// More documents than any newsletter has issues: a source that selects more points at the wrong folder.
pub(super) const MAX_DOCUMENTS: usize = 50_000;

/// The longest path, in bytes, that is read. Databases and URLs have limits not far above.
pub(super) const MAX_PATH: usize = 1000;

/// The include and exclude patterns of a source.
#[derive(Debug)]
pub(super) struct Patterns {
    include: GlobSet,
    exclude: GlobSet,
}

impl Patterns {
    pub(super) fn new(include: &[String], exclude: &[String]) -> Result<Self, SourceError> {
        Ok(Self { include: set(include)?, exclude: set(exclude)? })
    }

    /// Whether a path, relative to the root of the source, is a document. Hidden files and folders never are.
    pub(super) fn select(&self, path: &str) -> bool {
        !is_hidden(path) && self.include.is_match(path) && !self.exclude.is_match(path)
    }

    /// Whether the patterns name a path that no honest program writes into a tree: one with `.`, `..`, `.git` or nothing between two
    /// slashes. It is told of, where a hidden file is passed over.
    pub(super) fn names_odd(&self, path: &str) -> bool {
        let odd = |part: &str| matches!(part, "" | "." | "..") || part.eq_ignore_ascii_case(".git");
        path.split('/').any(odd) && self.include.is_match(path) && !self.exclude.is_match(path)
    }
}

fn set(patterns: &[String]) -> Result<GlobSet, SourceError> {
    let refuse = |pattern: &str, error: &globset::Error| SourceError::Pattern {
        pattern: pattern.to_owned(),
        why: error.kind().to_string(),
    };
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        // `*` stays within a folder, as in a shell and in .gitignore; `**` crosses them.
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        set.add(glob.map_err(|error| refuse(pattern, &error))?);
    }
    set.build().map_err(|error| refuse(error.glob().unwrap_or("the list"), &error))
}

/// A file or folder whose name starts with a dot: `.git`, `.github`, editors' leftovers.
pub(super) fn is_hidden(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with('.'))
}

/// Whether a path stays below the root and can stand in a message and a URL. Hidden parts, so also `.` and `..`, are
/// refused: `asset` must not serve `.git/config`.
pub(super) fn is_plain(path: &str) -> bool {
    !path.split('/').any(str::is_empty) && !is_hidden(path) && !path.contains(['\\']) && !has_controls(path)
}

/// Whether a path has control characters.
pub(super) fn has_controls(path: &str) -> bool {
    path.chars().any(char::is_control)
}

/// A selected path that is not read.
pub(super) fn refused(path: &str, message: &str, remedy: &str) -> Finding {
    let mut shown: String = path.chars().take(MAX_PATH).flat_map(shown).collect();
    if path.chars().count() > MAX_PATH {
        shown.push_str("...");
    }
    Finding { rule: Rule::UnsafePath, place: Place::file(shown), message: message.into(), remedy: remedy.into() }
}

/// A link, refused.
pub(super) fn refused_link(path: &str) -> Finding {
    refused(path, "it is a symbolic link, and links are not followed", "Replace it with the file, or exclude it.")
}

/// A name that is not UTF-8 or has control characters, refused.
pub(super) fn refused_name(path: &str) -> Finding {
    refused(path, "its name has bytes that cannot stand in a URL", "Rename it.")
}

/// A path as long as a tree that was made to do harm has, refused.
pub(super) fn refused_length(path: &str) -> Finding {
    refused(path, &format!("its path is longer than {MAX_PATH} bytes"), "Move it up, or exclude its folder.")
}

/// A path that would leave the folder it is in, refused.
pub(super) fn refused_odd(path: &str) -> Finding {
    refused(path, "its path has a part that is empty, `.`, `..` or `.git`", "Remove it from the tree.")
}

/// The second entry of a tree with the same name, refused.
pub(super) fn refused_double(path: &str) -> Finding {
    refused(path, "the tree has two entries of this name", "Remove one of them.")
}

/// A character, escaped where a terminal would obey it.
fn shown(c: char) -> impl Iterator<Item = char> {
    let (plain, escaped) = if c.is_control() { (None, Some(c.escape_default())) } else { (Some(c), None) };
    plain.into_iter().chain(escaped.into_iter().flatten())
}

/// Refuses a source that selects too much.
pub(super) fn check_count(what: &str, count: usize) -> Result<(), SourceError> {
    if count <= MAX_DOCUMENTS {
        return Ok(());
    }
    Err(SourceError::TooMany { what: what.to_owned(), count })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(include: &[&str], exclude: &[&str]) -> Result<Patterns, SourceError> {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        Patterns::new(&owned(include), &owned(exclude))
    }

    #[test]
    fn patterns_select_paths_below_the_root() {
        let patterns = patterns(&["**/*.md", "**/*.markdown"], &["**/README.md", "**/_*.md", "drafts/**"]).unwrap();
        for (path, selected) in [
            ("a.md", true),
            ("2020/03/a.markdown", true),
            ("a.MD", false),
            ("a.txt", false),
            ("README.md", false),
            ("2020/README.md", false),
            ("2020/_draft.md", false),
            ("drafts/x/a.md", false),
            (".github/a.md", false),
            ("x/.a.md", false),
        ] {
            assert_eq!(patterns.select(path), selected, "{path}");
        }
        assert!(!super::Patterns::new(&["*.md".into()], &[]).unwrap().select("x/a.md"));
        for (path, odd) in
            [("../a.md", true), ("x/./a.md", true), ("/a.md", true), (".Git/a.md", true), (".hidden/a.md", false)]
        {
            assert_eq!(patterns.names_odd(path), odd, "{path}");
        }
        assert!(!patterns.names_odd("../a.txt"), "nobody asked for it");
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let error = patterns(&["**/*.md", "a[b"], &[]).unwrap_err();
        assert!(error.to_string().starts_with("\"a[b\" is not a pattern: unclosed character class"), "{error}");
    }

    #[test]
    fn plain_paths_stay_below_the_root() {
        for path in ["a.png", "images/a b.png", "é/ü.png"] {
            assert!(is_plain(path), "{path}");
        }
        for path in ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", ".git/config", "a\nb", "a\\b", "a\0"] {
            assert!(!is_plain(path), "{path:?}");
        }
    }

    #[test]
    fn a_refused_name_is_shown_escaped() {
        assert_eq!(refused_name("a\u{1b}[31m.md").place.path, "a\\u{1b}[31m.md");
    }
}
