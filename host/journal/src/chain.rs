//! The chain: each entry's hash covers the one before.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// A place in the chain: an entry's number, from 1, and its hash. Number 0 stands before the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The entry's number.
    pub seq: u64,
    /// 64 hex digits.
    pub hash: String,
}

impl Link {
    /// Before the first entry.
    #[must_use]
    pub fn origin() -> Self {
        Self { seq: 0, hash: "0".repeat(64) }
    }

    /// The link of the entry that follows with this body.
    #[must_use]
    pub fn next(&self, body: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"bailiwick-journal-v1");
        hash.update(self.hash.as_bytes());
        hash.update((body.len() as u64).to_be_bytes());
        hash.update(body);
        Self { seq: self.seq + 1, hash: HEXLOWER.encode(&hash.finalize()) }
    }

    /// True if its hash could be one.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        is_hash(&self.hash)
    }

    /// As `head` holds it: 20 digits, a space, the hash, a newline; always 86 bytes.
    pub(super) fn to_head(&self) -> String {
        format!("{:020} {}\n", self.seq, self.hash)
    }

    pub(super) fn from_head(text: &str) -> Option<Self> {
        let (seq, hash) = text.strip_suffix('\n')?.split_once(' ')?;
        let link = Self { seq: seq.parse().ok()?, hash: hash.to_owned() };
        (link.to_head() == text && is_hash(hash)).then_some(link)
    }
}

/// True for 64 lower-case hex digits, the one spelling of a hash.
pub(super) fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// One line, without its newline: its hash and its body.
pub(super) fn split(line: &[u8]) -> Option<(&str, &[u8])> {
    let (hash, rest) = line.split_at_checked(64)?;
    let hash = std::str::from_utf8(hash).ok().filter(|hash| is_hash(hash))?;
    Some((hash, rest.strip_prefix(b" ")?))
}
