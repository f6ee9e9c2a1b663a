//! Recorded answers, by action id, from a case or from a journal. Connects to nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Answer, RunError};
use bailiwick_core::model::{Action, ActionId, RuleName, VerbError};

/// The number of secrets that were removed from an answer, by rule.
type Redacted = BTreeMap<RuleName, u32>;

/// The recorded outcome of one action.
#[derive(Debug, Clone)]
pub enum RecordedAnswer {
    /// The target answered.
    Answer(Answer),
    /// The connection was lost.
    Lost,
    /// The target did not answer in time.
    TimedOut,
    /// The target did not start the program.
    NotStarted,
    /// The answer was larger than the verb's limit.
    TooLarge,
    /// The outcome that the journal records. Secrets were removed before it was written.
    FromJournal {
        /// The answer, or the error that the guest got and its cause.
        answer: Result<Answer, (VerbError, String)>,
        /// The number of secrets that were removed from it.
        redacted: Redacted,
    },
}

/// The recorded answers of one target.
#[derive(Debug, Clone, Default)]
pub struct RecordedAnswers(BTreeMap<ActionId, RecordedAnswer>);

impl RecordedAnswers {
    /// Records an answer. A later answer to the same action replaces it.
    pub fn record(&mut self, id: ActionId, answer: RecordedAnswer) {
        self.0.insert(id, answer);
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

    /// Returns the recorded answer to an action.
    ///
    /// # Errors
    /// The recorded outcome is a failure, or nothing is recorded for the action.
    pub fn run(&self, action: &Action) -> Result<Answer, RunError> {
        match self.0.get(&action.id) {
            Some(RecordedAnswer::Answer(answer)) => Ok(answer.clone()),
            Some(RecordedAnswer::TimedOut) => Err(RunError::TimedOut(Duration::ZERO)),
            Some(RecordedAnswer::Lost) => Err(RunError::Lost),
            Some(RecordedAnswer::TooLarge) => Err(RunError::TooLarge(0)),
            Some(RecordedAnswer::FromJournal { answer, .. }) => result(answer),
            Some(RecordedAnswer::NotStarted) | None => Err(RunError::NotStarted),
        }
    }

    /// Returns the outcome that the journal records, if this action has one.
    pub(super) fn outcome(&self, action: &Action) -> Option<(Result<Answer, RunError>, Redacted)> {
        match self.0.get(&action.id)? {
            RecordedAnswer::FromJournal { answer, redacted } => Some((result(answer), redacted.clone())),
            _ => None,
        }
    }
}

fn result(answer: &Result<Answer, (VerbError, String)>) -> Result<Answer, RunError> {
    answer.clone().map_err(|(error, cause)| RunError::Recorded { error, cause })
}
