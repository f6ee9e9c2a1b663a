//! A change from its admission to its end: budget, intent, the last check, the steps, their outcomes, the proofs, the end (D22, D23).
//!
//! Knows: the order of events. Must not know: frames, wasm. Attacks answered: a crash, a lost answer, a kill switch or a closing window
//! at any moment (CH07, CH15, CH12): each leaves the state before, the state after, or an open change that is reported as open.

use std::time::Duration;

use super::admit::{Admission, Admitted, ApplyRequest, Refusal};
use super::clock::Clock;
use super::execution::{ApplyOutcome, DISABLED, DISABLED_WHY, Execution};
use super::gate_client::{Closed, GateClient, GateClientError, GateRecord, Verifier};
use super::log::{Log, LogError};
use super::plan::Plan;
use bailiwick_core::encode;
use bailiwick_core::model::{Tainted, Way};
use bailiwick_journal::{Denial, End, Event, ProofResult, Reading, StepEnd};
use bailiwick_policy::policy::OnStop;

/// The time between two checks of whether a change works.
const BETWEEN_CHECKS: Duration = Duration::from_secs(3);

/// Why a change does not continue.
enum Abort {
    /// It is rolled back.
    RollBack(String),
    /// It stays open as it is.
    Hold(String),
    /// It has already ended on the target.
    Ended(End, String),
}

/// Applies a plan.
///
/// # Errors
/// When the journal is not writable. What was sent before is in the journal.
pub async fn apply<C: Clock, H: GateClient, E: Verifier>(
    admission: &Admission<'_, C>,
    log: &mut Log,
    gate: &mut H,
    verifier: &mut E,
    plan: &Plan,
    digest: &str,
    request: &ApplyRequest,
) -> Result<ApplyOutcome, LogError> {
    let (plan_digest, target, who) = (digest.to_owned(), plan.target.clone(), request.who.clone());
    let admitted = match admission.admit(log.ledger(), gate, verifier, plan, digest, request).await {
        Ok(admitted) => admitted,
        Err(Refusal::NoOp) => {
            log.write(Event::NoOp { plan: plan_digest, target, who })?;
            return Ok(ApplyOutcome::NoOp);
        }
        Err(Refusal::Denied { code, why, shown }) => {
            log.write(Event::Denied { plan: plan_digest, target, code, why: why.clone(), who })?;
            return Ok(ApplyOutcome::Denied { code, why, shown });
        }
    };
    let Admitted { day, consent, baseline, epoch, attended } = admitted;
    let clock = admission.clock.read();
    let today = admission.rules.zone.rules.to_datetime(clock.wall).date();
    let Some(change) = log.ledger().new_id(today, digest) else {
        let why = "this plan has been applied too often today: no change id is left".to_owned();
        log.write(Event::Denied { plan: plan_digest, target, code: Denial::Policy, why: why.clone(), who })?;
        return Ok(ApplyOutcome::Denied { code: Denial::Policy, why, shown: None });
    };
    log.write(Event::Budget { change: change.clone(), plan: plan_digest, target, day, clock })?;
    log.write(Event::Begun {
        change: change.clone(),
        fix: plan.fix.clone(),
        component: plan.component.clone(),
        objects: plan.objects().collect(),
        steps: u32::try_from(plan.steps.len()).unwrap_or(u32::MAX),
        consent,
        dead_man_seconds: admission.rules.dead_man_seconds,
        stop_epoch: epoch,
        baseline,
    })?;
    let mut execution = Execution { admission, log, gate, verifier, plan, change, epoch, attended };
    match execution.run(digest).await? {
        Ok(proofs) => Ok(execution.end(End::Applied, None, proofs)?),
        Err(Abort::RollBack(why)) => execution.roll_back(why, None).await,
        Err(Abort::Hold(why)) => execution.hold(why),
        Err(Abort::Ended(End::RolledBack, why)) => execution.confirm_rollback_by_target(why).await,
        Err(Abort::Ended(end, why)) => execution.end(end, Some(why), Vec::new()),
    }
}

