//! The hash chain: the hash of an entry covers the hash of the entry before it.
//!
//! Knows: numbers, hashes, bytes. Must not know: what an entry means.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// An entry, by its number, from 1, and its hash. Number 0 is the place before the first entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRef {
    /// The entry's number.
    pub seq: u64,
    /// 64 hex digits.
    pub hash: String,
}

impl EntryRef {
    /// The place before the first entry.
    #[must_use]
    pub fn origin() -> Self {
        Self { seq: 0, hash: "0".repeat(64) }
    }

    /// The next entry, if it has this body.
    #[must_use]
    pub fn next(&self, body: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"bailiwick-journal-v1");
        hash.update(self.hash.as_bytes());
        hash.update((body.len() as u64).to_be_bytes());
        hash.update(body);
        Self { seq: self.seq + 1, hash: HEXLOWER.encode(&hash.finalize()) }
    }

    /// True if its hash has the form of a hash.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        is_hash(&self.hash)
    }

    /// The content of the file `head`: 20 digits, a space, the hash, a newline; always 86 bytes.
    pub(super) fn to_head(&self) -> String {
        format!("{:020} {}\n", self.seq, self.hash)
    }

    pub(super) fn from_head(text: &str) -> Option<Self> {
        let (seq, hash) = text.strip_suffix('\n')?.split_once(' ')?;
        let entry = Self { seq: seq.parse().ok()?, hash: hash.to_owned() };
        (entry.to_head() == text && is_hash(hash)).then_some(entry)
    }
}

/// True for 64 lower-case hex digits, the only form of a hash.
pub(super) fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// One line, without its newline: its hash and its body.
pub(super) fn split(line: &[u8]) -> Option<(&str, &[u8])> {
    let (hash, rest) = line.split_at_checked(64)?;
    let hash = std::str::from_utf8(hash).ok().filter(|hash| is_hash(hash))?;
    Some((hash, rest.strip_prefix(b" ")?))
}
