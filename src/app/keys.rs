//! Reads the keys that sign mail. A private key is private: a file that others on the machine may read is refused.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, bail, ensure};

use crate::config::{Config, Newsletter};
use crate::message::{Signers, SigningKey};

/// The keys of every newsletter.
///
/// # Errors
/// Which file is missing, readable by others or no key, and what to do.
pub fn signers(config: &Config) -> anyhow::Result<Signers> {
    let mut signers = Signers::default();
    let mut texts: BTreeMap<&Path, String> = BTreeMap::new();
    for newsletter in &config.newsletters {
        let mut keys = Vec::new();
        for (selector, path) in &newsletter.dkim.keys {
            if !texts.contains_key(path.as_path()) {
                texts.insert(path, private_file(path).with_context(|| place(newsletter))?);
            }
            let pem = texts.get(path.as_path()).map(String::as_str).unwrap_or_default();
            let key = SigningKey::from_pem(&newsletter.dkim.domain, selector, pem);
            keys.push(key.with_context(|| format!("{}: {} is no DKIM key", place(newsletter), path.display()))?);
        }
        signers.insert(newsletter.id.clone(), keys);
    }
    Ok(signers)
}

fn place(newsletter: &Newsletter) -> String {
    format!("dkim_keys of newsletter {}", newsletter.id)
}

/// The text of a file that nobody but its owner may read.
fn private_file(path: &Path) -> anyhow::Result<String> {
    let shown = path.display();
    let missing = || format!("{shown} cannot be read; `tidings dkim keygen` makes keys");
    // The permissions of the open file, so that nobody can change it in between.
    let mut file = std::fs::File::open(path).with_context(missing)?;
    let metadata = file.metadata().with_context(missing)?;
    ensure!(metadata.is_file(), "{shown} is not a file");
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        bail!("{shown} is a private key that others may read (mode {mode:o}); run: chmod 600 {shown}");
    }
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(missing)?;
    Ok(text)
}
