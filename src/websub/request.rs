//! What a reader asks of the hub, section 5.1: a form that is parsed once into a request that cannot be wrong.

use core::net::IpAddr;

use url::{Host, Url};

use super::address::{Forbidden, Guard};
use super::{LEASES, USUAL_LEASE};
use crate::types::Secret;

/// The longest URL that is taken. Browsers and servers agree on about this much, and each is kept in the database.
const LONGEST: usize = 2_000;

/// Section 5.1: a secret is less than 200 bytes long.
const SECRET: usize = 200;

/// Ports of other protocols (the Fetch standard, "bad port", and databases): whoever confirms there is no reader.
const BAD_PORTS: &[u16] = &[
    1719, 1720, 1723, 2049, 3306, 3659, 4045, 4190, 5060, 5061, 5432, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669,
    6679, 6697, 10080, 11211, 27017,
];

/// What a reader wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// To be told, or to be told for longer.
    Subscribe,
    /// Not to be told any more.
    Unsubscribe,
}

impl Mode {
    /// The word of the protocol.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Subscribe, Self::Unsubscribe].into_iter().find(|mode| mode.as_str() == text)
    }
}

/// Where a reader wants to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback(Url);

/// A request to the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is wanted.
    pub mode: Mode,
    /// The URL of a feed, as the reader wrote it. Whether it is one of ours is for the site to say.
    pub topic: String,
    /// Where to.
    pub callback: Callback,
    /// For how long, in seconds, within [`LEASES`].
    pub lease: i64,
    /// What pushes are signed with.
    pub secret: Option<Secret>,
}

/// Why a request is refused, in words for whoever reads the answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A parameter that must be there is not.
    #[error("{0} is missing. Send hub.mode, hub.topic and hub.callback as a form (WebSub, section 5.1).")]
    Missing(&'static str),
    /// Not a mode.
    #[error("hub.mode {0:?} is not known here. Write subscribe or unsubscribe.")]
    Mode(String),
    /// A publisher's ping.
    #[error(
        "This hub tells readers about the feeds of this site only, and knows by itself when they change: there is nothing to publish."
    )]
    Publish,
    /// The topic is too long.
    #[error("hub.topic is too long.")]
    Topic,
    /// The callback cannot be one.
    #[error("hub.callback {0}.")]
    Callback(&'static str),
    /// The callback is an address that is not connected to.
    #[error("hub.callback is not reachable from here: {0}.")]
    Forbidden(#[from] Forbidden),
    /// Not a lease.
    #[error("hub.lease_seconds {0:?} is not a positive whole number.")]
    Lease(String),
    /// The secret is too long.
    #[error("hub.secret is {0} bytes long. It must be shorter than 200.")]
    Secret(usize),
}

impl Request {
    /// Reads the fields of the form; unknown ones are ignored, as section 5.1 wants. `guard` judges a callback that is an
    /// address; a name is judged when it is connected to.
    ///
    /// # Errors
    /// With what is wrong, and what to do.
    pub fn parse(fields: &[(String, String)], guard: &Guard) -> Result<Self, Refusal> {
        let field = |wanted: &str| fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let need = |name: &'static str| field(name).filter(|value| !value.is_empty()).ok_or(Refusal::Missing(name));
        let mode = match need("hub.mode")? {
            "publish" => return Err(Refusal::Publish),
            text => Mode::parse(text).ok_or_else(|| Refusal::Mode(text.chars().take(50).collect()))?,
        };
        let topic = need("hub.topic")?;
        if topic.len() > LONGEST {
            return Err(Refusal::Topic);
        }
        let callback = Callback::parse(need("hub.callback")?)?;
        if let Some(address) = callback.address() {
            guard.check(address)?;
        }
        let secret = field("hub.secret").filter(|secret| !secret.is_empty());
        if let Some(secret) = secret.filter(|secret| secret.len() >= SECRET) {
            return Err(Refusal::Secret(secret.len()));
        }
        let lease = lease(field("hub.lease_seconds").unwrap_or_default())?;
        Ok(Self { mode, topic: topic.to_owned(), callback, lease, secret: secret.map(Secret::new) })
    }
}

/// What is granted of what is asked for: at least the shortest lease, at most the longest.
fn lease(text: &str) -> Result<i64, Refusal> {
    if text.is_empty() {
        return Ok(USUAL_LEASE);
    }
    let wrong = || Refusal::Lease(text.chars().take(50).collect());
    if !text.bytes().all(|b| b.is_ascii_digit()) || text.bytes().all(|b| b == b'0') {
        return Err(wrong());
    }
    // A number that does not fit is a long time.
    Ok(text.parse().unwrap_or(i64::MAX).clamp(*LEASES.start(), *LEASES.end()))
}

impl Callback {
    /// Reads the URL of a callback.
    ///
    /// # Errors
    /// When nothing can be sent there, or nothing should be.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let wrong = |why| Err(Refusal::Callback(why));
        if text.len() > LONGEST {
            return wrong("is too long");
        }
        let Ok(url) = Url::parse(text) else { return wrong("is not an absolute URL") };
        if url.as_str().len() > LONGEST {
            return wrong("is too long");
        }
        if !matches!(url.scheme(), "http" | "https") {
            return wrong("must begin with https:// or http://");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return wrong("must not have a user or password");
        }
        if url.fragment().is_some() {
            return wrong("must not have a fragment");
        }
        match url.port_or_known_default() {
            Some(80 | 443) => {}
            Some(port) if port >= 1024 && !BAD_PORTS.contains(&port) => {}
            _ => return wrong("has a port of another protocol: use 80, 443, or a free one above 1023"),
        }
        Ok(Self(url))
    }

    /// The URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// The host, for limits: in one spelling, without a dot at its end.
    #[must_use]
    pub fn host(&self) -> String {
        self.0.host_str().unwrap_or_default().trim_end_matches('.').to_owned()
    }

    /// The address, where the host is one and not a name.
    fn address(&self) -> Option<IpAddr> {
        match self.0.host()? {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        }
    }

    /// Where to ask whether the reader means it (section 5.3): the callback with parameters behind those that it has.
    #[must_use]
    pub fn verification(&self, mode: Mode, topic: &str, challenge: &str, lease: i64) -> Url {
        let mut url = self.0.clone();
        let mut query = url.query_pairs_mut();
        query.append_pair("hub.mode", mode.as_str()).append_pair("hub.topic", topic);
        query.append_pair("hub.challenge", challenge);
        if mode == Mode::Subscribe {
            query.append_pair("hub.lease_seconds", &lease.to_string());
        }
        drop(query);
        url
    }

    /// Where to say that there is no subscription any more (section 5.2).
    #[must_use]
    pub fn denial(&self, topic: &str, reason: &str) -> Url {
        let mut url = self.0.clone();
        url.query_pairs_mut()
            .append_pair("hub.mode", "denied")
            .append_pair("hub.topic", topic)
            .append_pair("hub.reason", reason);
        url
    }
}

