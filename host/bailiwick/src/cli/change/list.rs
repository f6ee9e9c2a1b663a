//! The list that the gate of a target should have.

use bailiwick_core::fleet::Access;
use bailiwick_core::model::TargetName;
use bailiwick_policy::gate::{Paths, current_script};
use bailiwick_policy::ops::Ops;

/// Its digest; none if the target has no gate, or no list can be made.
pub(super) fn digest(ops: &Ops, target: &TargetName) -> Option<String> {
    let target = ops.fleet.targets.get(target)?;
    let Access::Ssh(ssh) = &target.access else { return None };
    let script = current_script(ops, target, ssh.user.as_str(), target.gate()?, &Paths::default());
    script.ok().map(|(script, _)| script.list)
}
