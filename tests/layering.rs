//! A module imports only from modules above it in `src/lib.rs`; ports and roles never import each other.
#![allow(clippy::unwrap_used, clippy::panic)] // a test that cannot go on has failed

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The layers, lowest first. Modules on one line may import each other only where `FREE` says so.
const LAYERS: &[&[&str]] = &[
    &["chance", "clock", "types"],
    &["issue", "delivery", "schedule", "site", "subscription", "websub"],
    &["bounce", "feed", "digest"],
    &["message"],
    &["renderer"],
    &["config"],
    &["letters", "tls"],
    &["content", "hub", "mailbox", "store", "transport"],
    &["watcher", "scheduler", "sender", "distributor", "housekeeper", "receiver", "status", "control"],
    &["http"],
    &["app", "cli"],
];

/// Pairs within one line that may meet: wiring is one layer.
const FREE: &[(&str, &str)] = &[("app", "cli"), ("cli", "app"), ("issue", "types")];

/// What the core must not touch.
const IMPURE: &[&str] =
    &["async fn", "tokio::", "sqlx::", "axum::", "std::fs", "std::env", "std::net", "std::process", "reqwest"];
const CORE: &[&str] =
    &["bounce", "issue", "delivery", "schedule", "site", "subscription", "websub", "feed", "digest", "message"];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The code of each file without comments and without its test module, with its top module.
fn files() -> Vec<(String, PathBuf, String)> {
    let mut paths = Vec::new();
    sources(Path::new("src"), &mut paths);
    paths
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|name| name != "lib.rs" && name != "main.rs"))
        .map(|path| {
            let below = path.strip_prefix("src").unwrap();
            let first = below.components().next().unwrap().as_os_str().to_string_lossy();
            let module = first.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            let code = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
            (module, path, code)
        })
        .collect()
}

/// Top modules that a file names as `crate::NAME` or inside `use crate::{NAME, ...}`.
fn imports(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => names.push(std::mem::take(&mut name)),
                    _ if depth == 0 => name.push(c),
                    _ => {}
                }
            }
            names.push(name);
        } else {
            names.push(rest.to_owned());
        }
    }
    names
        .into_iter()
        .map(|name| name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .collect()
}

#[test]
fn every_import_points_to_a_lower_layer() {
    let level: HashMap<&str, usize> =
        LAYERS.iter().enumerate().flat_map(|(i, names)| names.iter().map(move |name| (*name, i))).collect();
    let mut wrong = Vec::new();
    for (module, path, code) in files() {
        let here = *level.get(module.as_str()).unwrap_or_else(|| panic!("src/{module} is in no layer of this test"));
        for import in imports(&code) {
            let Some(there) = level.get(import.as_str()) else { continue };
            let fine =
                import == module || *there < here || here == 0 || FREE.contains(&(module.as_str(), import.as_str()));
            if !fine {
                wrong.push(format!("{} imports crate::{import}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports that point up or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn the_core_is_pure() {
    let mut wrong = Vec::new();
    for (module, path, code) in files().into_iter().filter(|(module, ..)| CORE.contains(&module.as_str())) {
        for word in IMPURE {
            if code.contains(word) {
                wrong.push(format!("{} ({module}) uses {word}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "the core touches the world:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_says_what_it_owns() {
    let mut paths = Vec::new();
    sources(Path::new("src"), &mut paths);
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{} has no //! comment", path.display());
    }
}

#[test]
fn this_test_reads_the_imports_it_claims_to_read() {
    let code = "use crate::{types::{Slug, Secret}, store::Store};\nlet x = crate::http::serve();";
    assert_eq!(imports(code), ["types", "store", "http"]);
}