/// Reads the URL of a hub elsewhere, which an operator chose.
///
/// # Errors
/// When it is not an absolute http or https URL without user and fragment.
pub fn check_other_hub(text: &str) -> Result<String, Refusal> {
    Callback::parse(text).map(|callback| callback.0.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: (&str, &str) = ("hub.topic", "https://example.org/n/atom.xml");
    const MODE: (&str, &str) = ("hub.mode", "subscribe");
    const CALLBACK: (&str, &str) = ("hub.callback", "https://reader.example/cb?id=1");

    fn parse(fields: &[(&str, &str)]) -> Result<Request, Refusal> {
        let fields: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Request::parse(&fields, &Guard::default())
    }

    fn callback(text: &str) -> Result<Request, Refusal> {
        parse(&[MODE, TOPIC, ("hub.callback", text)])
    }

    #[test]
    fn a_request_has_mode_topic_and_callback_and_what_is_unknown_is_ignored() {
        let request = parse(&[("hub.verify", "sync"), MODE, TOPIC, CALLBACK, ("x", "y")]).unwrap();
        assert_eq!(request.mode, Mode::Subscribe);
        assert_eq!(request.topic, TOPIC.1);
        assert_eq!(request.callback.url().as_str(), CALLBACK.1);
        assert_eq!((request.lease, request.secret), (USUAL_LEASE, None));
        let unsubscribe = parse(&[("hub.mode", "unsubscribe"), TOPIC, CALLBACK]).unwrap();
        assert_eq!(unsubscribe.mode, Mode::Unsubscribe);
        for (fields, refusal) in [
            (vec![], Refusal::Missing("hub.mode")),
            (vec![MODE], Refusal::Missing("hub.topic")),
            (vec![MODE, ("hub.topic", "")], Refusal::Missing("hub.topic")),
            (vec![MODE, TOPIC], Refusal::Missing("hub.callback")),
            (vec![("hub.mode", "denied"), TOPIC, CALLBACK], Refusal::Mode("denied".into())),
            (vec![("hub.mode", "publish"), ("hub.url", TOPIC.1)], Refusal::Publish),
        ] {
            assert_eq!(parse(&fields), Err(refusal), "{fields:?}");
        }
    }

    #[test]
    fn a_lease_is_a_positive_number_within_bounds() {
        for (asked, granted) in [
            ("", USUAL_LEASE),
            ("1", 3_600),
            ("3600", 3_600),
            ("86400", 86_400),
            ("2592001", 2_592_000),
            ("99999999999999999999999999", 2_592_000),
        ] {
            assert_eq!(
                parse(&[MODE, TOPIC, CALLBACK, ("hub.lease_seconds", asked)]).unwrap().lease,
                granted,
                "{asked}"
            );
        }
        for wrong in ["0", "00", "-1", "+1", "1.5", "1e3", "ten", " 1"] {
            let refusal = parse(&[MODE, TOPIC, CALLBACK, ("hub.lease_seconds", wrong)]);
            assert_eq!(refusal, Err(Refusal::Lease(wrong.into())), "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_shorter_than_200_bytes() {
        let with = |secret: &str| parse(&[MODE, TOPIC, CALLBACK, ("hub.secret", secret)]);
        assert_eq!(with(&"s".repeat(199)).unwrap().secret.unwrap().expose().len(), 199);
        assert_eq!(with(&"s".repeat(200)), Err(Refusal::Secret(200)));
        assert_eq!(with(&"é".repeat(100)), Err(Refusal::Secret(200)), "bytes, not characters");
        assert_eq!(with("").unwrap().secret, None);
    }

    #[test]
    fn a_callback_is_a_web_address_on_a_port_where_readers_are() {
        for good in [
            "https://reader.example/",
            "http://reader.example/a/b?c=d&e=%20",
            "https://reader.example:8443/",
            "http://8.8.8.8:3000/x",
            "http://[2a00:1450::1]/x",
        ] {
            assert!(callback(good).is_ok(), "{good}");
        }
        for bad in [
            "reader.example/cb",
            "/cb",
            "ftp://reader.example/",
            "gopher://reader.example/",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "https://user@reader.example/",
            "https://:pass@reader.example/",
            "https://reader.example/#here",
            "http://reader.example:25/",
            "http://reader.example:22/",
            "http://reader.example:6379/",
            "http://reader.example:0/",
            &format!("https://reader.example/{}", "x".repeat(LONGEST)),
        ] {
            assert!(matches!(callback(bad), Err(Refusal::Callback(_))), "{bad}");
        }
    }

    #[test]
    fn a_callback_that_is_an_address_is_judged_however_it_is_spelled() {
        for bad in [
            "http://127.0.0.1:8080/",
            "http://0x7f.1/",
            "http://2130706433/",
            "http://017700000001/",
            "http://127.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://10.0.0.1/",
            "http://①②⑦.⓪.⓪.①/",
        ] {
            assert!(matches!(callback(bad), Err(Refusal::Forbidden(_))), "{bad}");
        }
    }

    #[test]
    fn parameters_go_behind_those_that_a_callback_has() {
        let request = callback("https://reader.example/cb?id=a%2fb&&x").unwrap();
        let url = request.callback.verification(Mode::Subscribe, "https://example.org/?a&b", "c h", 60);
        assert_eq!(
            url.as_str(),
            "https://reader.example/cb?id=a%2fb&&x&hub.mode=subscribe&hub.topic=https%3A%2F%2Fexample.org%2F%3Fa%26b\
             &hub.challenge=c+h&hub.lease_seconds=60"
        );
        let url = callback("https://reader.example/cb").unwrap().callback.denial("t", "gone");
        assert_eq!(url.as_str(), "https://reader.example/cb?hub.mode=denied&hub.topic=t&hub.reason=gone");
    }

    #[test]
    fn a_host_has_one_spelling() {
        for text in ["https://Reader.Example/", "https://reader.example./", "https://reader.example:444.."] {
            if let Ok(callback) = Callback::parse(text) {
                assert_eq!(callback.host(), "reader.example", "{text}");
            }
        }
    }
}
