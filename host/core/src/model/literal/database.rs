//! PostgreSQL databases of a target, reached through its own socket.

use super::LiteralError;

const PORT: u16 = 5432;

/// A database, by name and port. The port names the socket. No address, user or password is sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Database {
    text: String,
    port: u16,
}

impl Database {
    /// Parses `NAME` or `NAME:PORT`. A name is `[A-Za-z_][A-Za-z0-9_-]*`, 63 bytes at most; anything else would be read
    /// by `psql` as more than a name.
    ///
    /// # Errors
    /// When it is something else.
    pub fn new(text: &str) -> Result<Self, LiteralError> {
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, port.parse().map_err(|_| LiteralError::Database)?),
            None => (text, PORT),
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        let fits = (1..=63).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(plain)
            && port != 0
            // Only one spelling is accepted, because ids are compared as text.
            && (text == name || text == format!("{name}:{port}") && port != PORT);
        if fits { Ok(Self { text: text.to_owned(), port }) } else { Err(LiteralError::Database) }
    }

    /// As written in policy.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name alone.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text.split(':').next().unwrap_or_default()
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases() {
        for (text, name, port) in [("market", "market", 5432), ("a_b-c:5433", "a_b-c", 5433)] {
            let database = Database::new(text).unwrap();
            assert_eq!((database.name(), database.port()), (name, port));
        }
        let bad = [
            "",
            "a b",
            "a=b",
            "postgres://h/db",
            "host=h",
            "-c",
            "a:",
            "a:0",
            "a:x",
            "a:05433",
            "a:5432",
            "a:70000",
            "a\\b",
        ];
        for text in bad {
            assert!(Database::new(text).is_err(), "{text}");
        }
    }
}
