//! Public keys as people write them: `ssh-ed25519 AAAA…`.

use std::fmt;

use data_encoding::{BASE64, BASE64_NOPAD};
use sha2::{Digest, Sha256};

/// A public key: its type and its wire encoding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostKey {
    kind: &'static str,
    blob: Vec<u8>,
}

/// Why a text is not a usable public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostKeyError {
    /// Not `type base64`.
    #[error("a public key must be a type, a space and base64, such as `ssh-ed25519 AAAA…`")]
    Shape,
    /// A type that is not used.
    #[error("a key of this type is not accepted; use one of {}", KINDS.join(", "))]
    Kind,
    /// The key in the base64 has another type.
    #[error("the base64 of the key does not match the type before it")]
    Content,
}

/// Key types that are accepted, best first. `ssh-rsa` names the key; its signatures are SHA-2 only.
pub(super) const KINDS: &[&str] =
    &["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"];

impl HostKey {
    /// Parses `type base64`; a comment after it is ignored.
    ///
    /// # Errors
    /// When it is not a public key of an accepted type.
    pub fn new(text: &str) -> Result<Self, HostKeyError> {
        let mut words = text.split_ascii_whitespace();
        let (Some(kind), Some(encoded)) = (words.next(), words.next()) else {
            return Err(HostKeyError::Shape);
        };
        let blob = BASE64.decode(encoded.as_bytes()).map_err(|_| HostKeyError::Shape)?;
        let key = Self::from_blob(blob)?;
        if key.kind == kind { Ok(key) } else { Err(HostKeyError::Content) }
    }

    /// Checks the wire encoding of a public key.
    ///
    /// # Errors
    /// When its type is not accepted, or it is too short.
    pub fn from_blob(blob: Vec<u8>) -> Result<Self, HostKeyError> {
        let (length, rest) = blob.split_first_chunk::<4>().ok_or(HostKeyError::Content)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| HostKeyError::Content)?;
        let named = rest.get(..length).ok_or(HostKeyError::Content)?;
        if rest.len() < length + 32 {
            return Err(HostKeyError::Content);
        }
        let kind = KINDS.iter().copied().find(|kind| kind.as_bytes() == named).ok_or(HostKeyError::Kind)?;
        // A key with extra bytes would never equal the one that a server shows. As a pin it would refuse the server; as a
        // never-host's key it would silently never apply.
        let length = match kind {
            "ssh-ed25519" => Some(51),
            "ecdsa-sha2-nistp256" => Some(104),
            "ecdsa-sha2-nistp384" => Some(136),
            "ecdsa-sha2-nistp521" => Some(172),
            _ => None,
        };
        if length.is_some_and(|length| length != blob.len()) {
            return Err(HostKeyError::Content);
        }
        Ok(Self { kind, blob })
    }

    /// Its type, such as `ssh-ed25519`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Its wire encoding.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// `SHA256:…`, as OpenSSH prints it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", BASE64_NOPAD.encode(&Sha256::digest(&self.blob)))
    }
}

/// As written in `fleet.toml`.
impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, BASE64.encode(&self.blob))
    }
}
