//! What runs are told of their own past, and what the journal keeps of that.
//!
//! Knows: the history, and which components ask for theirs. Attack answered: a past that cannot be read and passes for
//! none: a component that asks for it does not run then.

use std::sync::{Mutex, PoisonError};

use bailiwick_core::manifest::Manifest;
use bailiwick_journal::history::{Earlier, History};
use bailiwick_policy::grant::Grant;
use bailiwick_transport::chain;

/// The past of all components, or why there is none to be had.
#[derive(Debug)]
pub enum PastRuns {
    /// It is here.
    Here(Mutex<History>),
    /// It cannot be read.
    Missing(String),
}

impl From<History> for PastRuns {
    fn from(history: History) -> Self {
        Self::Here(Mutex::new(history))
    }
}

/// Without a word of why, nobody is told anything: for sweeps of components that do not ask.
impl Default for PastRuns {
    fn default() -> Self {
        Self::Missing("no history is kept here".to_owned())
    }
}

impl PastRuns {
    /// What a run that begins now, on so many targets, is told of the grant's target.
    ///
    /// # Errors
    /// Why it cannot be said, in the host's words.
    pub(super) fn earlier(
        &self,
        manifest: &Manifest,
        grant: &Grant,
        now_ms: u64,
        targets: usize,
    ) -> Result<Earlier, String> {
        let asks = manifest.history.is_some();
        let found = match self {
            Self::Missing(_) if !asks => return Ok(Earlier::default()),
            Self::Missing(why) => Err(why.clone()),
            Self::Here(history) => {
                let history = history.lock().unwrap_or_else(PoisonError::into_inner);
                if !asks {
                    let previous_ms = history.previous_ms(&grant.component, &grant.target, now_ms).ok().flatten();
                    return Ok(Earlier { previous_ms, ..Earlier::default() });
                }
                let found = history.earlier(&grant.component, &grant.target, now_ms, targets);
                found.map_err(|error| chain(&error))
            }
        };
        found.map_err(|why| format!("what it has said before cannot be read: {why}"))
    }
}
