//! Machines over SSH: one connection per target, one channel per action.
//!
//! Knows: russh. Must not know: what an action means. Attacks answered, besides those of the parts: a target that floods
//! or stalls one channel to stop the others, that never ends a channel, that ends it in an odd order (TG01–TG03, TG07).

mod algorithms;
mod auth;
mod connect;
mod converse;
mod gated;
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

/// Whether what proves who we are is at hand: a key file that only its owner can read, or a key in the agent. Nothing is
/// sent to anybody.
///
/// # Errors
/// Why it is not, with a hint.
pub async fn check_credential(credential: &Credential, agent: Option<&Path>) -> Result<(), ConnectError> {
    auth::Proof::load(credential, agent).await.map(drop)
}

/// The public half of a credential, as a key line has it: algorithm and base64. Of a certificate, its CA's.
///
/// # Errors
/// When the credential is not at hand.
pub async fn public_half(credential: &Credential, agent: Option<&Path>) -> Result<String, ConnectError> {
    auth::public_half(credential, agent).await
}

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(500);
/// How long a server may take to close a channel on which everything has been said.
const LAST_WORD: Duration = Duration::from_secs(1);
/// How often the only channel of a connection is asked for.
const ATTEMPTS: u32 = 4;

/// Requests to a connection wait in a queue of ten inside russh. While a server talks on a channel that is still waiting
/// to send its request, a full queue would stop both; with fewer channels than that it is never full of requests.
const CHANNELS: usize = limits::CHANNELS as usize;

/// One authenticated connection.
pub struct Session {
    handle: Handle<ClientHandler>,
    meter: Arc<Meter>,
    slots: Semaphore,
    /// What waits for the target's gate.
    waiting: gated::Waiting,
    /// Channels that the server has been found to allow.
    width: AtomicUsize,
    unmasked: Arc<OnceLock<String>>,
    hangup: Option<Hangup>,
    through: Option<Box<Session>>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("lost", &self.handle.is_closed()).finish_non_exhaustive()
    }
}

/// Why one try gave no answer.
enum Miss {
    /// The server would open no channel.
    NoChannel,
    /// Something else.
    Run(RunError),
}

