//! Who we are: one public key, and no other way.
//!
//! Attacks answered: a key that others could have copied, an agent whose other keys are offered around (a server learns
//! who else we are), SHA-1 signatures (NW16). Passwords, keyboard-interactive and host-based logins are never tried.

use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Certificate, Error as KeyError, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey};
use rustix::fs::OFlags;
use tokio::net::UnixStream;

use super::error::{At, ConnectError, Step};
use super::handler::ClientHandler;
use bailiwick_core::fleet::{Credential, HostKey, UserName};

/// The largest key file that is read; a 16,384-bit RSA key has 12 KiB.
const KEY_FILE_MAX: u64 = 64 << 10;

/// A credential at hand.
pub(super) enum Proof {
    /// A private key.
    Key(Arc<PrivateKey>),
    /// The same, with a certificate over it.
    Certified(Arc<PrivateKey>, Box<Certificate>),
    /// The agent that holds one.
    Agent(Box<Held>),
}

/// A key in an agent.
pub(super) struct Held {
    client: AgentClient<UnixStream>,
    socket: PathBuf,
    key: PublicKey,
}

impl Proof {
    /// Finds the credential before anything is sent to anybody.
    pub(super) async fn load(credential: &Credential, agent: Option<&Path>) -> Result<Self, ConnectError> {
        match credential {
            Credential::KeyFile(path) => key_file(path).map(Arc::new).map(Self::Key),
            Credential::Certificate { key, certificate } => {
                let certificate = certificate_file(certificate)?;
                Ok(Self::Certified(Arc::new(key_file(key)?), Box::new(certificate)))
            }
            Credential::Agent(key) => {
                let socket = agent.ok_or(ConnectError::NoAgent)?;
                held(key, socket).await.map(Box::new).map(Self::Agent)
            }
        }
    }

    fn public(&self) -> &PublicKey {
        match self {
            Self::Key(key) | Self::Certified(key, _) => key.public_key(),
            Self::Agent(held) => &held.key,
        }
    }

    /// Shows it to a server whose key has been checked.
    pub(super) async fn show(
        self,
        handle: &mut Handle<ClientHandler>,
        user: &UserName,
        at: &At,
    ) -> Result<(), ConnectError> {
        let fingerprint = self.public().fingerprint(HashAlg::Sha256).to_string();
        let hash = rsa_hash(self.public(), handle, at).await?;
        let result = match self {
            Self::Key(key) => handle
                .authenticate_publickey(user.as_str(), PrivateKeyWithHashAlg::new(key, hash))
                .await
                .map_err(|_| ConnectError::Closed { at: at.clone(), step: Step::Authentication })?,
            Self::Certified(key, certificate) => handle
                .authenticate_openssh_cert(user.as_str(), key, *certificate)
                .await
                .map_err(|_| ConnectError::Closed { at: at.clone(), step: Step::Authentication })?,
            Self::Agent(held) => {
                let Held { mut client, socket, key } = *held;
                // An agent may hold keys that are for certain hosts only, and wants to know which one this is. Those
                // that do not know the question say no, and need no answer.
                if let Some(binding) = handle.agent_session_binding() {
                    let _ = client.bind_session(binding, false).await;
                }
                handle
                    .authenticate_publickey_with(user.as_str(), key, hash, &mut client)
                    .await
                    .map_err(|error| ConnectError::Agent { path: socket, what: agent_refusal(&error) })?
            }
        };
        match result {
            AuthResult::Success => Ok(()),
            // How russh says that the connection ended; sshd always names at least one method.
            AuthResult::Failure { remaining_methods, .. } if remaining_methods.is_empty() => {
                Err(ConnectError::Closed { at: at.clone(), step: Step::Authentication })
            }
            AuthResult::Failure { partial_success, .. } => Err(ConnectError::Denied {
                at: at.clone(),
                user: user.as_str().to_owned(),
                fingerprint,
                partial: partial_success,
            }),
        }
    }
}

/// The public half of what proves us, as a key line has it: algorithm and base64. Of a certificate, its CA's.
///
/// # Errors
/// When the credential is not at hand.
pub(super) async fn public_half(credential: &Credential, agent: Option<&Path>) -> Result<String, ConnectError> {
    let key = match Proof::load(credential, agent).await? {
        Proof::Certified(_, certificate) => PublicKey::from(certificate.signature_key().clone()),
        proof => PublicKey::from(proof.public().key_data().clone()),
    };
    // Without a comment there is nothing in it that cannot be written.
    key.to_openssh().map_err(|_| ConnectError::KeyFileContent { path: PathBuf::new() })
}

