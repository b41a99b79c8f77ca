//! `[newsletters.NAME]` and below, with what `[defaults]` adds.

use std::time::Duration;

use chrono_tz::Tz;

use super::super::model::{Cadence, Newsletter, Pages, Source, SourcePlace};
use super::super::reader::Reader;
use super::super::values::{self, Problem};
use super::identity::identity;
use crate::feed::plan::Limits;
use crate::issue::news::Caution;
use crate::issue::permalink::Permalink;
use crate::issue::{Languages, Reading};
use crate::types::{CadenceId, NewsletterId, Secret};

/// Looking at a source more often than this is a busy loop.
const SHORTEST_POLL: Duration = Duration::from_secs(1);

/// A mail without content takes some kilobytes; less than this would leave nothing of an issue.
const SMALLEST_HTML: i64 = 20_000;

/// Reads `[newsletters]`. `relays` are the names that `relays` may have, when mail goes to any.
pub(super) fn newsletters(r: &mut Reader<'_>, relays: Option<&[&str]>) -> Option<Vec<Newsletter>> {
    let names = r.names("newsletters");
    if names.is_empty() {
        if !r.is_broken("newsletters") {
            let remedy = "Write a section [newsletters.NAME], as config/tidings.toml shows.";
            r.refuse_section("newsletters", "there is no newsletter", remedy);
        }
        return None;
    }
    let read: Vec<_> = names.iter().map(|name| newsletter(r, name, relays)).collect();
    read.into_iter().collect()
}

fn newsletter(r: &mut Reader<'_>, name: &str, known: Option<&[&str]>) -> Option<Newsletter> {
    let section = format!("newsletters.{name}");
    let own = |key: &str| format!("{section}.{key}");
    // A key of the newsletter, else the same key of [defaults].
    let both = |key: &str| (own(key), format!("defaults.{key}"));
    let title = r.must(&[&own("title")], values::line);
    let description = r.may(&[&own("description")], values::line);
    let mut inherited = Inherited { r, both: &both };
    let language = inherited.must("language", values::language);
    let from = inherited.must("from", values::mailbox);
    let postal_address = inherited.may("postal_address", values::line);
    let html_limit = inherited.number("html_limit", SMALLEST_HTML..=10_000_000);
    let timezone = inherited.must("timezone", values::timezone);
    let poll = inherited.must("poll", |text| values::at_least(SHORTEST_POLL, text));
    let settle = inherited.must("settle", values::duration);
    let publish_future = inherited.must("future", |text| values::choice(text, &[("wait", false), ("publish", true)]));
    let max_age = inherited.must("max_age", values::duration);
    let max_new = inherited.number("max_new", 0..=1_000_000);
    let min_length = inherited.number("min_length", 0..=1_000_000);
    let feed_entries = inherited.number("feed_entries", 1..=1000);
    let feed_kilobytes = inherited.number("feed_kilobytes", 16..=65_536);
    let icon = r.may(&[&own("icon")], values::picture);
    let logo = r.may(&[&own("logo")], values::picture);
    let reading = reading(r, &section, timezone.unwrap_or(Tz::UTC), language.as_deref());
    let identity = identity(r, &section, from.as_ref());
    let fields = r.list(&[&own("fields"), "defaults.fields"], values::field);
    let relays = relays(r, &section, known);
    let permalink = permalink(r, &section);
    let source = source(r, &section);
    let pages = pages(r, &section);
    // With a zone that does not parse, the expressions are still worth reading.
    let cadences = cadences(r, &section, timezone.unwrap_or(Tz::UTC));
    let (title, from, identity) = (title?, from?, identity?);
    Some(Newsletter {
        id: NewsletterId::parse(name).ok()?,
        description: description?.unwrap_or_else(|| title.clone()),
        title,
        language: language?,
        relays: relays?,
        sender: identity.sender,
        reply_to: identity.reply_to,
        return_path: identity.return_path.unwrap_or_else(|| from.address().clone()),
        bounce_domain: identity.bounce_domain,
        unsubscribe_address: identity.unsubscribe_address,
        complaint_address: identity.complaint_address,
        dkim: identity.dkim,
        fields: fields?,
        from,
        postal_address: postal_address?,
        html_limit: html_limit?,
        timezone: timezone?,
        reading: reading?,
        permalink: permalink?,
        source: source?,
        pages: pages?,
        poll: poll?,
        settle: settle?,
        publish_future: publish_future?,
        publish_drafts: false,
        caution: Caution { max_age: max_age?, max_new: max_new?, min_length: min_length? },
        feed: Limits { entries: feed_entries?, bytes: 1024 * feed_kilobytes? },
        icon: icon?,
        logo: logo?,
        cadences: cadences?,
    })
}

