//! Recorded answers, by action id: cases now, replay later. Reaches nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Answer, RunError};
use crate::model::{Action, ActionId};

/// What the target said, or how it failed to.
#[derive(Debug, Clone)]
pub enum Take {
    /// It answered.
    Answer(Answer),
    /// The connection was lost.
    Lost,
    /// It did not answer in time.
    TimedOut,
    /// It would not start the program.
    NotStarted,
    /// It said more than the verb's limit.
    TooLarge,
}

/// The recorded answers of one target.
#[derive(Debug, Clone, Default)]
pub struct Tape(BTreeMap<ActionId, Take>);

impl Tape {
    /// Records an answer. The latest counts.
    pub fn record(&mut self, id: ActionId, take: Take) {
        self.0.insert(id, take);
    }

    /// True if there is an answer to an action.
    #[must_use]
    pub fn has(&self, id: &ActionId) -> bool {
        self.0.contains_key(id)
    }

    /// The actions that there are answers to.
    pub fn ids(&self) -> impl Iterator<Item = &ActionId> {
        self.0.keys()
    }

    /// Plays an answer back.
    ///
    /// # Errors
    /// When the recorded outcome is a failure, or nothing is recorded for the action.
    pub fn run(&self, action: &Action) -> Result<Answer, RunError> {
        match self.0.get(&action.id) {
            Some(Take::Answer(answer)) => Ok(answer.clone()),
            Some(Take::TimedOut) => Err(RunError::TimedOut(Duration::ZERO)),
            Some(Take::Lost) => Err(RunError::Lost),
            Some(Take::TooLarge) => Err(RunError::TooLarge(0)),
            Some(Take::NotStarted) | None => Err(RunError::NotStarted),
        }
    }
}
