//! (writer)

use super::Feed;

/// Writes the feed.
#[must_use]
pub fn write(feed: &Feed) -> Vec<u8> {
    let _ = feed;
    todo!()
}
