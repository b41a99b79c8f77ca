//! The words of every language are whole, and what nobody translated is English.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::renderer::Templates;
use crate::types::AddressError;

fn built_in() -> Dictionary {
    Dictionary::read(&[]).unwrap()
}

fn keys(tag: &str) -> BTreeSet<String> {
    built_in().0[tag].keys().cloned().collect()
}

/// Everything that templates say, and what the code has for notices.
fn said() -> BTreeSet<String> {
    let mut said: BTreeSet<String> = MONTHS.iter().map(|month| (*month).to_owned()).collect();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("templates")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "html" || extension == "txt") {
                let text = std::fs::read_to_string(&path).unwrap();
                let calls = text.split("say(\"").skip(1);
                said.extend(calls.map(|call| call.split('"').next().unwrap().to_owned()));
            }
        }
    }
    said
}

#[test]
fn every_language_has_every_text_of_the_english_file_and_templates_say_no_other() {
    let english = keys("en");
    for tag in ["de", "es", "fr", "zh"] {
        assert_eq!(keys(tag), english, "{tag}");
    }
    let missing: Vec<_> = said().difference(&english).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}");
    for (key, text) in &built_in().0["en"] {
        assert_eq!(key, text);
    }
    let Labels { note, tip, important, warning, caution, to_text, to_section } = Labels::default();
    for label in [note, tip, important, warning, caution, to_text, to_section, "Picture".to_owned()] {
        assert!(english.contains(&label), "{label}");
    }
    for error in [AddressError::NoAt, AddressError::LocalLength, AddressError::LocalCharacter, AddressError::Domain] {
        assert!(english.contains(&format!("This address cannot be right: {error}.")), "{error}");
    }
}

#[test]
fn no_language_says_the_same_as_english_by_oversight() {
    for tag in ["de", "es", "fr", "zh"] {
        let dictionary = built_in();
        let same: Vec<_> = dictionary.0[tag].iter().filter(|(key, text)| key == text && key.contains(' ')).collect();
        assert!(same.len() <= 1, "{tag}: {same:?}"); // "{day} {month} {year}" in French
    }
}

#[test]
fn a_language_is_found_by_its_tag_or_its_first_part() {
    let dictionary = built_in();
    for (tag, subscribe, translated) in [
        ("en", "Subscribe", true),
        ("EN-gb", "Subscribe", true),
        ("de", "Abonnieren", true),
        ("de-AT", "Abonnieren", true),
        ("de_CH", "Abonnieren", true),
        ("zh-Hans-CN", "订阅", true),
        ("pl", "Subscribe", false),
        ("den", "Subscribe", false),
        ("", "Subscribe", false),
    ] {
        let phrases = dictionary.phrases(tag);
        assert_eq!((phrases.say("Subscribe"), phrases.are_translated()), (subscribe, translated), "{tag}");
    }
    assert_eq!(dictionary.phrases("de").say("Nobody translated this."), "Nobody translated this.");
}

#[test]
fn a_date_is_the_day_its_editor_wrote() {
    let dictionary = built_in();
    let date = DateTime::parse_from_rfc3339("2020-03-02T23:30:00-08:00").unwrap();
    for (language, words, month) in [
        ("en", "2 March 2020", "March"),
        ("EN-gb", "2 March 2020", "March"),
        ("de", "2. März 2020", "März"),
        ("es", "2 de marzo de 2020", "marzo"),
        ("fr", "2 mars 2020", "mars"),
        ("zh", "2020年3月2日", "3月"),
        ("pl", "2020-03-02", "2020-03"),
    ] {
        let phrases = dictionary.phrases(language);
        assert_eq!((phrases.date(date).as_str(), phrases.month(date).as_str()), (words, month), "{language}");
    }
}

#[test]
fn names_in_braces_are_filled_in_once() {
    let phrases = built_in();
    let phrases = phrases.phrases("zh");
    let values = [("title", "{count}"), ("count", "2")];
    assert_eq!(phrases.fill("{title} and {count} more", &values), "{count} 等（另有 2 期）");
    assert_eq!(phrases.fill("{a", &[("a", "x")]), "{a");
    assert_eq!(phrases.fill("{}{a}{", &[("a", "x"), ("", "y")]), "yx{");
    assert_eq!(phrases.fill("", &[]), "");
}

fn with(files: &[(&str, &str)]) -> Result<Templates, String> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("words")).unwrap();
    for (name, source) in files {
        std::fs::write(directory.path().join("words").join(name), source).unwrap();
    }
    let root = directory.path().display().to_string();
    Templates::load(Some(directory.path())).map_err(|error| error.to_string().replace(&root, "DIR"))
}

#[test]
fn an_operator_adds_a_language_or_changes_single_words() {
    let templates = with(&[
        ("pl.toml", "\"Subscribe\" = \"Zapisz się\"\n"),
        ("de-AT.toml", "\"January\" = \"Jänner\"\n"),
        ("en.toml", "\"Subscribe\" = \"Join us\"\n"),
    ])
    .unwrap();
    assert_eq!(templates.phrases("pl-PL").say("Subscribe"), "Zapisz się");
    assert_eq!(templates.phrases("pl").say("Unsubscribe"), "Unsubscribe");
    assert_eq!(templates.phrases("de-AT").say("January"), "Jänner");
    assert_eq!(templates.phrases("de-AT").say("Subscribe"), "Abonnieren");
    assert_eq!(templates.phrases("de").say("January"), "Januar");
    assert_eq!(templates.phrases("en").say("Subscribe"), "Join us");
    assert_eq!(Labels::from(templates.phrases("de-AT")).tip, "Tipp");
    assert_ne!(templates.words_digest(), Templates::load(None).unwrap().words_digest(), "issues are rendered again");
}

#[test]
fn a_wrong_file_of_words_says_what_and_where() {
    for (source, message) in [
        (
            "\"Save\" = \"Zapisz\"\n\"Subscribe!\" = \"x\"\n",
            "template DIR/words/pl.toml:2: \"Subscribe!\" is no text of ours; templates/words/en.toml has them all",
        ),
        (
            "\"{count} issues\" = \"wydania\"\n",
            "template DIR/words/pl.toml:1: the text for \"{count} issues\" must have the same words in braces: count",
        ),
        ("\"Save\" = 1\n", "template DIR/words/pl.toml:1: invalid type: integer `1`, expected a string"),
    ] {
        assert_eq!(with(&[("pl.toml", source)]).map(|_| ()), Err(message.to_owned()), "{source}");
    }
}
