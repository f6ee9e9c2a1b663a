//! Machines over SSH: one connection per target, one channel per action.
//!
//! Knows: russh. Must not know: what an action means. Attacks answered, in addition to those of the submodules: a target that floods
//! or stalls one channel to stop the others, that never ends a channel, or that ends it in an unusual order (TG01–TG03, TG07).

mod algorithms;
mod auth;
mod connect;
mod gate_channel;
mod gate_reads;
mod error;
mod handler;
mod line;
mod sftp;

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use russh::client::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelOpenFailure, ChannelReadHalf, ChannelWriteHalf, Disconnect, Sig};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};

pub use connect::{Settings, connect};
pub use error::{At, ConnectError, Step};
pub use sftp::SftpError;

use self::handler::ClientHandler;
use self::line::{Hangup, Meter};
use super::collect::Collector;
use bailiwick_core::model::{Answer, Exit};

use super::RunError;
use bailiwick_core::fleet::Credential;
use bailiwick_core::limits;
use bailiwick_core::model::{Action, Wire};
use bailiwick_core::verbs;
use bailiwick_core::verbs::Spec;

/// Checks that a credential can be used: a key file that only its owner can read, or a key in the agent. Nothing is sent to a
/// server.
///
/// # Errors
/// Why the credential cannot be used, with a hint.
pub async fn check_credential(credential: &Credential, agent: Option<&Path>) -> Result<(), ConnectError> {
    auth::Signer::load(credential, agent).await.map(drop)
}

/// The public key of a credential, as in a key line: algorithm and base64. For a certificate, the key of its CA.
///
/// # Errors
/// The credential cannot be loaded.
pub async fn public_half(credential: &Credential, agent: Option<&Path>) -> Result<String, ConnectError> {
    auth::public_half(credential, agent).await
}

/// How long a disconnect may take.
const DISCONNECT: Duration = Duration::from_millis(500);
/// How long a server may take to close a channel after its last output.
const CLOSE_WAIT: Duration = Duration::from_secs(1);
/// How often the only channel of a connection is requested.
const ATTEMPTS: u32 = 4;

/// Requests to a connection wait in a queue of ten inside russh. If a server sends on a channel that still waits to send its
/// request, a full queue would block both sides. With fewer channels than ten, requests alone never fill it.
const CHANNELS: usize = limits::CHANNELS as usize;

/// One authenticated connection.
pub struct Session {
    handle: Handle<ClientHandler>,
    meter: Arc<Meter>,
    slots: Semaphore,
    /// Actions that wait for the target's gate.
    waiting: gate_reads::Waiting,
    /// The number of channels that the server allows, as far as is known.
    width: AtomicUsize,
    never_rule: Arc<OnceLock<String>>,
    hangup: Option<Hangup>,
    through: Option<Box<Session>>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("lost", &self.handle.is_closed()).finish_non_exhaustive()
    }
}

/// Why one attempt has no answer.
enum AttemptError {
    /// The server opened no channel.
    NoChannel,
    /// Another reason.
    Run(RunError),
}

impl From<RunError> for AttemptError {
    fn from(error: RunError) -> Self {
        Self::Run(error)
    }
}

impl Session {
    fn new(
        handle: Handle<ClientHandler>,
        meter: Arc<Meter>,
        hangup: Option<Hangup>,
        through: Option<Box<Session>>,
        never_rule: Arc<OnceLock<String>>,
        channels: usize,
    ) -> Self {
        let channels = channels.clamp(1, CHANNELS);
        let (slots, width) = (Semaphore::new(channels), AtomicUsize::new(channels));
        Self { handle, meter, slots, waiting: gate_reads::Waiting::default(), width, never_rule, hangup, through }
    }

