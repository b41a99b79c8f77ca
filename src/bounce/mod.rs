//! Which refusals mean that a mailbox does not exist. Pure.

use crate::delivery::Reply;

/// Whether a 5xx to RCPT says that the mailbox is gone, so that the address is suppressed (RFC 3463 section 3.2).
///
/// Only codes that speak of the address itself count. A full mailbox (5.2.2), a policy (5.7.x) or a bare 550 without an enhanced
/// code refuses this message only: too many relays answer a spam verdict with a bare 550.
#[must_use]
pub fn mailbox_is_gone(reply: &Reply) -> bool {
    matches!(reply.enhanced, Some((5, 1, 1 | 2 | 3 | 6 | 10)))
}
