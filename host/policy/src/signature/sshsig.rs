//! SSHSIG: the format that `ssh-keygen -Y sign` writes and `ssh-keygen -Y verify` reads.
//!
//! Knows: the armour, the key, the signature. Must not know: who owns the key. Attacks answered: a signature made for another
//! purpose (another namespace), by a key of another type, or with unchecked extra data in the file.
//!
//! Stricter than OpenSSH: only version 1, only Ed25519, an empty reserved field, nothing after the armour.

use data_encoding::BASE64;
use ssh_key::private::PrivateKey;
use ssh_key::public::{KeyData, PublicKey};
use ssh_key::{Algorithm, HashAlg, LineEnding, SshSig};

/// The namespace of components' signatures.
pub const NAMESPACE: &str = "bailiwick-component";

/// The maximum size of a signature's file, in bytes. A signature has about 300.
pub const SIGNATURE_BYTES_MAX: usize = 8 << 10;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "\n-----END SSH SIGNATURE-----";

/// Why a signature is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SshsigError {
    /// The file is too large.
    #[error("it has {0} bytes, more than a signature can have")]
    TooLarge(usize),
    /// The file is something else, or its lines end in CR LF.
    #[error("it is not an SSH signature: it does not begin with `-----BEGIN SSH SIGNATURE-----` on a line of its own")]
    NoBegin,
    /// The end is missing.
    #[error("it is truncated: the line `-----END SSH SIGNATURE-----` is missing")]
    NoEnd,
    /// There is text after the end.
    #[error("there is text after its end")]
    Trailing,
    /// The content is not base64.
    #[error("its content is not base64")]
    Base64,
    /// The structure is damaged.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// The version is not supported.
    #[error("it has version {0}; only version 1 is supported")]
    Version(u32),
    /// Another algorithm.
    #[error("its key has the type {0}; components must be signed with ssh-ed25519")]
    KeyType(String),
    /// The signature was made for another namespace.
    #[error("it was made for `{found}`, not for `{wanted}`: sign with -n {wanted}")]
    Namespace {
        /// The namespace in the signature.
        found: String,
        /// The expected namespace.
        wanted: &'static str,
    },
    /// The reserved field is not empty.
    #[error("its reserved field is not empty")]
    Reserved,
    /// The signature is of other bytes, or forged.
    #[error("it is not a signature of this file")]
    Mismatch,
}

/// Why a key's file cannot be used for signing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The file is not a private key.
    #[error("it is not a private key in OpenSSH's format")]
    NoKey,
    /// The key needs a passphrase, which this program never asks for.
    #[error("the key is encrypted")]
    Encrypted,
    /// Another algorithm.
    #[error("the key has the type {0}; components must be signed with ssh-ed25519")]
    KeyType(String),
    /// Signing failed.
    #[error("the key could not sign")]
    Failed,
}

/// A signature whose structure has been checked. [`Signature::verify`] checks it against a file.
#[derive(Debug, Clone)]
pub struct Signature {
    sshsig: SshSig,
    namespace: &'static str,
    key: [u8; 32],
}

impl Signature {
    /// Parses the file of a component's signature.
    ///
    /// # Errors
    /// When it is not an Ed25519 signature of version 1 for components.
    pub fn parse(bytes: &[u8]) -> Result<Self, SshsigError> {
        Self::parse_for(bytes, NAMESPACE)
    }

