//! The list of changes that a fix asks for. Nothing is sent: the list is a proposal.
//!
//! Knows: grants, phases, the journal. Must not know: how a change is applied. Attacks answered: a change outside the phase
//! `plan` (PH01), a change that the grant does not have, bytes that a terminal would not show as they are, a second change
//! of one file, and a list that is too long to review.
//!
//! **Invariant:** an action gets onto the list only from a grant, in the phase `plan`, and is in the journal before the
//! component gets an answer.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use super::{Broker, RunContext};
use bailiwick_core::encode;
use bailiwick_core::model::{Action, Change, Literal, Phase, StageError, Tainted, Verb};
use bailiwick_journal::Entry;

/// Maximum number of changes in one plan.
pub const STAGED_MAX: usize = 16;

/// A change that a component asks for.
#[derive(Debug, Clone)]
pub struct StageRequest {
    /// The number of the call, from 1 in each run.
    pub number: u32,
    /// The index of the target in the run.
    pub target: u32,
    /// The verb.
    pub verb: Verb,
    /// The guest's name for the object.
    pub slot: Option<Tainted>,
    /// The guest's name for the content.
    pub content: Option<Tainted>,
    /// Bytes that the guest made.
    pub bytes: Option<Vec<u8>>,
}

/// One change on the list.
#[derive(Debug, Clone)]
pub struct Staged {
    /// The action, from the grant.
    pub action: Arc<Action>,
    /// The text that the fix computed. None if the bytes are declared in the manifest.
    pub computed: Option<String>,
}

impl Staged {
    /// The change itself.
    #[must_use]
    pub fn change(&self) -> Option<&Change> {
        match &self.action.literal {
            Some(Literal::Change(changing)) => Some(changing.change()),
            _ => None,
        }
    }
}

/// Why a change is not on the list: an error for the guest, a cause for the operator.
struct Refused(StageError, String);

impl Broker {
    /// Puts one change on a run's list.
    ///
    /// # Errors
    /// The error that the guest gets.
    pub async fn stage(self: &Arc<Self>, run: &RunContext, request: StageRequest) -> Result<(), StageError> {
        let (number, verb, slot, content) =
            (request.number, request.verb, request.slot.clone(), request.content.clone());
        match self.try_stage(run, request).await {
            Ok(()) => Ok(()),
            Err(Refused(error, cause)) => {
                self.note(Entry::StageRefused { run: run.id, call: number, verb, slot, content, error, cause });
                Err(error)
            }
        }
    }

    async fn try_stage(self: &Arc<Self>, run: &RunContext, request: StageRequest) -> Result<(), Refused> {
        let refused = |why: &str| Refused(StageError::Refused, why.to_owned());
        if run.phase != Phase::Plan {
            return Err(Refused(StageError::WrongPhase, "a change can be staged in `plan` only".to_owned()));
        }
        // An index without a target is a breach: the worker that sent it has been killed.
        let on_target = usize::try_from(request.target).ok().and_then(|index| run.targets.get(index));
        let Some((grant, _)) = on_target else { return Err(refused("there is no such target")) };
        let key = request.slot.as_ref().map(Tainted::for_encoder);
        let content = request.content.as_ref().map(Tainted::for_encoder);
        let Some(granted) = grant.lookup_with(request.verb, key, content) else {
            let why = grant.withheld_reason(request.verb, key);
            return Err(Refused(StageError::Refused, why.unwrap_or_else(|| "the grant does not have it".to_owned())));
        };
        let Some(Literal::Change(changing)) = &granted.action.literal else {
            return Err(refused("it is not a change"));
        };
        let computed = match (changing.change(), request.bytes) {
            (Change::WriteComputed { bytes_max, .. }, Some(bytes)) => Some(readable(bytes, *bytes_max)?),
            (Change::WriteComputed { .. }, None) => return Err(refused("the text is missing")),
            (_, Some(_)) => return Err(refused("it does not take a text")),
            (_, None) => None,
        };
        let staged = Staged { action: Arc::clone(&granted.action), computed };
        run.check_room(&staged)?;
        let kept = match &staged.computed {
            Some(text) => Some(self.keep_bytes(text.clone().into_bytes()).await.ok_or_else(unwritten)?),
            None => None,
        };
        let (id, call) = (granted.action.id.clone(), request.number);
        self.note(Entry::Staged { run: run.id, call, action: id, computed: kept }).ok_or_else(unwritten)?;
        run.staged.lock().unwrap_or_else(PoisonError::into_inner).push(staged);
        Ok(())
    }

    /// Keeps bytes beside the journal, or in it; none once a write has failed.
    async fn keep_bytes(&self, bytes: Vec<u8>) -> Option<bailiwick_journal::Blob> {
        let journal = Arc::clone(&self.journal);
        let kept = tokio::task::spawn_blocking(move || journal.keep(&bytes)).await;
        match kept.unwrap_or(Err(bailiwick_journal::OpenError::Broken)) {
            Ok(blob) => Some(blob),
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }
}

impl RunContext {
    /// The run's list of changes, in order.
    #[must_use]
    pub fn staged(&self) -> Vec<Staged> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Checks that the list has room for a change: at most 16 changes, and each file once, so that each step finds the file
    /// that the plan saw.
    fn check_room(&self, staged: &Staged) -> Result<(), Refused> {
        let list = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
        if list.len() >= STAGED_MAX {
            return Err(Refused(
                StageError::Exhausted,
                format!("the list already has {STAGED_MAX} changes (the maximum)"),
            ));
        }
        if list.iter().any(|other| other.action.id == staged.action.id) {
            return Err(Refused(StageError::Refused, "it is already on the list".to_owned()));
        }
        let files: BTreeSet<_> = list.iter().filter_map(|other| other.change()?.path()).collect();
        match staged.change().and_then(Change::path) {
            Some(path) if files.contains(path) => {
                Err(Refused(StageError::Refused, format!("{} is already on the list", path.as_str())))
            }
            _ => Ok(()),
        }
    }
}

/// The text that a fix computed, if a terminal shows all of it to the person who signs it.
fn readable(bytes: Vec<u8>, bytes_max: u64) -> Result<String, Refused> {
    let max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    if bytes.len() > max {
        return Err(Refused(StageError::Exhausted, format!("the text has {} bytes (maximum {max})", bytes.len())));
    }
    let text =
        String::from_utf8(bytes).map_err(|_| Refused(StageError::Refused, "the text is not UTF-8".to_owned()))?;
    match encode::seen_whole(&text) {
        Ok(()) if !text.is_empty() => Ok(text),
        Ok(()) => Err(Refused(StageError::Refused, "the text is empty".to_owned())),
        Err(line) => Err(Refused(
            StageError::Refused,
            format!("line {line} has characters that a terminal does not show as they are"),
        )),
    }
}

fn unwritten() -> Refused {
    Refused(StageError::Refused, "the journal is not writable".to_owned())
}
