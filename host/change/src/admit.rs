//! Everything that must hold before a change begins, the cheapest checks first.
//!
//! Knows: rules, ledger, the gate's and the probes' answers. Must not know: how a step is done. Attacks answered: a change that is
//! stopped, too early, too late, one too many, not approved, that overwrites a person's work, or that runs on another machine than the
//! plan's (CH11–CH17, AG02, AG03, AG14). Nothing here changes anything; switch, clock and window are checked again after the intent is
//! written.

use std::sync::atomic::{AtomicBool, Ordering};

use jiff::civil::Date;

use super::approval::{self, ApprovalError};
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

/// What a change is checked against: the controller's clock, kill switch and policy, and the target.
#[derive(Debug)]
pub struct Admission<'a, C> {
    /// The clock.
    pub clock: &'a C,
    /// The kill switch.
    pub stop: &'a Stop,
    /// Set by a signal: then no change begins, and one that has begun is rolled back.
    pub interrupted: &'a AtomicBool,
    /// The `[change]` table of policy.
    pub rules: &'a ChangeRules,
    /// The `[[window]]` tables of policy.
    pub windows: &'a [Window],
    /// The `[[calendar]]` tables of policy.
    pub calendar: &'a [Job],
    /// The target.
    pub target: &'a Target,
    /// What a plan is made from, as it is now.
    pub current: CurrentState,
    /// The constraints on the plan.
    pub constraints: Constraints,
}

/// What a plan is made from, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentState {
    /// Digest of the fix's bytes; none if there is no such component, or it is not accepted.
    pub component: Option<String>,
    /// Digest of its grant.
    pub grant: Option<String>,
    /// Digest over the ops directory's files.
    pub policy: String,
    /// The target's pinned host key.
    pub host_key: String,
    /// Digest of the list that `bailiwick gate` would install now; none if there is none to install.
    pub gate: Option<String>,
}

/// How a change is approved.
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
        /// The approvers; none if policy names none.
        approvers: Option<AllowedSigners>,
    },
    /// By policy alone, without a person.
    Unattended {
        /// The grant of the fix on the target has `unattended = true`.
        allowed: bool,
    },
    /// By policy, as a rehearsal on a staging target.
    Rehearsal,
}

/// A request to apply a plan or to roll a change back.
#[derive(Debug, Clone)]
pub struct ApplyRequest {
    /// The account that requests it.
    pub who: String,
    /// How it is approved.
    pub approval: Approval,
}

/// A change that may begin.
#[derive(Debug)]
pub(super) struct Admitted {
    /// The day whose budget it takes; none for a rehearsal.
    pub(super) day: Option<Date>,
    /// Who approved it.
    pub(super) consent: Consent,
    /// The results of the probes now.
    pub(super) baseline: Vec<Observed>,
    /// The epoch of the kill switch.
    pub(super) epoch: u64,
    /// False for an unattended change.
    pub(super) attended: bool,
}

/// Why a change may not begin.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Every object is already as the plan wants it.
    NoOp,
    /// A rule denies it.
    Denied {
        /// Which kind of rule.
        code: Denial,
        /// The reason, in the host's words.
        why: String,
        /// The difference that the operator should see.
        shown: Option<Tainted>,
    },
}

fn denied<T>(code: Denial, why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Denied { code, why: why.into(), shown: None })
}

