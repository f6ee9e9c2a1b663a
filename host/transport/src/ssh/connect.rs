//! The connection to a target, step by step. A step that fails ends it.
//!
//! Knows: addresses, pins, never-hosts. Must not know: what runs on the connection. The order matters: what our own files forbid
//! is refused before a packet is sent; a never-host is recognised by its resolved address before TCP, and by its key before
//! authentication (NW03, NW11). Every step has its own time limit (TG03).

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use russh::client::{self, Handle};
use russh::{AlgorithmKind, SshId};
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Session;
use super::algorithms::preferred;
use super::auth::Signer;
use super::error::{At, ConnectError, Step, names};
use super::handler::{ClientHandler, Stop};
use super::line::{Hangup, Line, Meter};
use bailiwick_core::fleet::{Access, Address, Fleet, HostKey, How, NeverHit, Ssh, Target};

/// Bytes that a server may send on a channel before we extend its window. No memory is reserved for them. The limit bounds what a
/// thousand targets can put into our memory, and carries 1 MiB in five round trips.
pub(super) const WINDOW: u32 = 256 << 10;

/// Time limits and other limits of connections.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Longest wait for the resolver, and for a TCP connection.
    pub connect: Duration,
    /// Longest handshake.
    pub handshake: Duration,
    /// Longest authentication. An agent may ask a person during it.
    pub authentication: Duration,
    /// A keepalive is sent on a connection that was silent for this long.
    pub keepalive: Duration,
    /// Maximum number of keepalives without an answer.
    pub keepalive_max: usize,
    /// Maximum number of concurrent actions on one connection, at most 8: sshd allows 10 (`MaxSessions`). If a server allows fewer,
    /// fewer are used.
    pub channels: usize,
    /// The socket of ssh-agent: `SSH_AUTH_SOCK`, which the caller reads.
    pub agent: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        let step = Duration::from_secs(10);
        Self {
            connect: step,
            handshake: step,
            authentication: step,
            keepalive: Duration::from_secs(15),
            keepalive_max: 3,
            channels: 8,
            agent: None,
        }
    }
}

/// Connects to a target and logs in.
///
/// # Errors
/// The target is a never-host (then [`ConnectError::refusal`] has the rule), does not match its pin, cannot be reached, or does not
/// accept the login.
pub async fn connect(fleet: &Fleet, target: &Target, settings: &Settings) -> Result<Session, ConnectError> {
    let Access::Ssh(ssh) = &target.access else { return Err(ConnectError::Local) };
    // The caller checks this as well. Here it holds for every caller.
    if let Some(hit) = fleet.forbidden(target) {
        return Err(ConnectError::Never { rule: hit.to_string() });
    }
    let Some(pin) = &ssh.host_key else {
        return Err(ConnectError::Unpinned { target: target.name.clone(), place: target.place.to_string() });
    };
    let addresses = resolve(ssh, settings).await?;
    check_addresses(fleet, &addresses, settings).await?;
    let signer = Signer::load(&ssh.credential, settings.agent.as_deref()).await?;
    let route = open(fleet, ssh, &addresses, settings).await?;
    let never_rule = Arc::new(OnceLock::new());
    let handler = ClientHandler { pin: pin.clone(), never: never_keys(fleet), never_rule: Arc::clone(&never_rule) };
    let place = target.place.to_string();
    let mut handle = handshake(handler, route.line, &route.meter, &route.at, &place, settings).await?;
    let authenticating = signer.authenticate(&mut handle, &ssh.user, &route.at);
    match timeout(settings.authentication, authenticating).await {
        Ok(result) => result?,
        Err(_) => {
            let (step, after) = (Step::Authentication, settings.authentication);
            return Err(ConnectError::Stalled { at: route.at, step, after, heard: true });
        }
    }
    Ok(Session::new(handle, route.meter, route.hangup, route.through, never_rule, settings.channels))
}

/// An open connection to a target's SSH port.
struct Route {
    line: Line,
    meter: Arc<Meter>,
    at: At,
    hangup: Option<Hangup>,
    through: Option<Box<Session>>,
}