    /// Runs one action in a channel of its own. The verb's time limit starts when a channel is free for it.
    ///
    /// # Errors
    /// As [`super::Connection::run`].
    pub async fn run(&self, action: &Action) -> Result<Answer, RunError> {
        let spec = verbs::spec(action.verb);
        if matches!(action.wire, Wire::Gated(_)) {
            return self.read_through_gate(action, spec).await;
        }
        // Small packets have more framing than content, and a channel that was closed early may fill its window once more.
        self.meter.allow(spec.bytes_max.saturating_mul(4).saturating_add(2 * u64::from(connect::WINDOW)));
        let mut refused = 0;
        loop {
            let slot = self.slots.acquire().await.map_err(|_| RunError::Lost)?;
            match timeout(spec.timeout, self.attempt(&action.wire, spec)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(AttemptError::Run(RunError::Lost))) => return Err(self.lost()),
                Ok(Err(AttemptError::Run(error))) => return Err(error),
                Err(_) => return Err(RunError::TimedOut(spec.timeout)),
                Ok(Err(AttemptError::NoChannel)) if self.narrow(slot) => {}
                Ok(Err(AttemptError::NoChannel)) => {
                    refused += 1;
                    if refused == ATTEMPTS {
                        return Err(RunError::NoChannel);
                    }
                    // A server may need a moment to notice that our last channel is closed.
                    tokio::time::sleep(Duration::from_millis(50) * refused).await;
                }
            }
        }
    }

    /// Uses one channel less from now on, because the server allows fewer (`MaxSessions`). False for the last one.
    fn narrow(&self, slot: SemaphorePermit<'_>) -> bool {
        let fewer = |width: usize| (width > 1).then(|| width - 1);
        let narrowed = self.width.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer).is_ok();
        if narrowed {
            slot.forget();
        }
        narrowed
    }

    async fn attempt(&self, wire: &Wire, spec: &Spec) -> Result<Answer, AttemptError> {
        let (words, stdin) = match wire {
            Wire::Exec(words) => (words, None),
            Wire::Fed { words, stdin } => (words, Some(stdin.as_str())),
            Wire::Connect { address, request } => return self.connect_and_ask(*address, request, spec).await,
            // Only this machine reads a file without a program.
            Wire::Read(_) => return Err(RunError::NotStarted.into()),
            // These go through the gate and in no other way: `gate_reads`, and `transport::gate`.
            Wire::Gated(_) | Wire::Change(_) => return Err(RunError::NotStarted.into()),
        };
        let channel = self.handle.channel_open_session().await.map_err(|error| match error {
            russh::Error::ChannelOpenFailure(_) => AttemptError::NoChannel,
            _ => AttemptError::Run(RunError::Lost),
        })?;
        let (mut incoming, outgoing) = channel.split();
        let mut open = Open { channel: Some(outgoing), program: true };
        let (answer, closed) = listen(&mut incoming, &open, &words.join(" "), stdin, spec).await?;
        if closed {
            open.channel = None;
        }
        Ok(answer)
    }

    /// Has the target connect to an address, sends one request there, and reads the answer to its end.
    async fn connect_and_ask(&self, to: SocketAddr, request: &str, spec: &Spec) -> Result<Answer, AttemptError> {
        let (host, port) = (to.ip().to_string(), u32::from(to.port()));
        let opened = self.handle.channel_open_direct_tcpip(host, port, "127.0.0.1", 0).await;
        let channel = match opened {
            Ok(channel) => channel,
            Err(russh::Error::ChannelOpenFailure(ChannelOpenFailure::ConnectFailed)) => {
                return Ok(Answer::connection_refused());
            }
            // `AllowTcpForwarding no`, or no `permitopen=` for it.
            Err(russh::Error::ChannelOpenFailure(_)) => return Err(RunError::NotStarted.into()),
            Err(_) => return Err(RunError::Lost.into()),
        };
        let (mut incoming, outgoing) = channel.split();
        let open = Open { channel: Some(outgoing), program: false };
        if let Some(outgoing) = &open.channel {
            // No end of file after it: to many servers it means that the client does not wait for the answer.
            outgoing.data(request.as_bytes()).await.map_err(|_| RunError::Lost)?;
        }
        let mut all = Collector::new(spec);
        loop {
            match incoming.wait().await {
                Some(ChannelMsg::Data { data }) => all.stdout(&data)?,
                Some(ChannelMsg::ExtendedData { data, .. }) => all.stderr(&data)?,
                Some(ChannelMsg::Eof | ChannelMsg::Close) => return Ok(all.answer(Exit::Status(0))),
                None => return Err(RunError::Lost.into()),
                Some(_) => {}
            }
        }
    }

    fn lost(&self) -> RunError {
        self.never_rule.get().map_or(RunError::Lost, |rule| RunError::Forbidden { rule: rule.clone() })
    }

    fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// Asks this machine to connect to another, by its address.
    async fn forward(&self, to: SocketAddr) -> Result<Channel<Msg>, &'static str> {
        let (host, port) = (to.ip().to_string(), u32::from(to.port()));
        self.handle.channel_open_direct_tcpip(host, port, "127.0.0.1", 0).await.map_err(|error| match error {
            russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited) => {
                "forwarding is not allowed"
            }
            russh::Error::ChannelOpenFailure(ChannelOpenFailure::ConnectFailed) => "the connection failed",
            russh::Error::ChannelOpenFailure(_) => "it refused",
            _ => "it closed the connection",
        })
    }

    /// Disconnects from the target, then from its jump host.
    pub async fn close(self) {
        let Self { handle, hangup, through, .. } = self;
        let sent = timeout(DISCONNECT, handle.disconnect(Disconnect::ByApplication, "", "")).await;
        if matches!(sent, Ok(Ok(()))) {
            // Waits until the message is sent.
            let _ = timeout(DISCONNECT, handle).await;
        }
        drop(hangup);
        if let Some(outer) = through {
            Box::pin(outer.close()).await;
        }
    }
}

