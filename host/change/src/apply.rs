//! A change, from the first word to the last: budget, intent, re-check, act, outcome, proof, end (D22, D23).
//!
//! Knows: the order of things. Must not know: frames, wasm. Attacks answered: a crash, a lost answer, a kill switch or a closing window
//! at any point between (CH07, CH15, CH12): each leaves before, after, or an open change that says so.
//!
//! **Invariant:** an entry is on the disk before what it announces is sent, and nothing is sent twice before the gate was asked.

use std::time::Duration;

use super::admit::{Admission, Admitted, ApplyRequest, Refusal};
use super::clock::Clock;
use super::gate_client::{Closed, GateClient, GateClientError, Known, Verifier};
use super::log::{Log, LogError};
use super::plan::Plan;
use super::state::ChangeState;
use super::undo::DISABLED;
use super::verify;
use bailiwick_core::encode;
use bailiwick_core::model::{ChangeId, Tainted, Way};
use bailiwick_journal::{Denial, End, Event, ProofResult, StepEnd};
use bailiwick_policy::policy::OnStop;

/// What came of a plan that was to be carried out, or of a change that was to be taken back.
#[derive(Debug, Clone, PartialEq)]
pub enum ApplyOutcome {
    /// Nothing was done, by a rule.
    Denied {
        /// Which.
        code: Denial,
        /// In the host's words.
        why: String,
        /// What a person should see.
        shown: Option<Tainted>,
    },
    /// Everything was as the plan says.
    NoOp,
    /// It is over.
    Ended {
        /// The change.
        change: ChangeId,
        /// How.
        end: End,
        /// Why, where that is not plain.
        why: Option<String>,
        /// What was seen at the end.
        proofs: Vec<ProofResult>,
    },
    /// It is not over, and nobody goes on with it: the target undoes it by itself, or a person does.
    Open {
        /// The change.
        change: ChangeId,
        /// Why.
        why: String,
    },
}

/// How often a lost answer is asked for, and how long each time is waited before.
const ASKS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(5)];
/// Between two looks at whether a change works.
const BETWEEN_LOOKS: Duration = Duration::from_secs(3);

/// One change under way.
pub(super) struct Execution<'a, C, H, E> {
    pub(super) desk: &'a Admission<'a, C>,
    pub(super) log: &'a mut Log,
    pub(super) hands: &'a mut H,
    pub(super) eyes: &'a mut E,
    pub(super) plan: &'a Plan,
    pub(super) change: ChangeId,
    pub(super) epoch: u64,
    pub(super) attended: bool,
}

/// Why a change does not go on forwards.
pub(super) enum Abort {
    /// It goes back.
    Back(String),
    /// It stays where it is.
    Hold(String),
    /// It has ended on the target already.
    Over(End, String),
}

/// Carries out a plan.
///
/// # Errors
/// When the journal cannot be written. What was sent before stands in it.
pub async fn apply<C: Clock, H: GateClient, E: Verifier>(
    desk: &Admission<'_, C>,
    log: &mut Log,
    hands: &mut H,
    eyes: &mut E,
    plan: &Plan,
    digest: &str,
    ask: &ApplyRequest,
) -> Result<ApplyOutcome, LogError> {
    let (plan_digest, target, who) = (digest.to_owned(), plan.target.clone(), ask.who.clone());
    let admitted = match desk.admit(log.ledger(), hands, eyes, plan, digest, ask).await {
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
    let clock = desk.clock.read();
    let named = desk.rules.zone.rules.to_datetime(clock.wall).date();
    let Some(change) = log.ledger().name(named, digest) else {
        let why = "there is no name left for a change of this plan today".to_owned();
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
        dead_man_seconds: desk.rules.dead_man_seconds,
        stop_epoch: epoch,
        baseline,
    })?;
    let mut running = Execution { desk, log, hands, eyes, plan, change, epoch, attended };
    match running.forwards(digest).await? {
        Ok(proofs) => Ok(running.ended(End::Applied, None, proofs)?),
        Err(halt) => running.halted(halt).await,
    }
}