async fn open(fleet: &Fleet, ssh: &Ssh, addresses: &[SocketAddr], settings: &Settings) -> Result<Route, ConnectError> {
    match &ssh.jump {
        None => {
            let (socket, address) = dial(addresses, settings).await?;
            let meter = Meter::new(None);
            let (line, hangup) = Line::tcp(socket, Arc::clone(&meter));
            let at = At { address, through: None };
            Ok(Route { line, meter, at, hangup: Some(hangup), through: None })
        }
        Some(name) => {
            let jump = |cause| ConnectError::Jump { jump: name.clone(), cause: Box::new(cause) };
            let refused = |address, why| ConnectError::JumpRefused { jump: name.clone(), address, why };
            // `parse` refuses names behind jump hosts, so that there is one address.
            let (Some(through), Some(&address)) = (fleet.targets.get(name), addresses.first()) else {
                return Err(ConnectError::Local);
            };
            let outer = Box::pin(connect(fleet, through, settings)).await.map_err(jump)?;
            let channel = match timeout(settings.connect, outer.forward(address)).await {
                Ok(Ok(channel)) => channel,
                Ok(Err(why)) => return Err(refused(address, why)),
                Err(_) => return Err(refused(address, "the jump host did not answer in time")),
            };
            let meter = Meter::new(Some(outer.meter()));
            let line = Line::channel(channel.into_stream(), Arc::clone(&meter));
            let at = At { address, through: Some(Box::new(name.clone())) };
            Ok(Route { line, meter, at, hangup: None, through: Some(Box::new(outer)) })
        }
    }
}

/// The addresses of a target. They are resolved once: the addresses that are checked are those that are connected to.
async fn resolve(ssh: &Ssh, settings: &Settings) -> Result<Vec<SocketAddr>, ConnectError> {
    let resolved = match &ssh.address {
        Address::Ip(ip) => return Ok(vec![SocketAddr::new(*ip, ssh.port)]),
        Address::Name(name) => lookup(name, settings).await,
    };
    resolved
        .map(|ips| ips.into_iter().map(|ip| SocketAddr::new(ip, ssh.port)).collect())
        .map_err(|source| ConnectError::Resolve { name: ssh.address.to_string(), source })
}

async fn lookup(name: &str, settings: &Settings) -> io::Result<Vec<IpAddr>> {
    let resolving = tokio::net::lookup_host((name, 0));
    let resolved =
        timeout(settings.connect, resolving).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    // In the resolver's order of preference, without duplicates.
    let mut seen = BTreeSet::new();
    let ips: Vec<IpAddr> = resolved.map(|address| address.ip()).filter(|ip| seen.insert(*ip)).collect();
    if ips.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(ips) }
}

/// Refuses a target if any of its addresses is a never-host's, not only the one that would be tried first.
async fn check_addresses(fleet: &Fleet, addresses: &[SocketAddr], settings: &Settings) -> Result<(), ConnectError> {
    for never in fleet.never.values() {
        let hit = || ConnectError::Never { rule: NeverHit { never, how: How::Address }.to_string() };
        if addresses.iter().any(|address| never.has_address(address.ip())) {
            return Err(hit());
        }
        for name in never.addresses.iter().filter_map(|address| match address {
            Address::Name(name) => Some(name),
            Address::Ip(_) => None,
        }) {
            let theirs = lookup(name, settings).await.map_err(|source| ConnectError::NeverUnknown {
                never: never.name.clone(),
                name: name.clone(),
                source,
            })?;
            let theirs: BTreeSet<IpAddr> = theirs.iter().map(IpAddr::to_canonical).collect();
            if addresses.iter().any(|address| theirs.contains(&address.ip().to_canonical())) {
                return Err(hit());
            }
        }
    }
    Ok(())
}

