//! The feeds: written when something changed, and served from memory until the next change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use chrono::{DateTime, Utc};

use super::Web;
use super::answer::{ASK, Representation};
use super::error::Error;
use super::pages;
use crate::config::Newsletter;
use crate::feed::{About, Feed, Format};
use crate::site;
use crate::store::{SourceState, StoreError};
use crate::types::NewsletterId;

/// The newest feeds of each newsletter.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<HashMap<NewsletterId, Arc<Feeds>>>);

/// The feeds of a newsletter as of one change of its source.
#[derive(Debug)]
struct Feeds {
    version: Version,
    written: [(Format, Representation); 3],
}

/// What feeds depend on besides the configuration, which does not change while we run.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    changed_at: DateTime<Utc>,
    fingerprint: String,
}

impl Cache {
    fn get(&self, newsletter: &NewsletterId) -> Option<Arc<Feeds>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(newsletter).cloned()
    }

    fn put(&self, newsletter: &NewsletterId, feeds: &Arc<Feeds>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(newsletter.clone(), Arc::clone(feeds));
    }
}

impl Feeds {
    /// `Last-Modified` is when anything readers see changed, and not the feed's `updated`: a new issue may bear an old date, and
    /// a withdrawn one takes its date with it.
    fn write(feed: &Feed, version: Version) -> Self {
        let written = Format::ALL.map(|format| {
            let mut representation = Representation::new(format.content_type(), ASK, feed.write(format));
            representation.modified = Some(version.changed_at);
            (format, representation)
        });
        Self { version, written }
    }

    fn answer(&self, format: Format, request: &HeaderMap) -> Result<Response, Error> {
        let (_, representation) = self.written.iter().find(|(written, _)| *written == format).ok_or(Error::NotFound)?;
        let mut response = representation.answer(request);
        // Readers that run in a browser on another site may read feeds: they are public, and no cookie is involved.
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        Ok(response)
    }
}

/// `GET /{newsletter}/{atom.xml, rss.xml, feed.json}`; any other name may be a former path of an issue.
pub(super) async fn feed(
    State(web): State<Web>,
    Path((name, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let newsletter = web.newsletter(&name)?;
    match Format::ALL.into_iter().find(|format| format.file_name() == file) {
        Some(format) => current(&web, newsletter).await?.answer(format, &headers),
        None => pages::moved(&web, newsletter, &file).await,
    }
}

/// The feeds as of now; while the database is away, those we have.
async fn current(web: &Web, newsletter: &Newsletter) -> Result<Arc<Feeds>, Error> {
    let kept = web.feeds().get(&newsletter.id);
    match refreshed(web, newsletter, kept.as_ref()).await {
        Ok(feeds) => feeds.ok_or(Error::NotReadYet),
        Err(error) => {
            let kept = kept.ok_or(error)?;
            tracing::warn!(newsletter = %newsletter.id, "the database does not answer: serving the feeds as they were");
            Ok(kept)
        }
    }
}

/// `kept` if nothing changed, else the feeds written anew; `None` before the source was read for the first time.
async fn refreshed(
    web: &Web,
    newsletter: &Newsletter,
    kept: Option<&Arc<Feeds>>,
) -> Result<Option<Arc<Feeds>>, StoreError> {
    // The state is read before the revisions: a change in between is seen by the next request.
    let Some(state) = web.store().source_state(&newsletter.id).await? else { return Ok(None) };
    let version = Version { changed_at: state.changed_at, fingerprint: state.fingerprint.clone() };
    if let Some(kept) = kept.filter(|kept| kept.version == version) {
        return Ok(Some(Arc::clone(kept)));
    }
    let revisions = web.store().newest_revisions(&newsletter.id, newsletter.feed_entries).await?;
    let feed = Feed::assemble(&about(web, newsletter, &state), &revisions);
    let feeds = Arc::new(Feeds::write(&feed, version));
    web.feeds().put(&newsletter.id, &feeds);
    Ok(Some(feeds))
}

fn about(web: &Web, newsletter: &Newsletter, state: &SourceState) -> About {
    About {
        newsletter: newsletter.id.clone(),
        title: newsletter.title.clone(),
        description: newsletter.description.clone(),
        language: newsletter.language.clone(),
        home: site::home(&web.config().server.url, &newsletter.id).to_string(),
        since: state.baseline_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;

    fn feeds() -> Feeds {
        let about = About {
            newsletter: NewsletterId::parse("n").unwrap(),
            title: "N".into(),
            description: "News".into(),
            language: "en".into(),
            home: "https://example.org/n/".into(),
            since: "2020-01-01T00:00:00Z".parse().unwrap(),
        };
        let version = Version { changed_at: "2020-03-14T10:00:00.5Z".parse().unwrap(), fingerprint: String::new() };
        Feeds::write(&Feed::assemble(&about, &[]), version)
    }

    fn asked(feeds: &Feeds, condition: &[(header::HeaderName, &str)]) -> Response {
        let mut request = HeaderMap::new();
        for (name, value) in condition {
            request.insert(name, value.parse().unwrap());
        }
        feeds.answer(Format::Atom, &request).unwrap()
    }

    #[test]
    fn a_feed_has_its_type_its_validators_and_is_open_to_every_origin() {
        let response = asked(&feeds(), &[]);
        let header = |name| response.headers().get(name).unwrap().to_str().unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(header(header::CONTENT_TYPE), "application/atom+xml; charset=utf-8");
        assert_eq!(header(header::LAST_MODIFIED), "Sat, 14 Mar 2020 10:00:00 GMT");
        assert_eq!(header(header::ACCESS_CONTROL_ALLOW_ORIGIN), "*");
        assert_eq!(header(header::CACHE_CONTROL), ASK);
        assert!(header(header::ETAG).starts_with('"'));
    }

    #[test]
    fn who_has_the_feed_gets_304_with_its_validators_and_no_body() {
        let feeds = feeds();
        let whole = asked(&feeds, &[]);
        let etag = whole.headers()[header::ETAG].to_str().unwrap();
        for condition in
            [[(header::IF_NONE_MATCH, etag)], [(header::IF_MODIFIED_SINCE, "Sat, 14 Mar 2020 10:00:00 GMT")]]
        {
            let response = asked(&feeds, &condition);
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
            for name in [header::ETAG, header::LAST_MODIFIED, header::CACHE_CONTROL] {
                assert_eq!(response.headers().get(&name), whole.headers().get(&name), "{name}");
            }
            assert_eq!(response.headers().get(header::CONTENT_TYPE), None);
        }
        assert_eq!(asked(&feeds, &[(header::IF_NONE_MATCH, "\"other\"")]).status(), StatusCode::OK);
    }

    #[test]
    fn each_format_has_its_own_tag() {
        let feeds = feeds();
        let tags: std::collections::HashSet<_> = feeds.written.iter().map(|(_, written)| &written.etag).collect();
        assert_eq!(tags.len(), 3);
    }
}
