//! Who asks, and who asks too often: readers that load a whole feed again and again without saying what they have, and programs that
//! fill in the form with the addresses of strangers.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{Extensions, HeaderMap};
use tokio::time::Instant;

/// The address at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub SocketAddr);

/// The peer of a request; `None` for one of our own, within the process.
pub(super) fn peer(extensions: &Extensions) -> Option<Peer> {
    extensions.get().copied()
}

/// Who asks, as far as it can be known: what the trusted header says, else the peer. `None` where that is no one client: a request
/// within the process, or a peer on a private network, which is our proxy more likely than a reader.
pub(super) fn client(peer: Option<Peer>, headers: &HeaderMap, trusted: Option<&str>) -> Option<IpAddr> {
    let named = trusted.and_then(|name| headers.get_all(name).iter().next_back()?.to_str().ok());
    let address = match named.and_then(|list| address(list.rsplit(',').next()?)) {
        Some(address) => address,
        None => peer.map(|Peer(peer)| peer.ip()).filter(is_public)?,
    };
    Some(network(address))
}

/// An address as proxies write it: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text.trim_start_matches('[').split(']').next()?;
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

fn is_public(address: &IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64; // RFC 6598
            !(v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified() || shared)
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local())
        }
    }
}

/// The network that one customer of a provider has: with IPv6 a whole /64 is one client.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !0 << 64)),
        v4 => v4,
    }
}

/// How often one client may do something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Once in this time.
    every: Duration,
    /// And so many times at once.
    at_once: u32,
}

/// Loading one feed whole. Readers that look once an hour never come near it; several may be behind one address, or someone tries things out.
pub(super) const WHOLE_FEED: Pace = Pace { every: Duration::from_secs(60), at_once: 10 };
/// Sending the form. Each request may mail somebody who never asked for it. A class of students behind one address gets through in time.
pub(super) const FORM: Pace = Pace { every: Duration::from_secs(5 * 60), at_once: 5 };

/// How many clients are remembered; each takes about 60 bytes.
const MOST: usize = 20_000;

/// Clients that lately did something, and what, with the time at which they will have made up for it (the generic cell rate algorithm).
#[derive(Debug)]
pub(super) struct Clients {
    pace: Pace,
    busy: Mutex<HashMap<(IpAddr, u64), Instant>>,
}

impl Clients {
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, busy: Mutex::default() }
    }

    /// Notes that a client does something, such as loading the feed with this number.
    ///
    /// # Errors
    /// How long it should wait, when it does so too often.
    pub(super) fn admit(&self, client: IpAddr, what: u64, now: Instant) -> Result<(), Duration> {
        let Pace { every, at_once } = self.pace;
        let mut clients = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= MOST && !clients.contains_key(&(client, what)) {
            clients.retain(|_, until| *until > now);
            if clients.len() >= MOST {
                return Ok(()); // so many at once are not one client that asks too often
            }
        }
        let until = clients.entry((client, what)).or_insert(now);
        let owed = until.saturating_duration_since(now);
        let allowed = every * (at_once - 1);
        if owed > allowed {
            return Err(owed - allowed);
        }
        *until = now + owed + every;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = WHOLE_FEED.every;
    const AT_ONCE: u32 = WHOLE_FEED.at_once;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn who_loads_everything_too_often_waits_and_others_do_not() {
        let (clients, start) = (Clients::new(WHOLE_FEED), Instant::now());
        let reader = ip("192.0.2.1");
        for _ in 0..AT_ONCE {
            assert_eq!(clients.admit(reader, 1, start), Ok(()));
        }
        assert_eq!(clients.admit(reader, 1, start), Err(EVERY));
        assert_eq!(clients.admit(reader, 1, start + EVERY / 2), Err(EVERY / 2), "asking again makes it no longer");
        assert_eq!(clients.admit(reader, 2, start), Ok(()), "another feed");
        assert_eq!(clients.admit(ip("192.0.2.2"), 1, start), Ok(()), "another client");
        assert_eq!(clients.admit(reader, 1, start + EVERY), Ok(()), "who waits is served");
        assert!(clients.admit(reader, 1, start + EVERY).is_err());
    }

    #[tokio::test]
    async fn once_a_minute_is_never_too_often() {
        let (clients, mut now) = (Clients::new(WHOLE_FEED), Instant::now());
        for _ in 0..1000 {
            assert_eq!(clients.admit(ip("192.0.2.1"), 1, now), Ok(()));
            now += EVERY;
        }
    }

    #[tokio::test]
    async fn memory_is_bounded_whoever_asks() {
        let (clients, now) = (Clients::new(WHOLE_FEED), Instant::now());
        for number in 0..MOST as u32 + 1000 {
            assert_eq!(clients.admit(IpAddr::V4(number.into()), 1, now), Ok(()));
        }
        assert_eq!(clients.busy.lock().unwrap().len(), MOST);
        let later = now + EVERY * 2;
        assert_eq!(clients.admit(ip("192.0.2.1"), 1, later), Ok(()));
        assert_eq!(clients.busy.lock().unwrap().len(), 1, "who made up for it is forgotten");
    }

    #[test]
    fn a_client_is_the_peer_unless_a_trusted_proxy_says_another() {
        let asked = |peer: &str, header: Option<&str>, trusted| {
            let mut headers = HeaderMap::new();
            if let Some(value) = header {
                headers.insert("x-forwarded-for", value.parse().unwrap());
            }
            client(Some(Peer(SocketAddr::new(ip(peer), 4711))), &headers, trusted)
        };
        let trusted = Some("x-forwarded-for");
        for (peer, header, trusted, expected) in [
            ("192.0.2.1", None, None, Some("192.0.2.1")),
            ("192.0.2.1", Some("198.51.100.1"), None, Some("192.0.2.1")),
            ("127.0.0.1", Some("198.51.100.1"), None, None),
            ("10.1.2.3", None, None, None),
            ("100.64.0.1", None, None, None),
            ("127.0.0.1", Some("203.0.113.9, 198.51.100.1"), trusted, Some("198.51.100.1")),
            ("127.0.0.1", Some("198.51.100.1:80"), trusted, Some("198.51.100.1")),
            ("127.0.0.1", Some("[2001:db8:1:2:3::4]:80"), trusted, Some("2001:db8:1:2::")),
            ("127.0.0.1", Some("unknown"), trusted, None),
            ("127.0.0.1", None, trusted, None),
            ("2001:db8:1:2:3::4", None, None, Some("2001:db8:1:2::")),
            ("::ffff:192.0.2.1", None, None, Some("192.0.2.1")),
            ("::ffff:10.0.0.1", None, None, None),
        ] {
            assert_eq!(asked(peer, header, trusted), expected.map(ip), "{peer} {header:?} {trusted:?}");
        }
        assert_eq!(client(None, &HeaderMap::new(), None), None);
    }
}
