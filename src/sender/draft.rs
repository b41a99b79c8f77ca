//! Messages, made before their turn comes.
//!
//! A signature takes longer than all else that a message needs. It is made on threads of its own, which take what the connections leave of the processors;
//! these wait for commits and replies, often all of them at once, and must be heard when those come.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::SetOnce;
use tokio::task::spawn_blocking;

use super::ready::Ready;
use crate::message::{Compiled, ComposeError, Message, Recipient};
use crate::store::Pending;
use crate::transport::{Content, Envelope};
use crate::types::{Bucket, EmailAddress};

/// Threads of one batch, at most: they sign more than a ledger can write, and there may be a batch for each of many relays, some stuck for minutes, on a
/// runtime that has 512 such threads for everything.
const MOST: usize = 8;

/// Somebody to send to, and the message, once it is made.
#[derive(Debug)]
pub struct Draft {
    pub pending: Pending,
    made: SetOnce<Result<Arc<Mail>, Unmade>>,
}

/// A message, ready to be sent.
#[derive(Debug)]
pub struct Mail {
    pub envelope: Envelope,
    pub content: Content,
}

/// Why there is no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmade {
    /// This one cannot be made; the reason.
    Alone(String),
    /// None can be made: nothing signs.
    All(ComposeError),
}

impl Draft {
    pub fn new(pending: Pending) -> Arc<Self> {
        Arc::new(Self { pending, made: SetOnce::new() })
    }

    /// The message, as soon as it is made.
    pub async fn made(&self) -> Result<Arc<Mail>, Unmade> {
        self.made.wait().await.clone()
    }
}

/// Makes the messages of a batch. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Composer {
    pub compiled: Arc<Compiled>,
    pub bucket: Bucket,
}

impl Composer {
    /// Starts as many threads as the runtime has, but no more than there are people, or than are of use. They end when they are dismissed.
    pub fn start(&self, ready: &Arc<Ready>, people: usize) {
        for _ in 0..Handle::current().metrics().num_workers().min(people).min(MOST) {
            let (composer, ready) = (self.clone(), Arc::clone(ready));
            spawn_blocking(move || {
                while let Some(draft) = ready.unmade() {
                    let made =
                        contained(|| composer.compose(&draft.pending)).unwrap_or_else(|why| Err(Unmade::Alone(why)));
                    // Nobody else makes it.
                    let _ = draft.made.set(made);
                }
            });
        }
    }

    /// A message that cannot be made fails alone, with its reason; only what concerns every message pauses the mailing.
    fn compose(&self, pending: &Pending) -> Result<Arc<Mail>, Unmade> {
        let address = EmailAddress::parse(&pending.address)
            .map_err(|error| Unmade::Alone(format!("the stored address is not one: {error}")))?;
        let Pending { subscriber, request, fields, .. } = pending;
        let (subscriber, request, fields) = (*subscriber, *request, fields.clone());
        let recipient = Recipient { bucket: self.bucket, subscriber, address, request, fields };
        let Message { return_path: from, to, pieces, .. } = self.compiled.splice(&recipient).map_err(Unmade::All)?;
        let content = Content::new(pieces).map_err(|error| Unmade::Alone(error.to_string()))?;
        Ok(Arc::new(Mail { envelope: Envelope { from, to }, content }))
    }
}

/// A panic while one message is made is that message's failure, and not the end of the batch, which would meet it again and again.
fn contained<T>(make: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(make)).map_err(|panic| {
        let said = panic.downcast_ref::<&str>().copied().map(str::to_owned);
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        format!("the message cannot be composed; this is a bug: {said}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_composing_is_one_messages_failure() {
        assert_eq!(contained(|| 7), Ok(7));
        assert_eq!(
            contained(|| -> u8 { panic!("no {}", "key") }),
            Err("the message cannot be composed; this is a bug: no key".into())
        );
    }
}