impl<C: Clock> Admission<'_, C> {
    /// Checks what may stop a change at any moment: a signal, the kill switch, the clock, the window.
    pub(super) fn may_continue(
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
            Switch::On { why, .. } => {
                return Err((
                    Denial::Kill,
                    format!("all changes are stopped: {why}; `bailiwick resume` allows them again"),
                ));
            }
            Switch::Off { epoch: now } => now,
        };
        if epoch.is_some_and(|epoch| epoch != now) {
            return Err((Denial::Kill, "all changes were stopped and resumed meanwhile".to_owned()));
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
        gate: &mut H,
        verifier: &mut E,
        plan: &Plan,
        digest: &str,
        request: &ApplyRequest,
    ) -> Result<Admitted, Refusal> {
        let rehearsal = matches!(request.approval, Approval::Rehearsal);
        let attended = !matches!(request.approval, Approval::Unattended { .. });
        let (now, epoch) = self
            .may_continue(ledger, None, attended, self.rules.dead_man_seconds)
            .or_else(|(code, why)| denied(code, why))?;
        if let Some(stuck) = ledger.blocked(&plan.target) {
            let target = &plan.target;
            let why = format!(
                "changes on {target} are blocked, because change {} is stuck; check the target, then `bailiwick unblock {target}`",
                stuck.id
            );
            return denied(Denial::OpenChange, why);
        }
        if let Some(open) = ledger.open().next() {
            let why = format!("change {} on {} is open; `bailiwick recover` finds out its state", open.id, open.target);
            return denied(Denial::OpenChange, why);
        }
        let day = if rehearsal {
            None
        } else {
            Some(budget::check(self.rules, ledger, &now).or_else(|spent| denied(Denial::Budget, spent.to_string()))?)
        };
        self.check_current(plan)?;
        check::check(plan, &self.constraints).or_else(|violations| {
            let violations: Vec<_> = violations.iter().map(ToString::to_string).collect();
            denied(Denial::Policy, violations.join("; "))
        })?;
        let consent = self.consent(ledger, plan, digest, request, &now)?;
        self.check_gate(gate, plan, &now).await?;
        let people = gate.people(plan).await.or_else(|error| gate_error(&error))?;
        if !people.is_empty() {
            let signs: Vec<_> = people.iter().map(|sign| encode::terminal(sign, 120)).collect();
            return denied(Denial::People, format!("a person is at work on {}: {}", plan.target, signs.join("; ")));
        }
        self.check_preconditions(gate, plan).await?;
        let baseline = verifier.check(plan).await.or_else(|why| denied(Denial::Target, why))?;
        Ok(Admitted { day, consent, baseline, epoch, attended })
    }

    /// AG03: nothing that the plan was made from has changed.
    fn check_current(&self, plan: &Plan) -> Result<(), Refusal> {
        let CurrentState { component, grant, policy, host_key, gate } = &self.current;
        let differs = [
            ("the component", component.as_ref() != Some(&plan.component)),
            ("its grant", grant.as_ref() != Some(&plan.grant)),
            ("policy", *policy != plan.policy),
            ("the target's host key", *host_key != plan.host_key),
            ("the gate's list", gate.as_ref() != Some(&plan.gate)),
        ];
        match differs.into_iter().find(|(_, differs)| *differs) {
            Some((what, _)) => denied(
                Denial::Conflict,
                format!(
                    "{what} has changed since the plan was made; plan again: bailiwick plan {} --target {}",
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
        request: &ApplyRequest,
        now: &Reading,
    ) -> Result<Consent, Refusal> {
        match &request.approval {
            Approval::Rehearsal => Ok(Consent::Rehearsal { who: request.who.clone() }),
            // Bytes that the fix has computed need a signature: the gate requires it.
            Approval::Terminal if plan.has_computed_bytes() => denied(
                Denial::Approval,
                "the plan writes bytes that the fix has computed; the target accepts them only with an approver's signature: --approval STATEMENT.sig",
            ),
            Approval::Terminal => Ok(Consent::Terminal { who: request.who.clone() }),
            Approval::Signed { statement, signature, approvers } => {
                let Some(approvers) = approvers else {
                    return denied(
                        Denial::Approval,
                        "policy.toml names no approvers; add [change] approvers = \"FILE\"",
                    );
                };
                let planned = ledger.planned.get(digest);
                let Some(planned) = planned else {
                    return denied(
                        Denial::Approval,
                        "this plan is not in the journal, so it is unknown who made it; plan again",
                    );
                };
                if ledger.is_used(&approval::Statement::digest(statement)) {
                    return denied(Denial::Approval, ApprovalError::Used.to_string());
                }
                let approved = approval::check(statement, signature, plan, digest, approvers, &planned.who, now.wall)
                    .or_else(|error| denied(Denial::Approval, error.to_string()))?;
                let approval::Approved { principal, fingerprint, statement } = approved;
                Ok(Consent::Signature { principal, fingerprint, statement })
            }
            Approval::Unattended { allowed: false } => denied(
                Denial::Approval,
                "unattended apply is not allowed: run it at a terminal, give --approval, or set `unattended = true` in the grant of the fix",
            ),
            Approval::Unattended { allowed: true } if plan.has_computed_bytes() => denied(
                Denial::Approval,
                "the plan writes bytes that the fix has computed; an approver must sign it: --approval STATEMENT.sig",
            ),
            Approval::Unattended { allowed: true } => {
                let Some(rehearsal) = ledger.rehearsal(&plan.fix, &plan.component) else {
                    let why = format!(
                        "these bytes of {} were never rehearsed successfully: bailiwick rehearse {} --staging TARGET",
                        plan.fix, plan.fix
                    );
                    return denied(Denial::Rehearsal, why);
                };
                let age = now.wall.duration_since(rehearsal.when);
                let maximum = jiff::SignedDuration::from_hours(24 * i64::from(self.rules.rehearsal_days));
                if age > maximum {
                    let days = age.as_hours() / 24;
                    let why = format!(
                        "the rehearsal is {days} days old (maximum {}): bailiwick rehearse {} --staging TARGET",
                        self.rules.rehearsal_days, plan.fix
                    );
                    return denied(Denial::Rehearsal, why);
                }
                Ok(Consent::Unattended { rehearsal: rehearsal.seq })
            }
        }
    }

    async fn check_gate<H: GateClient>(&self, client: &mut H, plan: &Plan, now: &Reading) -> Result<(), Refusal> {
        let gate = client.gate().await.or_else(|error| gate_error(&error))?;
        if gate.list != plan.gate {
            let why = format!(
                "the list of the gate on {} differs from the plan's; `bailiwick gate verify {}` shows how",
                plan.target, plan.target
            );
            return denied(Denial::Gate, why);
        }
        if gate.disabled {
            return denied(Denial::Kill, format!("the gate of {} is disabled by a file on the target", plan.target));
        }
        if let Some(open) = gate.open {
            return denied(
                Denial::OpenChange,
                format!("change {open} is open on {}, from this controller or another one", plan.target),
            );
        }
        clock::compare_with_target(now, gate.clock_seconds).or_else(|error| denied(Denial::Clock, error.to_string()))
    }

    /// AG14: each object has the state that the plan expects.
    async fn check_preconditions<H: GateClient>(&self, gate: &mut H, plan: &Plan) -> Result<(), Refusal> {
        let mut differences = Vec::new();
        let mut shown = None;
        let mut is_done = true;
        for (index, step) in first_of_each(plan) {
            let Preview { before, after, shown: diff } =
                gate.preview(step).await.or_else(|error| gate_error(&error))?;
            let object = step.change.object();
            is_done &= before == step.after && step.before != step.after;
            if before != step.before {
                differences.push(format!("{object} is `{before}`, and the plan expects `{}`", step.before));
                shown = shown.or(Some(diff));
            } else if after != step.after {
                differences.push(format!(
                    "step {} would leave {object} as `{after}`, and the plan expects `{}`",
                    index + 1,
                    step.after
                ));
                shown = shown.or(Some(diff));
            }
        }
        if differences.is_empty() {
            return Ok(());
        }
        if is_done {
            return Err(Refusal::NoOp);
        }
        let why = format!("the target has changed since the plan was made: {}", differences.join("; "));
        Err(Refusal::Denied { code: Denial::Conflict, why, shown })
    }
}

/// An error of the gate before anything was changed: then nothing is.
fn gate_error<T>(error: &GateClientError) -> Result<T, Refusal> {
    match error {
        GateClientError::Refused { word, detail } => denied(
            Denial::Gate,
            format!("the gate refuses: {word} {}", encode::terminal(detail, 200)).trim_end().to_owned(),
        ),
        GateClientError::Lost(why) => denied(Denial::Target, why.clone()),
    }
}
