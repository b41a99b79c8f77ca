//! The ids of feeds and entries: for ever the same, whatever moves.
//!
//! A `urn:uuid:` and not a `tag:` URI, because a tag names a domain, and the newsletter may leave it. The UUID is version 8, name-based
//! with SHA-256 (RFC 9562 section 5.8 and appendix B.2): it needs no state, so a rebuilt database gives the same ids.

use aws_lc_rs::digest::{Context, SHA256};

use crate::types::{FacetId, IssueId, NewsletterId};

/// The namespace of feeds: a random UUID, fixed for all time. Changing it would make every entry in the world new again.
const FEEDS: [u8; 16] = 0x6e62_418a_8e8b_4073_8eb6_713f_6274_c9aa_u128.to_be_bytes();

/// The feed's stable id: it derives from the newsletter's name alone, so it survives moves of the host.
#[must_use]
pub fn feed_id(newsletter: &NewsletterId) -> String {
    urn(feed_uuid(newsletter))
}

/// The stable id of the feed of a tag or an author. Two steps below the newsletter's, so that no issue can have it.
#[must_use]
pub fn facet_feed_id(newsletter: &NewsletterId, facet: &FacetId) -> String {
    urn(named(named(feed_uuid(newsletter), "facets"), &facet.to_string()))
}

/// An entry's stable id: it derives from the newsletter's name and the issue's identity, so it survives
/// renames, new titles, moves of the host and a rebuilt database.
#[must_use]
pub fn entry_id(newsletter: &NewsletterId, issue: &IssueId) -> String {
    urn(named(feed_uuid(newsletter), issue.as_str()))
}

fn feed_uuid(newsletter: &NewsletterId) -> [u8; 16] {
    named(FEEDS, newsletter.as_str())
}

/// The UUID of a name within a namespace, as appendix B.2 of RFC 9562 makes it.
fn named(namespace: [u8; 16], name: &str) -> [u8; 16] {
    let mut context = Context::new(&SHA256);
    context.update(&namespace);
    context.update(name.as_bytes());
    let mut uuid = [0; 16];
    for (byte, hashed) in uuid.iter_mut().zip(context.finish().as_ref()) {
        *byte = *hashed;
    }
    uuid[6] = uuid[6] & 0x0f | 0x80; // version 8
    uuid[8] = uuid[8] & 0x3f | 0x80; // the variant of RFC 9562
    uuid
}

fn urn(uuid: [u8; 16]) -> String {
    let number = u128::from_be_bytes(uuid);
    let (low, mid, high) = ((number >> 96) as u32, (number >> 80) as u16, (number >> 64) as u16);
    let (clock, node) = ((number >> 48) as u16, number as u64 & 0xffff_ffff_ffff);
    format!("urn:uuid:{low:08x}-{mid:04x}-{high:04x}-{clock:04x}-{node:012x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::FacetKind;

    #[test]
    fn the_name_based_uuid_is_that_of_the_rfc() {
        // RFC 9562 appendix B.2: the namespace of DNS names and "www.example.com".
        let dns = 0x6ba7_b810_9dad_11d1_80b4_00c0_4fd4_30c8_u128.to_be_bytes();
        assert_eq!(urn(named(dns, "www.example.com")), "urn:uuid:5c146b14-3c52-8afd-938a-375d0df1fbf6");
    }

    #[test]
    fn ids_never_change() {
        // If this fails, every reader of every feed would show every entry as new again.
        let (news, issue) = (NewsletterId::parse("tidings").unwrap(), IssueId::parse("2020/03.md").unwrap());
        assert_eq!(feed_id(&news), "urn:uuid:fdd50ad1-1d7e-8386-8a32-ec459f313cbe");
        assert_eq!(entry_id(&news, &issue), "urn:uuid:384a4e01-4436-8b0a-867b-6b260b5cd400");
    }

    #[test]
    fn newsletters_and_issues_do_not_share_ids() {
        let (a, b) = (NewsletterId::parse("a").unwrap(), NewsletterId::parse("b").unwrap());
        let (one, two) = (IssueId::parse("1").unwrap(), IssueId::parse("tags/2").unwrap());
        let [tag, author] = FacetKind::ALL.map(|kind| FacetId::parse(kind, "2").unwrap());
        let facets = [facet_feed_id(&a, &tag), facet_feed_id(&a, &author), facet_feed_id(&b, &tag)];
        let issues = [entry_id(&a, &one), entry_id(&a, &two), entry_id(&b, &one)];
        let ids: Vec<_> = facets.into_iter().chain(issues).chain([feed_id(&a), feed_id(&b)]).collect();
        let different: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len());
        assert!(ids.iter().all(|id| url::Url::parse(id).is_ok()));
    }
}