/// TCP to the first address that accepts. All addresses share one time limit.
async fn dial(addresses: &[SocketAddr], settings: &Settings) -> Result<(TcpStream, SocketAddr), ConnectError> {
    let end = Instant::now() + settings.connect;
    let mut last = None;
    for (index, &address) in addresses.iter().enumerate() {
        let at = At { address, through: None };
        let left = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let share = end.saturating_duration_since(Instant::now()) / left;
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => {
                // It affects speed only.
                let _ = socket.set_nodelay(true);
                return Ok((socket, address));
            }
            Ok(Err(source)) => last = Some(ConnectError::Tcp { at, source }),
            Err(_) => last = Some(ConnectError::NoAnswer { at, after: share }),
        }
    }
    Err(last.unwrap_or(ConnectError::Local))
}

fn never_keys(fleet: &Fleet) -> Vec<(HostKey, String)> {
    let keyed = fleet.never.values().flat_map(|never| never.host_keys.iter().map(move |key| (never, key)));
    keyed.map(|(never, key)| (key.clone(), NeverHit { never, how: How::HostKey }.to_string())).collect()
}

async fn handshake(
    handler: ClientHandler,
    line: Line,
    meter: &Meter,
    at: &At,
    place: &str,
    settings: &Settings,
) -> Result<Handle<ClientHandler>, ConnectError> {
    let quiet = u32::try_from(settings.keepalive_max).unwrap_or(u32::MAX).saturating_add(1);
    let config = client::Config {
        client_id: SshId::Standard(concat!("SSH-2.0-bailiwick_", env!("CARGO_PKG_VERSION")).into()),
        preferred: preferred(&handler.pin),
        window_size: WINDOW,
        channel_buffer_size: 32,
        keepalive_interval: Some(settings.keepalive),
        keepalive_max: settings.keepalive_max,
        // Ends what the keepalive does not detect: a peer that stops reading, so that a write blocks.
        inactivity_timeout: Some(settings.keepalive.saturating_mul(quiet)),
        ..client::Config::default()
    };
    let pin = handler.pin.clone();
    // russh reads a packet in several small pieces. Without a buffer, each is a system call.
    let line = BufReader::with_capacity(16 << 10, line);
    let connecting = client::connect_stream(Arc::new(config), line, handler);
    match timeout(settings.handshake, connecting).await {
        Ok(Ok(handle)) => Ok(handle),
        Ok(Err(stop)) => Err(explain(stop, &pin, at, place)),
        Err(_) => Err(ConnectError::Stalled {
            at: at.clone(),
            step: Step::Handshake,
            after: settings.handshake,
            heard: meter.heard(),
        }),
    }
}

fn explain(stop: Stop, pin: &HostKey, at: &At, place: &str) -> ConnectError {
    let (at, place, step) = (at.clone(), place.to_owned(), Step::Handshake);
    match stop {
        Stop::Never(rule) => ConnectError::Never { rule },
        Stop::Mismatch(got) => ConnectError::Mismatch { at, expected: pin.fingerprint(), got, place },
        Stop::Protocol(russh::Error::NoCommonAlgo { kind, theirs, .. }) => {
            let offered = names(&theirs);
            let kind = match kind {
                AlgorithmKind::Key => {
                    return ConnectError::OtherAlgorithm { at, pinned: pin.kind(), offered, place };
                }
                AlgorithmKind::Kex => "key exchange",
                AlgorithmKind::Cipher => "cipher",
                AlgorithmKind::Compression => "compression",
                AlgorithmKind::Mac => "MAC",
            };
            ConnectError::NothingInCommon { at, kind, offered }
        }
        Stop::Protocol(russh::Error::Disconnect | russh::Error::HUP | russh::Error::IO(_)) => {
            ConnectError::Closed { at, step }
        }
        Stop::Protocol(other) => ConnectError::Protocol { at, step, what: describe(&other) },
    }
}

/// The reason in our words, without any text of the server.
fn describe(error: &russh::Error) -> String {
    match error {
        russh::Error::Version => "the server does not speak SSH 2".to_owned(),
        russh::Error::WrongServerSig => "the server did not prove that it has its host key".to_owned(),
        russh::Error::StrictKeyExchangeViolation { .. } => "the key exchange was tampered with".to_owned(),
        russh::Error::PacketAuth | russh::Error::DecryptionError => "a packet was damaged or forged".to_owned(),
        _ => "the server violated the SSH protocol".to_owned(),
    }
}
