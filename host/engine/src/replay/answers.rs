//! The answers that a run got, ready to be given again.
//!
//! Knows: recorded outcomes and evidence. Must not know: components. An answer that was altered ends the replay here, and is
//! named: a component is never run on altered evidence.

use std::sync::Arc;

use super::NotReplayable;
use super::compare::Difference;
use super::recorded::{Answered, Asked, Recorded, Selection};
use bailiwick_core::model::Answer;
use bailiwick_core::model::Tainted;
use bailiwick_journal::{Blob, Evidence, EvidenceError, Outcome};
use bailiwick_transport::recorded::{RecordedAnswer, RecordedAnswers};

/// Why a run's answers cannot be given again.
pub(super) enum Gap {
    /// An answer is missing.
    Missing(NotReplayable),
    /// An answer differs from what was recorded.
    Differs(Difference),
}

/// The answers to a run's own calls, one set for each of its targets, in their order.
pub(super) fn of_run(selection: &Selection, run: &Recorded, evidence: &Evidence) -> Result<Vec<RecordedAnswers>, Gap> {
    let mut answers: Vec<_> = run.targets().map(|target| (target, RecordedAnswers::default())).collect();
    for (index, asked) in run.calls.iter().enumerate() {
        let Asked::Action { on, action, intent } = asked else { continue };
        let call = index + 1;
        let unanswered = || Gap::Missing(NotReplayable::Unanswered { call, action: action.clone() });
        // The entry of the intent names the target that answered. It must be the target that this run asked.
        let from_target = |answer: &&Arc<Answered>| on.as_ref().is_none_or(|on| *on == answer.target);
        let answer = run.answers.get(intent).filter(|answer| answer.action == *action).filter(from_target);
        let answer = answer.ok_or_else(unanswered)?;
        let recorded = recorded(answer, evidence).map_err(|error| match pruned(selection, run, &error) {
            Some(entry) => Gap::Missing(NotReplayable::Pruned { call, action: action.clone(), entry }),
            None => Gap::Differs(Difference {
                place: format!("call {call}, {action}: the answer"),
                recorded: Tainted::new("the evidence that its entry names"),
                replayed: Tainted::new(error.to_string()),
            }),
        })?;
        let on_target = answers.iter_mut().find(|(target, _)| **target == answer.target);
        on_target.ok_or_else(unanswered)?.1.record(action.clone(), recorded);
    }
    Ok(answers.into_iter().map(|(_, answers)| answers).collect())
}

/// The entry that records that retention removed a missing piece after the run.
pub(super) fn pruned(selection: &Selection, run: &Recorded, error: &EvidenceError) -> Option<u64> {
    let EvidenceError::Missing(sha) = error else { return None };
    selection.pruned.get(sha).copied().filter(|entry| *entry > run.run)
}

/// One answer, as the runs got it.
pub(super) fn recorded(answered: &Answered, evidence: &Evidence) -> Result<RecordedAnswer, EvidenceError> {
    let bytes = |blob: &Blob| evidence.read(blob).map(std::borrow::Cow::into_owned);
    let answer = match &answered.outcome {
        Outcome::Answer { stdout, stderr, exit } => {
            Ok(Answer { stdout: bytes(stdout)?, stderr: bytes(stderr)?, exit: *exit, timing: answered.timing })
        }
        Outcome::Failed { error, cause } => Err((*error, cause.clone())),
    };
    Ok(RecordedAnswer::FromJournal { answer, redacted: answered.redacted.clone() })
}
