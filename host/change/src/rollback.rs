//! Rolling a change back: undo each step in reverse order by compare-and-swap, then repeat what has to read again, then compare.
//!
//! Knows: inverses, and the gate's record. Must not know: components: none runs during a rollback. Attacks answered: a rollback that
//! restores nothing (CH03): the state of each object is queried afterwards, and whether something works does not count; one that
//! overwrites a person's work (CH04): the gate compares first, and a difference ends the rollback.

use std::time::Duration;

use super::admit::{Admission, ApplyRequest};
use super::clock::Clock;
use super::execution::{ApplyOutcome, DISABLED, DISABLED_WHY, Execution};
use super::gate_client::{Closed, GateClient, GateClientError, GateRecord, Verifier};
use super::log::{Log, LogError};
use super::plan::{Plan, Step};
use super::state::{ChangeStatus, StepStatus};
use super::stop::Switch;
use super::verify;
use bailiwick_core::encode;
use bailiwick_core::model::{ChangeId, Inverse, Tainted, Way};
use bailiwick_journal::{Denial, End, Event, ProofResult, StepEnd};
use bailiwick_policy::policy::OnStop;

/// How often an object is checked until it has its former state: a unit takes a moment.
const CHECKS: u32 = 5;
const BETWEEN_CHECKS: Duration = Duration::from_secs(1);

/// Rolls a change back that is applied, or open.
///
/// # Errors
/// When the journal is not writable.
pub async fn rollback<C: Clock, H: GateClient, E: Verifier>(
    admission: &Admission<'_, C>,
    log: &mut Log,
    gate: &mut H,
    verifier: &mut E,
    plan: &Plan,
    change: &ChangeId,
    request: &ApplyRequest,
) -> Result<ApplyOutcome, LogError> {
    let denied = |code, why: String, shown| Ok(ApplyOutcome::Denied { code, why, shown });
    let Some(state) = log.change(change) else {
        return denied(Denial::Policy, format!("the journal has no change {change}"), None);
    };
    let status = state.status;
    if status != ChangeStatus::Applied && !status.is_open() {
        let why = format!("change {change} is {}, so there is nothing to roll back", status.word());
        return denied(Denial::Policy, why, None);
    }
    if status == ChangeStatus::Reserved {
        let why = format!("change {change} never began; `bailiwick recover` closes it");
        return denied(Denial::Policy, why, None);
    }
    let epoch = match admission.stop.read() {
        Switch::Off { epoch } => epoch,
        Switch::On { why, .. } => {
            let hint = "run `bailiwick resume` first, or the command of the receipt on the target";
            return denied(Denial::Kill, format!("all changes are stopped: {why} ({hint})"), None);
        }
    };
    let other = log.ledger().open().find(|open| open.id != *change && open.target == plan.target);
    if let Some(other) = other {
        return denied(Denial::OpenChange, format!("change {} is open on {}", other.id, other.target), None);
    }
    if status == ChangeStatus::Applied {
        // CH04: what a person has changed since stays. The gate compares again at each step.
        for (index, step) in verify::last_of_each(plan) {
            match gate.preview(step).await {
                Ok(preview) if preview.before == step.after || step.inverse == Inverse::Again => {}
                Ok(preview) => {
                    let object = step.change.object();
                    let now = preview.before;
                    let why = format!(
                        "{object} was changed after the change: it is `{now}`, and step {} left `{}`",
                        index + 1,
                        step.after
                    );
                    return denied(Denial::Conflict, why, Some(preview.shown));
                }
                Err(error) => return denied(Denial::Target, error.to_string(), None),
            }
        }
    }
    let change = change.clone();
    let mut execution = Execution { admission, log, gate, verifier, plan, change, epoch, attended: true };
    execution.roll_back("requested by the operator".to_owned(), Some(request.who.clone())).await
}

