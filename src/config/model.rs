//! The sections of the configuration, as the rest of the program sees them: checked values, no texts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;
use url::Url;

use crate::delivery::Patience;
use crate::delivery::rate::Rate;
use crate::feed::plan::Limits;
use crate::issue::Reading;
use crate::issue::news::Caution;
use crate::issue::permalink::Permalink;
use crate::schedule::Schedule;
use crate::types::{CadenceId, EmailAddress, FieldName, Mailbox, NewsletterId, Secret};
use crate::websub::address::Network;

/// `[server]`
#[derive(Clone, Debug)]
pub struct Server {
    /// Where readers come: pages, feeds, subscriptions.
    pub public: SocketAddr,
    /// Where operators come: health, status, outbox. Loopback by default; never expose it.
    pub private: SocketAddr,
    /// The URL under which readers reach `public`; ends with `/`. Stands in feeds and mails.
    pub url: Url,
    /// The header in which a trusted proxy says whose request it passes on; `None` when none is believed.
    pub client_header: Option<String>,
}

/// `[websub]`
#[derive(Clone, Debug)]
pub struct WebSub {
    /// Readers can subscribe to our feeds at our own hub.
    pub hub: bool,
    /// Hubs elsewhere that are told when a feed changes.
    pub other_hubs: Vec<String>,
    /// Networks that callbacks may be in, besides what is public.
    pub allow_networks: Vec<Network>,
}

/// `[database]`
#[derive(Clone, Debug)]
pub struct Database {
    /// `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME`.
    pub url: Secret,
}

/// `[mail]`
#[derive(Clone, Debug)]
pub struct Mail {
    /// How mail leaves.
    pub transport: Transport,
    /// What happens to deliveries in doubt.
    pub in_doubt: InDoubt,
    /// How long a 4xx is retried.
    pub patience: Patience,
    /// `mail.inbox.maildir`: where bounces, complaints and requests to unsubscribe arrive, if a program shall read them.
    pub inbox: Option<PathBuf>,
    /// `[mail.domains.NAME]`: recipients' domains with a rate of their own. No domain is in two of them.
    pub domains: Vec<DomainGroup>,
}

/// `[mail.domains.NAME]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainGroup {
    /// Its name.
    pub name: String,
    /// Domains of recipients, in lower case.
    pub domains: Vec<String>,
    /// How much mail goes to all of them together, over all relays and nodes.
    pub rate: Rate,
}

/// `mail.transport`
#[derive(Clone, Debug)]
pub enum Transport {
    /// Write `.eml` files into a directory: for trying things out, and for `send --test`.
    Outbox(PathBuf),
    /// Hand mail to relays. At least one; the one of `[mail.smtp]` first, then in the order of their names.
    Smtp(Vec<Smtp>),
}

/// `[mail.smtp]`, or `[mail.relays.NAME]` over it.
#[derive(Clone, Debug)]
pub struct Smtp {
    /// `smtp` for the relay of `[mail.smtp]`, else the NAME.
    pub name: String,
    /// Its share of the mail, by the sum of all; `None` where relays take what they can.
    pub weight: Option<u32>,
    /// What it speaks.
    pub protocol: Protocol,
    /// Host name of the relay; also the name its certificate must have.
    pub host: String,
    /// Port.
    pub port: u16,
    /// A Unix socket, in place of host and port.
    pub socket: Option<PathBuf>,
    /// How the connection is encrypted.
    pub tls: Tls,
    /// How to log in, if at all.
    pub login: Option<Login>,
    /// Send contents by BDAT where CHUNKING is offered.
    pub chunking: bool,
    /// How many connections a sender keeps, at most.
    pub connections: usize,
    /// How fast mail may go to it, over all nodes together.
    pub rate: Option<Rate>,
    /// How many messages a connection carries before it is closed.
    pub messages: u32,
    /// Messages of its first days, one number a day; empty when it needs no warming up.
    pub warm_up: Vec<u32>,
    /// How long a connection without work is kept.
    pub idle: Duration,
    /// The name said in EHLO.
    pub hello: String,
    /// The longest wait for a connection and for the answer to a command, where RFC 5321 section 4.5.3.2 does not ask for
    /// less; the answer to a content has 600 s whatever stands here.
    pub timeout: Duration,
}

/// `mail.smtp.protocol`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// SMTP (RFC 5321): the relay takes responsibility, and may report a failure later.
    Smtp,
    /// LMTP (RFC 2033): the server answers for the mailbox.
    Lmtp,
}

/// How we log in at a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// AUTH PLAIN or LOGIN.
    Password {
        /// User.
        user: String,
        /// Password.
        password: Secret,
    },
    /// AUTH XOAUTH2.
    Token {
        /// User.
        user: String,
        /// The file with the access token, read at each login: something else keeps it fresh.
        path: PathBuf,
    },
}

/// `mail.smtp.tls`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// TLS from the first byte (port 465).
    Implicit,
    /// STARTTLS, and no mail without it.
    Starttls,
    /// Plain text. Refused unless the relay is on a loopback address.
    None,
}

