//! A component's own earlier numbers, which its run is given.
//!
//! Knows: the history, and which components ask for it. Must not know: what the numbers mean. Attack answered: a history that
//! cannot be read and looks like an empty one: a component that asks for its history does not run then.

use std::sync::{Mutex, PoisonError};

use bailiwick_core::manifest::Manifest;
use bailiwick_journal::history::{Earlier, History};
use bailiwick_policy::grant::Grant;
use bailiwick_transport::chain;

/// The history of all components, or why it cannot be read.
#[derive(Debug)]
pub enum PastRuns {
    /// The history.
    Here(Mutex<History>),
    /// Why it cannot be read.
    Missing(String),
}

impl From<History> for PastRuns {
    fn from(history: History) -> Self {
        Self::Here(Mutex::new(history))
    }
}

/// No history: for sweeps of components that do not ask for theirs.
impl Default for PastRuns {
    fn default() -> Self {
        Self::Missing("there is no history".to_owned())
    }
}

impl PastRuns {
    /// What a run that starts now is given about one of its targets. `targets` is the number of targets of the run.
    ///
    /// # Errors
    /// Why it cannot be read, in a sentence of the host.
    pub(super) fn earlier(
        &self,
        manifest: &Manifest,
        grant: &Grant,
        now_ms: u64,
        targets: usize,
    ) -> Result<Earlier, String> {
        let asks = manifest.history.is_some();
        let earlier = match self {
            Self::Missing(_) if !asks => return Ok(Earlier::default()),
            Self::Missing(why) => Err(why.clone()),
            Self::Here(history) => {
                let history = history.lock().unwrap_or_else(PoisonError::into_inner);
                if !asks {
                    let previous_ms = history.previous_ms(&grant.component, &grant.target, now_ms).ok().flatten();
                    return Ok(Earlier { previous_ms, ..Earlier::default() });
                }
                let earlier = history.earlier(&grant.component, &grant.target, now_ms, targets);
                earlier.map_err(|error| chain(&error))
            }
        };
        earlier.map_err(|why| format!("its history cannot be read: {why}"))
    }
}
