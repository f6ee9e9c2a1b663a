//! What a server may start by itself: nothing.
//!
//! Knows: the pinned key and the keys of never-hosts. Must not know: what runs on the connection. Attacks answered: another
//! machine in the target's place (NW11), a never-host under an unknown address, a server that opens channels to us: to the agent,
//! to X11, to our ports (NW17). russh accepts each kind of channel by default, so each is refused by name.

use std::sync::{Arc, OnceLock};

use russh::client::{ChannelOpenHandle, Handler, Msg, Session};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelOpenFailure};

use bailiwick_core::fleet::HostKey;

/// Why we end a connection.
#[derive(Debug)]
pub(super) enum Stop {
    /// The server is a never-host: the rule.
    Never(String),
    /// The server's key is not the pinned one: its fingerprint.
    Mismatch(String),
    /// The library's reason.
    Protocol(russh::Error),
}

impl From<russh::Error> for Stop {
    fn from(error: russh::Error) -> Self {
        Self::Protocol(error)
    }
}

/// The callbacks of one connection.
pub(super) struct ClientHandler {
    /// The only host key that is accepted.
    pub(super) pin: HostKey,
    /// Keys of never-hosts, each with its rule.
    pub(super) never: Vec<(HostKey, String)>,
    /// The rule, set when a server is found to be a never-host after the handshake.
    pub(super) never_rule: Arc<OnceLock<String>>,
}

impl ClientHandler {
    fn never(&self, blob: &[u8]) -> Option<String> {
        self.never.iter().find(|(key, _)| key.blob() == blob).map(|(_, rule)| rule.clone())
    }
}

/// Refuses a channel that the server opened.
async fn refuse(reply: ChannelOpenHandle) -> Result<(), Stop> {
    reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
    Ok(())
}

impl Handler for ClientHandler {
    type Error = Stop;

    /// Runs after the server has proved its key, and before we send our user name or key.
    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Stop> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else { return Ok(false) };
        let blob = key.to_bytes().map_err(russh::Error::from)?;
        if let Some(rule) = self.never(&blob) {
            return Err(Stop::Never(rule));
        }
        if blob == self.pin.blob() {
            return Ok(true);
        }
        Err(Stop::Mismatch(key.fingerprint(russh::keys::HashAlg::Sha256).to_string()))
    }

    /// OpenSSH lists all its host keys after the login, before it answers anything else. If one of them is a never-host's, we
    /// disconnect, whether it is proved or not: the pin may be of another type than the known key of the never-host.
    async fn openssh_ext_host_keys_announced(&mut self, keys: Vec<PublicKey>, _: &mut Session) -> Result<(), Stop> {
        let rule = keys.iter().filter_map(|key| key.to_bytes().ok()).find_map(|blob| self.never(&blob));
        match rule {
            None => Ok(()),
            Some(rule) => {
                let _ = self.never_rule.set(rule.clone());
                Err(Stop::Never(rule))
            }
        }
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Stop> {
        refuse(reply).await
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Stop> {
        refuse(reply).await
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Stop> {
        refuse(reply).await
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Stop> {
        refuse(reply).await
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Stop> {
        refuse(reply).await
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Stop> {
        refuse(reply).await
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Stop> {
        refuse(reply).await
    }

    async fn should_accept_unknown_server_channel(&mut self, _: russh::ChannelId, _: &str) -> bool {
        false
    }

    async fn server_channel_open_unknown(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Stop> {
        refuse(reply).await
    }
}
