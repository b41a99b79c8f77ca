//! An SMTP reply as a value: cleaned text, enhanced code, and what it says about a mailbox.

use std::borrow::Cow;

/// An enhanced status code: class, subject and detail (RFC 3463 section 2).
pub type Enhanced = (u8, u16, u16);

/// An SMTP reply (RFC 5321 section 4.2, RFC 3463).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// Enhanced status code such as `5.1.1`, where the text starts with one.
    pub enhanced: Option<Enhanced>,
    /// The text, lines joined by a space, at most 500 characters, without control characters.
    pub text: String,
}

impl Reply {
    /// Long enough for every reply we have seen, short enough for a ledger row and a log line.
    const MAX_TEXT: usize = 500;

    /// A reply as the relay wrote it. The text is a stranger's: control characters become spaces, and it is cut at
    /// 500 characters.
    ///
    /// An enhanced code that contradicts `code` (RFC 2034 section 4) is text and no code.
    #[must_use]
    pub fn new(code: u16, text: &str) -> Self {
        let text: String = text.replace(char::is_control, " ").trim().chars().take(Self::MAX_TEXT).collect();
        let enhanced = enhanced(&text).filter(|(class, ..)| u16::from(*class) == code / 100);
        Self { code, enhanced, text }
    }

    /// The text without the address that servers nearly always repeat: what is kept of a delivery names nobody.
    #[must_use]
    pub fn nameless(&self) -> Cow<'_, str> {
        if !self.text.contains('@') {
            return Cow::Borrowed(&self.text);
        }
        let word = |word: &'_ str| if word.contains('@') { "(address)".to_owned() } else { word.to_owned() };
        Cow::Owned(self.text.split(' ').map(word).collect::<Vec<_>>().join(" "))
    }

    /// Whether a 5xx to RCPT says that the mailbox does not exist, so that the address is suppressed (RFC 3463 section 3.2).
    ///
    /// Only codes that speak of the address itself count. A full mailbox (5.2.2), a policy (5.7.x) or a bare 550 without
    /// an enhanced code refuses this message only: too many relays answer a spam verdict with a bare 550.
    #[must_use]
    pub fn mailbox_is_gone(&self) -> bool {
        self.enhanced.is_some_and(names_no_mailbox)
    }
}

/// Whether a status says that there is no such mailbox.
#[must_use]
pub fn names_no_mailbox(status: Enhanced) -> bool {
    matches!(status, (5, 1, 1 | 2 | 3 | 6 | 10))
}

/// The enhanced status code that a text starts with: `class "." subject "." detail` (RFC 3463 section 2).
#[must_use]
pub fn enhanced(text: &str) -> Option<Enhanced> {
    let word = text.split(' ').next()?;
    let mut parts = word.split('.');
    let mut number = || {
        let digits = parts.next().filter(|part| (1..=3).contains(&part.len()))?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u16>().ok())?
    };
    let (class, subject, detail) = (number()?, number()?, number()?);
    let class = u8::try_from(class).ok().filter(|class| matches!(class, 2 | 4 | 5))?;
    parts.next().is_none().then_some((class, subject, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enhanced_code_is_read_where_the_text_starts_with_one() {
        for (code, text, enhanced) in [
            (550, "5.1.1 no such user", Some((5, 1, 1))),
            (550, "5.1.10", Some((5, 1, 10))),
            (250, "2.0.0 Ok: queued", Some((2, 0, 0))),
            (550, "no such user 5.1.1", None),
            (550, "4.1.1 contradicts its reply code", None),
            (354, "3.0.0 there is no class 3", None),
            (550, "5.1 too short", None),
            (550, "5.1.1.1 too long", None),
            (550, "5.1.1000 too large", None),
            (550, "5.1.+1 not digits", None),
            (550, "5..1 empty", None),
            (550, "", None),
        ] {
            assert_eq!(Reply::new(code, text).enhanced, enhanced, "{text:?}");
        }
    }

    #[test]
    fn a_strangers_text_is_cleaned_and_cut() {
        let reply = Reply::new(550, "5.1.1 a\r\nb\u{1b}[31m\u{0}c\u{9b}d\n");
        assert_eq!(reply.text, "5.1.1 a  b [31m c d");
        assert_eq!(Reply::new(550, &"é".repeat(2_000)).text.chars().count(), 500);
    }

    #[test]
    fn what_is_kept_names_nobody() {
        let reply =
            Reply::new(550, "5.1.1 <ada@reader.example>: Recipient address rejected: ada@reader.example unknown");
        assert_eq!(reply.nameless(), "5.1.1 (address) Recipient address rejected: (address) unknown");
        assert_eq!(Reply::new(250, "2.0.0 Ok: queued as 4B1A2C0F1E").nameless(), "2.0.0 Ok: queued as 4B1A2C0F1E");
    }

    #[test]
    fn only_codes_about_the_address_itself_say_that_a_mailbox_is_gone() {
        for (code, text, gone) in [
            (550, "5.1.1 no such user", true),
            (550, "5.1.2 no such host", true),
            (501, "5.1.3 bad address syntax", true),
            (551, "5.1.6 moved, no forwarding address", true),
            (556, "5.1.10 null MX", true),
            (550, "5.1.8 the sender's address is bad", false),
            (550, "no such user", false),
            (552, "5.2.2 mailbox full", false),
            (550, "5.7.1 rejected", false),
            (450, "4.1.1 not yet", false),
        ] {
            assert_eq!(Reply::new(code, text).mailbox_is_gone(), gone, "{text:?}");
        }
    }
}
