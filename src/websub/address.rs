//! Which addresses a callback may have. A stranger chooses it, so the hub must reach nothing that only we can reach.
//!
//! Checked on what is connected to, after the name was resolved: a name that changes its mind gains nothing. An IPv4 address
//! inside an IPv6 one is judged as what it is. The registries are IANA's for special-purpose addresses (RFC 6890).

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network in CIDR notation, such as `192.168.1.0/24` or `fd00::/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// All networks as IPv6; IPv4 ones are below `::ffff:0:0/96`.
    bits: u128,
    length: u32,
}

/// Why a text is not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// No address, or no length behind it.
    #[error("it is not an address, a slash and a number of bits")]
    Syntax,
    /// The address has bits behind the length: one of the two is a slip.
    #[error("the address goes on behind its first {0} bits")]
    HostBits(u32),
}

impl Network {
    /// Reads `ADDRESS/BITS`.
    ///
    /// # Errors
    /// When it is not that, or the address has bits set behind the length.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let (address, length) = text.split_once('/').ok_or(NetworkError::Syntax)?;
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Syntax)?;
        let given: u32 = length.parse().map_err(|_| NetworkError::Syntax)?;
        let (most, before) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        if given > most || !length.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NetworkError::Syntax);
        }
        let network = Self { bits: wide(address), length: given + before };
        if network.bits & !network.mask() != 0 {
            return Err(NetworkError::HostBits(given));
        }
        Ok(network)
    }

    /// Whether an address is in it; an IPv4 address also in its IPv4-mapped form.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        wide(address) & self.mask() == self.bits
    }

    fn mask(&self) -> u128 {
        u128::MAX.checked_shl(128 - self.length).unwrap_or(0)
    }
}

fn wide(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Says which addresses may be connected to.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    allowed: Vec<Network>,
}

/// An address that is not connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Forbidden {
    address: IpAddr,
    is: &'static str,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the address {} is {}, where this hub does not connect", self.address, self.is)
    }
}

impl Guard {
    /// Lets through what is public, and these networks of the operator's own.
    #[must_use]
    pub fn new(allowed: Vec<Network>) -> Self {
        Self { allowed }
    }

    /// Passes an address that may be connected to.
    ///
    /// # Errors
    /// With what the address is instead of public.
    pub fn check(&self, address: IpAddr) -> Result<(), Forbidden> {
        if self.allowed.iter().any(|network| network.contains(address)) {
            return Ok(());
        }
        let special = match address {
            IpAddr::V4(address) => special_v4(address),
            IpAddr::V6(address) => special_v6(address),
        };
        special.map_or(Ok(()), |is| Err(Forbidden { address, is }))
    }
}

const V4: &[(Ipv4Addr, u32, &str)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8, "unspecified"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "of a carrier's inside"), // and 100.100.100.200, metadata of a cloud
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(168, 63, 129, 16), 32, "a cloud's metadata"), // Azure's, in the middle of public space
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),           // and 169.254.169.254, metadata of most clouds
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "for protocols"), // and 192.0.0.192, metadata of a cloud
    (Ipv4Addr::new(192, 0, 2, 0), 24, "for documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a relay of 6to4"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "for benchmarks"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "for documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "for documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"), // and broadcast
];

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let within = |(network, length, _): &&(Ipv4Addr, u32, &str)| {
        (address.to_bits() ^ network.to_bits()).checked_shr(32 - length) == Some(0)
    };
    V4.iter().find(within).map(|(_, _, is)| *is)
}

const fn v6(a: u16, b: u16, c: u16) -> Ipv6Addr {
    Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)
}

/// Inside 2000::/3, all that is public.
const V6: &[(Ipv6Addr, u32, &str)] = &[
    (v6(0x2001, 0, 0), 32, "a Teredo tunnel"), // leads to an IPv4 address that nobody checked
    (v6(0x2001, 0, 0), 23, "for protocols"),
    (v6(0x2001, 0xdb8, 0), 32, "for documentation"),
    (v6(0x2002, 0, 0), 16, "a 6to4 tunnel"), // the same; and given up by RFC 7526
    (v6(0x3fff, 0, 0), 20, "for documentation"),
];

/// Outside it, to say what an address is.
const V6_OUTSIDE: &[(Ipv6Addr, u32, &str)] = &[
    (Ipv6Addr::LOCALHOST, 128, "loopback"),
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified"),
    (Ipv6Addr::UNSPECIFIED, 96, "an IPv4-compatible address"),
    (v6(0x64, 0xff9b, 1), 48, "NAT64 of a local network"), // RFC 8215: where the IPv4 address stands is a local matter
    (v6(0xfc00, 0, 0), 7, "private"),                      // and fd00:ec2::254, metadata of a cloud
    (v6(0xfe80, 0, 0), 10, "link-local"),
    (v6(0xfec0, 0, 0), 10, "site-local"),
    (v6(0xff00, 0, 0), 8, "multicast"),
    (Ipv6Addr::UNSPECIFIED, 0, "not public"),
];

/// RFC 6052: behind this prefix, the last 32 bits are an IPv4 address that a gateway connects to.
const NAT64: Ipv6Addr = v6(0x64, 0xff9b, 0);

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    if let Some(inside) = address.to_ipv4_mapped() {
        return special_v4(inside);
    }
    let within = |(network, length, _): &&(Ipv6Addr, u32, &str)| {
        (address.to_bits() ^ network.to_bits()).checked_shr(128 - length).unwrap_or(0) == 0
    };
    if within(&&(NAT64, 96, "")) {
        let [.., a, b, c, d] = address.octets();
        return special_v4(Ipv4Addr::new(a, b, c, d));
    }
    let table = if within(&&(v6(0x2000, 0, 0), 3, "")) { V6 } else { V6_OUTSIDE };
    table.iter().find(within).map(|(_, _, is)| *is)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Option<&'static str> {
        Guard::default().check(text.parse().unwrap()).err().map(|forbidden| forbidden.is)
    }

    #[test]
    fn only_public_addresses_are_connected_to() {
        for (address, is) in [
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "unspecified"),
            ("10.1.2.3", "private"),
            ("100.64.0.1", "of a carrier's inside"),
            ("100.100.100.200", "of a carrier's inside"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.255", "loopback"),
            ("168.63.129.16", "a cloud's metadata"),
            ("169.254.169.254", "link-local"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.0.0.192", "for protocols"),
            ("192.0.2.1", "for documentation"),
            ("192.88.99.1", "a relay of 6to4"),
            ("192.168.255.1", "private"),
            ("198.19.0.1", "for benchmarks"),
            ("198.51.100.7", "for documentation"),
            ("203.0.113.9", "for documentation"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.255", "multicast"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.255", "reserved"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::127.0.0.1", "an IPv4-compatible address"),
            ("::8.8.8.8", "an IPv4-compatible address"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:169.254.169.254", "link-local"),
            ("::ffff:0:127.0.0.1", "not public"),
            ("64:ff9b::127.0.0.1", "loopback"),
            ("64:ff9b::10.0.0.1", "private"),
            ("64:ff9b:0:0:0:1:7f00:1", "not public"),
            ("64:ff9b:1::8.8.8.8", "NAT64 of a local network"),
            ("64:ff9b:1:7f00:0:100::", "NAT64 of a local network"),
            ("100::1", "not public"),
            ("2001::1", "a Teredo tunnel"),
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "a Teredo tunnel"),
            ("2001:10::1", "for protocols"),
            ("2001:1ff:ffff::", "for protocols"),
            ("2001:db8::1", "for documentation"),
            ("2002:7f00:1::", "a 6to4 tunnel"),
            ("2002:808:808::1", "a 6to4 tunnel"),
            ("3fff:fff::1", "for documentation"),
            ("4000::1", "not public"),
            ("5f00::1", "not public"),
            ("fc00::1", "private"),
            ("fd00:ec2::254", "private"),
            ("fe80::1", "link-local"),
            ("febf::1", "link-local"),
            ("fec0::1", "site-local"),
            ("ff02::1", "multicast"),
        ] {
            assert_eq!(check(address), Some(is), "{address}");
        }
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2003::1",
            "2a00:1450::1",
            "3ffe::1",
        ] {
            assert_eq!(check(address), None, "{address}");
        }
    }

    #[test]
    fn networks_of_the_operators_own_are_let_through_in_every_form() {
        let allowed = ["127.0.0.1/32", "10.20.0.0/16", "fd12::/16"].map(|text| Network::parse(text).unwrap());
        let guard = Guard::new(allowed.to_vec());
        for (address, fine) in [
            ("127.0.0.1", true),
            ("::ffff:127.0.0.1", true),
            ("127.0.0.2", false),
            ("10.20.255.255", true),
            ("10.21.0.0", false),
            ("fd12:1::1", true),
            ("fd13::1", false),
            ("::1", false),
            ("8.8.8.8", true),
        ] {
            assert_eq!(guard.check(address.parse().unwrap()).is_ok(), fine, "{address}");
        }
        let everything = Guard::new(vec![Network::parse("::/0").unwrap()]);
        assert_eq!(everything.check("127.0.0.1".parse().unwrap()), Ok(()));
    }

    #[test]
    fn a_network_is_an_address_and_a_length() {
        for (text, error) in [
            ("", NetworkError::Syntax),
            ("127.0.0.1", NetworkError::Syntax),
            ("127.0.0.1/33", NetworkError::Syntax),
            ("127.0.0.1/+8", NetworkError::Syntax),
            ("localhost/8", NetworkError::Syntax),
            ("::1/129", NetworkError::Syntax),
            ("10.0.0.1/8", NetworkError::HostBits(8)),
            ("fd00::1/8", NetworkError::HostBits(8)),
        ] {
            assert_eq!(Network::parse(text), Err(error), "{text}");
        }
        for text in ["0.0.0.0/0", "127.0.0.1/32", "::1/128", "::/0"] {
            assert!(Network::parse(text).is_ok(), "{text}");
        }
    }
}
