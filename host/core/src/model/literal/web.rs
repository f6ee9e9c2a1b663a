//! Servers that a target can reach. Addresses are numbers, so that no name decides where a request goes.
//!
//! Attacks answered: a name that resolves to a never-host or to a cloud's metadata service; a request line that contains more
//! than a path (NW11, AR05).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::LiteralError;

/// `http://IP:PORT/PATH?QUERY`. One GET without a body; redirects are not followed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Url {
    text: String,
    address: SocketAddr,
}

/// `IP:PORT`, or `IP:PORT/NAME`: a server, and the server name for TLS (SNI).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    text: String,
    address: SocketAddr,
}

impl Url {
    /// Parses a URL. The port is always written, the path always begins with `/`, and holds neither `//` nor `.` nor
    /// `..` as a part.
    ///
    /// # Errors
    /// When it is something else, or its address cannot be that of a service.
    pub fn new(text: &str) -> Result<Self, LiteralError> {
        let rest = text.strip_prefix("http://").ok_or(LiteralError::Url)?;
        let at = rest.find('/').ok_or(LiteralError::Url)?;
        let (authority, target) = rest.split_at(at);
        let address: SocketAddr = authority.parse().map_err(|_| LiteralError::Url)?;
        let (path, query) = target.split_once('?').map_or((target, ""), |(path, query)| (path, query));
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~%/:@+,=".contains(&b);
        let fits = text.len() <= 512
            && address.to_string() == authority
            && path.bytes().all(plain)
            && query.bytes().all(|b| plain(b) || b == b'&')
            && !path.contains("//")
            && !path.split('/').any(|part| matches!(part, "." | ".."))
            && escapes_are_whole(target);
        if !fits {
            return Err(LiteralError::Url);
        }
        check(address)?;
        Ok(Self { text: text.to_owned(), address })
    }

    /// As written in policy.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The address of the server.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Path and query.
    #[must_use]
    pub fn target(&self) -> &str {
        let rest = self.text.strip_prefix("http://").unwrap_or_default();
        rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
    }
}

impl Endpoint {
    /// Parses an endpoint.
    ///
    /// # Errors
    /// When it is something else, or its address cannot be that of a service.
    pub fn new(text: &str) -> Result<Self, LiteralError> {
        let (authority, name) = text.split_once('/').map_or((text, None), |(authority, name)| (authority, Some(name)));
        let address: SocketAddr = authority.parse().map_err(|_| LiteralError::Endpoint)?;
        let part = |part: &str| {
            !part.is_empty()
                && !part.starts_with('-')
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let named = name.is_none_or(|name| name.len() <= 253 && name.split('.').all(part));
        if address.to_string() != authority || !named {
            return Err(LiteralError::Endpoint);
        }
        check(address)?;
        Ok(Self { text: text.to_owned(), address })
    }

    /// As written in policy.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The address of the server.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server name for TLS.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.text.split_once('/').map(|(_, name)| name)
    }
}

/// Refuses addresses of no machine, of more than one machine, and of services that hold a machine's own credentials.
fn check(address: SocketAddr) -> Result<(), LiteralError> {
    let ip = address.ip();
    let why = match ip {
        IpAddr::V4(v4) if v4.is_link_local() => {
            Some("a link-local address, where cloud providers serve machine credentials")
        }
        IpAddr::V4(v4) if v4.is_broadcast() => Some("it addresses more than one machine"),
        IpAddr::V6(v6) if holds_ipv4(v6) => Some("an IPv4 address in IPv6 notation: write the IPv4 address"),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some("a link-local address without an interface"),
        // Amazon's metadata service over IPv6.
        IpAddr::V6(v6) if v6.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] => {
            Some("a cloud provider's metadata service")
        }
        ip if ip.is_unspecified() => Some("it addresses no machine"),
        ip if ip.is_multicast() => Some("it addresses more than one machine"),
        _ if address.port() == 0 => Some("port 0 does not exist"),
        _ => None,
    };
    why.map_or(Ok(()), |why| Err(LiteralError::Address { address: ip, why }))
}

/// True for an IPv4 address in IPv6: mapped, compatible, behind a translator (RFC 6052), or behind 6to4. Routers deliver it to
/// the inner address, which may be a never-host.
fn holds_ipv4(v6: Ipv6Addr) -> bool {
    match v6.segments() {
        // `::` and `::1` are ordinary IPv6 addresses.
        [0, 0, 0, 0, 0, 0, high, low] => high != 0 || low > 1,
        [0, 0, 0, 0, 0 | 0xffff, 0xffff | 0, ..] | [0x64, 0xff9b, ..] | [0x2002, ..] => true,
        _ => false,
    }
}

/// True if every `%` begins an escape.
fn escapes_are_whole(text: &str) -> bool {
    let hex = |c: Option<char>| c.is_some_and(|c| c.is_ascii_hexdigit());
    text.split('%').skip(1).all(|after| {
        let mut letters = after.chars();
        hex(letters.next()) && hex(letters.next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nw04_a_url_is_one_page_of_one_address() {
        let rules = Url::new("http://127.0.0.1:9090/api/v1/query?query=up%20%3D%3D%200&limit=5").unwrap();
        assert_eq!(rules.target(), "/api/v1/query?query=up%20%3D%3D%200&limit=5");
        assert!(Url::new("http://[::1]:80/").is_ok());
        let bad = [
            "https://127.0.0.1:443/",
            "http://localhost:80/",
            "http://127.0.0.1/",
            "http://127.0.0.1:80",
            "http://127.0.0.1:080/",
            "http://u@127.0.0.1:80/",
            "http://127.0.0.1:80/a b",
            "http://127.0.0.1:80/a\r\nHost: b",
            "http://127.0.0.1:80/../a",
            "http://127.0.0.1:80/\\evil",
            "http://127.0.0.1:80/a\0",
            "http://127.0.0.1:80@evil/",
            "http://127.0.0.1:80/http://evil/",
            "http://127.0.0.1:80//a",
            "http://127.0.0.1:80/a#b",
            "http://127.0.0.1:80/%2",
            "http://127.0.0.1:0/",
            "http://0.0.0.0:80/",
            "http://169.254.169.254:80/latest/meta-data",
            "http://[fd00:ec2::254]:80/",
            "http://[::ffff:10.0.0.1]:80/",
            "http://[::ffff:0:10.0.0.1]:80/",
            "http://[::10.0.0.1]:80/",
            "http://[64:ff9b::10.0.0.1]:80/",
            "http://[64:ff9b::a00:1]:80/",
            "http://[2002:a00:1::]:80/",
            "http://[0:0:0:0:0:0:0:1]:80/",
            "http://[::0001]:80/",
            "http://127.1:80/",
            "http://127.0.0.01:80/",
            "http://0x7f000001:80/",
            "http://2130706433:80/",
        ];
        for text in bad {
            assert!(Url::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn endpoints() {
        assert_eq!(Endpoint::new("127.0.0.1:443/www.example.org").unwrap().server_name(), Some("www.example.org"));
        assert_eq!(Endpoint::new("10.77.0.12:443").unwrap().server_name(), None);
        for bad in ["127.0.0.1", "a:1", "127.0.0.1:443/", "127.0.0.1:443/-a", "127.0.0.1:443/A", "127.0.0.1:443/a..b"] {
            assert!(Endpoint::new(bad).is_err(), "{bad}");
        }
    }
}
