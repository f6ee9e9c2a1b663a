//! What a run was told, as a tape that plays it back.
//!
//! Knows: recorded outcomes and evidence. Must not know: components. An answer that is not what it was ends the replay here,
//! by name: nothing is run on evidence that somebody has touched.

use std::sync::Arc;

use super::Unplayable;
use super::compare::Difference;
use super::recorded::{Answered, Asked, Found, Recorded};
use bailiwick_core::model::Answer;
use bailiwick_core::model::Tainted;
use bailiwick_journal::{Blob, Evidence, EvidenceError, Outcome};
use bailiwick_transport::recorded::{RecordedAnswer, RecordedAnswers};

/// Why there is no tape.
pub(super) enum Gap {
    /// There is nothing to play.
    Not(Unplayable),
    /// What there is is not what was recorded.
    Differs(Difference),
}

/// The tapes of a run's own calls, one for each of its targets, in their order.
pub(super) fn of(found: &Found, run: &Recorded, evidence: &Evidence) -> Result<Vec<RecordedAnswers>, Gap> {
    let mut tapes: Vec<_> = run.targets().map(|target| (target, RecordedAnswers::default())).collect();
    for (index, asked) in run.calls.iter().enumerate() {
        let Asked::Action { on, action, intent } = asked else { continue };
        let call = index + 1;
        let unanswered = || Gap::Not(Unplayable::Unanswered { call, action: action.clone() });
        // Whose answer it is stands where it was asked for first, and must be whom this run asked.
        let of_target = |told: &&Arc<Answered>| on.as_ref().is_none_or(|on| *on == told.target);
        let told = run.answers.get(intent).filter(|told| told.action == *action).filter(of_target);
        let told = told.ok_or_else(unanswered)?;
        let take = take(told, evidence).map_err(|error| match pruned(found, run, &error) {
            Some(entry) => Gap::Not(Unplayable::Pruned { call, action: action.clone(), entry }),
            None => Gap::Differs(Difference {
                place: format!("call {call}, {action}: the answer"),
                recorded: Tainted::new("the evidence that its entry names"),
                replayed: Tainted::new(error.to_string()),
            }),
        })?;
        let tape = tapes.iter_mut().find(|(target, _)| **target == told.target);
        tape.ok_or_else(unanswered)?.1.record(action.clone(), take);
    }
    Ok(tapes.into_iter().map(|(_, tape)| tape).collect())
}

/// The entry that says that retention let a missing piece go after the run was recorded.
pub(super) fn pruned(found: &Found, run: &Recorded, error: &EvidenceError) -> Option<u64> {
    let EvidenceError::Missing(sha) = error else { return None };
    found.pruned.get(sha).copied().filter(|entry| *entry > run.run)
}

/// One answer, as everybody was told it.
pub(super) fn take(told: &Answered, evidence: &Evidence) -> Result<RecordedAnswer, EvidenceError> {
    let bytes = |blob: &Blob| evidence.read(blob).map(std::borrow::Cow::into_owned);
    let answer = match &told.outcome {
        Outcome::Answer { stdout, stderr, exit } => {
            Ok(Answer { stdout: bytes(stdout)?, stderr: bytes(stderr)?, exit: *exit, timing: told.timing })
        }
        Outcome::Failed { error, cause } => Err((*error, cause.clone())),
    };
    Ok(RecordedAnswer::FromJournal { answer, redacted: told.redacted.clone() })
}
