//! Recorded answers, by action id: what cases say, and what a journal holds. Reaches nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Answer, RunError};
use bailiwick_core::model::{Action, ActionId, LookError, RuleName};

/// Secrets that were taken out of an answer, by rule.
type Redacted = BTreeMap<RuleName, u32>;

/// What the target said, or how it failed to.
#[derive(Debug, Clone)]
pub enum RecordedAnswer {
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
    /// What everybody was told when it happened, secrets taken out: nothing is to be done with it any more.
    Told {
        /// The answer, or what the guest was told instead, and the host's words for it.
        answer: Result<Answer, (LookError, String)>,
        /// What was taken out of it.
        redacted: Redacted,
    },
}

/// The recorded answers of one target.
#[derive(Debug, Clone, Default)]
pub struct RecordedAnswers(BTreeMap<ActionId, RecordedAnswer>);

impl RecordedAnswers {
    /// Records an answer. The latest counts.
    pub fn record(&mut self, id: ActionId, take: RecordedAnswer) {
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
            Some(RecordedAnswer::Answer(answer)) => Ok(answer.clone()),
            Some(RecordedAnswer::TimedOut) => Err(RunError::TimedOut(Duration::ZERO)),
            Some(RecordedAnswer::Lost) => Err(RunError::Lost),
            Some(RecordedAnswer::TooLarge) => Err(RunError::TooLarge(0)),
            Some(RecordedAnswer::Told { answer, .. }) => played(answer),
            Some(RecordedAnswer::NotStarted) | None => Err(RunError::NotStarted),
        }
    }

    /// Plays back what everybody was told, if that is what is recorded.
    pub(super) fn told(&self, action: &Action) -> Option<(Result<Answer, RunError>, Redacted)> {
        match self.0.get(&action.id)? {
            RecordedAnswer::Told { answer, redacted } => Some((played(answer), redacted.clone())),
            _ => None,
        }
    }
}

fn played(answer: &Result<Answer, (LookError, String)>) -> Result<Answer, RunError> {
    answer.clone().map_err(|(error, cause)| RunError::Recorded { error, cause })
}
