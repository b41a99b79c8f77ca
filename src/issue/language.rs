//! Translations: which language a document of a source with several languages is in. Pure.
//!
//! Each language is a newsletter of its own, with its own feeds and its own audience; they share the source. So a late
//! translation reaches those who asked for that language, and nobody else.

/// The languages of a source. Tags are compared without regard to case, and `pt_BR` is `pt-BR`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Languages {
    /// The newsletter's own language, as a BCP 47 tag.
    pub own: String,
    /// All languages of the source; documents without a mark are in the first. Empty: every document is the newsletter's.
    pub all: Vec<String>,
}

impl Languages {
    /// The language of a document: its `lang` key, else the suffix of its file name (`news.de.md`), else a folder (`de/news.md`),
    /// else the first language. `None` when the source has one language only and the document does not name it.
    #[must_use]
    pub fn of(&self, path: &str, key: Option<&str>) -> Option<String> {
        let Some(first) = self.all.first() else { return key.map(str::to_owned) };
        let marked =
            || suffix(path).and_then(|tag| self.known(tag)).or_else(|| folders(path).find_map(|tag| self.known(tag)));
        // A document that names a language none of the newsletters has is nobody's.
        let named = key.map(|tag| self.known(tag).unwrap_or(tag));
        Some(named.or_else(marked).unwrap_or(first).to_owned())
    }

    /// Whether a document in this language is the newsletter's.
    #[must_use]
    pub fn is_own(&self, language: Option<&str>) -> bool {
        self.all.is_empty() || language.is_some_and(|language| same(language, &self.own))
    }

    /// A file name without its extension and without the suffix of its language: translations have the same slug.
    #[must_use]
    pub fn unmarked<'a>(&self, stem: &'a str) -> &'a str {
        match stem.rsplit_once('.') {
            Some((name, tag)) if self.known(tag).is_some() => name,
            _ => stem,
        }
    }

    fn known(&self, tag: &str) -> Option<&str> {
        self.all.iter().map(String::as_str).find(|known| same(known, tag))
    }
}

fn same(a: &str, b: &str) -> bool {
    a.replace('_', "-").eq_ignore_ascii_case(&b.replace('_', "-"))
}

/// `de` of `2026/news.de.md`.
fn suffix(path: &str) -> Option<&str> {
    let file = path.rsplit('/').next()?;
    let (stem, _extension) = file.rsplit_once('.')?;
    stem.rsplit_once('.').map(|(_, tag)| tag)
}

/// The folders of a path, the innermost first.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.rsplit('/').skip(1)
}

/// Scripts that are written from right to left, by their ISO 15924 codes.
const RIGHT_TO_LEFT_SCRIPTS: &[&str] = &["adlm", "arab", "hebr", "mand", "nkoo", "rohg", "samr", "syrc", "thaa"];
/// Languages that are written so unless their tag names another script.
const RIGHT_TO_LEFT: &[&str] =
    &["ar", "arc", "ckb", "dv", "fa", "he", "iw", "ks", "nqo", "ps", "sd", "syr", "ug", "ur", "yi"];

/// `rtl` or `ltr`, for HTML's `dir`, from a BCP 47 tag.
#[must_use]
pub fn direction(tag: &str) -> &'static str {
    let tag = tag.to_ascii_lowercase();
    let mut parts = tag.split(['-', '_']);
    let language = parts.next().unwrap_or_default();
    // RFC 5646 section 2.2.3: a script has four letters, and nothing else in its place has.
    let script = parts.find(|part| part.len() == 4 && part.bytes().all(|byte| byte.is_ascii_alphabetic()));
    let right_to_left = match script {
        Some(script) => RIGHT_TO_LEFT_SCRIPTS.contains(&script),
        None => RIGHT_TO_LEFT.contains(&language),
    };
    if right_to_left { "rtl" } else { "ltr" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn languages(own: &str) -> Languages {
        Languages { own: own.into(), all: vec!["en".into(), "de".into(), "pt-BR".into()] }
    }

    #[test]
    fn a_document_is_in_the_language_of_its_key_its_suffix_or_its_folder() {
        for (path, key, language) in [
            ("news.md", None, "en"),
            ("news.de.md", None, "de"),
            ("news.DE.md", None, "de"),
            ("news.pt_br.md", None, "pt-BR"),
            ("de/news.md", None, "de"),
            ("content/de/2026/index.md", None, "de"),
            ("de/news.en.md", None, "en"),
            ("news.md", Some("de"), "de"),
            ("news.de.md", Some("en"), "en"),
            ("news.md", Some("fr"), "fr"),
            ("release-1.0.md", None, "en"),
            ("news.go.md", None, "en"),
        ] {
            assert_eq!(languages("en").of(path, key).as_deref(), Some(language), "{path} {key:?}");
        }
    }

    #[test]
    fn a_newsletter_takes_the_documents_of_its_own_language() {
        assert!(languages("de").is_own(Some("de")) && !languages("de").is_own(Some("en")));
        let one = Languages { own: "en".into(), all: vec![] };
        assert!(one.is_own(None) && one.is_own(Some("fr")), "without a list, everything is taken");
        assert_eq!((one.of("news.de.md", None), one.of("news.md", Some("fr"))), (None, Some("fr".into())));
    }

    #[test]
    fn translations_share_a_slug() {
        let languages = languages("de");
        assert_eq!(languages.unmarked("2026-01-05-news.de"), "2026-01-05-news");
        assert_eq!(languages.unmarked("2026-01-05-news"), "2026-01-05-news");
        assert_eq!(languages.unmarked("release-1.0"), "release-1.0");
    }

    #[test]
    fn the_direction_is_that_of_the_script() {
        for (tag, expected) in [
            ("en", "ltr"),
            ("ar", "rtl"),
            ("he-IL", "rtl"),
            ("FA_ir", "rtl"),
            ("az-Arab-IR", "rtl"),
            ("az-Arab", "rtl"),
            ("ar-Latn", "ltr"),
            ("zh-Hans-CN", "ltr"),
            ("ks-Deva", "ltr"),
            ("ja", "ltr"),
            ("", "ltr"),
        ] {
            assert_eq!(direction(tag), expected, "{tag}");
        }
    }
}
