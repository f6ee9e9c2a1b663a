//! Addresses and account names, by positive grammar.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// Why a text is not an address or an account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither an IP address in its usual form nor a DNS name.
    #[error("an address must be an IPv4 or IPv6 address in its usual form, or a DNS name")]
    Address,
    /// An address that does not identify one machine.
    #[error("the address does not identify one machine")]
    Nowhere,
    /// Not an account name.
    #[error("an account must consist of letters, digits, `_`, `.` and `-`, with a letter or `_` first, 32 at most")]
    User,
}

/// Where a machine is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// An IP address. An IPv4 address written inside IPv6 is stored as IPv4.
    Ip(IpAddr),
    /// A DNS name in lower case, without a final dot.
    Name(String),
}

impl Address {
    /// Parses an address or a DNS name. `0x7f000001`, `127.1`, `2130706433` and similar forms are refused.
    ///
    /// # Errors
    /// When it is neither.
    pub fn new(text: &str) -> Result<Self, AddressError> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            let ip = canonical(ip);
            // 0.0.0.0 reaches this machine under an address that no never-rule lists. The others are not one machine.
            let nowhere = ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST);
            return if nowhere { Err(AddressError::Nowhere) } else { Ok(Self::Ip(ip)) };
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let label = |label: &str| {
            let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            (1..=63).contains(&label.len())
                && label.bytes().all(inner)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // If a resolver reads the last label as a number, the whole name is an IP address.
        let last = name.rsplit('.').next().unwrap_or_default();
        let numeric = last.bytes().all(|b| b.is_ascii_digit())
            || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        if name.len() <= 253 && name.split('.').all(label) && !numeric {
            Ok(Self::Name(name))
        } else {
            Err(AddressError::Address)
        }
    }

    /// True if both are certainly the same machine. Names are compared as text. The address that a name resolves to is compared
    /// when it is resolved.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self == other
    }
}

/// Returns an IPv4 address that is embedded in IPv6 as IPv4.
#[must_use]
pub(super) fn canonical(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => f.pad(&ip.to_string()),
            Self::Name(name) => f.pad(name),
        }
    }
}

/// An account on a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserName(String);

impl UserName {
    /// Parses an account name.
    ///
    /// # Errors
    /// When it does not match `[A-Za-z_][A-Za-z0-9_.-]{0,31}`.
    pub fn new(text: &str) -> Result<Self, AddressError> {
        let first = |b: u8| b.is_ascii_alphabetic() || b == b'_';
        let later = |b: u8| first(b) || b.is_ascii_digit() || b == b'.' || b == b'-';
        if text.len() <= 32 && text.bytes().next().is_some_and(first) && text.bytes().all(later) {
            Ok(Self(text.to_owned()))
        } else {
            Err(AddressError::User)
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_meaning() {
        for good in ["10.77.0.1", "::1", "fe80::1", "db01.example.org", "db01", "a_b.example"] {
            assert!(Address::new(good).is_ok(), "{good}");
        }
        assert_eq!(Address::new("::ffff:10.0.0.5"), Address::new("10.0.0.5"));
        assert_eq!(Address::new("DB01.example."), Address::new("db01.example"));
        let bad = [
            "",
            "-oProxyCommand=id",
            "a b",
            "0x7f000001",
            "2130706433",
            "127.1",
            "0177.0.0.1",
            "a;id",
            "a/b",
            "[::1]",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "a..b",
            "-a.b",
            "①②⑦.0.0.1",
            "user@host",
            "host:22",
        ];
        for text in bad {
            assert!(Address::new(text).is_err(), "{text:?}");
        }
        for text in ["", "-l", "a b", "root;id", "$USER", "1a"] {
            assert!(UserName::new(text).is_err(), "{text:?}");
        }
    }
}
