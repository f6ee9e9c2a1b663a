//! A target's gate, out of everything that is granted there.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::{Entry, EntryError, EntryKind, Limits, Paths, Script, script};
use crate::grant::Grant;
use crate::ops::Ops;
use bailiwick_core::fleet::{Gate, Target};
use bailiwick_core::model::{Action, Wire};
use bailiwick_core::verbs;

/// What a target's grants come to.
#[derive(Debug, Clone)]
pub struct GateList {
    /// Each action once, whoever asks for it.
    pub entries: Vec<Entry>,
    /// What the target's sshd is to connect to.
    pub connects: Vec<SocketAddr>,
}

/// Everything that the grants of a target's components list.
#[must_use]
pub fn listed(ops: &Ops, target: &Target) -> GateList {
    let components = ops.library.components().keys();
    of_grants(components.filter_map(|component| ops.grant(component, &target.name)))
}

/// The same of these grants.
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

/// The line of an action; none for what no gate runs.
fn entry(action: &Action) -> Option<Entry> {
    let spec = verbs::spec(action.verb);
    let kind = match &action.wire {
        Wire::Gated(inner) => EntryKind::Read((**inner).clone()),
        Wire::Change(change) => EntryKind::Change(change.clone()),
        Wire::Exec(_) | Wire::Fed { .. } | Wire::Connect { .. } | Wire::Read(_) => return None,
    };
    // Whole seconds, rounded up: what the script counts in.
    let seconds = spec.timeout.as_secs().max(1);
    Some(Entry { id: action.id.as_str().to_owned(), kind, seconds, bytes_max: spec.bytes_max })
}

/// The gate of a target today.
///
/// # Errors
/// When an action cannot stand in a list.
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

/// What the target counts for itself: policy's numbers, which a lost journal does not forget there.
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
