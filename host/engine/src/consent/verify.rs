//! Compares the lock with today's components and grants: every digest, import and grant is computed again.
//!
//! Knows: ops directory and lock. Must not know: how the result is shown.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use super::admit;
use bailiwick_core::model::{ComponentId, TargetName};
use bailiwick_policy::lock::{Lock, LockState, Record, Refusal};
use bailiwick_policy::ops::Ops;
use bailiwick_sandbox::imports::on_one_line;

/// The result for a lock.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// `bailiwick.lock-verify/1`.
    pub format: &'static str,
    /// Why the lock cannot be used, if it cannot.
    pub unusable: Option<String>,
    /// Every component in the folder or in the lock.
    pub components: Vec<Row>,
    /// The revoked digests.
    pub revoked: Vec<Gone>,
}

/// One component.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Its id.
    pub component: ComponentId,
    /// The accepted version, if there is one.
    pub version: Option<String>,
    /// Who accepted it, when, why.
    pub accepted: Option<Statement>,
    /// Why it may not run on any target. None if it is what was accepted.
    pub refused: Option<String>,
    /// The targets that policy grants it.
    pub targets: Vec<OnTarget>,
}

/// One component on one target.
#[derive(Debug, Serialize)]
pub struct OnTarget {
    /// The target.
    pub target: TargetName,
    /// The number of its actions today.
    pub actions: usize,
    /// Why it may not run there. None if it may.
    pub refused: Option<String>,
}

/// A revoked digest.
#[derive(Debug, Serialize)]
pub struct Gone {
    /// In hex.
    pub digest: String,
    /// The component, if known: `disk 1.0.0`.
    pub component: Option<String>,
    /// By whom, when, why.
    pub revoked: Statement,
}

/// Who, when and why.
#[derive(Debug, Serialize)]
pub struct Statement {
    /// `alice (uid 1000)`.
    pub who: String,
    /// UTC.
    pub when: String,
    /// The reason.
    pub why: String,
}

impl From<&Record> for Statement {
    fn from(record: &Record) -> Self {
        Self { who: record.who.clone(), when: record.when.to_string(), why: record.why.clone() }
    }
}

impl Verified {
    /// True if every component is as it was accepted.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        let fine = |row: &Row| row.refused.is_none() && row.targets.iter().all(|target| target.refused.is_none());
        self.unusable.is_none() && self.components.iter().all(fine)
    }
}

/// Compares a lock with today's state.
#[must_use]
pub fn verify(ops: &Ops, lock_state: &LockState, now: Timestamp) -> Verified {
    let empty = Lock::default();
    let (lock, unusable) = match lock_state {
        LockState::Missing => (&empty, None),
        LockState::Valid(lock) => (&**lock, None),
        LockState::Invalid(unusable) => (&empty, Some(on_one_line(unusable))),
    };
    let installed = ops.library.components().keys().filter(|id| !ops.library.is_built_in(id.as_str()));
    let ids: BTreeSet<_> = installed.chain(lock.components.keys()).collect();
    let gone = |(digest, revoked): (&String, &bailiwick_policy::lock::Revoked)| Gone {
        digest: digest.clone(),
        component: revoked.component.as_ref().map(|(id, version)| format!("{id} {version}")),
        revoked: Statement::from(&revoked.record),
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
            // A refusal for every target is reported once, for the component.
            _ => None,
        };
        Some(OnTarget { target: target.clone(), actions: grant.entries().count(), refused })
    });
    Row {
        component: id.clone(),
        version: accepted.map(|accepted| accepted.facts.version.to_string()),
        accepted: accepted.map(|accepted| Statement::from(&accepted.record)),
        refused: admit(ops, lock_state, id, now).err(),
        targets: targets.collect(),
    }
}
