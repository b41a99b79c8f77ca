//! As much of a message as a report needs: the fields of a head, and the parts of its body. Nothing here follows a message into the
//! messages that are in it, however deep a stranger puts them.

use mail_parser::{MessageParser, MimeHeaders};

/// The most parts of a body that are looked at: a report has three.
const PARTS: usize = 10;

/// A message, or a part of one: head and body.
pub(super) struct Entity<'m> {
    fields: Vec<(String, String)>,
    body: &'m [u8],
}

impl<'m> Entity<'m> {
    pub(super) fn read(raw: &'m [u8]) -> Self {
        let (head, body) = split(raw);
        Self { fields: fields(head), body }
    }

    /// The values of a field, unfolded.
    pub(super) fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        self.fields.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The first value of a field, its encoded words (RFC 2047) decoded.
    pub(super) fn decoded(&self, name: &str) -> Option<String> {
        let head = format!("Subject: {}\r\n\r\n", self.values(name).next()?);
        Some(MessageParser::default().parse_headers(head.as_bytes())?.subject()?.to_owned())
    }

    /// Its type, such as `multipart/report`, in lower case.
    pub(super) fn kind(&self) -> String {
        self.content_type("").0
    }

    /// The type and one attribute of it.
    fn content_type(&self, attribute: &str) -> (String, Option<String>) {
        let Some(value) = self.values("Content-Type").next() else { return ("text/plain".into(), None) };
        let head = format!("Content-Type: {value}\r\n\r\n");
        let message = MessageParser::default().parse_headers(head.as_bytes());
        let read = message.as_ref().and_then(|message| message.content_type());
        read.map_or_else(Default::default, |read| {
            let kind = format!("{}/{}", read.ctype(), read.subtype().unwrap_or_default()).to_lowercase();
            (kind, read.attribute(attribute).map(str::to_owned))
        })
    }

    /// The parts of a multipart body (RFC 2046 section 5.1.1).
    pub(super) fn parts(&self) -> Vec<Entity<'m>> {
        let (kind, boundary) = self.content_type("boundary");
        let Some(boundary) = boundary.filter(|_| kind.starts_with("multipart/")) else { return Vec::new() };
        let delimiter = format!("--{boundary}");
        let (mut parts, mut start, mut at) = (Vec::new(), None, 0);
        for line in self.body.split_inclusive(|byte| *byte == b'\n') {
            let rest = line.strip_prefix(delimiter.as_bytes()).map(<[u8]>::trim_ascii_end);
            if let Some(rest @ (b"" | b"--")) = rest {
                parts.extend(start.and_then(|start: usize| self.body.get(start..at)));
                start = (rest.is_empty() && parts.len() < PARTS).then_some(at + line.len());
            }
            at += line.len();
        }
        // The last delimiter may be missing where a copy was cut short.
        parts.extend(start.and_then(|start| self.body.get(start..)));
        parts.into_iter().map(Entity::read).collect()
    }

    /// The parts, and in place of one that has parts itself those: a gateway that adds its own words wraps a report.
    pub(super) fn parts_within(&self) -> Vec<Entity<'m>> {
        let inner = |part: Entity<'m>| {
            let within = part.parts();
            if within.is_empty() { vec![part] } else { within }
        };
        self.parts().into_iter().flat_map(inner).collect()
    }

    /// The body as text, its transfer encoding undone. Whatever it says it is, it is read as text: nothing in it is followed.
    pub(super) fn text(&self) -> String {
        let encodings = ["base64", "quoted-printable"];
        let encoding = self
            .values("Content-Transfer-Encoding")
            .find_map(|value| encodings.into_iter().find(|encoding| value.eq_ignore_ascii_case(encoding)));
        let Some(encoding) = encoding else { return String::from_utf8_lossy(self.body).into_owned() };
        let mut alone =
            format!("Content-Type: text/plain\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n").into_bytes();
        alone.extend_from_slice(self.body);
        let message = MessageParser::default().parse(&alone);
        message.and_then(|message| Some(message.body_text(0)?.into_owned())).unwrap_or_default()
    }

    /// The head of the message that this part is a copy of.
    pub(super) fn original(&self) -> Option<Entity<'m>> {
        let is_copy = matches!(
            self.kind().as_str(),
            "message/rfc822" | "message/global" | "text/rfc822-headers" | "message/global-headers"
        );
        is_copy.then(|| Entity::read(self.body))
    }
}

/// Groups of fields with empty lines between: each is a head, and the others are its body.
pub(super) fn groups(text: &str) -> impl Iterator<Item = Entity<'_>> {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        let group = (!rest.is_empty()).then(|| Entity::read(rest))?;
        rest = group.body;
        Some(group)
    })
}

/// What stands before the first empty line, and what behind it.
fn split(raw: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        let end = at + line.len();
        if line.trim_ascii().is_empty() {
            return (raw.get(..at).unwrap_or_default(), raw.get(end..).unwrap_or_default());
        }
        at = end;
    }
    (raw, &[])
}

/// Names and unfolded values (RFC 5322 section 2.2). A line that is no field is passed over.
fn fields(head: &[u8]) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in String::from_utf8_lossy(head).lines() {
        match (line.starts_with([' ', '\t']), fields.last_mut(), line.split_once(':')) {
            (true, Some((_, value)), _) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            (false, _, Some((name, value))) => fields.push((name.trim().to_owned(), value.trim().to_owned())),
            _ => {}
        }
    }
    fields
}
