//! Landlock, and what `prctl` and `capset` take away.
//!
//! Each function says whether its measure holds now; a kernel without it is not an error here.

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

/// Its memory and descriptors are not for others of its user; no core. And it does not outlive the broker's thread that
/// started it, should its guest hold on when the socket closes.
pub(super) fn undumpable() -> bool {
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok()
}

/// Root without capabilities is a user like others, whom root's files belong to: Landlock has those.
pub(super) fn no_capabilities() -> bool {
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none }).is_ok()
}

/// Allows nothing of all that this kernel's Landlock knows: every access to a file, every TCP port, signals and abstract
/// sockets out of the process. The ABI, if it holds.
pub(super) fn landlock() -> Option<u32> {
    // The newest that the crate knows; of that, best effort.
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
