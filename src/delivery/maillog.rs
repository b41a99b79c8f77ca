//! What a Postfix log says about messages: which Message-IDs it took responsibility for. Pure.
//!
//! `cleanup` notes the Message-ID while the content still arrives, so that alone proves nothing; the queue manager (or a delivery) names the queue id only
//! once the message is safely in the queue.

use std::collections::{HashMap, HashSet};

/// Reads a log line by line.
#[derive(Debug, Default)]
pub struct MailLog {
    /// Queue id of each Message-ID, as cleanup named them. A message that was sent twice has two.
    queue_ids: HashMap<String, Vec<String>>,
    /// Queue ids that were queued.
    queued: HashSet<String>,
    lines: u64,
}

impl MailLog {
    /// Takes in a line. Lines of other programs are passed over.
    pub fn read(&mut self, line: &str) {
        let Some((service, queue_id, rest)) = postfix(line) else { return };
        self.lines += 1;
        match service {
            "cleanup" => {
                let Some(id) = rest.strip_prefix("message-id=") else { return };
                let id = id.trim().trim_start_matches('<').trim_end_matches('>');
                self.queue_ids.entry(id.to_owned()).or_default().push(queue_id.to_owned());
            }
            "qmgr" if rest.starts_with("from=<") && rest.contains("(queue active)") => {
                self.queued.insert(queue_id.to_owned());
            }
            // A log that was rotated between the two: whatever was delivered, or tried, had been queued.
            "smtp" | "lmtp" | "local" | "virtual" | "pipe" | "error" | "discard" if rest.contains("status=") => {
                self.queued.insert(queue_id.to_owned());
            }
            _ => {}
        }
    }

    /// The queue id under which a message was taken; `None` when the log does not show that it was.
    #[must_use]
    pub fn taken(&self, message_id: &str) -> Option<&str> {
        let ids = self.queue_ids.get(message_id)?;
        ids.iter().find(|id| self.queued.contains(*id)).map(String::as_str)
    }

    /// How many lines were Postfix's: none in a file of something else.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }
}

/// Service, queue id and the rest of a line such as `Nov 27 20:46:52 mx postfix/cleanup[123]: 4B1A2C0F1E: message-id=<...>`. The first part may
/// be any time stamp, and the name any instance (`postfix-out/smtp`).
fn postfix(line: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = line.split_once("]: ")?;
    let (program, _) = before.rsplit_once('[')?;
    let program = program.rsplit(' ').next()?;
    let (instance, service) = program.split_once('/')?;
    let (queue_id, rest) = rest.split_once(": ")?;
    let is_id = (6..=20).contains(&queue_id.len()) && queue_id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    // `postfix/submission/smtpd`: the service is the last part.
    let service = service.rsplit('/').next()?;
    (instance.starts_with("postfix") && is_id).then_some((service, queue_id, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
Nov 27 20:46:52 mx postfix/smtpd[100]: 4B1A2C0F1E: client=localhost[127.0.0.1]
Nov 27 20:46:52 mx postfix/cleanup[101]: 4B1A2C0F1E: message-id=<taken@news.example>
Nov 27 20:46:52 mx postfix/qmgr[102]: 4B1A2C0F1E: from=<bounces@news.example>, size=1204, nrcpt=1 (queue active)
Nov 27 20:46:53 mx postfix/smtp[103]: 4B1A2C0F1E: to=<a@b.example>, relay=b.example[192.0.2.1]:25, delay=1, dsn=2.0.0, status=sent (250 ok)
Nov 27 20:46:53 mx postfix/qmgr[102]: 4B1A2C0F1E: removed
2026-11-27T20:46:54.1+00:00 mx postfix-out/cleanup[101]: 4ZqRnB3zXwzABCD: message-id=<lost@news.example>
Nov 27 20:46:54 mx postfix/smtpd[100]: lost connection after DATA (100 bytes) from localhost[127.0.0.1]
Nov 27 20:46:55 mx postfix/cleanup[101]: 5C0FFEE123: message-id=<rotated@news.example>
Nov 27 20:46:56 mx postfix/smtp[103]: 5C0FFEE123: to=<c@d.example>, relay=none, delay=1, dsn=4.4.1, status=deferred (timed out)
Nov 27 20:46:57 mx dovecot[9]: imap: message-id=<foreign@news.example>
";

    #[test]
    fn only_what_was_queued_was_taken() {
        let mut log = MailLog::default();
        LOG.lines().for_each(|line| log.read(line));
        assert_eq!(log.taken("taken@news.example"), Some("4B1A2C0F1E"));
        assert_eq!(log.taken("rotated@news.example"), Some("5C0FFEE123"));
        for not in ["lost@news.example", "foreign@news.example", "a@b.example", ""] {
            assert_eq!(log.taken(not), None, "{not}");
        }
        assert_eq!(log.lines(), 8);
    }

    #[test]
    fn lines_of_anything_are_passed_over() {
        let mut log = MailLog::default();
        for line in ["", "]: ", "[]: : ", "postfix/", "postfix/cleanup[1]: x", "a b[c]: d: e", "\u{fffd}]: \u{0}: "] {
            log.read(line);
        }
        assert_eq!(log.lines(), 0);
    }
}
