//! Computes the list of a target's gate from everything that is granted there.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::{Entry, EntryError, EntryKind, Limits, Paths, Script, script};
use crate::grant::Grant;
use crate::ops::Ops;
use bailiwick_core::fleet::{Gate, Target};
use bailiwick_core::model::{Action, Wire};
use bailiwick_core::verbs;

/// The combined grants of a target.
#[derive(Debug, Clone)]
pub struct GateList {
    /// Each action once, even if several components ask for it.
    pub entries: Vec<Entry>,
    /// The addresses that the target's sshd may connect to.
    pub connects: Vec<SocketAddr>,
}

/// The union of the grants of all components on a target.
#[must_use]
pub fn listed(ops: &Ops, target: &Target) -> GateList {
    let components = ops.library.components().keys();
    of_grants(components.filter_map(|component| ops.grant(component, &target.name)))
}

/// The same for these grants.
#[must_use]
pub fn of_grants(grants: impl IntoIterator<Item = Grant>) -> GateList {
    let (mut entries, mut connects) = (BTreeMap::new(), Vec::new());
    for grant in grants {
        for granted in grant.entries() {
            match entry(&granted.action) {
                Some(entry) => drop(entries.insert(entry.id.clone(), entry)),
                None => {
                    if let Wire::Connect { address, .. } = &granted.action.wire {
                        connects.push(*address);
                    }
                }
            }
        }
    }
    connects.sort_unstable();
    connects.dedup();
    GateList { entries: entries.into_values().collect(), connects }
}

/// The entry of an action. None for an action that no gate runs.
fn entry(action: &Action) -> Option<Entry> {
    let spec = verbs::spec(action.verb);
    let kind = match &action.wire {
        Wire::Gated(inner) => EntryKind::Read((**inner).clone()),
        Wire::Change(change) => EntryKind::Change(change.clone()),
        Wire::Exec(_) | Wire::Fed { .. } | Wire::Connect { .. } | Wire::Read(_) => return None,
    };
    // The script counts in whole seconds, at least one.
    let seconds = spec.timeout.as_secs().max(1);
    Some(Entry { id: action.id.as_str().to_owned(), kind, seconds, bytes_max: spec.bytes_max })
}

/// The gate's script for a target, from the current grants.
///
/// # Errors
/// When an action cannot be in a list.
pub fn current_script(
    ops: &Ops,
    target: &Target,
    user: &str,
    gate: &Gate,
    paths: &Paths,
) -> Result<(Script, GateList), EntryError> {
    let listed = listed(ops, target);
    let users = [user, gate.user.as_str()];
    let script = script(target.name.as_str(), users, &listed.entries, paths, &limits(ops, target))?;
    Ok((script, listed))
}

/// The limits that the target enforces by its own count. They hold even if the controller's journal is lost.
#[must_use]
pub fn limits(ops: &Ops, target: &Target) -> Limits {
    let rules = &ops.policy.change;
    let (per_day, hours) = rules.counted_by_gate(target);
    Limits {
        per_day,
        between_s: hours.saturating_mul(3600),
        dead_man_max_s: rules.dead_man_seconds,
        ..Limits::default()
    }
}
