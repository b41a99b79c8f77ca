//! The documents of a newsletter by path, and by the names that site generators let an editor use for them.

use std::collections::HashMap;

use url::Url;

/// Documents of one name that are looked at: more than one is rare, and hundreds would be `readme`.
const MOST: usize = 64;

/// Public URLs by path.
#[derive(Debug, Default)]
pub struct Documents {
    pages: HashMap<String, Url>,
    /// Paths in order, by the last part of the short path.
    names: HashMap<String, Vec<String>>,
}

impl From<HashMap<String, Url>> for Documents {
    fn from(pages: HashMap<String, Url>) -> Self {
        let mut paths: Vec<_> = pages.keys().cloned().collect();
        paths.sort_by_key(|path| (path.len(), path.clone()));
        let mut names: HashMap<String, Vec<String>> = HashMap::new();
        for path in paths {
            names.entry(last(short(&path)).to_owned()).or_default().push(path);
        }
        Self { pages, names }
    }
}

impl Documents {
    /// The page of the document at exactly this path below the root of the source.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Url> {
        self.pages.get(path)
    }

    /// The page of the document that `name` means in the document at `from`: with or without extension, below the
    /// folder of `from`, below the root, or as a part of a path. The source may be a folder of the site's content or hold it.
    #[must_use]
    pub fn named(&self, name: &str, from: &str) -> Option<&Url> {
        let (folder, _) = from.rsplit_once('/').unwrap_or_default();
        let below = if name.starts_with('/') { String::new() } else { joined(folder, name) };
        let plain = joined("", name);
        let (below, wanted) = (short(&below), short(&plain));
        if wanted.is_empty() {
            return None;
        }
        let candidates = || self.names.get(last(wanted)).into_iter().flatten().take(MOST);
        let longer = |long: &str, end: &str| long.strip_suffix(end).is_some_and(|rest| rest.ends_with('/'));
        let exact = self.names.get(last(below)).into_iter().flatten().take(MOST).find(|path| short(path) == below);
        let found = exact
            .or_else(|| candidates().find(|path| short(path) == wanted))
            .or_else(|| candidates().find(|path| longer(short(path), wanted)))
            .or_else(|| candidates().find(|path| longer(wanted, short(path))));
        self.pages.get(found?)
    }
}

/// A path without extension, and without `index`.
fn short(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    let stem = path.strip_suffix(".md").or_else(|| path.strip_suffix(".markdown")).unwrap_or(path);
    stem.strip_suffix("/index").or_else(|| stem.strip_suffix("/_index")).unwrap_or(stem)
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// A path below a folder, its dot segments resolved; nothing climbs above the root.
fn joined(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_found_by_every_name_that_generators_know() {
        let paths = ["blog/2026-01-05-january.md", "blog/003/index.md", "other/003/index.md", "february.markdown"];
        let pages = paths.iter().map(|path| ((*path).to_owned(), Url::parse(&format!("x:{path}")).unwrap()));
        let documents = Documents::from(pages.collect::<HashMap<_, _>>());
        let of = |name: &str, from: &str| documents.named(name, from).map(|url| url.path().to_owned());
        for (name, from, path) in [
            ("2026-01-05-january", "x.md", Some(paths[0])),
            ("2026-01-05-january.md", "blog/a.md", Some(paths[0])),
            ("./2026-01-05-january.md", "blog/a.md", Some(paths[0])),
            ("/_posts/blog/2026-01-05-january", "a.md", Some(paths[0])),
            ("003", "blog/a.md", Some(paths[1])),
            ("003", "other/a.md", Some(paths[2])),
            ("../003/index.md", "other/004/index.md", Some(paths[2])),
            ("/content/february.md", "a.md", Some(paths[3])),
            ("january", "a.md", None),
            ("", "a.md", None),
            ("../..", "a.md", None),
        ] {
            assert_eq!(of(name, from).as_deref(), path, "{name} from {from}");
        }
    }
}