impl<C: Clock, H: GateClient, E: Verifier> Execution<'_, C, H, E> {
    /// Everything until the gate confirms that it keeps the change.
    async fn run(&mut self, digest: &str) -> Result<Result<Vec<ProofResult>, Abort>, LogError> {
        // The last moment before anything is sent. The window must have room for a whole change.
        let seconds = self.admission.rules.dead_man_seconds;
        if let Err((_, why)) = self.may_continue(seconds) {
            return Ok(Err(Abort::Ended(End::NotBegun, why)));
        }
        if let Err(abort) = self.begin(digest, seconds).await {
            return Ok(Err(abort));
        }
        let clock = self.admission.clock.read();
        self.log.write(Event::Opened { change: self.change.clone(), clock })?;
        for (index, step) in self.plan.steps.iter().enumerate() {
            if let Err((code, why)) = self.may_continue(0) {
                return Ok(Err(self.abort_for(code, why)));
            }
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            let (way, action, change) = (Way::Do, step.action.clone(), self.change.clone());
            self.log.write(Event::StepIntent { change, step: number, way, action })?;
            let answer = self.gate.act(&self.change, number, way, step).await;
            let (outcome, abort) = match answer {
                Ok(state) if state == step.after => (StepEnd::Done { state }, None),
                Ok(state) => {
                    let why = format!("step {number} left `{state}`; the plan expects `{}`", step.after);
                    (StepEnd::Done { state }, Some(Abort::RollBack(why)))
                }
                Err(GateClientError::Refused { word, detail }) if word == DISABLED => {
                    (StepEnd::NotDone { why: detail }, Some(Abort::Hold(DISABLED_WHY.to_owned())))
                }
                Err(GateClientError::Refused { word, detail }) => {
                    let words = format!("{word} {}", encode::terminal(&detail, 200)).trim_end().to_owned();
                    let why = format!("the gate did not do step {number}: {words}");
                    (StepEnd::NotDone { why: Tainted::new(words) }, Some(Abort::RollBack(why)))
                }
                Err(GateClientError::Lost(why)) => self.settle_lost_step(number, &why).await,
            };
            self.write_outcome(number, way, outcome)?;
            if let Some(abort) = abort {
                return Ok(Err(abort));
            }
        }
        self.prove_and_keep().await
    }

    /// Has the gate open the change.
    async fn begin(&mut self, digest: &str, seconds: u32) -> Result<(), Abort> {
        match self.gate.begin(&self.change, digest, seconds).await {
            Ok(()) => Ok(()),
            Err(GateClientError::Refused { word, detail }) => {
                let why = format!("the gate did not begin the change: {word} {}", encode::terminal(&detail, 200));
                Err(Abort::Ended(End::NotBegun, why.trim_end().to_owned()))
            }
            Err(GateClientError::Lost(why)) => match self.query_gate(&why).await {
                // A second request opens nothing twice, and makes sure that the target's timer runs.
                Ok(Some(record)) if record.closed.is_none() => {
                    self.gate.begin(&self.change, digest, seconds).await.map_err(|error| {
                        Abort::Hold(format!("the change is open on the target, which does not answer: {error}"))
                    })
                }
                Ok(Some(_)) => Err(Abort::Ended(End::RolledBack, "the target closed the change at once".to_owned())),
                Ok(None) => Err(Abort::Ended(End::NotBegun, why)),
                Err(why) => Err(Abort::Hold(why)),
            },
        }
    }

    /// The answer to a step was lost: the gate's record of the change is queried over a new connection.
    async fn settle_lost_step(&mut self, number: u32, why: &str) -> (StepEnd, Option<Abort>) {
        let unknown = |why: &str| StepEnd::Unknown { why: why.to_owned() };
        match self.query_gate(why).await {
            Err(error) => (unknown(why), Some(Abort::Hold(error))),
            Ok(None) => (unknown(why), Some(Abort::Hold("the gate has no record of the change any more".to_owned()))),
            Ok(Some(record)) => match record.done.iter().find(|(step, way, _)| *step == number && *way == Way::Do) {
                Some((_, _, Some(state))) => (StepEnd::Done { state: state.clone() }, closed_by_target(&record)),
                Some((_, _, None)) => {
                    let end = StepEnd::NotDone { why: Tainted::new(why) };
                    (end, Some(Abort::RollBack(format!("the gate did not do step {number}: {why}"))))
                }
                // The gate may still be working on it: it has not reported that the step is not done.
                None => (unknown(why), Some(closed_by_target(&record).unwrap_or(Abort::RollBack(why.to_owned())))),
            },
        }
    }

    fn may_continue(&self, needed_seconds: u32) -> Result<(), (Denial, String)> {
        self.admission.may_continue(self.log.ledger(), Some(self.epoch), self.attended, needed_seconds).map(drop)
    }

    /// What the kill switch, the clock or a window does to a change that is under way.
    fn abort_for(&self, code: Denial, why: String) -> Abort {
        match (code, self.admission.rules.on_stop) {
            (Denial::Kill, OnStop::Hold) => Abort::Hold(why),
            _ => Abort::RollBack(why),
        }
    }

    /// Checks over new connections until every proof holds or the time is over. Then it has the gate keep the change.
    async fn prove_and_keep(&mut self) -> Result<Result<Vec<ProofResult>, Abort>, LogError> {
        let mut left = Duration::from_secs(u64::from(self.admission.rules.verify_seconds));
        let baseline = self.state().map(|state| state.baseline.clone()).unwrap_or_default();
        let proofs = loop {
            let begun = self.admission.clock.read();
            let proofs = self.proofs(&baseline).await;
            let holds = proofs.iter().all(|proof| proof.holds);
            if let Err((code, why)) = self.may_continue(0)
                && (matches!(code, Denial::Kill | Denial::Interrupted) || !holds)
            {
                return Ok(Err(self.abort_for(code, why)));
            }
            let passed = elapsed(&begun, &self.admission.clock.read()) + BETWEEN_CHECKS;
            if holds || left <= passed {
                self.log.write(Event::Proved { change: self.change.clone(), holds, proofs: proofs.clone() })?;
                break proofs;
            }
            left = left.saturating_sub(passed);
            self.admission.clock.sleep(BETWEEN_CHECKS).await;
        };
        if let Some(failed) = proofs.iter().find(|proof| !proof.holds) {
            let why = format!("the proof failed: {}: {}", failed.what, encode::terminal(&failed.detail, 300));
            return Ok(Err(Abort::RollBack(why)));
        }
        self.log.write(Event::Closing { change: self.change.clone(), keep: true })?;
        let error = match self.gate.close(&self.change, true).await {
            Ok(()) => return Ok(Ok(proofs)),
            Err(error) => error.to_string(),
        };
        let aborted = match self.query_gate(&error).await {
            Ok(Some(GateRecord { closed: Some(Closed::Confirmed), .. })) => return Ok(Ok(proofs)),
            Ok(Some(GateRecord { closed: Some(Closed::RolledBack), .. })) => Abort::Ended(
                End::RolledBack,
                "the target rolled the change back by itself before it received the order to keep it".to_owned(),
            ),
            Ok(Some(GateRecord { closed: Some(Closed::Failed), .. })) => {
                Abort::Ended(End::Stuck, "the target tried to roll the change back by itself, and failed".to_owned())
            }
            Ok(Some(GateRecord { closed: None, .. })) => {
                Abort::RollBack(format!("the gate did not keep the change: {error}"))
            }
            Ok(None) => Abort::Hold("the gate has no record of the change any more".to_owned()),
            Err(why) => Abort::Hold(why),
        };
        Ok(Err(aborted))
    }
}

/// The end that the target has given to a change by itself meanwhile.
fn closed_by_target(record: &GateRecord) -> Option<Abort> {
    let ended = |end, why: &str| Some(Abort::Ended(end, why.to_owned()));
    match record.closed? {
        Closed::RolledBack => ended(End::RolledBack, "the target rolled the change back by itself"),
        Closed::Failed => ended(End::Stuck, "the target tried to roll the change back by itself, and failed"),
        Closed::Confirmed => ended(End::Stuck, "the target has kept the change without an order from this controller"),
    }
}

/// The time between two readings, by the clock that cannot be set, where there is one.
fn elapsed(from: &Reading, to: &Reading) -> Duration {
    let millis = match (&from.boot, &to.boot) {
        (Some(from), Some(to)) if from.id == to.id => to.up_ms.saturating_sub(from.up_ms),
        _ => u64::try_from(to.wall.duration_since(from.wall).as_millis()).unwrap_or(0),
    };
    Duration::from_millis(millis)
}
