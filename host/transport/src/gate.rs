//! Requests to a target's gate: inspection uses the reading connection, a change uses a connection of its own.
//!
//! Knows: sessions, frames. Must not know: what a change is for, or whether it is allowed. Attacks answered: an answer that was lost
//! and is taken for a "no" (CH07: [`GateError::is_certain`]), a target that sends more than it was asked for, or nothing (TG01, TG03).
//!
//! **Invariant:** the exec string is one constant of a role; the request goes to standard input (D11).

use std::time::Duration;

use super::RunError;
use super::ssh::{ConnectError, Session, Settings, connect};
use bailiwick_core::fleet::{Access, Fleet, Target};
use bailiwick_core::gate_protocol::{Answer, FrameError, Outcome, ProtocolError, Request, Unreadable};
use bailiwick_core::model::Tainted;

/// The command that sshd is asked to run. sshd always runs the gate, and the gate reads this word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Run programs of the list, as the account.
    Read,
    /// Report hashes and differences of listed objects, as root. The gate's word for it is `look`.
    Inspect,
    /// Make changes.
    Change,
}

impl Role {
    /// The exec string.
    #[must_use]
    pub const fn exec(self) -> &'static str {
        match self {
            Self::Read => "bailiwick-gate/1 read",
            Self::Inspect => "bailiwick-gate/1 look",
            Self::Change => "bailiwick-gate/1 change",
        }
    }
}

/// Largest answer to an inspection: the difference of a preview, with a margin.
const INSPECT_BYTES: u64 = 128 << 10;
/// Longest wait for an inspection, in which files of 16 MiB are hashed.
const INSPECT_TIME: Duration = Duration::from_secs(90);
/// Longest wait for a change: its program has two minutes, and its result is checked up to twenty times.
const CHANGE_TIME: Duration = Duration::from_secs(180);

/// Why a gate did not answer.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The target has no gate.
    #[error("the target has no gate: fleet.toml has no [targets.NAME.gate] for it")]
    NoGate,
    /// The request is not valid. Nothing was sent.
    #[error("{0}")]
    Request(#[from] ProtocolError),
    /// The connection failed.
    #[error("{0}")]
    Connect(#[from] Box<ConnectError>),
    /// The request failed after it was sent.
    #[error("{0}")]
    Run(#[from] RunError),
    /// The bytes that came are not an answer.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// The answer is not one that the request can have.
    #[error("{0}")]
    Unreadable(#[from] Unreadable),
    /// The gate refused before it did anything.
    #[error("the gate does not accept this request")]
    Refused {
        /// The gate's reason.
        reason: Tainted,
    },
}

impl GateError {
    /// True if nothing was done on the target. If false, the result is unknown, and the gate has to be asked about the change.
    #[must_use]
    pub const fn is_certain(&self) -> bool {
        matches!(self, Self::NoGate | Self::Request(_) | Self::Connect(_) | Self::Refused { .. })
    }
}

/// Inspects, on the reading connection: the state of an object, who is logged in, what the gate knows.
///
/// # Errors
/// The gate does not answer.
pub async fn inspect(session: &Session, requests: &[Request]) -> Result<Vec<Answer>, GateError> {
    session.exchange(Role::Inspect, requests, vec![INSPECT_BYTES; requests.len()], INSPECT_TIME).await
}

/// A connection with the credential for changes. It is opened only for an approved plan, inside its window.
#[derive(Debug)]
pub struct ChangeSession {
    session: Session,
}

impl ChangeSession {
    /// Connects as the account for changes.
    ///
    /// # Errors
    /// As [`connect`]. The same address and host key are required as for the reading connection.
    pub async fn open(fleet: &Fleet, target: &Target, settings: &Settings) -> Result<Self, GateError> {
        let gate = target.gate().ok_or(GateError::NoGate)?;
        let (user, credential) = (gate.user.clone(), gate.credential());
        let mut target = target.clone();
        if let Access::Ssh(ssh) = &mut target.access {
            (ssh.user, ssh.credential) = (user, credential);
        }
        let session = connect(fleet, &target, settings).await.map_err(Box::new)?;
        Ok(Self { session })
    }

    /// Sends one request: begin, do, undo, again, confirm or close.
    ///
    /// # Errors
    /// No answer came. [`GateError::is_certain`] reports whether nothing was done.
    pub async fn ask(&self, request: Request) -> Result<Outcome, GateError> {
        let answers = self.session.exchange(Role::Change, &[request], vec![INSPECT_BYTES], CHANGE_TIME).await?;
        answers.first().map(Outcome::read).ok_or(GateError::Frame(FrameError::Order))
    }

    /// Disconnects.
    pub async fn close(self) {
        self.session.close().await;
    }
}
