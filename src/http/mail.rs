//! A mail of the outbox as people see it. For display only: nothing is decided from what stands here.

use mail_parser::{Address, MessageParser};

/// The parts of a mail that the outbox shows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Mail {
    pub subject: String,
    pub to: String,
    pub date: String,
    pub text: String,
    pub html: String,
}

impl Mail {
    /// Reads a mail; of one that is none, every part is empty.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let Some(message) = MessageParser::default().parse(bytes) else { return Self::default() };
        Self {
            subject: message.subject().unwrap_or_default().to_owned(),
            to: message.to().map(addresses).unwrap_or_default(),
            date: message.date().map(|date| date.to_rfc822()).unwrap_or_default(),
            text: message.body_text(0).unwrap_or_default().into_owned(),
            html: message.body_html(0).unwrap_or_default().into_owned(),
        }
    }
}

fn addresses(to: &Address<'_>) -> String {
    to.iter().filter_map(|mailbox| mailbox.address()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &str = "From: News <news@example.org>\r\nTo: Ada <ada@example.org>\r\n\
        Subject: =?utf-8?Q?M=C3=A4rz?=\r\nDate: Thu, 12 Mar 2020 09:00:00 +0100\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/alternative; boundary=\"b\"\r\n\r\n\
        --b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nHall=C3=B6\r\n\
        --b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+eDwvYj4=\r\n--b--\r\n";

    #[test]
    fn a_mail_is_decoded_for_display() {
        let mail = Mail::read(MAIL.as_bytes());
        assert_eq!((mail.subject.as_str(), mail.to.as_str()), ("März", "ada@example.org"));
        assert_eq!((mail.text.trim_end(), mail.html.as_str()), ("Hallö", "<b>x</b>"));
        assert!(mail.date.contains("12 Mar 2020 09:00:00 +0100"), "{}", mail.date);
    }

    #[test]
    fn what_is_no_mail_does_not_stop_the_list() {
        assert_eq!(Mail::read(b"").subject, "");
        assert_eq!(Mail::read(&[0xff; 100]).to, "");
    }
}
