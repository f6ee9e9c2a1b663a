//! Carries one literal action to a target and brings back bytes.
//!
//! Knows: SSH, child processes, files of this machine; sole home of russh, cap-std and `tokio::process`. Must not know:
//! components, policy, what an answer means. Attacks answered: a machine in the middle and a never-host under another
//! name (NW10–NW17), a target that floods, stalls or opens channels back (TG01–TG03).

mod collect;
pub mod gate;
pub mod git;
pub mod local;
pub mod openssh;
pub mod recorded;
pub mod ssh;

use std::collections::BTreeMap;
use std::time::Duration;

use bailiwick_core::model::{Action, Answer, LookError, RuleName};

/// Why an action has no answer.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The connection is gone.
    #[error("the connection was lost")]
    Lost,
    /// There never was one.
    #[error("{0}")]
    Unreached(String),
    /// The target would not start the program.
    #[error("the target refused to run it")]
    NotStarted,
    /// The target's gate would not.
    #[error("{0}")]
    Gate(String),
    /// The target's server gave no channel to ask in.
    #[error("its SSH server opens no further session (MaxSessions)")]
    NoChannel,
    /// No answer within the verb's limit.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// More than the verb's limit.
    #[error("more than {0} bytes")]
    TooLarge(u64),
    /// The target has turned out to be a never-host, after the handshake and before anything was run on it.
    #[error("{rule}")]
    Forbidden {
        /// The rule, with its place.
        rule: String,
    },
    /// It has been told so, in a run that is being replayed.
    #[error("{cause}")]
    Recorded {
        /// What the guest was told.
        error: LookError,
        /// The host's words then.
        cause: String,
    },
    /// This machine could not run it.
    #[error("could not be run here: {0}")]
    Io(#[from] std::io::Error),
}

/// One open way to one target.
#[derive(Debug)]
pub enum Connection {
    /// This machine.
    Local,
    /// A machine over SSH.
    Ssh(ssh::Session),
    /// Recorded answers.
    Recorded(recorded::RecordedAnswers),
    /// None: the target could not be reached, and a run on several goes on without it.
    None {
        /// Why, in the host's words.
        cause: String,
    },
}

impl Connection {
    /// Runs one action within its verb's limits.
    ///
    /// # Errors
    /// When there is no answer. The connection can be used again unless it is lost.
    pub async fn run(&self, action: &Action) -> Result<Answer, RunError> {
        match self {
            Self::Local => local::run(action).await,
            Self::Ssh(session) => session.run(action).await,
            Self::Recorded(tape) => tape.run(action),
            Self::None { cause } => Err(RunError::Unreached(cause.clone())),
        }
    }

    /// What everybody was told of an action in the run that is being replayed, and the secrets that were taken out of it
    /// then: there are none in it.
    #[must_use]
    pub fn told(&self, action: &Action) -> Option<(Result<Answer, RunError>, BTreeMap<RuleName, u32>)> {
        match self {
            Self::Recorded(tape) => tape.told(action),
            Self::Local | Self::Ssh(_) | Self::None { .. } => None,
        }
    }

    /// Says goodbye. Dropping a connection closes it too, without a word.
    pub async fn close(self) {
        if let Self::Ssh(session) = self {
            session.close().await;
        }
    }
}

/// An error and what is behind it, on one line, nothing twice.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let said = source.to_string();
        // The number is Rust's addition, and some have said it in their own words.
        let said = said.split(" (os error").next().unwrap_or_default();
        if !text.to_lowercase().contains(&said.to_lowercase()) {
            text.push_str(": ");
            text.push_str(said);
        }
        next = source.source();
    }
    text
}
