//! Everything that has to hold before a change begins, in the order in which it is cheapest to say no.
//!
//! Knows: rules, ledger, the gate's and the probes' answers. Must not know: how a step is carried out. Attacks answered: a change that
//! is stopped, too early, too late, too many, not approved, over somebody's work, or against another machine than the plan's
//! (CH11–CH17, AG02, AG03, AG14). Nothing here changes anything; the last word is checked again after the intent is written.

use std::sync::atomic::{AtomicBool, Ordering};

use jiff::civil::Date;

use super::approval::{self, NotApproved};
use super::budget;
use super::check::{self, Constraints};
use super::clock::{self, Clock};
use super::gate_client::{GateClient, GateClientError, Verifier};
use super::ledger::Ledger;
use super::plan::Plan;
use super::stop::{Stop, Switch};
use super::verify::first_of_each;
use super::window;
use bailiwick_core::encode;
use bailiwick_core::fleet::Target;
use bailiwick_core::gate_protocol::Preview;
use bailiwick_core::model::Tainted;
use bailiwick_journal::{Consent, Denial, Observed, Reading};
use bailiwick_policy::policy::{ChangeRules, Job, Window};
use bailiwick_policy::signature::AllowedSigners;

/// What holds on the controller, and its clock.
#[derive(Debug)]
pub struct Admission<'a, C> {
    /// The clock.
    pub clock: &'a C,
    /// The kill switch.
    pub stop: &'a Stop,
    /// Set when whoever started this program wants it to end: nothing more begins, and what has begun goes back.
    pub interrupted: &'a AtomicBool,
    /// Policy's numbers.
    pub rules: &'a ChangeRules,
    /// Its windows.
    pub windows: &'a [Window],
    /// Its calendar.
    pub calendar: &'a [Job],
    /// The target.
    pub target: &'a Target,
    /// What is true now of what the plan was made from.
    pub today: CurrentState,
    /// What the plan is held against.
    pub ground: Constraints,
}

/// What a plan was made from, as it is today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentState {
    /// The fix's bytes; none: there is no such component, or nobody has accepted it.
    pub component: Option<String>,
    /// Its grant.
    pub grant: Option<String>,
    /// The ops directory's files.
    pub policy: String,
    /// The target's pinned key.
    pub host_key: String,
    /// The digest of the list that `bailiwick gate` would install today; none where there is none to install.
    pub gate: Option<String>,
}

/// Who says yes.
#[derive(Debug, Clone)]
pub enum Approval {
    /// A person at a terminal, who has typed the plan's digest.
    Terminal,
    /// An approver's signature under a statement.
    Signed {
        /// The statement.
        statement: Vec<u8>,
        /// The signature's file.
        signature: Vec<u8>,
        /// Those who may approve; none: policy names nobody.
        approvers: Option<AllowedSigners>,
    },
    /// Nobody; policy may allow it.
    Nobody {
        /// Policy says `unattended = true` of the fix on the target.
        allowed: bool,
    },
    /// It is a rehearsal, on a stand-in that policy names.
    Rehearsal,
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct ApplyRequest {
    /// The account of whoever asks.
    pub who: String,
    /// Who says yes.
    pub yes: Approval,
}

/// A change that may begin.
#[derive(Debug)]
pub(super) struct Admitted {
    /// The day whose budget it takes; none for a rehearsal.
    pub(super) day: Option<Date>,
    /// Who said yes.
    pub(super) consent: Consent,
    /// What the probes say now.
    pub(super) baseline: Vec<Observed>,
    /// How often the kill switch has been used.
    pub(super) epoch: u64,
    /// Somebody attends.
    pub(super) attended: bool,
}

/// Why it may not.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Everything is already as the plan says.
    NoOp,
    /// A rule.
    Denied {
        /// Which.
        code: Denial,
        /// In the host's words.
        why: String,
        /// What a person should see: the difference.
        shown: Option<Tainted>,
    },
}

fn denied<T>(code: Denial, why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Denied { code, why: why.into(), shown: None })
}

