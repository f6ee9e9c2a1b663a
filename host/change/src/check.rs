//! The plan checker: refuses what cannot be taken back, is not granted, is too large, or is somebody else's at the moment. Pure.
//!
//! Knows: a plan, and what it is held against. Must not know: where either came from. Attacks answered: a plan by a component, or
//! edited on the disk, that does more than was granted (PH06), has no way back (CH03), or is larger than anybody reads (CH01).
//!
//! It runs when a plan is made and again when it is carried out: a plan that passed is not believed for that.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{FORMAT, Plan, Proof, Step, digest};
use bailiwick_core::model::{ActionId, Change, ChangeId, State, UnitAct};

/// Most steps of a plan.
pub const STEPS_MAX: usize = 16;
/// Most bytes of files that a change keeps a copy of.
pub const SNAPSHOT_BYTES_MAX: u64 = 16 << 20;
/// Most bytes that a change writes.
pub const WRITTEN_BYTES_MAX: usize = 1 << 20;
/// Most that is shown of a step; a person reads it.
pub const SHOWN_BYTES_MAX: usize = 64 << 10;
/// Most bytes of a part of the contract.
pub const CONTRACT_BYTES_MAX: usize = 200;
/// Most bytes of what the fix says that it saw.
pub const CONTEXT_BYTES_MAX: usize = 4 << 10;

/// What a plan is held against: the grant of its fix on its target, and what is under way.
#[derive(Debug, Clone, Default)]
pub struct Constraints {
    /// The changing actions of the grant.
    pub granted: BTreeMap<ActionId, Change>,
    /// Those that a rule has taken out of it, and which.
    pub withheld: BTreeMap<ActionId, String>,
    /// Objects on the target that open changes hold.
    pub held: BTreeMap<String, ChangeId>,
}

/// One reason why a plan is none that is carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// Another program's.
    #[error("it is in a format that this program does not carry out")]
    Format,
    /// There is nothing in it.
    #[error("it has no step")]
    Empty,
    /// Too many.
    #[error("it has {0} steps, and {STEPS_MAX} are the most")]
    TooManySteps(usize),
    /// It answers nothing.
    #[error("it names no finding that it answers")]
    NoFinding,
    /// The contract says too little, or too much.
    #[error("its contract's `{part}` {what}")]
    Contract {
        /// Which part.
        part: &'static str,
        /// `is empty`, `is too long`.
        what: &'static str,
    },
    /// What identifies something is no digest.
    #[error("its `{0}` is no digest")]
    NoDigest(&'static str),
    /// A proof that its class of change demands is not in it.
    #[error("it does not ask for the proof `{0:?}`, which a change of its kind has to show")]
    Unproved(Proof),
    /// A step that is not granted.
    #[error("step {step}: {action} is not in its bailiwick")]
    NotGranted {
        /// Which.
        step: usize,
        /// The action.
        action: String,
    },
    /// A step that a never-rule forbids.
    #[error("step {step}: {action} is withheld by {rule}")]
    Never {
        /// Which.
        step: usize,
        /// The action.
        action: String,
        /// The rule.
        rule: String,
    },
    /// A step that is not what its name says.
    #[error("step {step}: {action} is another change in policy")]
    Another {
        /// Which.
        step: usize,
        /// The action.
        action: String,
    },
    /// A step whose way back is another.
    #[error("step {step} has another way back than a change of its kind")]
    Inverse {
        /// Which.
        step: usize,
    },
    /// A step between states that are none of its object.
    #[error("step {step} goes from `{before}` to `{after}`, which {what}")]
    States {
        /// Which.
        step: usize,
        /// From.
        before: State,
        /// To.
        after: State,
        /// Why not.
        what: &'static str,
    },
    /// A step that changes nothing.
    #[error("step {step} changes nothing")]
    Idle {
        /// Which.
        step: usize,
    },
    /// An object twice.
    #[error("steps {first} and {second} change the same: {object}")]
    Twice {
        /// Which.
        first: usize,
        /// And which.
        second: usize,
        /// The object.
        object: String,
    },
    /// Somebody else's at the moment.
    #[error("step {step}: {object} is held by the open change {change}")]
    Held {
        /// Which.
        step: usize,
        /// The object.
        object: String,
        /// Whose.
        change: ChangeId,
    },
    /// Bytes that the fix made, and nobody knows which; or a digest where there are none.
    #[error("step {step}: what it writes is not bound by the plan")]
    Computed {
        /// Which.
        step: usize,
    },
    /// Too many bytes.
    #[error("{what} {bytes} bytes, and {most} are the most")]
    TooLarge {
        /// `it keeps`, `it writes`, `step 1 shows`.
        what: String,
        /// How many.
        bytes: u64,
        /// How many there may be.
        most: u64,
    },
}

