//! Our login: one public key, and no other method.
//!
//! Knows: key files, certificates, ssh-agent. Must not know: which target the key is for. Attacks answered: a key file that other
//! users could have copied; an agent that offers its other keys, so that a server learns who else we are; SHA-1 signatures
//! (NW16). Passwords, keyboard-interactive and host-based logins are never tried.

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

/// The largest key file that is read. A 16,384-bit RSA key has 12 KiB.
const KEY_FILE_MAX: u64 = 64 << 10;

/// A loaded credential: what signs for us.
pub(super) enum Signer {
    /// A private key.
    Key(Arc<PrivateKey>),
    /// A private key with a certificate.
    Certified(Arc<PrivateKey>, Box<Certificate>),
    /// A key in ssh-agent.
    Agent(Box<AgentKey>),
}

/// A key in ssh-agent, and the connection to the agent.
pub(super) struct AgentKey {
    client: AgentClient<UnixStream>,
    socket: PathBuf,
    key: PublicKey,
}

impl Signer {
    /// Loads the credential. Nothing is sent to a server.
    pub(super) async fn load(credential: &Credential, agent: Option<&Path>) -> Result<Self, ConnectError> {
        match credential {
            Credential::KeyFile(path) => key_file(path).map(Arc::new).map(Self::Key),
            Credential::Certificate { key, certificate } => {
                let certificate = certificate_file(certificate)?;
                Ok(Self::Certified(Arc::new(key_file(key)?), Box::new(certificate)))
            }
            Credential::Agent(key) => {
                let socket = agent.ok_or(ConnectError::NoAgent)?;
                find_in_agent(key, socket).await.map(Box::new).map(Self::Agent)
            }
        }
    }

    fn public(&self) -> &PublicKey {
        match self {
            Self::Key(key) | Self::Certified(key, _) => key.public_key(),
            Self::Agent(agent) => &agent.key,
        }
    }

    /// Logs in to a server whose host key has been checked.
    pub(super) async fn authenticate(
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
            Self::Agent(agent) => {
                let AgentKey { mut client, socket, key } = *agent;
                // An agent may restrict keys to certain hosts, and has to know which host this is. An agent without this
                // extension refuses the request, which does no harm.
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
            // russh reports a closed connection in this way. sshd always names at least one method.
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

/// The public key of a credential, as in a key line: algorithm and base64. For a certificate, the key of its CA.
///
/// # Errors
/// The credential cannot be loaded.
pub(super) async fn public_half(credential: &Credential, agent: Option<&Path>) -> Result<String, ConnectError> {
    let key = match Signer::load(credential, agent).await? {
        Signer::Certified(_, certificate) => PublicKey::from(certificate.signature_key().clone()),
        signer => PublicKey::from(signer.public().key_data().clone()),
    };
    // This fails only because of a comment, and there is none.
    key.to_openssh().map_err(|_| ConnectError::KeyFileContent { path: PathBuf::new() })
}

/// Reads a certificate. It is public, so its permissions do not matter.
fn certificate_file(path: &Path) -> Result<Certificate, ConnectError> {
    let io = |source| ConnectError::KeyFile { path: path.to_owned(), source };
    let mut text = String::new();
    std::fs::File::open(path).map_err(io)?.take(KEY_FILE_MAX).read_to_string(&mut text).map_err(io)?;
    Certificate::from_openssh(&text).map_err(|_| ConnectError::KeyFileContent { path: path.to_owned() })
}

fn agent_refusal(error: &russh::AgentAuthError) -> String {
    match error {
        russh::AgentAuthError::Send(_) => "the server closed the connection during the signature".to_owned(),
        russh::AgentAuthError::Key(_) => "the agent refused to sign".to_owned(),
    }
}

/// SHA-2 for RSA keys. If a server does not list the algorithms that it accepts, SHA-512 is used.
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
    // NONBLOCK: a FIFO in place of the file must not block us.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(io)?;
    let meta = file.metadata().map_err(io)?;
    if !meta.is_file() {
        return Err(io(io::Error::other("it is not a regular file")));
    }
    // The mode of the open file, not of the name: the file cannot be exchanged in between.
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

/// Finds one key in ssh-agent.
async fn find_in_agent(key: &HostKey, socket: &Path) -> Result<AgentKey, ConnectError> {
    let fail = |what: String| ConnectError::Agent { path: socket.to_owned(), what };
    let stream = UnixStream::connect(socket).await.map_err(|error| fail(error.kind().to_string()))?;
    let mut client = AgentClient::connect(stream);
    let lacks = || ConnectError::AgentLacks { fingerprint: key.fingerprint() };
    match client.request_identities().await {
        Ok(identities) => identities
            .into_iter()
            .find_map(|identity| match identity {
                AgentIdentity::PublicKey { key: public, .. } if is_key(&public, key) => Some(public),
                _ => None,
            })
            .map(|public| AgentKey { client, socket: socket.to_owned(), key: public })
            .ok_or_else(lacks),
        // One identity of a type that russh does not know makes the whole list unreadable. The key can be used
        // without the list.
        Err(KeyError::IO(error)) => Err(fail(error.kind().to_string())),
        Err(_) => {
            let public = decode(key).ok_or_else(lacks)?;
            Ok(AgentKey { client, socket: socket.to_owned(), key: public })
        }
    }
}

fn is_key(candidate: &PublicKey, wanted: &HostKey) -> bool {
    candidate.to_bytes().is_ok_and(|blob| blob == wanted.blob())
}

fn decode(key: &HostKey) -> Option<PublicKey> {
    use russh::keys::ssh_encoding::Decode;
    KeyData::decode(&mut key.blob()).ok().map(PublicKey::from)
}
