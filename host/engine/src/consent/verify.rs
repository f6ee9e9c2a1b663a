//! The lock held against what is there today: every digest, import and grant computed again.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use super::admit;
use bailiwick_core::model::{ComponentId, TargetName};
use bailiwick_policy::lock::{Lock, LockState, Record, Refusal};
use bailiwick_policy::ops::Ops;
use bailiwick_sandbox::imports::on_one_line;

/// What there is to say of a lock.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// `bailiwick.lock-verify/1`.
    pub format: &'static str,
    /// Why the lock accepts nothing, if it does not.
    pub unusable: Option<String>,
    /// Every component that is in the folder or in the lock.
    pub components: Vec<Row>,
    /// Digests that must not come back.
    pub revoked: Vec<Gone>,
}

/// One component.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Its id.
    pub component: ComponentId,
    /// The accepted version; none if nothing is accepted.
    pub version: Option<String>,
    /// Who accepted it, when, why.
    pub accepted: Option<Said>,
    /// Why it runs nowhere; none if it is what was accepted.
    pub refused: Option<String>,
    /// Where policy puts it.
    pub targets: Vec<OnTarget>,
}

/// One component on one target.
#[derive(Debug, Serialize)]
pub struct OnTarget {
    /// The target.
    pub target: TargetName,
    /// How many actions it has today.
    pub actions: usize,
    /// Why it does not run there; none if it does.
    pub refused: Option<String>,
}

/// A revoked digest.
#[derive(Debug, Serialize)]
pub struct Gone {
    /// In hex.
    pub digest: String,
    /// What it was, if that is known: `disk 1.0.0`.
    pub component: Option<String>,
    /// By whom, when, why.
    pub revoked: Said,
}

/// Who, when and why.
#[derive(Debug, Serialize)]
pub struct Said {
    /// `alice (uid 1000)`.
    pub who: String,
    /// UTC.
    pub when: String,
    /// Their words.
    pub why: String,
}

impl From<&Record> for Said {
    fn from(record: &Record) -> Self {
        Self { who: record.who.clone(), when: record.when.to_string(), why: record.why.clone() }
    }
}

impl Verified {
    /// True if everything is as it was accepted.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        let fine = |row: &Row| row.refused.is_none() && row.targets.iter().all(|target| target.refused.is_none());
        self.unusable.is_none() && self.components.iter().all(fine)
    }
}

/// Computes everything again.
#[must_use]
pub fn verify(ops: &Ops, lock_state: &LockState, now: Timestamp) -> Verified {
    let empty = Lock::default();
    let (lock, unusable) = match lock_state {
        LockState::Missing => (&empty, None),
        LockState::Valid(lock) => (&**lock, None),
        LockState::Invalid(unusable) => (&empty, Some(on_one_line(unusable))),
    };
    let there = ops.library.components().keys().filter(|id| !ops.library.is_built_in(id.as_str()));
    let ids: BTreeSet<_> = there.chain(lock.components.keys()).collect();
    let gone = |(digest, revoked): (&String, &bailiwick_policy::lock::Revoked)| Gone {
        digest: digest.clone(),
        component: revoked.component.as_ref().map(|(id, version)| format!("{id} {version}")),
        revoked: Said::from(&revoked.record),
    };
    Verified {
        format: "bailiwick.lock-verify/1",
        unusable,
        components: ids.into_iter().map(|id| row(ops, lock_state, id, now)).collect(),
        revoked: lock.revoked.iter().map(gone).collect(),
    }
}

fn row(ops: &Ops, lock_state: &LockState, id: &ComponentId, now: Timestamp) -> Row {
    let accepted = lock_state.accepted(id);
    let assigned = ops.assignments.iter().filter(|(_, components)| components.contains_key(id));
    let targets = assigned.filter_map(|(target, _)| {
        let grant = ops.grant(id, target)?;
        let refused = match lock_state.allows(&ops.library, &grant) {
            Err(refusal @ Refusal::Grant { .. }) => Some(on_one_line(&refusal)),
            // What holds everywhere is said once.
            _ => None,
        };
        Some(OnTarget { target: target.clone(), actions: grant.entries().count(), refused })
    });
    Row {
        component: id.clone(),
        version: accepted.map(|accepted| accepted.facts.version.to_string()),
        accepted: accepted.map(|accepted| Said::from(&accepted.record)),
        refused: admit(ops, lock_state, id, now).err(),
        targets: targets.collect(),
    }
}