/// What a change has to show: for a change of something that is in use, all there is (seed: before and after, live status,
/// the artefact that takes it back), and that nothing else suffers.
#[must_use]
pub fn demanded(steps: &[Step]) -> Vec<Proof> {
    if steps.is_empty() {
        return Vec::new();
    }
    vec![Proof::BeforeAfter, Proof::LiveStatus, Proof::RollbackArtefact, Proof::Unharmed]
}

/// Holds a plan against what is granted and what is under way.
///
/// # Errors
/// Every reason against it.
pub fn check(plan: &Plan, ground: &Constraints) -> Result<(), Vec<Wrong>> {
    let mut wrong = Vec::new();
    if plan.format != FORMAT {
        wrong.push(Wrong::Format);
    }
    whole(plan, &mut wrong);
    match plan.steps.len() {
        0 => wrong.push(Wrong::Empty),
        many if many > STEPS_MAX => wrong.push(Wrong::TooManySteps(many)),
        _ => {}
    }
    wrong.extend(demanded(&plan.steps).into_iter().filter(|proof| !plan.proof.contains(proof)).map(Wrong::Unproved));
    let mut touched: Vec<(String, usize)> = Vec::new();
    for (index, step) in plan.steps.iter().enumerate().take(STEPS_MAX) {
        let number = index + 1;
        one(step, number, ground, &mut wrong);
        let object = identity(&step.change);
        match touched.iter().find(|(other, _)| *other == object) {
            Some((_, first)) => wrong.push(Wrong::Twice { first: *first, second: number, object }),
            None => touched.push((object, number)),
        }
    }
    let kept = plan.steps.iter().map(|step| if let State::File { bytes, .. } = step.before { bytes } else { 0 });
    let kept = kept.fold(0_u64, u64::saturating_add);
    if kept > SNAPSHOT_BYTES_MAX {
        wrong.push(Wrong::TooLarge { what: "it keeps".to_owned(), bytes: kept, most: SNAPSHOT_BYTES_MAX });
    }
    let written: usize =
        plan.steps.iter().map(|step| if let Change::Write { text, .. } = &step.change { text.len() } else { 0 }).sum();
    if written > WRITTEN_BYTES_MAX {
        wrong.push(Wrong::TooLarge {
            what: "it writes".to_owned(),
            bytes: written as u64,
            most: WRITTEN_BYTES_MAX as u64,
        });
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// What may stand in a plan only once: a file, whatever is done to it; of a unit, each act.
fn identity(change: &Change) -> String {
    match change {
        Change::Unit { act, .. } => format!("{} ({})", change.object(), act.word()),
        _ => change.object(),
    }
}

fn whole(plan: &Plan, wrong: &mut Vec<Wrong>) {
    let contract = &plan.contract;
    let parts = [
        ("intent", contract.intent.as_str()),
        ("rationale", &contract.rationale),
        ("if-reverted", &contract.if_reverted),
    ];
    let constraints = contract.constraints.iter().map(|text| ("constraints", text.as_str()));
    for (part, text) in parts.into_iter().chain(constraints) {
        if text.trim().is_empty() {
            wrong.push(Wrong::Contract { part, what: "is empty" });
        } else if text.len() > CONTRACT_BYTES_MAX {
            wrong.push(Wrong::Contract { part, what: "is too long" });
        }
    }
    if contract.constraints.is_empty() {
        wrong.push(Wrong::Contract { part: "constraints", what: "is empty" });
    }
    if contract.context.is_empty() {
        wrong.push(Wrong::Contract { part: "context", what: "is empty" });
    } else if contract.context.len() > CONTEXT_BYTES_MAX {
        wrong.push(Wrong::Contract { part: "context", what: "is too long" });
    }
    if plan.raised.is_empty() {
        wrong.push(Wrong::NoFinding);
    }
    let digests =
        [("component", &plan.component), ("grant", &plan.grant), ("gate", &plan.gate), ("policy", &plan.policy)];
    wrong.extend(digests.into_iter().filter(|(_, text)| !is_digest(text)).map(|(name, _)| Wrong::NoDigest(name)));
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn one(step: &Step, number: usize, ground: &Constraints, wrong: &mut Vec<Wrong>) {
    let action = step.action.as_str().to_owned();
    if let Some(rule) = ground.withheld.get(&step.action) {
        wrong.push(Wrong::Never { step: number, action, rule: rule.clone() });
    } else {
        match ground.granted.get(&step.action) {
            None => wrong.push(Wrong::NotGranted { step: number, action }),
            Some(change) if *change != step.change => wrong.push(Wrong::Another { step: number, action }),
            Some(_) => {}
        }
    }
    if step.inverse != step.change.inverse() {
        wrong.push(Wrong::Inverse { step: number });
    }
    if let Err(what) = fits(step) {
        let (before, after) = (step.before.clone(), step.after.clone());
        wrong.push(Wrong::States { step: number, before, after, what });
    }
    let acts_anyway = matches!(step.change, Change::Unit { act: UnitAct::Reload | UnitAct::Restart, .. })
        || matches!(step.change, Change::RestartContainer { .. });
    if step.before == step.after && !acts_anyway {
        wrong.push(Wrong::Idle { step: number });
    }
    let object = step.change.object();
    if let Some(change) = ground.held.get(&object) {
        wrong.push(Wrong::Held { step: number, object, change: change.clone() });
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
        wrong.push(Wrong::Computed { step: number });
    }
    if step.shown.len() > SHOWN_BYTES_MAX {
        let (what, bytes) = (format!("step {number} shows"), step.shown.len() as u64);
        wrong.push(Wrong::TooLarge { what, bytes, most: SHOWN_BYTES_MAX as u64 });
    }
}

/// Whether the states are such as a change of this kind goes between.
fn fits(step: &Step) -> Result<(), &'static str> {
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
                return Err("are no states of a file that is written");
            }
            if !matches!(after, State::File { sha256, bytes, .. }
                if *sha256 == digest(text.as_bytes()) && *bytes == text.len() as u64)
            {
                return Err("is not what it writes");
            }
        }
        Change::WriteComputed { .. } if file_or_none(before) && file(after) => {}
        Change::EnsureLine { .. } if file_or_none(before) && file(after) => {}
        Change::RemoveLine { .. } if file(before) && file(after) => {}
        Change::SetAside { .. } if file(before) && *after == State::Absent => {}
        Change::WriteComputed { .. }
        | Change::EnsureLine { .. }
        | Change::RemoveLine { .. }
        | Change::SetAside { .. } => return Err("are no states of a file that is changed so"),
        Change::Unit { act, .. } => match (before, after) {
            (State::Unit { active: was, enabled: had }, State::Unit { active, enabled }) => match act {
                UnitAct::Enable if enabled == "enabled" && active == was => {}
                UnitAct::Start if active == "active" && enabled == had && was != "active" => {}
                UnitAct::Restart if active == "active" && enabled == had => {}
                // What is not running reads nothing.
                UnitAct::Reload if active == "active" && was == "active" && enabled == had => {}
                _ => return Err("is not what that does to a unit"),
            },
            _ => return Err("are no states of a unit"),
        },
        Change::RestartContainer { .. } => match (before, after) {
            (State::Container { .. }, State::Container { status }) if status == "running" => {}
            _ => return Err("are no states of a container that is restarted"),
        },
        Change::Command { .. } => match (before, after) {
            (State::Command { done: false }, State::Command { done: true }) => {}
            _ => return Err("are not undone and done"),
        },
    }
    if same_owner(before, after) { Ok(()) } else { Err("changes owner or mode") }
}

/// True if an object is back where it was, as far as that can be: a unit that had failed is stopped, not failed, after it was
/// started and stopped; what was only made to read again is as well after as before.
#[must_use]
pub fn is_back(step: &Step, now: &State) -> bool {
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
