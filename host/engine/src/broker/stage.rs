//! The list of changes that a fix asks for. Nothing is sent: what is on the list is proposed, and that is all.
//!
//! Attacks answered: a change that is asked for where none may be (PH01), one that the grant does not hold, bytes that a
//! person would not see as they are, a second change of one file, and more than anybody can read.
//!
//! **Invariant:** an action is on the list only out of a grant, in the phase `plan`, and stands in the journal before the
//! component is told so.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use super::{Broker, RunContext};
use bailiwick_core::encode;
use bailiwick_core::model::{Action, Change, Literal, Phase, StageError, Tainted, Verb};
use bailiwick_journal::Entry;

/// Most changes in one plan.
pub const STAGED_MAX: usize = 16;

/// What a component asks to be put on the list.
#[derive(Debug, Clone)]
pub struct Asked {
    /// From 1 in each run, with its other calls.
    pub number: u32,
    /// The target, by its place in the run.
    pub target: u32,
    /// The verb.
    pub verb: Verb,
    /// What the guest said to name an object.
    pub slot: Option<Tainted>,
    /// What the guest said to name a content.
    pub content: Option<Tainted>,
    /// Bytes that the guest made.
    pub bytes: Option<Vec<u8>>,
}

/// One change on the list.
#[derive(Debug, Clone)]
pub struct Staged {
    /// It, out of the grant.
    pub action: Arc<Action>,
    /// The text that the fix made for it; none for one whose bytes are declared.
    pub computed: Option<String>,
}

impl Staged {
    /// What it does.
    #[must_use]
    pub fn change(&self) -> Option<&Change> {
        match &self.action.literal {
            Some(Literal::Change(changing)) => Some(changing.change()),
            _ => None,
        }
    }
}

/// Why something is not on the list: what the guest is told, and what the operator is.
struct Refused(StageError, String);

impl Broker {
    /// Puts one change on a run's list.
    ///
    /// # Errors
    /// What the guest is told instead.
    pub async fn stage(self: &Arc<Self>, run: &RunContext, asked: Asked) -> Result<(), StageError> {
        let (number, verb, slot, content) = (asked.number, asked.verb, asked.slot.clone(), asked.content.clone());
        match self.try_stage(run, asked).await {
            Ok(()) => Ok(()),
            Err(Refused(error, cause)) => {
                self.note(Entry::StageRefused { run: run.id, call: number, verb, slot, content, error, cause });
                Err(error)
            }
        }
    }

    async fn try_stage(self: &Arc<Self>, run: &RunContext, asked: Asked) -> Result<(), Refused> {
        let refused = |why: &str| Refused(StageError::Refused, why.to_owned());
        if run.phase != Phase::Plan {
            return Err(Refused(StageError::WrongPhase, "it was not asked by `plan`".to_owned()));
        }
        // A place that is none was a breach of the worker's, who is no more.
        let found = usize::try_from(asked.target).ok().and_then(|index| run.targets.get(index));
        let Some((grant, _)) = found else { return Err(refused("there is no such target")) };
        let key = asked.slot.as_ref().map(Tainted::for_encoder);
        let content = asked.content.as_ref().map(Tainted::for_encoder);
        let Some(granted) = grant.lookup_with(asked.verb, key, content) else {
            let why = grant.withheld_reason(asked.verb, key);
            return Err(Refused(StageError::Refused, why.unwrap_or_else(|| "it is not in the grant".to_owned())));
        };
        let Some(Literal::Change(changing)) = &granted.action.literal else {
            return Err(refused("it is no change"));
        };
        let computed = match (changing.change(), asked.bytes) {
            (Change::WriteComputed { bytes_max, .. }, Some(bytes)) => Some(readable(bytes, *bytes_max)?),
            (Change::WriteComputed { .. }, None) => return Err(refused("it has no bytes")),
            (_, Some(_)) => return Err(refused("it takes no bytes")),
            (_, None) => None,
        };
        let staged = Staged { action: Arc::clone(&granted.action), computed };
        run.may_take(&staged)?;
        let kept = match &staged.computed {
            Some(text) => Some(self.keep_bytes(text.clone().into_bytes()).await.ok_or_else(unwritten)?),
            None => None,
        };
        let (id, call) = (granted.action.id.clone(), asked.number);
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
    /// What the run has put on its list, in order.
    #[must_use]
    pub fn staged(&self) -> Vec<Staged> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the list has room for it: 16 at most, and each file once, so that what a step finds is what the plan saw.
    fn may_take(&self, staged: &Staged) -> Result<(), Refused> {
        let list = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
        if list.len() >= STAGED_MAX {
            return Err(Refused(StageError::Exhausted, format!("{STAGED_MAX} changes are on the list")));
        }
        if list.iter().any(|other| other.action.id == staged.action.id) {
            return Err(Refused(StageError::Refused, "it is on the list already".to_owned()));
        }
        let files: BTreeSet<_> = list.iter().filter_map(|other| other.change()?.path()).collect();
        match staged.change().and_then(Change::path) {
            Some(path) if files.contains(path) => {
                Err(Refused(StageError::Refused, format!("{} is on the list already", path.as_str())))
            }
            _ => Ok(()),
        }
    }
}

/// The text that a fix made, if a person who is to sign it sees all of it.
fn readable(bytes: Vec<u8>, bytes_max: u64) -> Result<String, Refused> {
    let max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    if bytes.len() > max {
        return Err(Refused(StageError::Exhausted, format!("{} bytes; at most {max}", bytes.len())));
    }
    let text = String::from_utf8(bytes).map_err(|_| Refused(StageError::Refused, "it is no text".to_owned()))?;
    match encode::seen_whole(&text) {
        Ok(()) if !text.is_empty() => Ok(text),
        Ok(()) => Err(Refused(StageError::Refused, "there is nothing in it".to_owned())),
        Err(line) => Err(Refused(StageError::Refused, format!("line {line} would not be shown as it is"))),
    }
}

fn unwritten() -> Refused {
    Refused(StageError::Refused, "the journal cannot be written".to_owned())
}
