//! The measures with Landlock, `prctl` and `capset`.
//!
//! Each function returns whether its measure applies now. A kernel without the measure is not an error here.

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, RestrictionStatus, Ruleset, RulesetAttr, RulesetError,
    RulesetStatus, Scope,
};
use rustix::process::{DumpableBehavior, Signal, set_dumpable_behavior, set_parent_process_death_signal};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};

/// No program gives it more privileges. Seccomp and Landlock require this.
pub(super) fn no_new_privs() -> bool {
    set_no_new_privs(true).is_ok()
}

/// Other processes of the same user cannot access its memory and descriptors, and it leaves no core dump. It is also killed
/// when the broker's thread that started it ends, in case its guest continues after the socket is closed.
pub(super) fn undumpable() -> bool {
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok()
}

/// Root without capabilities is an ordinary user that owns root's files, which Landlock protects.
pub(super) fn no_capabilities() -> bool {
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none }).is_ok()
}

/// Forbids everything that this kernel's Landlock supports: every access to a file, every TCP port, signals and abstract
/// sockets out of the process. Returns the ABI version if it applies.
pub(super) fn landlock() -> Option<u32> {
    // The newest ABI that the crate supports, applied as far as the kernel supports it.
    const NEWEST: ABI = ABI::V9;
    let restrict = || -> Result<RestrictionStatus, RulesetError> {
        Ruleset::default()
            .handle_access(AccessFs::from_all(NEWEST))?
            .handle_access(AccessNet::from_all(NEWEST))?
            .scope(Scope::from_all(NEWEST))?
            .create()?
            .restrict_self()
    };
    let status = restrict().ok()?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => None,
        (_, LandlockStatus::Available { effective_abi, .. }) => Some(effective_abi as u32),
        _ => None,
    }
}
