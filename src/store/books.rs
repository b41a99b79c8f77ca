//! The books of a mailing, counted: the audience from memberships, the rest from the ledger, so that they can disagree.

use super::StoreError;
use super::row::Row;
use crate::delivery::books::Books;

/// One statement, hence one moment. The table of buckets leads, so that each of the growing tables is read by its key.
///
/// An attempt is open when it was handed and nothing came of it and no later attempt was made.
pub(super) const BOOKS: &str = "SELECT m.kind, \
     (SELECT COUNT(*) FROM bucket b JOIN membership p ON p.bucket = b.bucket AND p.newsletter = m.newsletter \
      AND p.cadence = m.cadence WHERE p.joined_after < m.cut AND m.cut <= p.left_after) AS audience, \
     (SELECT COUNT(*) FROM bucket b JOIN delivery o ON o.bucket = b.bucket AND o.mailing_id = m.corrects \
      WHERE o.event = 'accepted') AS corrected, \
     (SELECT COUNT(*) FROM bucket b JOIN retry r ON r.bucket = b.bucket AND r.mailing_id = m.mailing_id) AS deferred, \
     (SELECT COUNT(*) FROM bucket b JOIN delivery d ON d.bucket = b.bucket AND d.mailing_id = m.mailing_id \
      WHERE d.step = 0 AND NOT EXISTS (SELECT 1 FROM delivery e WHERE e.bucket = d.bucket AND e.mailing_id = d.mailing_id \
      AND e.subscriber_id = d.subscriber_id AND (e.attempt > d.attempt OR (e.attempt = d.attempt AND e.step = 1)))) AS open, \
     t.accepted, t.refused, t.skipped, t.held \
     FROM mailing m CROSS JOIN (SELECT COUNT(CASE WHEN d.event = 'accepted' THEN 1 END) AS accepted, \
      COUNT(CASE WHEN d.event = 'refused' THEN 1 END) AS refused, COUNT(CASE WHEN d.event = 'skipped' THEN 1 END) AS skipped, \
      COUNT(CASE WHEN d.event = 'held' THEN 1 END) AS held FROM bucket b JOIN delivery d ON d.bucket = b.bucket \
      AND d.mailing_id = $1 WHERE d.step = 1) AS t \
     WHERE m.mailing_id = $1";

/// Reads the counts of [`BOOKS`]. The audience of a confirmation is the one it was written for.
pub(super) fn books(row: &Row) -> Result<Books, StoreError> {
    Ok(Books {
        audience: match row.text("kind")?.as_str() {
            "digest" => row.int("audience")?,
            "correction" => row.int("corrected")?,
            _ => 1,
        },
        accepted: row.int("accepted")?,
        refused: row.int("refused")?,
        skipped: row.int("skipped")?,
        held: row.int("held")?,
        deferred: row.int("deferred")?,
        open: row.int("open")?,
    })
}
