//! The plan checker: rejects what cannot be rolled back, is not granted, is too large, or belongs to an open change. Pure.
//!
//! Knows: a plan, and the constraints on it. Must not know: where either came from. Attacks answered: a plan by a component, or
//! edited on the disk, that does more than was granted (PH06), cannot be rolled back (CH03), or is too large to read (CH01).
//!
//! It runs when a plan is made and again when it is applied: a plan that passed once is checked again.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{FORMAT, Plan, Proof, Step, digest};
use bailiwick_core::model::{ActionId, Change, ChangeId, State, UnitAct};

/// Maximum number of steps in a plan.
pub const STEPS_MAX: usize = 16;
/// Maximum size of all files that a change keeps a copy of.
pub const SNAPSHOT_BYTES_MAX: u64 = 16 << 20;
/// Maximum size of all texts that a change writes.
pub const WRITTEN_BYTES_MAX: usize = 1 << 20;
/// Maximum size of a step's difference, which a person reads.
pub const SHOWN_BYTES_MAX: usize = 64 << 10;
/// Maximum size of a part of the contract.
pub const CONTRACT_BYTES_MAX: usize = 200;
/// Maximum size of what the fix has observed.
pub const CONTEXT_BYTES_MAX: usize = 4 << 10;

/// The constraints on a plan: the grant of its fix on its target, and the open changes.
#[derive(Debug, Clone, Default)]
pub struct Constraints {
    /// The changing actions of the grant.
    pub granted: BTreeMap<ActionId, Change>,
    /// The actions that a never-rule withholds, with the rule.
    pub withheld: BTreeMap<ActionId, String>,
    /// Objects on the target that open changes hold.
    pub in_use: BTreeMap<String, ChangeId>,
}

/// One reason why a plan is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Another format.
    #[error("the plan's format is not `{FORMAT}`")]
    Format,
    /// No step.
    #[error("the plan has no steps")]
    Empty,
    /// Too many steps.
    #[error("the plan has {0} steps (maximum {STEPS_MAX})")]
    TooManySteps(usize),
    /// No finding.
    #[error("the plan names no finding that it answers")]
    NoFinding,
    /// A part of the contract is empty or too long.
    #[error("`{part}` of the contract {what}")]
    Contract {
        /// The part.
        part: &'static str,
        /// `is empty`, `is too long`.
        what: &'static str,
    },
    /// A field that must be a digest is not one.
    #[error("`{0}` of the plan is not a SHA-256 digest")]
    NoDigest(&'static str),
    /// A proof that its class of change requires is missing.
    #[error("the plan lacks the proof `{0:?}`, which its kind of change requires")]
    Unproved(Proof),
    /// A step that is not granted.
    #[error("step {step}: {action} is not in the fix's bailiwick; `bailiwick review` lists what is")]
    NotGranted {
        /// The step, from 1.
        step: usize,
        /// The action.
        action: String,
    },
    /// A step that a never-rule withholds.
    #[error("step {step}: {action} is withheld by {rule}")]
    Never {
        /// The step, from 1.
        step: usize,
        /// The action.
        action: String,
        /// The rule.
        rule: String,
    },
    /// A step whose change differs from the granted one.
    #[error("step {step}: {action} differs from the change that policy grants under this id")]
    Differs {
        /// The step, from 1.
        step: usize,
        /// The action.
        action: String,
    },
    /// A step whose inverse is wrong.
    #[error("step {step} has an inverse that does not belong to its kind of change")]
    Inverse {
        /// The step, from 1.
        step: usize,
    },
    /// A step between states that its kind of change does not connect.
    #[error("step {step} leads from `{before}` to `{after}`, which {what}")]
    States {
        /// The step, from 1.
        step: usize,
        /// The state before.
        before: State,
        /// The state after.
        after: State,
        /// Why not, such as `are not states of a unit`.
        what: &'static str,
    },
    /// A step that changes nothing.
    #[error("step {step} changes nothing")]
    Idle {
        /// The step, from 1.
        step: usize,
    },
    /// Two steps on one object.
    #[error("steps {first} and {second} change the same object: {object}")]
    Twice {
        /// The first step.
        first: usize,
        /// The second step.
        second: usize,
        /// The object.
        object: String,
    },
    /// An object of an open change.
    #[error("step {step}: {object} belongs to the open change {change}")]
    InUse {
        /// The step, from 1.
        step: usize,
        /// The object.
        object: String,
        /// The open change.
        change: ChangeId,
    },
    /// Computed bytes without their digest, or a digest without such bytes.
    #[error("step {step}: the plan does not fix the bytes that it writes")]
    Computed {
        /// The step, from 1.
        step: usize,
    },
    /// Too many bytes.
    #[error("{what} {bytes} bytes (maximum {most})")]
    TooLarge {
        /// `the change keeps copies of`, `the change writes`, `step 1 shows`.
        what: String,
        /// The size.
        bytes: u64,
        /// The maximum.
        most: u64,
    },
}