/// A channel that has to be closed. If it is dropped early, by a time limit, a size limit or the caller, it is closed in the
/// background, so that the caller does not wait for a slow server.
struct Open {
    channel: Option<ChannelWriteHalf<Msg>>,
    /// True if a program runs at the other end.
    program: bool,
}

impl Drop for Open {
    fn drop(&mut self) {
        let (Some(channel), program) = (self.channel.take(), self.program) else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        // It ends with the connection at the latest.
        runtime.spawn(async move {
            if program {
                // Without it, sshd leaves the program running. An older sshd ignores signals, which does no harm.
                let _ = channel.signal(Sig::TERM).await;
            }
            let _ = channel.close().await;
        });
    }
}

/// Sends one exec request and reads the messages that come, in any order. True if the server has closed the channel.
async fn listen(
    incoming: &mut ChannelReadHalf,
    open: &Open,
    wire: &str,
    stdin: Option<&str>,
    spec: &Spec,
) -> Result<(Answer, bool), RunError> {
    let Some(outgoing) = &open.channel else { return Err(RunError::Lost) };
    outgoing.exec(true, wire).await.map_err(|_| RunError::Lost)?;
    if let Some(text) = stdin {
        // Both are small and fit into the server's first window, even before it has started the program.
        outgoing.data(text.as_bytes()).await.map_err(|_| RunError::Lost)?;
        outgoing.eof().await.map_err(|_| RunError::Lost)?;
    }
    let mut all = Collector::new(spec);
    let (mut started, mut eof, mut exit) = (false, false, None);
    // It is moved closer when only the close is missing. Until then, the caller's time limit is shorter.
    let mut end = Instant::now() + 2 * spec.timeout;
    loop {
        let Ok(message) = timeout_at(end, incoming.wait()).await else {
            return Ok((all.answer(exit.unwrap_or(Exit::Unreported)), false));
        };
        match message {
            Some(ChannelMsg::Data { data }) => all.stdout(&data)?,
            Some(ChannelMsg::ExtendedData { data, .. }) => all.stderr(&data)?,
            Some(ChannelMsg::Success) => started = true,
            Some(ChannelMsg::Failure) => return Err(RunError::NotStarted),
            // The first status counts.
            Some(ChannelMsg::ExitStatus { exit_status }) => {
                exit.get_or_insert(Exit::Status(exit_status));
            }
            Some(ChannelMsg::ExitSignal { .. }) => {
                exit.get_or_insert(Exit::Signal);
            }
            Some(ChannelMsg::Eof) => eof = true,
            Some(ChannelMsg::Close) if started => {
                return Ok((all.answer(exit.unwrap_or(Exit::Unreported)), true));
            }
            Some(ChannelMsg::Close) => return Err(RunError::NotStarted),
            None => return Err(RunError::Lost),
            Some(_) => {}
        }
        if started && eof && exit.is_some() {
            end = end.min(Instant::now() + CLOSE_WAIT);
        }
    }
}