impl<C: Clock, H: GateClient, E: Verifier> Execution<'_, C, H, E> {
    /// Everything up to the gate's word that it keeps the change.
    async fn forwards(&mut self, digest: &str) -> Result<Result<Vec<ProofResult>, Abort>, LogError> {
        // The last moment before anything is sent; the window is to hold a whole change.
        let seconds = self.desk.rules.dead_man_seconds;
        if let Err((_, why)) = self.still(seconds) {
            return Ok(Err(Abort::Over(End::NotBegun, why)));
        }
        match self.hands.begin(&self.change, digest, seconds).await {
            Ok(()) => {}
            Err(GateClientError::Refused { word, said }) => {
                let why = format!("the gate did not begin it: {word} {}", encode::terminal(&said, 200));
                return Ok(Err(Abort::Over(End::NotBegun, why.trim_end().to_owned())));
            }
            Err(GateClientError::Lost(why)) => match self.ask_again(&why).await {
                // Asked again it opens nothing twice, and makes sure that somebody counts the seconds.
                Ok(Some(known)) if known.closed.is_none() => {
                    if let Err(error) = self.hands.begin(&self.change, digest, seconds).await {
                        return Ok(Err(Abort::Hold(format!("it is open there, and does not answer: {error}"))));
                    }
                }
                Ok(Some(_)) => return Ok(Err(Abort::Over(End::RolledBack, "the target closed it at once".to_owned()))),
                Ok(None) => return Ok(Err(Abort::Over(End::NotBegun, why))),
                Err(why) => return Ok(Err(Abort::Hold(why))),
            },
        }
        let clock = self.desk.clock.read();
        self.log.write(Event::Opened { change: self.change.clone(), clock })?;
        for (index, step) in self.plan.steps.iter().enumerate() {
            if let Err((code, why)) = self.still(0) {
                return Ok(Err(self.stopped(code, why)));
            }
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            let (way, action, change) = (Way::Do, step.action.clone(), self.change.clone());
            self.log.write(Event::StepIntent { change, step: number, way, action })?;
            let answer = self.hands.act(&self.change, number, way, step).await;
            let (outcome, halt) = match answer {
                Ok(state) if state == step.after => (StepEnd::Done { state }, None),
                Ok(state) => {
                    let why = format!("step {number} left `{state}`, and the plan says `{}`", step.after);
                    (StepEnd::Done { state }, Some(Abort::Back(why)))
                }
                Err(GateClientError::Refused { word, said }) if word == DISABLED => {
                    let why = "the gate is closed, by a file on the target".to_owned();
                    (StepEnd::NotDone { why: said }, Some(Abort::Hold(why)))
                }
                Err(GateClientError::Refused { word, said }) => {
                    let words = format!("{word} {}", encode::terminal(&said, 200)).trim_end().to_owned();
                    let why = format!("the gate did not do step {number}: {words}");
                    (StepEnd::NotDone { why: Tainted::new(words) }, Some(Abort::Back(why)))
                }
                Err(GateClientError::Lost(why)) => self.settled(number, &why).await,
            };
            self.outcome(number, way, outcome)?;
            if let Some(halt) = halt {
                return Ok(Err(halt));
            }
        }
        self.prove_and_keep().await
    }

    /// A step's answer was lost: the gate is asked, by its key, over a new connection.
    async fn settled(&mut self, number: u32, why: &str) -> (StepEnd, Option<Abort>) {
        let unknown = |why: &str| StepEnd::Unknown { why: why.to_owned() };
        match self.ask_again(why).await {
            Err(gone) => (unknown(why), Some(Abort::Hold(gone))),
            Ok(None) => (unknown(why), Some(Abort::Hold("the gate no longer knows the change".to_owned()))),
            Ok(Some(known)) => match known.done.iter().find(|(step, way, _)| *step == number && *way == Way::Do) {
                Some((_, _, Some(state))) => (StepEnd::Done { state: state.clone() }, self.ended_there(&known)),
                Some((_, _, None)) => {
                    let end = StepEnd::NotDone { why: Tainted::new(why) };
                    (end, Some(Abort::Back(format!("the gate did not do step {number}: {why}"))))
                }
                // It may still be at it: not done is what nobody has said.
                None => (unknown(why), Some(self.ended_there(&known).unwrap_or(Abort::Back(why.to_owned())))),
            },
        }
    }

    /// What the target has made of a change by itself meanwhile.
    fn ended_there(&self, known: &Known) -> Option<Abort> {
        let halt = |end, why: &str| Some(Abort::Over(end, why.to_owned()));
        match known.closed? {
            Closed::Undone => halt(End::RolledBack, "the target undid it by itself"),
            Closed::Failed => halt(End::Stuck, "the target could not undo it by itself"),
            Closed::Kept => halt(End::Stuck, "the target has kept it, and nobody here told it to"),
        }
    }

    /// Asks the gate what became of the change; on a new connection each time. None: it has never heard of it.
    pub(super) async fn ask_again(&mut self, first: &str) -> Result<Option<Known>, String> {
        let mut last = first.to_owned();
        for wait in ASKS {
            self.desk.clock.sleep(wait).await;
            if let Err(error) = self.hands.renew().await {
                last = error.to_string();
                continue;
            }
            match self.hands.known(&self.change).await {
                Ok(known) => return Ok(known),
                Err(error) => last = error.to_string(),
            }
        }
        Err(format!("the target cannot be asked what became of it: {last}"))
    }

    fn still(&self, needed_seconds: u32) -> Result<(), (Denial, String)> {
        self.desk.still(self.log.ledger(), Some(self.epoch), self.attended, needed_seconds).map(drop)
    }

    /// What a switch, a clock or a window does to a change that is under way.
    fn stopped(&self, code: Denial, why: String) -> Abort {
        match (code, self.desk.rules.on_stop) {
            (Denial::Kill, OnStop::Hold) => Abort::Hold(why),
            _ => Abort::Back(why),
        }
    }

    pub(super) fn outcome(&mut self, step: u32, way: Way, outcome: StepEnd) -> Result<(), LogError> {
        let change = self.change.clone();
        self.log.write(Event::StepOutcome { change, step, way, outcome }).map(drop)
    }

    /// Looks until everything holds, or the time is over; over a new connection. Then the gate is told to keep it.
    async fn prove_and_keep(&mut self) -> Result<Result<Vec<ProofResult>, Abort>, LogError> {
        let mut left = Duration::from_secs(u64::from(self.desk.rules.verify_seconds));
        let baseline = self.course().map(|course| course.baseline.clone()).unwrap_or_default();
        let proofs = loop {
            let begun = self.desk.clock.read();
            let proofs = self.proofs(&baseline).await;
            let holds = proofs.iter().all(|proof| proof.holds);
            if let Err((code, why)) = self.still(0)
                && (matches!(code, Denial::Kill | Denial::Interrupted) || !holds)
            {
                return Ok(Err(self.stopped(code, why)));
            }
            let passed = elapsed(&begun, &self.desk.clock.read()) + BETWEEN_LOOKS;
            if holds || left <= passed {
                self.log.write(Event::Proved { change: self.change.clone(), holds, proofs: proofs.clone() })?;
                break proofs;
            }
            left = left.saturating_sub(passed);
            self.desk.clock.sleep(BETWEEN_LOOKS).await;
        };
        if let Some(failed) = proofs.iter().find(|proof| !proof.holds) {
            let why = format!("it does not hold that {}: {}", failed.what, encode::terminal(&failed.said, 300));
            return Ok(Err(Abort::Back(why)));
        }
        self.log.write(Event::Closing { change: self.change.clone(), keep: true })?;
        let kept = match self.hands.close(&self.change, true).await {
            Ok(()) => return Ok(Ok(proofs)),
            Err(error) => error.to_string(),
        };
        match self.ask_again(&kept).await {
            Ok(Some(Known { closed: Some(Closed::Kept), .. })) => Ok(Ok(proofs)),
            Ok(Some(Known { closed: Some(Closed::Undone), .. })) => Ok(Err(Abort::Over(
                End::RolledBack,
                "the target undid it by itself before it was told to keep it".to_owned(),
            ))),
            Ok(Some(Known { closed: Some(Closed::Failed), .. })) => {
                Ok(Err(Abort::Over(End::Stuck, "the target could not undo it by itself".to_owned())))
            }
            Ok(Some(Known { closed: None, .. })) => Ok(Err(Abort::Back(format!("the gate did not keep it: {kept}")))),
            Ok(None) => Ok(Err(Abort::Hold("the gate no longer knows the change".to_owned()))),
            Err(why) => Ok(Err(Abort::Hold(why))),
        }
    }

    /// All that the change has to show, seen anew.
    pub(super) async fn proofs(&mut self, baseline: &[bailiwick_journal::Observed]) -> Vec<ProofResult> {
        let mut proofs = Vec::new();
        if let Err(error) = self.hands.renew().await {
            let what = "a new connection".to_owned();
            return vec![ProofResult { what, holds: false, said: Tainted::new(error.to_string()) }];
        }
        for (_, step) in verify::last_of_each(self.plan) {
            proofs.push(match self.hands.preview(step).await {
                Ok(preview) => verify::after(step, &preview.before),
                Err(error) => verify::unseen(step, &error.to_string()),
            });
        }
        // Who cannot be reached is not looked at by others either.
        if proofs.iter().any(|proof| !proof.holds) {
            return proofs;
        }
        let verified = self.eyes.verify(self.plan).await;
        proofs.push(verify::verified(verified.as_deref().map_err(String::as_str)));
        let seen = self.eyes.look(self.plan).await;
        proofs.extend(verify::looked(self.plan, baseline, seen.as_deref().map_err(String::as_str)));
        proofs
    }

    pub(super) fn course(&self) -> Option<&ChangeState> {
        self.log.course(&self.change)
    }

    pub(super) fn ended(
        &mut self,
        end: End,
        why: Option<String>,
        proofs: Vec<ProofResult>,
    ) -> Result<ApplyOutcome, LogError> {
        let change = self.change.clone();
        self.log.write(Event::Ended { change: change.clone(), end, why: why.clone() })?;
        Ok(ApplyOutcome::Ended { change, end, why, proofs })
    }

    pub(super) fn held(&mut self, why: String) -> Result<ApplyOutcome, LogError> {
        let change = self.change.clone();
        self.log.write(Event::Paused { change: change.clone(), why: why.clone() })?;
        Ok(ApplyOutcome::Open { change, why })
    }

    pub(super) async fn halted(&mut self, halt: Abort) -> Result<ApplyOutcome, LogError> {
        match halt {
            Abort::Over(End::RolledBack, why) => self.undone_there(why).await,
            Abort::Over(end, why) => self.ended(end, Some(why), Vec::new()),
            Abort::Hold(why) => self.held(why),
            Abort::Back(why) => self.undo(why, None).await,
        }
    }
}

/// How long it has been between two readings: by the clock that nobody sets, where there is one.
fn elapsed(from: &bailiwick_journal::Reading, to: &bailiwick_journal::Reading) -> Duration {
    let millis = match (&from.boot, &to.boot) {
        (Some(from), Some(to)) if from.id == to.id => to.up_ms.saturating_sub(from.up_ms),
        _ => u64::try_from(to.wall.duration_since(from.wall).as_millis()).unwrap_or(0),
    };
    Duration::from_millis(millis)
}