/// `mail.in_doubt`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InDoubt {
    /// Send again: same Message-ID, same bytes. Someone may get the mail twice, nobody misses it.
    Resend,
    /// Hold and list them. Nobody gets it twice, someone may miss it until the operator decides.
    Hold,
}

/// `[newsletters.NAME]`
#[derive(Clone, Debug)]
pub struct Newsletter {
    /// Its name: in URLs and, for ever, in feed ids.
    pub id: NewsletterId,
    /// Title.
    pub title: String,
    /// One sentence.
    pub description: String,
    /// BCP 47 tag.
    pub language: String,
    /// `From` of its mail.
    pub from: Mailbox,
    /// `Sender` of its mail, when somebody else sends for `from`.
    pub sender: Option<EmailAddress>,
    /// Names of the relays that its mail goes over; empty for all.
    pub relays: Vec<String>,
    /// `Reply-To` of its mail.
    pub reply_to: Option<EmailAddress>,
    /// Envelope sender of its mail: where bounces go. The address of `from` unless set.
    pub return_path: EmailAddress,
    /// The domain of envelope senders that name the delivery; then nothing goes to `return_path`.
    pub bounce_domain: Option<String>,
    /// Where a mail can unsubscribe.
    pub unsubscribe_address: Option<EmailAddress>,
    /// Where mailbox providers send complaints; in the domain of `from`.
    pub complaint_address: Option<EmailAddress>,
    /// What signs its mail.
    pub dkim: Dkim,
    /// What it asks subscribers about themselves.
    pub fields: Vec<FieldName>,
    /// Where the sender lives, for the footer of its mail; one line.
    pub postal_address: Option<String>,
    /// The most bytes of HTML in a mail, as a mail program counts them.
    pub html_limit: usize,
    /// Zone of dates without one, and of its schedules.
    pub timezone: Tz,
    /// How its documents are read: `timezone`, `date_keys`, `date_sources`, and `only` of the source.
    pub reading: Reading,
    /// Where its issues are.
    pub source: Source,
    /// Where issues stand on the project's own site, instead of on our pages.
    pub permalink: Option<Permalink>,
    /// Takes the text of issues from the pages that the site generator built, instead of rendering Markdown.
    pub pages: Option<Pages>,
    /// How often the source is looked at.
    pub poll: Duration,
    /// How long an issue must be unchanged before it is mailed.
    pub settle: Duration,
    /// Publish what is dated in the future at once, instead of on its date.
    pub publish_future: bool,
    /// Publish drafts. No key says so: it is what the preview does.
    pub publish_drafts: bool,
    /// What looks like an accident, and is published but not mailed: `max_age`, `max_new`, `min_length`.
    pub caution: Caution,
    /// Entries and bytes of a feed: `feed_entries`, `feed_kilobytes`.
    pub feed: Limits,
    /// URL of a square picture; `None` for the built-in one.
    pub icon: Option<Url>,
    /// URL of a wide picture.
    pub logo: Option<Url>,
    /// `[newsletters.NAME.cadences.CADENCE]`, in the order of their names; the form offers the first one first. At least one.
    pub cadences: Vec<Cadence>,
}

/// `dkim_domain` and `dkim_keys`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dkim {
    /// `d=`: the domain of `from`, or one above it.
    pub domain: String,
    /// Selector and key file of each signature. None when mail is not signed here.
    pub keys: Vec<(String, PathBuf)>,
}

/// `[newsletters.NAME.source]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Git repository or directory.
    pub place: SourcePlace,
    /// What a push event must be signed with; `None` when there is no webhook.
    pub webhook_secret: Option<Secret>,
    /// Folder of the repository that is the root of the source; empty for all of it. No leading or trailing `/`.
    pub folder: String,
    /// Patterns of paths that are issues (globset syntax), relative to the root of the source.
    pub include: Vec<String>,
    /// Patterns of paths that are not.
    pub exclude: Vec<String>,
}

/// `[newsletters.NAME.pages]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pages {
    /// Where the built site is: its HTML files.
    pub source: Source,
    /// CSS selector of the element that holds an issue's text.
    pub content: String,
    /// CSS selectors of what in it is left out.
    pub without: Vec<String>,
}

/// Where a source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourcePlace {
    /// A plain directory.
    Directory(PathBuf),
    /// A repository, read from a bare mirror.
    Git {
        /// Local path or URL; may carry credentials.
        url: Secret,
        /// Branch; `None` for the remote's default branch.
        branch: Option<String>,
    },
}

/// `[newsletters.NAME.cadences.CADENCE]`
#[derive(Clone, Debug)]
pub struct Cadence {
    /// Its name.
    pub id: CadenceId,
    /// What the subscribe form calls it.
    pub title: String,
    /// When its digests go out.
    pub schedule: Schedule,
    /// How late a missed occurrence may still fire.
    pub grace: Duration,
}
