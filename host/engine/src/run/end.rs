//! The end of a run: what the worker reports, checked against the run's list of changes, and as a person reads it.
//!
//! Knows: ends, lists, grants. Must not know: how a run is started or written down.

use std::collections::BTreeMap;

use bailiwick_core::model::{Decision, RunFault, Tainted, VerbError};
use bailiwick_core::outcome::{Call, RunOutcome};
use bailiwick_journal::RunEnd;
use bailiwick_policy::grant::Grant;
use bailiwick_sandbox::{Ending, Fault, FaultKind};

/// The end that a worker reports. True if the worker was killed because of another run.
pub(super) fn reported(ending: Ending) -> (RunEnd, bool) {
    match ending {
        Ending::Report(report) => (RunEnd::Report(report), false),
        Ending::Decision(decision) => (RunEnd::Decided(decision), false),
        Ending::CouldNotCheck { reason, error, .. } => (RunEnd::CouldNotCheck { reason, error }, false),
        Ending::Fault(fault) => (RunEnd::Fault(run_fault(&fault)), false),
        Ending::Interrupted => {
            let message = "interrupted: its worker was stopped because of another run";
            (RunEnd::Fault(RunFault::new("interrupted", message)), true)
        }
    }
}

/// The one place where a typed fault gets its sentence.
fn run_fault(fault: &Fault) -> RunFault {
    let message = match &fault.kind {
        // This one is Bailiwick's own fault, and must say so.
        FaultKind::Host => "the worker could not run it (this is not the component's fault)".to_owned(),
        kind => kind.to_string(),
    };
    RunFault::new(fault.kind.code(), message)
}

/// Checks an end against the number of changes on the run's list. A proposal needs a change, and a change needs a proposal.
/// Anything else is the component's fault.
pub(super) fn settled(end: RunEnd, staged: usize) -> RunEnd {
    let (code, message) = match &end {
        RunEnd::Decided(Decision::Propose { .. }) if staged == 0 => {
            ("empty-proposal", "it proposes a change, and its list has no change")
        }
        RunEnd::Decided(Decision::NothingToDo { .. } | Decision::Refuse { .. }) if staged > 0 => {
            ("unproposed-changes", "its list has changes that it does not propose")
        }
        _ => return end,
    };
    RunEnd::Fault(RunFault::new(code, message))
}

/// A run as it is reported: how it ended, and its calls.
pub(crate) fn concluded<'g>(
    end: RunEnd,
    mut calls: Vec<Call>,
    mut grants: impl Iterator<Item = &'g Grant>,
) -> (RunOutcome, Vec<Call>) {
    let outcome = match end {
        RunEnd::Report(report) => RunOutcome::Report(report),
        RunEnd::CouldNotCheck { reason, error } => {
            // A component with an empty slot cannot say why it is empty; the operator needs the reason.
            let withheld = error.is_none().then(|| grants.find_map(withheld)).flatten();
            let error = error.or(withheld.as_ref().and_then(|call| call.error));
            calls.extend(withheld);
            RunOutcome::CouldNotCheck { reason, error }
        }
        // Not from a probe: its worker is killed for that.
        RunEnd::Decided(_) => RunOutcome::Fault(RunFault::new("planned", "it returned a plan instead of a report")),
        RunEnd::Fault(fault) => RunOutcome::Fault(fault),
    };
    (outcome, calls)
}

/// The first action that a never-rule withholds from a run, as a refused call.
fn withheld(grant: &Grant) -> Option<Call> {
    let withheld = grant.withheld.first()?;
    Some(Call {
        target: None,
        action: None,
        asked: Tainted::new(withheld.granted.action.id.as_str()),
        error: Some(VerbError::Refused),
        cause: Some(format!("{} is withheld by {}: {}", withheld.granted.action.id, withheld.rule, withheld.why)),
        redacted: BTreeMap::new(),
    })
}