/// A certificate is public; all that matters is that it is one.
fn certificate_file(path: &Path) -> Result<Certificate, ConnectError> {
    let io = |source| ConnectError::KeyFile { path: path.to_owned(), source };
    let mut text = String::new();
    std::fs::File::open(path).map_err(io)?.take(KEY_FILE_MAX).read_to_string(&mut text).map_err(io)?;
    Certificate::from_openssh(&text).map_err(|_| ConnectError::KeyFileContent { path: path.to_owned() })
}

fn agent_refusal(error: &russh::AgentAuthError) -> String {
    match error {
        russh::AgentAuthError::Send(_) => "the server hung up while it was asked".to_owned(),
        russh::AgentAuthError::Key(_) => "it would not sign".to_owned(),
    }
}

/// SHA-2 for RSA keys. A server that does not say what it takes is taken for one that knows SHA-512.
async fn rsa_hash(key: &PublicKey, handle: &Handle<ClientHandler>, at: &At) -> Result<Option<HashAlg>, ConnectError> {
    if !key.algorithm().is_rsa() {
        return Ok(None);
    }
    match handle.best_supported_rsa_hash().await {
        Ok(Some(None)) => Err(ConnectError::Sha1Only { at: at.clone() }),
        Ok(Some(hash)) => Ok(hash),
        Ok(None) => Ok(Some(HashAlg::Sha512)),
        Err(_) => Err(ConnectError::Closed { at: at.clone(), step: Step::Authentication }),
    }
}

fn key_file(path: &Path) -> Result<PrivateKey, ConnectError> {
    let io = |source| ConnectError::KeyFile { path: path.to_owned(), source };
    // NONBLOCK: a FIFO in its place must not hang us.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(io)?;
    let meta = file.metadata().map_err(io)?;
    if !meta.is_file() {
        return Err(io(io::Error::other("it is no regular file")));
    }
    // Of the open file, not of the name: nobody can swap it in between.
    let mode = meta.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(ConnectError::KeyFileOpen { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    let content = || ConnectError::KeyFileContent { path: path.to_owned() };
    file.take(KEY_FILE_MAX).read_to_string(&mut text).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => content(),
        _ => io(error),
    })?;
    russh::keys::decode_secret_key(&text, None).map_err(|error| match error {
        KeyError::KeyIsEncrypted => ConnectError::KeyFileEncrypted { path: path.to_owned() },
        _ => content(),
    })
}

/// Asks the agent for exactly one key.
async fn held(key: &HostKey, socket: &Path) -> Result<Held, ConnectError> {
    let fail = |what: String| ConnectError::Agent { path: socket.to_owned(), what };
    let stream = UnixStream::connect(socket).await.map_err(|error| fail(error.kind().to_string()))?;
    let mut client = AgentClient::connect(stream);
    let lacks = || ConnectError::AgentLacks { fingerprint: key.fingerprint() };
    match client.request_identities().await {
        Ok(identities) => identities
            .into_iter()
            .find_map(|identity| match identity {
                AgentIdentity::PublicKey { key: found, .. } if holds(&found, key) => Some(found),
                _ => None,
            })
            .map(|found| Held { client, socket: socket.to_owned(), key: found })
            .ok_or_else(lacks),
        // One identity of a kind that russh does not know makes the whole list unreadable. The key can be asked for
        // without it.
        Err(KeyError::IO(error)) => Err(fail(error.kind().to_string())),
        Err(_) => {
            let found = decode(key).ok_or_else(lacks)?;
            Ok(Held { client, socket: socket.to_owned(), key: found })
        }
    }
}

fn holds(found: &PublicKey, wanted: &HostKey) -> bool {
    found.to_bytes().is_ok_and(|blob| blob == wanted.blob())
}

fn decode(key: &HostKey) -> Option<PublicKey> {
    use russh::keys::ssh_encoding::Decode;
    KeyData::decode(&mut key.blob()).ok().map(PublicKey::from)
}