impl<C: Clock, H: GateClient, E: Verifier> Execution<'_, C, H, E> {
    /// Undoes every step that may have been done.
    pub(super) async fn roll_back(&mut self, why: String, who: Option<String>) -> Result<ApplyOutcome, LogError> {
        self.log.write(Event::RollingBack { change: self.change.clone(), why: why.clone(), who })?;
        let plan = self.plan;
        let numbered = || (1_u32..).zip(&plan.steps);
        // A step that is only repeated is undone, too: the gate then does nothing but record it.
        let steps: Vec<_> = numbered().collect();
        for (number, step) in steps.into_iter().rev() {
            if !self.must_undo(number) {
                continue;
            }
            if let Some(outcome) = self.reverse_step(number, step, Way::Undo).await? {
                return Ok(outcome);
            }
        }
        for (number, step) in numbered().filter(|(_, step)| step.inverse == Inverse::Again) {
            if !self.was_sent(number) {
                continue;
            }
            if let Some(outcome) = self.reverse_step(number, step, Way::Again).await? {
                return Ok(outcome);
            }
        }
        let proofs = match self.compare_with_before().await {
            Ok(proofs) => proofs,
            Err(error) => return self.hold(error),
        };
        if let Some(failed) = proofs.iter().find(|proof| !proof.holds) {
            let stuck = format!(
                "after the rollback, {} does not hold: it is `{}`",
                failed.what,
                encode::terminal(&failed.detail, 300)
            );
            return self.end(End::Stuck, Some(stuck), proofs);
        }
        self.log.write(Event::Closing { change: self.change.clone(), keep: false })?;
        let error = match self.gate.close(&self.change, false).await {
            Ok(()) => return self.end(End::RolledBack, Some(why), proofs),
            Err(error) => error,
        };
        match self.query_gate(&error.to_string()).await {
            Ok(None | Some(GateRecord { closed: Some(Closed::RolledBack), .. })) => {
                self.end(End::RolledBack, Some(why), proofs)
            }
            Ok(Some(GateRecord { closed: None, .. })) => match self.gate.close(&self.change, false).await {
                Ok(()) => self.end(End::RolledBack, Some(why), proofs),
                Err(error) => {
                    self.hold(format!("every object is restored, but the gate does not close the change: {error}"))
                }
            },
            Ok(Some(GateRecord { closed: Some(Closed::Confirmed), .. })) if error.word().is_some() => {
                // The gate closed the change when it kept it; a rollback does not open it again.
                self.end(End::RolledBack, Some(why), proofs)
            }
            Ok(Some(GateRecord { closed: Some(closed), .. })) => {
                let stuck = format!("the gate has closed the change as {}", closed.word());
                self.end(End::Stuck, Some(stuck), proofs)
            }
            Err(error) => self.hold(error),
        }
    }

    /// True for a step that was sent and not undone. A step that failed is among them, because it may have failed half way.
    fn must_undo(&self, number: u32) -> bool {
        let step = self.state().and_then(|state| state.step(number));
        step.is_some_and(|step| step.done != StepStatus::No && step.undone != StepStatus::Done)
    }

    fn was_sent(&self, number: u32) -> bool {
        self.state().and_then(|state| state.step(number)).is_some_and(|step| step.done != StepStatus::No)
    }

    /// Undoes or repeats one step. Some: the rollback ends with that.
    async fn reverse_step(&mut self, number: u32, step: &Step, way: Way) -> Result<Option<ApplyOutcome>, LogError> {
        if let (Switch::On { why, .. }, OnStop::Hold) = (self.admission.stop.read(), self.admission.rules.on_stop) {
            return self.hold(format!("all changes are stopped: {why}")).map(Some);
        }
        let (change, action) = (self.change.clone(), step.action.clone());
        self.log.write(Event::StepIntent { change, step: number, way, action })?;
        let mut answer = self.gate.act(&self.change, number, way, step).await;
        if let Err(GateClientError::Lost(why)) = &answer {
            match self.query_gate(why).await {
                Err(error) => {
                    self.write_outcome(number, way, StepEnd::Unknown { why: why.clone() })?;
                    return self.hold(error).map(Some);
                }
                Ok(record) => {
                    let record = record.unwrap_or_default();
                    let recorded = record.done.iter().rev().find(|(step, done, _)| *step == number && *done == way);
                    answer = match recorded {
                        Some((_, _, Some(state))) => Ok(state.clone()),
                        Some((_, _, None)) => {
                            Err(GateClientError::Refused { word: "not done".to_owned(), detail: Tainted::new("") })
                        }
                        // The key is the same: if the first request arrives after all, it does nothing.
                        None => self.gate.act(&self.change, number, way, step).await,
                    };
                }
            }
        }
        match answer {
            Ok(state) => self.write_outcome(number, way, StepEnd::Done { state }).map(|()| None),
            Err(GateClientError::Refused { word, detail }) => {
                let words = format!("{word} {}", encode::terminal(&detail, 200)).trim_end().to_owned();
                self.write_outcome(number, way, StepEnd::NotDone { why: Tainted::new(words.clone()) })?;
                if word == DISABLED {
                    return self.hold(DISABLED_WHY.to_owned()).map(Some);
                }
                let state = self.state().and_then(|state| state.step(number));
                if state.is_none_or(|step| step.done != StepStatus::Done) {
                    // The step may never have been done; the comparison of the objects decides.
                    return Ok(None);
                }
                let what = if way == Way::Undo { "undone" } else { "repeated" };
                let stuck = format!("step {number} could not be {what}: {words}");
                self.end(End::Stuck, Some(stuck), Vec::new()).map(Some)
            }
            Err(GateClientError::Lost(why)) => {
                self.write_outcome(number, way, StepEnd::Unknown { why: why.clone() })?;
                self.hold(format!("the target is not reachable: {why}")).map(Some)
            }
        }
    }

    /// Compares each object with its state before the change.
    async fn compare_with_before(&mut self) -> Result<Vec<ProofResult>, String> {
        let mut proofs = Vec::new();
        for (_, step) in verify::first_of_each(self.plan) {
            if !self.touched(&step.change.object()) {
                continue;
            }
            let mut checks = 0;
            let proof = loop {
                checks += 1;
                let preview = match self.gate.preview(step).await {
                    Ok(preview) => preview,
                    // Once more, over a new connection: perhaps only the old one is broken.
                    Err(GateClientError::Lost(why)) if checks < CHECKS => match self.gate.renew().await {
                        Ok(()) => continue,
                        Err(_) => return Err(format!("the target does not report the state of the objects: {why}")),
                    },
                    Err(error) => {
                        return Err(format!("the target does not report the state of the objects: {error}"));
                    }
                };
                let proof = verify::state_before(step, &preview.before);
                if proof.holds || checks >= CHECKS {
                    break proof;
                }
                self.admission.clock.sleep(BETWEEN_CHECKS).await;
            };
            proofs.push(proof);
        }
        Ok(proofs)
    }

    /// True for an object of a step that was sent. Other objects are not compared: a person may have changed them.
    fn touched(&self, object: &str) -> bool {
        let mut steps = (1_u32..).zip(&self.plan.steps);
        steps.any(|(number, step)| step.change.object() == object && self.was_sent(number))
    }

    /// The target reports that it has rolled the change back by itself: that is checked, too.
    pub(super) async fn confirm_rollback_by_target(&mut self, why: String) -> Result<ApplyOutcome, LogError> {
        match self.compare_with_before().await {
            Err(error) => self.hold(error),
            Ok(proofs) if proofs.iter().all(|proof| proof.holds) => self.end(End::RolledBack, Some(why), proofs),
            Ok(proofs) => {
                let stuck = format!("{why}, but not every object has its former state");
                self.end(End::Stuck, Some(stuck), proofs)
            }
        }
    }
}
