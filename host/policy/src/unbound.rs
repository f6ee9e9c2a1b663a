//! Slots that no line of policy fills, so that a component gets no action through them. Only a slot with `many = true` can be one:
//! without a binding of any other slot the policy is invalid.
//!
//! Knows: policy and manifests. Must not know: how it is printed. Attack answered: none; the operator's own omission, which would pass
//! for a check.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::ops::Ops;
use bailiwick_core::model::{ComponentId, SlotName, TargetName};

/// A slot without a binding, and what to write.
#[derive(Debug, Clone, Serialize)]
pub struct Unbound {
    /// The component.
    pub component: ComponentId,
    /// Its slot.
    pub slot: SlotName,
    /// The targets on which the slot has no binding.
    pub targets: Vec<TargetName>,
    /// The line of the grant: `policy.toml:2`.
    pub policy: String,
    /// A line for the grant, such as `bind.files = ["/etc/hostname"]`.
    pub add: String,
}

impl fmt::Display for Unbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: slot {} has no bind ({})", self.component, self.slot, self.policy)
    }
}

/// The slots without a binding, of the targets and components that are asked for.
#[must_use]
pub fn unbound(
    ops: &Ops,
    is_target: impl Fn(&TargetName) -> bool,
    is_component: impl Fn(&ComponentId) -> bool,
) -> Vec<Unbound> {
    let mut slots: BTreeMap<(ComponentId, SlotName, String), Unbound> = BTreeMap::new();
    for (target, assigned) in ops.assignments.iter().filter(|(target, _)| is_target(target)) {
        for (id, assignment) in assigned.iter().filter(|(id, _)| is_component(id)) {
            let Some(manifest) = ops.library.manifest(id.as_str()) else { continue };
            let unfilled = manifest.slots.iter().filter(|(name, _)| !assignment.slots.contains_key(*name));
            for (name, slot) in unfilled {
                let policy = assignment.place.to_string();
                let unbound = slots.entry((id.clone(), name.clone(), policy.clone())).or_insert_with(|| Unbound {
                    component: id.clone(),
                    slot: name.clone(),
                    targets: Vec::new(),
                    policy,
                    add: format!("bind.{name} = [\"{}\"]", slot.object.example()),
                });
                unbound.targets.push(target.clone());
            }
        }
    }
    slots.into_values().collect()
}