impl<C: Clock> Admission<'_, C> {
    /// What may end a change at any moment: the switch, the clock, the window.
    pub(super) fn still(
        &self,
        ledger: &Ledger,
        epoch: Option<u64>,
        attended: bool,
        needed_seconds: u32,
    ) -> Result<(Reading, u64), (Denial, String)> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err((Denial::Interrupted, "it was interrupted".to_owned()));
        }
        let now = match self.stop.read() {
            Switch::On { why, .. } => return Err((Denial::Kill, format!("everything is stopped: {why}"))),
            Switch::Off { epoch: now } => now,
        };
        if epoch.is_some_and(|epoch| epoch != now) {
            return Err((Denial::Kill, "everything was stopped, and released, meanwhile".to_owned()));
        }
        let reading = self.clock.read();
        ledger.watch.judge(&reading).map_err(|error| (Denial::Clock, error.to_string()))?;
        let (windows, calendar, wall) = (self.windows, self.calendar, reading.wall);
        window::open(self.rules, windows, calendar, self.target, wall, attended, needed_seconds)
            .map_err(|closed| (Denial::Window, closed.to_string()))?;
        Ok((reading, now))
    }

    pub(super) async fn admit<H: GateClient, E: Verifier>(
        &self,
        ledger: &Ledger,
        hands: &mut H,
        eyes: &mut E,
        plan: &Plan,
        digest: &str,
        ask: &ApplyRequest,
    ) -> Result<Admitted, Refusal> {
        let rehearsal = matches!(ask.yes, Approval::Rehearsal);
        let attended = !matches!(ask.yes, Approval::Nobody { .. });
        let (now, epoch) =
            self.still(ledger, None, attended, self.rules.dead_man_seconds).or_else(|(code, why)| denied(code, why))?;
        if let Some(stuck) = ledger.frozen(&plan.target) {
            let why = format!("{} is frozen: change {} is stuck; a person releases it", plan.target, stuck.id);
            return denied(Denial::OpenChange, why);
        }
        if let Some(open) = ledger.open().next() {
            let why =
                format!("change {} on {} is open; `bailiwick recover` finds out what is true", open.id, open.target);
            return denied(Denial::OpenChange, why);
        }
        let day = if rehearsal {
            None
        } else {
            Some(budget::place(self.rules, ledger, &now).or_else(|spent| denied(Denial::Budget, spent.to_string()))?)
        };
        self.unchanged(plan)?;
        check::check(plan, &self.ground).or_else(|wrong| {
            let wrong: Vec<_> = wrong.iter().map(ToString::to_string).collect();
            denied(Denial::Policy, wrong.join("; "))
        })?;
        let consent = self.consent(ledger, plan, digest, ask, &now)?;
        self.gate(hands, plan, &now).await?;
        let people = hands.people(plan).await.or_else(|error| lost(&error))?;
        if !people.is_empty() {
            let signs: Vec<_> = people.iter().map(|sign| encode::terminal(sign, 120)).collect();
            return denied(Denial::People, format!("somebody is at work on {}: {}", plan.target, signs.join("; ")));
        }
        self.preconditions(hands, plan).await?;
        let baseline = eyes.look(plan).await.or_else(|why| denied(Denial::Target, why))?;
        Ok(Admitted { day, consent, baseline, epoch, attended })
    }

    /// AG03: the plan speaks of what is there today.
    fn unchanged(&self, plan: &Plan) -> Result<(), Refusal> {
        let CurrentState { component, grant, policy, host_key, gate } = &self.today;
        let differs = [
            ("the component", component.as_ref() != Some(&plan.component)),
            ("its grant", grant.as_ref() != Some(&plan.grant)),
            ("policy", *policy != plan.policy),
            ("the target's key", *host_key != plan.host_key),
            ("the gate's list", gate.as_ref() != Some(&plan.gate)),
        ];
        match differs.into_iter().find(|(_, differs)| *differs) {
            Some((what, _)) => denied(
                Denial::Conflict,
                format!(
                    "{what} is another than when the plan was made; plan again: bailiwick plan {} --target {}",
                    plan.fix, plan.target
                ),
            ),
            None => Ok(()),
        }
    }

    fn consent(
        &self,
        ledger: &Ledger,
        plan: &Plan,
        digest: &str,
        ask: &ApplyRequest,
        now: &Reading,
    ) -> Result<Consent, Refusal> {
        match &ask.yes {
            Approval::Rehearsal => Ok(Consent::Rehearsal { who: ask.who.clone() }),
            // What the fix wrote itself goes only with a signature: the gate takes nothing less.
            Approval::Terminal if plan.needs_a_person() => denied(
                Denial::Approval,
                "the fix has written bytes that nobody reviewed; the target takes these only with an approver's signature (--approval)",
            ),
            Approval::Terminal => Ok(Consent::Terminal { who: ask.who.clone() }),
            Approval::Signed { statement, signature, approvers } => {
                let Some(approvers) = approvers else {
                    return denied(Denial::Approval, "policy names nobody who may approve: [change] approvers = \"…\"");
                };
                let planned = ledger.planned.get(digest);
                let Some(planned) = planned else {
                    return denied(
                        Denial::Approval,
                        "the journal does not know this plan, so nobody knows who made it",
                    );
                };
                if ledger.is_used(&approval::Statement::digest(statement)) {
                    return denied(Denial::Approval, NotApproved::Used.to_string());
                }
                let approved = approval::check(statement, signature, plan, digest, approvers, &planned.who, now.wall)
                    .or_else(|error| denied(Denial::Approval, error.to_string()))?;
                let approval::Approved { principal, fingerprint, statement } = approved;
                Ok(Consent::Signature { principal, fingerprint, statement })
            }
            Approval::Nobody { allowed: false } => denied(
                Denial::Approval,
                "nobody attends: approve it at a terminal or with --approval, or let policy say `unattended = true` in its grant",
            ),
            Approval::Nobody { allowed: true } if plan.needs_a_person() => {
                denied(Denial::Approval, "the fix has written bytes that nobody reviewed; a person has to approve them")
            }
            Approval::Nobody { allowed: true } => {
                let Some(rehearsal) = ledger.rehearsal(&plan.fix, &plan.component) else {
                    let why = format!(
                        "this very {} was never rehearsed: bailiwick rehearse {} --staging TARGET",
                        plan.fix, plan.fix
                    );
                    return denied(Denial::Rehearsal, why);
                };
                let age = now.wall.duration_since(rehearsal.when);
                let most = jiff::SignedDuration::from_hours(24 * i64::from(self.rules.rehearsal_days));
                if age > most {
                    let days = age.as_hours() / 24;
                    let why =
                        format!("its rehearsal is {days} days old, and {} are the most", self.rules.rehearsal_days);
                    return denied(Denial::Rehearsal, why);
                }
                Ok(Consent::Unattended { rehearsal: rehearsal.seq })
            }
        }
    }

    async fn gate<H: GateClient>(&self, hands: &mut H, plan: &Plan, now: &Reading) -> Result<(), Refusal> {
        let gate = hands.gate().await.or_else(|error| lost(&error))?;
        if gate.list != plan.gate {
            let why = format!(
                "the gate of {} has another list than the plan; `bailiwick gate verify {}`",
                plan.target, plan.target
            );
            return denied(Denial::Gate, why);
        }
        if gate.disabled {
            return denied(Denial::Kill, format!("the gate of {} is disabled, by a file there", plan.target));
        }
        if let Some(open) = gate.open {
            return denied(
                Denial::OpenChange,
                format!("{} has the change {open} open, of this controller or another", plan.target),
            );
        }
        clock::witness(now, gate.clock_seconds).or_else(|error| denied(Denial::Clock, error.to_string()))
    }

    /// AG14: what the plan says of each object is true now.
    async fn preconditions<H: GateClient>(&self, hands: &mut H, plan: &Plan) -> Result<(), Refusal> {
        let mut moved = Vec::new();
        let mut shown = None;
        let mut there = true;
        for (index, step) in first_of_each(plan) {
            let Preview { before, after, shown: diff } = hands.preview(step).await.or_else(|error| lost(&error))?;
            let object = step.change.object();
            there &= before == step.after && step.before != step.after;
            if before != step.before {
                moved.push(format!("{object} is `{before}`, and the plan says `{}`", step.before));
                shown = shown.or(Some(diff));
            } else if after != step.after {
                moved.push(format!(
                    "step {} would leave {object} as `{after}`, and the plan says `{}`",
                    index + 1,
                    step.after
                ));
                shown = shown.or(Some(diff));
            }
        }
        if moved.is_empty() {
            return Ok(());
        }
        if there {
            return Err(Refusal::NoOp);
        }
        let why = format!("somebody or something has changed it since the plan was made: {}", moved.join("; "));
        Err(Refusal::Denied { code: Denial::Conflict, why, shown })
    }
}

/// An answer that did not come, before anything was changed: then nothing is.
fn lost<T>(error: &GateClientError) -> Result<T, Refusal> {
    match error {
        GateClientError::Refused { word, said } => denied(
            Denial::Gate,
            format!("the gate refuses: {word} {}", encode::terminal(said, 200)).trim_end().to_owned(),
        ),
        GateClientError::Lost(why) => denied(Denial::Target, why.clone()),
    }
}