impl From<RunError> for Miss {
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
        unmasked: Arc<OnceLock<String>>,
        channels: usize,
    ) -> Self {
        let channels = channels.clamp(1, CHANNELS);
        let (slots, width) = (Semaphore::new(channels), AtomicUsize::new(channels));
        Self { handle, meter, slots, waiting: gated::Waiting::default(), width, unmasked, hangup, through }
    }

    /// Runs one action in a channel of its own. The verb's clock starts when a channel is free for it.
    ///
    /// # Errors
    /// As [`super::Connection::run`].
    pub async fn run(&self, action: &Action) -> Result<Answer, RunError> {
        let spec = verbs::spec(action.verb);
        if matches!(action.wire, Wire::Gated(_)) {
            return self.gated(action, spec).await;
        }
        // Small packets carry more frame than content, and a channel that was closed early may fill its window once more.
        self.meter.allow(spec.bytes_max.saturating_mul(4).saturating_add(2 * u64::from(connect::WINDOW)));
        let mut refused = 0;
        loop {
            let slot = self.slots.acquire().await.map_err(|_| RunError::Lost)?;
            match timeout(spec.timeout, self.attempt(&action.wire, spec)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(Miss::Run(RunError::Lost))) => return Err(self.lost()),
                Ok(Err(Miss::Run(error))) => return Err(error),
                Err(_) => return Err(RunError::TimedOut(spec.timeout)),
                Ok(Err(Miss::NoChannel)) if self.narrow(slot) => {}
                Ok(Err(Miss::NoChannel)) => {
                    refused += 1;
                    if refused == ATTEMPTS {
                        return Err(RunError::NoChannel);
                    }
                    // A server may need a moment to notice that our last channel is gone.
                    tokio::time::sleep(Duration::from_millis(50) * refused).await;
                }
            }
        }
    }

    /// Takes a channel out of use for good, because the server allows fewer (`MaxSessions`). False for the last one.
    fn narrow(&self, slot: SemaphorePermit<'_>) -> bool {
        let fewer = |width: usize| (width > 1).then(|| width - 1);
        let narrowed = self.width.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer).is_ok();
        if narrowed {
            slot.forget();
        }
        narrowed
    }

    async fn attempt(&self, wire: &Wire, spec: &Spec) -> Result<Answer, Miss> {
        let (words, stdin) = match wire {
            Wire::Exec(words) => (words, None),
            Wire::Fed { words, stdin } => (words, Some(stdin.as_str())),
            Wire::Connect { address, request } => return self.talk(*address, request, spec).await,
            // Reading without a program is for this machine.
            Wire::Read(_) => return Err(RunError::NotStarted.into()),
            // A gate is asked, and never gone around: `gated`, and `transport::gate`.
            Wire::Gated(_) | Wire::Change(_) => return Err(RunError::NotStarted.into()),
        };
        let channel = self.handle.channel_open_session().await.map_err(|error| match error {
            russh::Error::ChannelOpenFailure(_) => Miss::NoChannel,
            _ => Miss::Run(RunError::Lost),
        })?;
        let (mut incoming, outgoing) = channel.split();
        let mut open = Open { channel: Some(outgoing), program: true };
        let (answer, closed) = listen(&mut incoming, &open, &words.join(" "), stdin, spec).await?;
        if closed {
            open.channel = None;
        }
        Ok(answer)
    }

    /// Has the target connect to an address, says one thing there, and listens to the end.
    async fn talk(&self, to: SocketAddr, request: &str, spec: &Spec) -> Result<Answer, Miss> {
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
            // No end of file behind it: to many servers that says that nobody waits for an answer any more.
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
        self.unmasked.get().map_or(RunError::Lost, |rule| RunError::Forbidden { rule: rule.clone() })
    }

    fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// Asks this machine to connect to another, by its address.
    async fn forward(&self, to: SocketAddr) -> Result<Channel<Msg>, &'static str> {
        let (host, port) = (to.ip().to_string(), u32::from(to.port()));
        self.handle.channel_open_direct_tcpip(host, port, "127.0.0.1", 0).await.map_err(|error| match error {
            russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited) => "it is not allowed",
            russh::Error::ChannelOpenFailure(ChannelOpenFailure::ConnectFailed) => "the connection failed",
            russh::Error::ChannelOpenFailure(_) => "it would not",
            _ => "it hung up",
        })
    }

    /// Says goodbye, from the far end back.
    pub async fn close(self) {
        let Self { handle, hangup, through, .. } = self;
        let said = timeout(GOODBYE, handle.disconnect(Disconnect::ByApplication, "", "")).await;
        if matches!(said, Ok(Ok(()))) {
            // Until it is on the wire.
            let _ = timeout(GOODBYE, handle).await;
        }
        drop(hangup);
        if let Some(outer) = through {
            Box::pin(outer.close()).await;
        }
    }
}

/// A channel that we must close. Dropped unfinished, by a clock, a limit or the caller, it is closed in the background:
/// whoever waits for the action does not wait for a server that has shown to be slow.
struct Open {
    channel: Option<ChannelWriteHalf<Msg>>,
    /// A program runs at its other end.
    program: bool,
}

impl Drop for Open {
    fn drop(&mut self) {
        let (Some(channel), program) = (self.channel.take(), self.program) else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        // Ends with the connection at the latest.
        runtime.spawn(async move {
            if program {
                // Without it sshd leaves the program running; older ones know no signals, which does no harm.
                let _ = channel.signal(Sig::TERM).await;
            }
            let _ = channel.close().await;
        });
    }
}

/// Sends one exec request and takes what comes, in whatever order. True if the server has closed the channel.
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
        // Both are small: the server's first window takes them, whether it has started the program yet or not.
        outgoing.data(text.as_bytes()).await.map_err(|_| RunError::Lost)?;
        outgoing.eof().await.map_err(|_| RunError::Lost)?;
    }
    let mut all = Collector::new(spec);
    let (mut started, mut eof, mut exit) = (false, false, None);
    // Comes closer when only the close is missing; until then the caller's clock is the shorter one.
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
            // The first word counts.
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
            end = end.min(Instant::now() + LAST_WORD);
        }
    }
}
