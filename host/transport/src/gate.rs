//! A conversation with a target's gate: what looks on the reading connection, what changes on one of its own.
//!
//! Knows: sessions, frames. Must not know: what a change is for, whether it may be. Attacks answered: an answer that was lost and
//! is taken for a no (CH07: [`GateError::is_certain`]), a target that says more than it was asked, or nothing (TG01, TG03).
//!
//! **Invariant:** the exec string is one constant of a role; what is asked goes to standard input (D11).

use std::time::Duration;

use super::RunError;
use super::ssh::{ConnectError, Session, Settings, connect};
use bailiwick_core::fleet::{Access, Fleet, Target};
use bailiwick_core::gate_protocol::{Answer, FrameError, Outcome, ProtocolError, Request, Unreadable};
use bailiwick_core::model::Tainted;

/// What sshd is asked to run. It runs the gate, whatever it is asked for; the gate looks at this word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Programs of the list, as the account.
    Read,
    /// Hashes and differences of listed objects, as root.
    Look,
    /// Changes.
    Change,
}

impl Role {
    /// The exec string.
    #[must_use]
    pub const fn exec(self) -> &'static str {
        match self {
            Self::Read => "bailiwick-gate/1 read",
            Self::Look => "bailiwick-gate/1 look",
            Self::Change => "bailiwick-gate/1 change",
        }
    }
}

/// Longest answer to a look: a preview's difference, and room.
const LOOK_BYTES: u64 = 128 << 10;
/// Longest wait for a look. Files of 16 MiB are hashed in it.
const LOOK_TIME: Duration = Duration::from_secs(90);
/// Longest wait for a change: what it runs has two minutes, and what it becomes has twenty tries.
const CHANGE_TIME: Duration = Duration::from_secs(180);

/// Why there is no answer of a gate.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// There is none.
    #[error("the target has no gate: fleet.toml has no [targets.NAME.gate] for it")]
    NoGate,
    /// Nothing was sent.
    #[error("{0}")]
    Request(#[from] ProtocolError),
    /// Nobody was reached.
    #[error("{0}")]
    Connect(#[from] Box<ConnectError>),
    /// The conversation ended.
    #[error("{0}")]
    Run(#[from] RunError),
    /// What came is no answer.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// What came is none of what was asked for.
    #[error("{0}")]
    Unreadable(#[from] Unreadable),
    /// It ended the conversation before it did anything.
    #[error("the gate takes no such request")]
    Refused {
        /// Its reason.
        said: Tainted,
    },
}

impl GateError {
    /// Whether nothing was done for certain. If not, nobody knows, and the gate is asked what it knows of the change.
    #[must_use]
    pub const fn is_certain(&self) -> bool {
        matches!(self, Self::NoGate | Self::Request(_) | Self::Connect(_) | Self::Refused { .. })
    }
}

/// Looks, on the reading connection: what an object is, who is at work, what the gate knows.
///
/// # Errors
/// When the gate does not answer.
pub async fn look(session: &Session, requests: &[Request]) -> Result<Vec<Answer>, GateError> {
    session.converse(Role::Look, requests, vec![LOOK_BYTES; requests.len()], LOOK_TIME).await
}

/// A connection with the credential that changes. It is opened for an approved plan, inside its window, and for nothing else.
#[derive(Debug)]
pub struct ChangeSession {
    session: Session,
}

impl ChangeSession {
    /// Connects as the account that changes.
    ///
    /// # Errors
    /// As [`connect`]; the target is that of the reading connection, with all that it must prove.
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

    /// One request: begin, do, undo, again, confirm or close.
    ///
    /// # Errors
    /// When no answer came. [`GateError::is_certain`] says whether that means that nothing was done.
    pub async fn ask(&self, request: Request) -> Result<Outcome, GateError> {
        let answers = self.session.converse(Role::Change, &[request], vec![LOOK_BYTES], CHANGE_TIME).await?;
        answers.first().map(Outcome::read).ok_or(GateError::Frame(FrameError::Order))
    }

    /// Says goodbye.
    pub async fn close(self) {
        self.session.close().await;
    }
}
