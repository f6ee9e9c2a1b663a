//! The way back: each step in reverse, by compare-and-swap, then what has to read again, then a comparison with what was.
//!
//! Knows: inverses, and the gate's record. Must not know: any component: none runs on the way back. Attacks answered: a rollback that
//! is none (CH03): what the objects are is asked afterwards, and whether it works does not count; one that writes over a person's
//! work (CH04): the gate compares first, and a difference ends it.

use std::time::Duration;

use super::admit::{Admission, ApplyRequest};
use super::apply::{ApplyOutcome, Execution};
use super::clock::Clock;
use super::gate_client::{Closed, GateClient, GateClientError, Known, Verifier};
use super::log::{Log, LogError};
use super::plan::{Plan, Step};
use super::state::{ChangeStatus, StepStatus};
use super::stop::Switch;
use super::verify;
use bailiwick_core::encode;
use bailiwick_core::model::{ChangeId, Inverse, Tainted, Way};
use bailiwick_journal::{Denial, End, Event, ProofResult, StepEnd};
use bailiwick_policy::policy::OnStop;

/// How often an object is looked at until it is what it was: a unit takes a moment.
const LOOKS: u32 = 5;
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// A gate's word for its kill switch.
pub(super) const DISABLED: &str = "disabled";

/// Takes a change back that is applied, or open.
///
/// # Errors
/// When the journal cannot be written.
pub async fn rollback<C: Clock, H: GateClient, E: Verifier>(
    desk: &Admission<'_, C>,
    log: &mut Log,
    hands: &mut H,
    eyes: &mut E,
    plan: &Plan,
    change: &ChangeId,
    ask: &ApplyRequest,
) -> Result<ApplyOutcome, LogError> {
    let denied = |code, why: String, shown| Ok(ApplyOutcome::Denied { code, why, shown });
    let Some(course) = log.course(change) else {
        return denied(Denial::Policy, format!("the journal has no change {change}"), None);
    };
    let stage = course.stage;
    if stage != ChangeStatus::Applied && !stage.is_open() {
        return denied(
            Denial::Policy,
            format!("change {change} is {}; there is nothing to take back", stage.word()),
            None,
        );
    }
    if stage == ChangeStatus::Reserved {
        return denied(Denial::Policy, format!("change {change} never began; `bailiwick recover` closes it"), None);
    }
    if let Switch::On { why, .. } = desk.stop.read() {
        let hint = "`bailiwick resume`, or the command of the receipt, typed on the target";
        return denied(Denial::Kill, format!("everything is stopped: {why} ({hint})"), None);
    }
    let other = log.ledger().open().find(|open| open.id != *change && open.target == plan.target);
    if let Some(other) = other {
        return denied(Denial::OpenChange, format!("change {} is open on {}", other.id, other.target), None);
    }
    if stage == ChangeStatus::Applied {
        // CH04: what somebody has made of it since is theirs. The gate looks again at each step.
        for (index, step) in verify::last_of_each(plan) {
            match hands.preview(step).await {
                Ok(preview) if preview.before == step.after || step.inverse == Inverse::Again => {}
                Ok(preview) => {
                    let object = step.change.object();
                    let now = preview.before;
                    let why = format!(
                        "somebody has changed it since: {object} is `{now}`, and step {} left `{}`",
                        index + 1,
                        step.after
                    );
                    return denied(Denial::Conflict, why, Some(preview.shown));
                }
                Err(error) => return denied(Denial::Target, error.to_string(), None),
            }
        }
    }
    let epoch = match desk.stop.read() {
        Switch::Off { epoch } => epoch,
        Switch::On { .. } => 0,
    };
    let mut running = Execution { desk, log, hands, eyes, plan, change: change.clone(), epoch, attended: true };
    running.undo("asked for".to_owned(), Some(ask.who.clone())).await
}

