//! The list that a target's gate should have.

use bailiwick::gate::{Entry, Limits, Paths, Runs, script};
use bailiwick::model::{TargetName, Wire};
use bailiwick::ops::Ops;
use bailiwick::verbs::spec;

/// Its digest; none where there is no gate, or none can be made.
pub(super) fn digest(ops: &Ops, target: &TargetName) -> Option<String> {
    ops.fleet.targets.get(target)?.gate()?;
    let mut entries = Vec::new();
    for id in ops.assignments.get(target)?.keys() {
        let Some(grant) = ops.grant(id, target) else { continue };
        for granted in grant.entries() {
            let action = &granted.action;
            let runs = match &action.wire {
                Wire::Change(change) => Runs::Change(change.clone()),
                Wire::Gated(wire) => Runs::Read(wire.as_ref().clone()),
                _ => continue,
            };
            let spec = spec(action.verb);
            let (id, seconds, bytes_max) = (action.id.as_str().to_owned(), spec.timeout.as_secs(), spec.bytes_max);
            entries.push(Entry { id, runs, seconds, bytes_max });
        }
    }
    script(target.as_str(), &entries, &Paths::default(), &Limits::default()).ok().map(|script| script.list)
}
