//! One change while it is executed: what `apply.rs` and `rollback.rs` share.
//!
//! Knows: the journal, the gate's record of the change, how a change ends. Must not know: the order of steps. Attack answered: an answer
//! that was lost and passes for a refusal (CH07): the gate is queried over a new connection, and what it does not know stays unknown.
//!
//! **Invariant:** an entry is on the disk before what it announces is sent, and nothing is sent twice before the gate was queried.

use std::time::Duration;

use super::admit::Admission;
use super::clock::Clock;
use super::gate_client::{GateClient, GateRecord, Verifier};
use super::log::{Log, LogError};
use super::plan::Plan;
use super::receipt::Receipt;
use super::state::ChangeState;
use super::verify;
use bailiwick_core::model::{ChangeId, Tainted, Way};
use bailiwick_journal::{Denial, End, Event, Observed, ProofResult, StepEnd};

/// The result of applying a plan, or of rolling a change back.
#[derive(Debug, Clone, PartialEq)]
pub enum ApplyOutcome {
    /// A rule denied it. Nothing was done.
    Denied {
        /// Which kind of rule.
        code: Denial,
        /// The reason, in the host's words.
        why: String,
        /// The difference that the operator should see.
        shown: Option<Tainted>,
    },
    /// Every object is already as the plan wants it.
    NoOp,
    /// The change has ended.
    Ended {
        /// The change.
        change: ChangeId,
        /// How it ended.
        end: End,
        /// The reason, if the end alone does not explain it.
        why: Option<String>,
        /// What was verified at the end.
        proofs: Vec<ProofResult>,
        /// The record of it for people.
        receipt: Box<Receipt>,
    },
    /// The change has no end yet, and this program does not continue it: the target rolls it back by itself, or a person does.
    Open {
        /// The change.
        change: ChangeId,
        /// The reason.
        why: String,
    },
}

/// The waiting time before each query for a lost answer.
const QUERY_WAITS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(5)];

/// A gate's word for its kill switch.
pub(super) const DISABLED: &str = "disabled";

/// Why [`DISABLED`] holds a change.
pub(super) const DISABLED_WHY: &str = "the gate is disabled by a file on the target";

/// One change that is being executed.
pub(super) struct Execution<'a, C, H, E> {
    pub(super) admission: &'a Admission<'a, C>,
    pub(super) log: &'a mut Log,
    pub(super) gate: &'a mut H,
    pub(super) verifier: &'a mut E,
    pub(super) plan: &'a Plan,
    pub(super) change: ChangeId,
    pub(super) epoch: u64,
    pub(super) attended: bool,
}

impl<C: Clock, H: GateClient, E: Verifier> Execution<'_, C, H, E> {
    /// Queries the gate for its record of the change, each time over a new connection. None: the gate has no record of it.
    pub(super) async fn query_gate(&mut self, first_error: &str) -> Result<Option<GateRecord>, String> {
        let mut last = first_error.to_owned();
        for wait in QUERY_WAITS {
            self.admission.clock.sleep(wait).await;
            if let Err(error) = self.gate.renew().await {
                last = error.to_string();
                continue;
            }
            match self.gate.record(&self.change).await {
                Ok(record) => return Ok(record),
                Err(error) => last = error.to_string(),
            }
        }
        Err(format!("the target does not report the state of the change: {last}"))
    }

    /// Writes the outcome of a step.
    pub(super) fn write_outcome(&mut self, step: u32, way: Way, outcome: StepEnd) -> Result<(), LogError> {
        let change = self.change.clone();
        self.log.write(Event::StepOutcome { change, step, way, outcome }).map(drop)
    }

    /// Everything that the change must prove, checked now over a new connection.
    pub(super) async fn proofs(&mut self, baseline: &[Observed]) -> Vec<ProofResult> {
        let mut proofs = Vec::new();
        if let Err(error) = self.gate.renew().await {
            let what = "a new connection".to_owned();
            return vec![ProofResult { what, holds: false, detail: Tainted::new(error.to_string()) }];
        }
        for (_, step) in verify::last_of_each(self.plan) {
            proofs.push(match self.gate.preview(step).await {
                Ok(preview) => verify::state_after(step, &preview.before),
                Err(error) => verify::unknown_state(step, &error.to_string()),
            });
        }
        // Probes cannot reach a target either that the gate's client cannot reach.
        if proofs.iter().any(|proof| !proof.holds) {
            return proofs;
        }
        let verified = self.verifier.verify(self.plan).await;
        proofs.push(verify::own_verify(verified.as_deref().map_err(String::as_str)));
        let seen = self.verifier.check(self.plan).await;
        proofs.extend(verify::against_baseline(self.plan, baseline, seen.as_deref().map_err(String::as_str)));
        proofs
    }

    /// The change, as far as it is in the journal.
    pub(super) fn state(&self) -> Option<&ChangeState> {
        self.log.change(&self.change)
    }

    /// Writes the end of the change, and makes the receipt.
    pub(super) fn end(
        &mut self,
        end: End,
        why: Option<String>,
        proofs: Vec<ProofResult>,
    ) -> Result<ApplyOutcome, LogError> {
        let change = self.change.clone();
        self.log.write(Event::Ended { change: change.clone(), end, why: why.clone() })?;
        let now = self.admission.clock.read().wall;
        let receipt = Receipt::new(self.log, self.plan, &change, end, why.as_deref(), &proofs, now);
        Ok(ApplyOutcome::Ended { change, end, why, proofs, receipt: Box::new(receipt) })
    }

    /// Leaves the change open, with a reason.
    pub(super) fn hold(&mut self, why: String) -> Result<ApplyOutcome, LogError> {
        let change = self.change.clone();
        self.log.write(Event::Paused { change: change.clone(), why: why.clone() })?;
        Ok(ApplyOutcome::Open { change, why })
    }
}