impl<C: Clock, H: GateClient, E: Verifier> Execution<'_, C, H, E> {
    /// Takes everything back that may have been done.
    pub(super) async fn undo(&mut self, why: String, who: Option<String>) -> Result<ApplyOutcome, LogError> {
        self.log.write(Event::RollingBack { change: self.change.clone(), why: why.clone(), who })?;
        let plan = self.plan;
        let numbered = || (1_u32..).zip(&plan.steps);
        // What is only done again is undone too: nothing happens then but that the gate knows of it.
        let back: Vec<_> = numbered().collect();
        for (number, step) in back.into_iter().rev() {
            if !self.is_to_go_back(number) {
                continue;
            }
            if let Some(came) = self.one(number, step, Way::Undo).await? {
                return Ok(came);
            }
        }
        for (number, step) in numbered().filter(|(_, step)| step.inverse == Inverse::Again) {
            if !self.was_asked(number) {
                continue;
            }
            if let Some(came) = self.one(number, step, Way::Again).await? {
                return Ok(came);
            }
        }
        let proofs = match self.compared().await {
            Ok(proofs) => proofs,
            Err(gone) => return self.held(gone),
        };
        if let Some(failed) = proofs.iter().find(|proof| !proof.holds) {
            let stuck = format!("{} does not hold: it is `{}`", failed.what, encode::terminal(&failed.said, 300));
            return self.ended(End::Stuck, Some(stuck), proofs);
        }
        self.log.write(Event::Closing { change: self.change.clone(), keep: false })?;
        let error = match self.hands.close(&self.change, false).await {
            Ok(()) => return self.ended(End::RolledBack, Some(why), proofs),
            Err(error) => error,
        };
        match self.ask_again(&error.to_string()).await {
            Ok(None | Some(Known { closed: Some(Closed::Undone), .. })) => {
                self.ended(End::RolledBack, Some(why), proofs)
            }
            Ok(Some(Known { closed: None, .. })) => match self.hands.close(&self.change, false).await {
                Ok(()) => self.ended(End::RolledBack, Some(why), proofs),
                Err(error) => self.held(format!("everything is back, and the gate does not close the change: {error}")),
            },
            Ok(Some(Known { closed: Some(Closed::Kept), .. })) if error.word().is_some() => {
                // A change that was kept is closed already; undoing it does not open it again.
                self.ended(End::RolledBack, Some(why), proofs)
            }
            Ok(Some(Known { closed: Some(closed), .. })) => {
                let stuck = format!("the gate has closed the change as {closed:?}");
                self.ended(End::Stuck, Some(stuck.to_lowercase()), proofs)
            }
            Err(gone) => self.held(gone),
        }
    }

    /// True for a step that was sent and not undone. One that failed is among them: it may have failed half way.
    fn is_to_go_back(&self, number: u32) -> bool {
        let track = self.course().and_then(|course| course.track(number));
        track.is_some_and(|track| track.done != StepStatus::No && track.undone != StepStatus::Done)
    }

    fn was_asked(&self, number: u32) -> bool {
        self.course().and_then(|course| course.track(number)).is_some_and(|track| track.done != StepStatus::No)
    }

    /// One step back. Some: that was the end of it.
    async fn one(&mut self, number: u32, step: &Step, way: Way) -> Result<Option<ApplyOutcome>, LogError> {
        if let (Switch::On { why, .. }, OnStop::Hold) = (self.desk.stop.read(), self.desk.rules.on_stop) {
            return self.held(format!("everything is stopped: {why}")).map(Some);
        }
        let (change, action) = (self.change.clone(), step.action.clone());
        self.log.write(Event::StepIntent { change, step: number, way, action })?;
        let mut answer = self.hands.act(&self.change, number, way, step).await;
        if let Err(GateClientError::Lost(why)) = &answer {
            match self.ask_again(why).await {
                Err(gone) => {
                    self.outcome(number, way, StepEnd::Unknown { why: why.clone() })?;
                    return self.held(gone).map(Some);
                }
                Ok(known) => {
                    let known = known.unwrap_or_default();
                    let found = known.done.iter().rev().find(|(step, done, _)| *step == number && *done == way);
                    answer = match found {
                        Some((_, _, Some(state))) => Ok(state.clone()),
                        Some((_, _, None)) => {
                            Err(GateClientError::Refused { word: "not done".to_owned(), said: Tainted::new("") })
                        }
                        // Its key is the same: if the first one comes after all, it does nothing.
                        None => self.hands.act(&self.change, number, way, step).await,
                    };
                }
            }
        }
        match answer {
            Ok(state) => self.outcome(number, way, StepEnd::Done { state }).map(|()| None),
            Err(GateClientError::Refused { word, said }) => {
                let words = format!("{word} {}", encode::terminal(&said, 200)).trim_end().to_owned();
                self.outcome(number, way, StepEnd::NotDone { why: Tainted::new(words.clone()) })?;
                if word == DISABLED {
                    return self.held("the gate is closed, by a file on the target".to_owned()).map(Some);
                }
                let was_done = self
                    .course()
                    .and_then(|course| course.track(number))
                    .is_some_and(|track| track.done == StepStatus::Done);
                if !was_done {
                    // It was perhaps never done; what the objects are decides.
                    return Ok(None);
                }
                let what = if way == Way::Undo { "undone" } else { "done again" };
                let stuck = format!("step {number} could not be {what}: {words}");
                self.ended(End::Stuck, Some(stuck), Vec::new()).map(Some)
            }
            Err(GateClientError::Lost(why)) => {
                self.outcome(number, way, StepEnd::Unknown { why: why.clone() })?;
                self.held(format!("the target cannot be reached: {why}")).map(Some)
            }
        }
    }

    /// Each object, held against what it was.
    async fn compared(&mut self) -> Result<Vec<ProofResult>, String> {
        let mut proofs = Vec::new();
        for (_, step) in verify::first_of_each(self.plan) {
            if !self.touched(&step.change.object()) {
                continue;
            }
            let mut looks = 0;
            let proof = loop {
                looks += 1;
                let preview = match self.hands.preview(step).await {
                    Ok(preview) => preview,
                    // Once more, over a new connection: it may be this one that is gone.
                    Err(GateClientError::Lost(why)) if looks < LOOKS => match self.hands.renew().await {
                        Ok(()) => continue,
                        Err(_) => return Err(format!("the target cannot be asked what the objects are: {why}")),
                    },
                    Err(error) => return Err(format!("the target does not say what the objects are: {error}")),
                };
                let proof = verify::before(step, &preview.before);
                if proof.holds || looks >= LOOKS {
                    break proof;
                }
                self.desk.clock.sleep(BETWEEN_LOOKS).await;
            };
            proofs.push(proof);
        }
        Ok(proofs)
    }

    /// True for an object of a step that was sent. What was never sent is not ours to compare: a person may have been there.
    fn touched(&self, object: &str) -> bool {
        let mut steps = (1_u32..).zip(&self.plan.steps);
        steps.any(|(number, step)| step.change.object() == object && self.was_asked(number))
    }

    /// The target says that it has undone everything by itself: that is looked at too.
    pub(super) async fn undone_there(&mut self, why: String) -> Result<ApplyOutcome, LogError> {
        match self.compared().await {
            Err(gone) => self.held(gone),
            Ok(proofs) if proofs.iter().all(|proof| proof.holds) => self.ended(End::RolledBack, Some(why), proofs),
            Ok(proofs) => {
                let stuck = format!("{why}, and not everything is what it was");
                self.ended(End::Stuck, Some(stuck), proofs)
            }
        }
    }
}