/// Reads keys that stand in the newsletter or in `[defaults]`.
struct Inherited<'r, 's, F> {
    r: &'r mut Reader<'s>,
    both: F,
}

impl<F: Fn(&str) -> (String, String)> Inherited<'_, '_, F> {
    fn must<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, Problem>) -> Option<T> {
        let (own, default) = (self.both)(key);
        self.r.must(&[&own, &default], parse)
    }

    fn may<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, Problem>) -> Option<Option<T>> {
        let (own, default) = (self.both)(key);
        self.r.may(&[&own, &default], parse)
    }

    fn number(&mut self, key: &str, range: std::ops::RangeInclusive<i64>) -> Option<usize> {
        let (own, default) = (self.both)(key);
        self.r.need(&[&own, &default]).and_then(|found| self.r.number(found, range))
    }
}

fn reading(r: &mut Reader<'_>, newsletter: &str, timezone: Tz, language: Option<&str>) -> Option<Reading> {
    let nothing = ("names no key", "Write it as in date_keys = [\"date\"].");
    let own = format!("{newsletter}.date_keys");
    let date_keys = r.some(&[&own, "defaults.date_keys"], values::metadata_key, nothing);
    let nothing = ("names no place", "Write it as in date_sources = [\"front-matter\"].");
    let own = format!("{newsletter}.date_sources");
    let date_sources = r.some(&[&own, "defaults.date_sources"], values::date_source, nothing);
    let only = r.map(&[&format!("{newsletter}.source.only")]);
    // The case of keys does not count in documents either.
    let only = only.into_iter().map(|(key, value)| (key.to_lowercase(), value)).collect();
    let languages = languages(r, newsletter, language);
    Some(Reading { timezone, date_keys: date_keys?, date_sources: date_sources?, only, languages: languages? })
}

/// Names of relays. While mail goes to the outbox, any will do.
fn relays(r: &mut Reader<'_>, newsletter: &str, known: Option<&[&str]>) -> Option<Vec<String>> {
    let own = format!("{newsletter}.relays");
    let names = r.list(&[&own, "defaults.relays"], values::line)?;
    let stranger = known.and_then(|known| names.iter().find(|name| !known.contains(&name.as_str())));
    if let (Some(stranger), Some(found), Some(known)) = (stranger, r.find(&[&own, "defaults.relays"]), known) {
        let what = format!("names {stranger:?}, which is no relay");
        let remedy = format!("Relays are {}: write some of them, or [] for all.", known.join(", "));
        r.refuse(found, Problem::new(&what, None, remedy));
        return None;
    }
    Some(names)
}

fn languages(r: &mut Reader<'_>, newsletter: &str, own: Option<&str>) -> Option<Languages> {
    let paths = [format!("{newsletter}.languages"), "defaults.languages".to_owned()];
    let paths = paths.each_ref().map(String::as_str);
    let (all, own) = (r.list(&paths, values::language)?, own?.to_owned());
    if !all.is_empty() && !all.contains(&own) {
        let found = r.need(&paths)?;
        let what =
            format!("does not have {own:?}, the language of this newsletter, so none of its documents would be read");
        r.refuse(found, Problem::new(&what, None, "Add it, or correct `language`."));
        return None;
    }
    Some(Languages { own, all })
}

fn permalink(r: &mut Reader<'_>, newsletter: &str) -> Option<Option<Permalink>> {
    let own = |key: &str| format!("{newsletter}.{key}");
    let site = r.may(&[&own("site")], values::base_url)?;
    let pattern = r.may(&[&own("permalink")], values::permalink)?;
    match (site, pattern) {
        (Some(site), pattern) => Some(Some(Permalink { site, pattern })),
        (None, None) => Some(None),
        (None, Some(_)) => {
            let found = r.need(&[&own("permalink")])?;
            let remedy = "Write site = \"https://example.org/\", or remove it.";
            r.refuse(found, Problem::new("is a rule for the project's own site, and `site` is not set", None, remedy));
            None
        }
    }
}

