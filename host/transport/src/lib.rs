//! Carries one literal action to a target, and returns the bytes of the answer.
//!
//! Knows: SSH, child processes, files of this machine. It is the only user of russh, cap-std and `tokio::process`. Must not
//! know: components, policy, what an answer means. Attacks answered: a machine in the middle and a never-host under another
//! name (NW11–NW17), a target that floods, stalls or opens channels back (TG01–TG03).

mod collect;
pub mod gate;
pub mod git;
pub mod local;
pub mod openssh;
pub mod recorded;
pub mod ssh;

use std::collections::BTreeMap;
use std::time::Duration;

use bailiwick_core::model::{Action, Answer, RuleName, VerbError};

/// Why an action has no answer.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The connection is gone.
    #[error("the connection was lost")]
    Lost,
    /// There was no connection.
    #[error("{0}")]
    NotConnected(String),
    /// The target did not start the program.
    #[error("the target refused to run the program")]
    NotStarted,
    /// The target's gate refused.
    #[error("{0}")]
    Gate(String),
    /// The target's server opened no channel.
    #[error("the SSH server opens no further session (MaxSessions)")]
    NoChannel,
    /// No answer within the verb's limit.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The answer is larger than the verb's limit.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(u64),
    /// The target is a never-host. This was found after the handshake, and before anything was run on it.
    #[error("{rule}")]
    Forbidden {
        /// The rule, with its place.
        rule: String,
    },
    /// A failure that the journal records, in a replay.
    #[error("{cause}")]
    Recorded {
        /// The error that the guest got.
        error: VerbError,
        /// The cause, as it was worded then.
        cause: String,
    },
    /// This machine could not run the program.
    #[error("cannot run the program on this machine: {0}")]
    Io(#[from] std::io::Error),
}

/// One connection to one target.
#[derive(Debug)]
pub enum Connection {
    /// This machine.
    Local,
    /// A machine over SSH.
    Ssh(ssh::Session),
    /// Recorded answers.
    Recorded(recorded::RecordedAnswers),
    /// No connection: the target could not be reached, and a run on several targets continues without it.
    None {
        /// The reason.
        cause: String,
    },
}

impl Connection {
    /// Runs one action within its verb's limits.
    ///
    /// # Errors
    /// There is no answer. The connection can be used again unless it is lost.
    pub async fn run(&self, action: &Action) -> Result<Answer, RunError> {
        match self {
            Self::Local => local::run(action).await,
            Self::Ssh(session) => session.run(action).await,
            Self::Recorded(answers) => answers.run(action),
            Self::None { cause } => Err(RunError::NotConnected(cause.clone())),
        }
    }

    /// The outcome of an action as the journal records it, in a replay, with the number of secrets that were removed from it
    /// then. Nothing has to be removed again.
    #[must_use]
    pub fn recorded_outcome(&self, action: &Action) -> Option<(Result<Answer, RunError>, BTreeMap<RuleName, u32>)> {
        match self {
            Self::Recorded(answers) => answers.outcome(action),
            Self::Local | Self::Ssh(_) | Self::None { .. } => None,
        }
    }

    /// Disconnects. Dropping a connection closes it as well, without an SSH disconnect message.
    pub async fn close(self) {
        if let Self::Ssh(session) = self {
            session.close().await;
        }
    }
}

/// An error and its sources, on one line, without repetitions.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let cause = source.to_string();
        // Rust adds the number. The message may already contain its source.
        let cause = cause.split(" (os error").next().unwrap_or_default();
        if !text.to_lowercase().contains(&cause.to_lowercase()) {
            text.push_str(": ");
            text.push_str(cause);
        }
        next = source.source();
    }
    text
}
