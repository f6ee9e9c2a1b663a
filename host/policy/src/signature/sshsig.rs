//! SSHSIG: what `ssh-keygen -Y sign` writes, and what `ssh-keygen -Y verify` takes.
//!
//! Knows: the armour, the key, the signature. Must not know: whose key it is. Attacks answered: a signature made for
//! something else (another namespace), by a key of another kind, or with more in the file than was looked at.
//!
//! Stricter than OpenSSH: only version 1, only Ed25519, nothing in the reserved field, nothing behind the armour.

use data_encoding::BASE64;
use ssh_key::private::PrivateKey;
use ssh_key::public::{KeyData, PublicKey};
use ssh_key::{Algorithm, HashAlg, LineEnding, SshSig};

/// What signatures of components are made for.
pub const NAMESPACE: &str = "bailiwick-component";

/// The largest file that is taken for a signature, in bytes. One has about 300.
pub const SIGNATURE_BYTES_MAX: usize = 8 << 10;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "\n-----END SSH SIGNATURE-----";

/// Why a signature is none, or not of these bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SshsigError {
    /// Too large.
    #[error("it has {0} bytes, more than a signature can have")]
    TooLarge(usize),
    /// Something else, or one with lines that end in CR LF.
    #[error("it is not an SSH signature: it does not begin with `-----BEGIN SSH SIGNATURE-----` on a line of its own")]
    NoBegin,
    /// Cut.
    #[error("it is truncated: the line `-----END SSH SIGNATURE-----` is missing")]
    NoEnd,
    /// More than one thing in the file.
    #[error("there is text after its end")]
    Trailing,
    /// Not base64.
    #[error("its content is not base64")]
    Base64,
    /// Not what a signature is made of.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// A later format.
    #[error("it has version {0}; only version 1 is supported")]
    Version(u32),
    /// Another algorithm.
    #[error("its key has the type {0}; components must be signed with ssh-ed25519")]
    KeyType(String),
    /// Made for something else.
    #[error("it was made for `{found}`, not for `{wanted}`: sign with -n {wanted}")]
    Namespace {
        /// What it was made for.
        found: String,
        /// What it is taken for.
        wanted: &'static str,
    },
    /// What is to stay empty is not.
    #[error("its reserved field is not empty")]
    Reserved,
    /// Of other bytes, or forged.
    #[error("it is not a signature of this file")]
    Mismatch,
}

/// Why nothing can be signed with a key's file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// Not a private key.
    #[error("it is not a private key in OpenSSH's format")]
    NoKey,
    /// It takes a passphrase, which this program never asks for.
    #[error("the key is encrypted")]
    Encrypted,
    /// Another algorithm.
    #[error("the key has the type {0}; components must be signed with ssh-ed25519")]
    KeyType(String),
    /// The signature could not be made.
    #[error("the key could not sign")]
    Failed,
}

/// A signature whose form has been checked. Whether it is one of given bytes, [`Signature::verify`] says.
#[derive(Debug, Clone)]
pub struct Signature {
    sshsig: SshSig,
    namespace: &'static str,
    key: [u8; 32],
}

impl Signature {
    /// Reads the file of a component's signature.
    ///
    /// # Errors
    /// When it is no Ed25519 signature of version 1 for components.
    pub fn parse(bytes: &[u8]) -> Result<Self, SshsigError> {
        Self::parse_for(bytes, NAMESPACE)
    }

    /// Reads a signature's file that was made for something.
    ///
    /// # Errors
    /// When it is no Ed25519 signature of version 1, or made for something else.
    pub fn parse_for(bytes: &[u8], namespace: &'static str) -> Result<Self, SshsigError> {
        let blob = dearmour(bytes)?;
        // Known before the reader decides that it cannot read another kind of key.
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

    /// Whether it is a signature of a file's bytes.
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

/// Signs a file's bytes with a private key as OpenSSH stores it; the signature's file.
///
/// # Errors
/// When the key is none that can sign components without asking anybody.
pub fn sign(key: &str, file: &[u8]) -> Result<String, SignError> {
    let key = PrivateKey::from_openssh(key).map_err(|_| SignError::NoKey)?;
    // The kind of key can be told although the key cannot be used.
    if key.algorithm() != Algorithm::Ed25519 {
        return Err(SignError::KeyType(escaped(key.algorithm().as_str())));
    }
    if key.is_encrypted() {
        return Err(SignError::Encrypted);
    }
    let made = key.sign(NAMESPACE, HashAlg::Sha512, file).map_err(|_| SignError::Failed)?;
    made.to_pem(LineEnding::LF).map_err(|_| SignError::Failed)
}

/// A name out of a signature: somebody else's text, in one line.
fn escaped(name: &str) -> String {
    name.chars().take(60).flat_map(char::escape_default).collect()
}

/// The name of the key's type: behind magic, version and two lengths.
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
    // C's isspace, which Rust's leaves the vertical tab out of.
    let text: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace() && *byte != 0x0b).collect();
    BASE64.decode(&text).map_err(|_| SshsigError::Base64)
}