    /// Parses a signature's file that was made for a namespace.
    ///
    /// # Errors
    /// When it is not an Ed25519 signature of version 1, or was made for another namespace.
    pub fn parse_for(bytes: &[u8], namespace: &'static str) -> Result<Self, SshsigError> {
        let blob = dearmour(bytes)?;
        // The key's type is known before the parser fails on a key that it cannot read.
        if let Some(name) = key_type(&blob).filter(|name| *name != b"ssh-ed25519") {
            return Err(SshsigError::KeyType(escaped(&String::from_utf8_lossy(name))));
        }
        let mut rest = blob.as_slice();
        let sshsig = <SshSig as ssh_encoding::Decode>::decode(&mut rest).map_err(|error| match error {
            ssh_key::Error::Version { number } => SshsigError::Version(number),
            ssh_key::Error::Namespace => SshsigError::Namespace { found: String::new(), wanted: namespace },
            other => SshsigError::Damaged(other.to_string()),
        })?;
        if !rest.is_empty() {
            return Err(SshsigError::Damaged("more bytes than its parts".to_owned()));
        }
        if sshsig.version() != SshSig::VERSION {
            return Err(SshsigError::Version(sshsig.version()));
        }
        let KeyData::Ed25519(key) = sshsig.public_key() else {
            return Err(SshsigError::KeyType(escaped(sshsig.public_key().algorithm().as_str())));
        };
        if sshsig.algorithm() != Algorithm::Ed25519 {
            return Err(SshsigError::KeyType(escaped(sshsig.algorithm().as_str())));
        }
        if sshsig.namespace() != namespace {
            return Err(SshsigError::Namespace { found: escaped(sshsig.namespace()), wanted: namespace });
        }
        if !sshsig.reserved().is_empty() {
            return Err(SshsigError::Reserved);
        }
        Ok(Self { key: key.0, sshsig, namespace })
    }

    /// Verifies that it is a signature of a file's bytes.
    ///
    /// # Errors
    /// When it is not.
    pub fn verify(&self, file: &[u8]) -> Result<(), SshsigError> {
        let key = PublicKey::from(self.sshsig.public_key().clone());
        key.verify(self.namespace, file, &self.sshsig).map_err(|_| SshsigError::Mismatch)
    }

    /// The Ed25519 key that made it.
    #[must_use]
    pub const fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// The key's fingerprint, as `ssh-keygen -l` prints it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.sshsig.public_key().fingerprint(HashAlg::Sha256).to_string()
    }
}

/// Signs a file's bytes with a private key in OpenSSH's format. Returns the signature's file.
///
/// # Errors
/// When the key cannot sign components, or needs a passphrase.
pub fn sign(key: &str, file: &[u8]) -> Result<String, SignError> {
    let key = PrivateKey::from_openssh(key).map_err(|_| SignError::NoKey)?;
    // The type of the key is known although the key is encrypted.
    if key.algorithm() != Algorithm::Ed25519 {
        return Err(SignError::KeyType(escaped(key.algorithm().as_str())));
    }
    if key.is_encrypted() {
        return Err(SignError::Encrypted);
    }
    let made = key.sign(NAMESPACE, HashAlg::Sha512, file).map_err(|_| SignError::Failed)?;
    made.to_pem(LineEnding::LF).map_err(|_| SignError::Failed)
}

/// A name from a signature, which is untrusted text, escaped to one line.
fn escaped(name: &str) -> String {
    name.chars().take(60).flat_map(char::escape_default).collect()
}

/// The name of the key's type, after magic, version and two lengths.
fn key_type(blob: &[u8]) -> Option<&[u8]> {
    let (length, rest) = blob.get(14..)?.split_first_chunk::<4>()?;
    rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// The bytes in the armour. OpenSSH skips white space in it.
fn dearmour(bytes: &[u8]) -> Result<Vec<u8>, SshsigError> {
    if bytes.len() > SIGNATURE_BYTES_MAX {
        return Err(SshsigError::TooLarge(bytes.len()));
    }
    let body = bytes.strip_prefix(BEGIN.as_bytes()).ok_or(SshsigError::NoBegin)?;
    let end = body.windows(END.len()).position(|window| window == END.as_bytes()).ok_or(SshsigError::NoEnd)?;
    let (body, behind) = (body.get(..end).unwrap_or_default(), body.get(end + END.len()..).unwrap_or_default());
    if !behind.iter().all(u8::is_ascii_whitespace) {
        return Err(SshsigError::Trailing);
    }
    // C's isspace includes the vertical tab; Rust's function does not.
    let text: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace() && *byte != 0x0b).collect();
    BASE64.decode(&text).map_err(|_| SshsigError::Base64)
}