/// What a change must prove: for a change of something that is in use, the state before and after, the live status, the artefact that
/// rolls it back, and that nothing else gets worse.
#[must_use]
pub fn required_proofs(steps: &[Step]) -> Vec<Proof> {
    if steps.is_empty() {
        return Vec::new();
    }
    vec![Proof::BeforeAfter, Proof::LiveStatus, Proof::RollbackArtefact, Proof::Unharmed]
}

/// Checks a plan against its constraints.
///
/// # Errors
/// Every violation.
pub fn check(plan: &Plan, constraints: &Constraints) -> Result<(), Vec<Violation>> {
    let mut violations = Vec::new();
    if plan.format != FORMAT {
        violations.push(Violation::Format);
    }
    check_contract(plan, &mut violations);
    match plan.steps.len() {
        0 => violations.push(Violation::Empty),
        many if many > STEPS_MAX => violations.push(Violation::TooManySteps(many)),
        _ => {}
    }
    violations.extend(
        required_proofs(&plan.steps).into_iter().filter(|proof| !plan.proof.contains(proof)).map(Violation::Unproved),
    );
    let mut touched: Vec<(String, usize)> = Vec::new();
    for (index, step) in plan.steps.iter().enumerate().take(STEPS_MAX) {
        let number = index + 1;
        check_step(step, number, constraints, &mut violations);
        let object = identity(&step.change);
        match touched.iter().find(|(other, _)| *other == object) {
            Some((_, first)) => violations.push(Violation::Twice { first: *first, second: number, object }),
            None => touched.push((object, number)),
        }
    }
    let kept = plan.steps.iter().map(|step| if let State::File { bytes, .. } = step.before { bytes } else { 0 });
    let kept = kept.fold(0_u64, u64::saturating_add);
    if kept > SNAPSHOT_BYTES_MAX {
        violations.push(Violation::TooLarge {
            what: "the change keeps copies of".to_owned(),
            bytes: kept,
            most: SNAPSHOT_BYTES_MAX,
        });
    }
    let written: usize =
        plan.steps.iter().map(|step| if let Change::Write { text, .. } = &step.change { text.len() } else { 0 }).sum();
    if written > WRITTEN_BYTES_MAX {
        violations.push(Violation::TooLarge {
            what: "the change writes".to_owned(),
            bytes: written as u64,
            most: WRITTEN_BYTES_MAX as u64,
        });
    }
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

/// What may occur in a plan only once: a file, whatever is done to it; of a unit, each act.
fn identity(change: &Change) -> String {
    match change {
        Change::Unit { act, .. } => format!("{} ({})", change.object(), act.word()),
        _ => change.object(),
    }
}

fn check_contract(plan: &Plan, violations: &mut Vec<Violation>) {
    let contract = &plan.contract;
    let parts = [
        ("intent", contract.intent.as_str()),
        ("rationale", &contract.rationale),
        ("if-reverted", &contract.if_reverted),
    ];
    let constraints = contract.constraints.iter().map(|text| ("constraints", text.as_str()));
    for (part, text) in parts.into_iter().chain(constraints) {
        if text.trim().is_empty() {
            violations.push(Violation::Contract { part, what: "is empty" });
        } else if text.len() > CONTRACT_BYTES_MAX {
            violations.push(Violation::Contract { part, what: "is too long" });
        }
    }
    if contract.constraints.is_empty() {
        violations.push(Violation::Contract { part: "constraints", what: "is empty" });
    }
    if contract.context.is_empty() {
        violations.push(Violation::Contract { part: "context", what: "is empty" });
    } else if contract.context.len() > CONTEXT_BYTES_MAX {
        violations.push(Violation::Contract { part: "context", what: "is too long" });
    }
    if plan.raised.is_empty() {
        violations.push(Violation::NoFinding);
    }
    let digests =
        [("component", &plan.component), ("grant", &plan.grant), ("gate", &plan.gate), ("policy", &plan.policy)];
    violations
        .extend(digests.into_iter().filter(|(_, text)| !is_digest(text)).map(|(name, _)| Violation::NoDigest(name)));
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn check_step(step: &Step, number: usize, constraints: &Constraints, violations: &mut Vec<Violation>) {
    let action = step.action.as_str().to_owned();
    if let Some(rule) = constraints.withheld.get(&step.action) {
        violations.push(Violation::Never { step: number, action, rule: rule.clone() });
    } else {
        match constraints.granted.get(&step.action) {
            None => violations.push(Violation::NotGranted { step: number, action }),
            Some(change) if *change != step.change => violations.push(Violation::Differs { step: number, action }),
            Some(_) => {}
        }
    }
    if step.inverse != step.change.inverse() {
        violations.push(Violation::Inverse { step: number });
    }
    if let Err(what) = check_states(step) {
        let (before, after) = (step.before.clone(), step.after.clone());
        violations.push(Violation::States { step: number, before, after, what });
    }
    let acts_anyway = matches!(step.change, Change::Unit { act: UnitAct::Reload | UnitAct::Restart, .. })
        || matches!(step.change, Change::RestartContainer { .. });
    if step.before == step.after && !acts_anyway {
        violations.push(Violation::Idle { step: number });
    }
    let object = step.change.object();
    if let Some(change) = constraints.in_use.get(&object) {
        violations.push(Violation::InUse { step: number, object, change: change.clone() });
    }
    let bound = match (&step.change, &step.computed) {
        (Change::WriteComputed { bytes_max, .. }, Some(sha)) => {
            is_digest(sha)
                && matches!(&step.after, State::File { sha256, bytes, .. } if sha256 == sha && bytes <= bytes_max)
        }
        (Change::WriteComputed { .. }, None) => false,
        (_, computed) => computed.is_none(),
    };
    if !bound {
        violations.push(Violation::Computed { step: number });
    }
    if step.shown.len() > SHOWN_BYTES_MAX {
        let (what, bytes) = (format!("step {number} shows"), step.shown.len() as u64);
        violations.push(Violation::TooLarge { what, bytes, most: SHOWN_BYTES_MAX as u64 });
    }
}

/// Checks that this kind of change leads from the state before to the state after.
fn check_states(step: &Step) -> Result<(), &'static str> {
    let file = |state: &State| matches!(state, State::File { .. });
    let file_or_none = |state: &State| file(state) || *state == State::Absent;
    let same_owner = |before: &State, after: &State| match (before, after) {
        (State::File { mode, uid, gid, .. }, State::File { mode: m, uid: u, gid: g, .. }) => {
            mode == m && uid == u && gid == g
        }
        _ => true,
    };
    let (before, after) = (&step.before, &step.after);
    match &step.change {
        Change::Write { text, .. } => {
            if !file_or_none(before) || !file(after) {
                return Err("are not states of a file that is written");
            }
            if !matches!(after, State::File { sha256, bytes, .. }
                if *sha256 == digest(text.as_bytes()) && *bytes == text.len() as u64)
            {
                return Err("is not the text that it writes");
            }
        }
        Change::WriteComputed { .. } if file_or_none(before) && file(after) => {}
        Change::EnsureLine { .. } if file_or_none(before) && file(after) => {}
        Change::RemoveLine { .. } if file(before) && file(after) => {}
        Change::SetAside { .. } if file(before) && *after == State::Absent => {}
        Change::WriteComputed { .. }
        | Change::EnsureLine { .. }
        | Change::RemoveLine { .. }
        | Change::SetAside { .. } => return Err("are not states of a file that is changed this way"),
        Change::Unit { act, .. } => match (before, after) {
            (State::Unit { active: was, enabled: had }, State::Unit { active, enabled }) => match act {
                UnitAct::Enable if enabled == "enabled" && active == was => {}
                UnitAct::Start if active == "active" && enabled == had && was != "active" => {}
                UnitAct::Restart if active == "active" && enabled == had => {}
                // A unit that is not running reads nothing.
                UnitAct::Reload if active == "active" && was == "active" && enabled == had => {}
                _ => return Err("is not what this act does to a unit"),
            },
            _ => return Err("are not states of a unit"),
        },
        Change::RestartContainer { .. } => match (before, after) {
            (State::Container { .. }, State::Container { status }) if status == "running" => {}
            _ => return Err("are not states of a container that is restarted"),
        },
        Change::Command { .. } => match (before, after) {
            (State::Command { done: false }, State::Command { done: true }) => {}
            _ => return Err("are not `undone` and `done`"),
        },
    }
    if same_owner(before, after) { Ok(()) } else { Err("changes the owner or the mode") }
}

/// True if an object has its former state again, as far as possible: a unit that had failed is stopped, not failed, after it was
/// started and stopped; an object that only read again may be in either state.
#[must_use]
pub fn is_restored(step: &Step, now: &State) -> bool {
    if *now == step.before {
        return true;
    }
    match (&step.before, now, step.inverse) {
        (_, now, bailiwick_core::model::Inverse::Again) => *now == step.after,
        (State::Unit { active: was, enabled: had }, State::Unit { active, enabled }, _) => {
            was == "failed" && active == "inactive" && had == enabled
        }
        _ => false,
    }
}

/// Every object of a plan.
#[must_use]
pub fn objects(plan: &Plan) -> BTreeSet<String> {
    plan.objects().collect()
}