fn source(r: &mut Reader<'_>, newsletter: &str) -> Option<Source> {
    let section = format!("{newsletter}.source");
    let own = |key: &str| format!("{section}.{key}");
    let nothing = ("selects no file", "Write it as in include = [\"**/*.md\"].");
    let include = r.some(&[&own("include"), "defaults.include"], values::pattern, nothing);
    let exclude = r.list(&[&own("exclude"), "defaults.exclude"], values::pattern);
    let folder = r.may(&[&own("folder")], values::folder);
    let branch = r.may(&[&own("branch")], values::branch);
    let webhook_secret = r.may(&[&own("webhook_secret")], values::webhook_secret);
    let place = match place(r, &section, &["branch", "folder", "webhook_secret"], branch) {
        Place::None => {
            let at = if r.has_section(&section) { &section } else { newsletter };
            let remedy = format!("Write directory = \"issues\" or git = \"https://...\" in [{section}].");
            r.refuse_section(at, "it does not say where its issues are", &remedy);
            None
        }
        Place::Refused => None,
        Place::Of(place) => Some(place),
    };
    Some(Source {
        place: place?,
        webhook_secret: webhook_secret?.map(Secret::new),
        folder: folder?.unwrap_or_default(),
        include: include?,
        exclude: exclude?,
    })
}

/// What a section says about where files are.
enum Place {
    /// Nothing.
    None,
    /// Something wrong, which is on record.
    Refused,
    /// A good place.
    Of(SourcePlace),
}

/// Reads `directory` or `git`; `only_git` are the keys that a directory has no use for.
fn place(r: &mut Reader<'_>, section: &str, only_git: &[&str], branch: Option<Option<String>>) -> Place {
    let own = |key: &str| format!("{section}.{key}");
    let place = match (r.find(&[&own("directory")]), r.find(&[&own("git")])) {
        (Some(directory), None) => {
            for key in only_git {
                if let Some(found) = r.find(&[&own(key)]) {
                    let remedy = "Remove it, or write git = in place of directory =.";
                    r.refuse(found, Problem::new("is for a git repository only", None, remedy));
                }
            }
            r.read(directory, values::path).map(SourcePlace::Directory)
        }
        (None, Some(git)) => {
            let url = r.read(git, values::repository).map(Secret::new);
            url.and_then(|url| Some(SourcePlace::Git { url, branch: branch? }))
        }
        (Some(_), Some(git)) => {
            let remedy = "Write one of directory and git.";
            r.refuse(git, Problem::new("is a second place for the same source", None, remedy));
            None
        }
        (None, None) => return Place::None,
    };
    place.map_or(Place::Refused, Place::Of)
}

/// `[newsletters.NAME.pages]`: nothing in it is needed, and without a place there are no pages to take.
fn pages(r: &mut Reader<'_>, newsletter: &str) -> Option<Option<Pages>> {
    let section = format!("{newsletter}.pages");
    let own = |key: &str| format!("{section}.{key}");
    let folder = r.may(&[&own("folder")], values::folder);
    let branch = r.may(&[&own("branch")], values::branch);
    let content = r.must(&[&own("content"), "defaults.content"], values::selector);
    let without = r.list(&[&own("without"), "defaults.without"], values::selector);
    let place = match place(r, &section, &["branch", "folder"], branch) {
        Place::Of(place) => place,
        Place::Refused => return None,
        Place::None => return without.and(content).map(|_| None),
    };
    if r.find(&[&format!("{newsletter}.site")]).is_none() {
        let remedy =
            format!("Write site = \"https://example.org/\" and permalink = \"/blog/:slug/\" in [{newsletter}].");
        r.refuse_section(
            &section,
            "pages are found by the issues' URLs on the project's site, and `site` is not set",
            &remedy,
        );
        return None;
    }
    let include = vec!["**/*.html".to_owned()];
    let source = Source { place, webhook_secret: None, folder: folder?.unwrap_or_default(), include, exclude: vec![] };
    Some(Some(Pages { source, content: content?, without: without? }))
}

fn cadences(r: &mut Reader<'_>, newsletter: &str, timezone: Tz) -> Option<Vec<Cadence>> {
    let section = format!("{newsletter}.cadences");
    let names = r.names(&section);
    if names.is_empty() {
        if !r.is_broken(&section) {
            let remedy =
                format!("Write a section [{section}.weekly] with title = \"Weekly\" and cron = \"0 9 * * 1\".");
            r.refuse_section(newsletter, "it has no cadence, so nobody could subscribe", &remedy);
        }
        return None;
    }
    let read: Vec<_> = names.iter().map(|name| cadence(r, &section, name, timezone)).collect();
    read.into_iter().collect()
}

fn cadence(r: &mut Reader<'_>, section: &str, name: &str, timezone: Tz) -> Option<Cadence> {
    let own = |key: &str| format!("{section}.{name}.{key}");
    let title = r.must(&[&own("title")], values::line);
    let schedule = r.must(&[&own("cron")], |text| values::schedule(text, timezone));
    let grace = r.must(&[&own("grace"), "defaults.grace"], values::duration);
    Some(Cadence { id: CadenceId::parse(name).ok()?, title: title?, schedule: schedule?, grace: grace? })
}
