//! The privileges that a worker process reports to have given up.
//!
//! Knows: names of measures. Must not know: how they are applied. The report decides only whether to warn or to refuse: a
//! worker that lies about it has been taken over already, and its grant still limits every call.

use serde::{Deserialize, Serialize};

/// Measures that apply to a process and all its future threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Lockdown {
    /// Landlock: no file, no TCP port, no signal or abstract socket out of the process. The value is the kernel's ABI version,
    /// which decides how many of these it supports.
    pub landlock: Option<u32>,
    /// Only the system calls on Bailiwick's list.
    pub seccomp: bool,
    /// No program that it starts has more rights than it has.
    pub no_new_privs: bool,
    /// No other process of the same user can read its memory, and it leaves no core dump.
    pub undumpable: bool,
    /// No capabilities, whichever user started it.
    pub no_capabilities: bool,
    /// Resource limits.
    pub rlimits: bool,
}

impl Lockdown {
    /// The measures that are missing, in words. Empty if all apply.
    #[must_use]
    pub fn lacking(&self) -> Vec<&'static str> {
        let measures = [
            (self.landlock.is_some(), "Landlock"),
            (self.seccomp, "seccomp"),
            (self.no_new_privs, "no_new_privs"),
            (self.undumpable, "undumpable memory"),
            (self.no_capabilities, "dropped capabilities"),
            (self.rlimits, "resource limits"),
        ];
        measures.into_iter().filter_map(|(holds, name)| (!holds).then_some(name)).collect()
    }

    /// True if every measure applies.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.lacking().is_empty()
    }

    /// The measures that both have.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            landlock: self.landlock.zip(other.landlock).map(|(a, b)| a.min(b)),
            seccomp: self.seccomp && other.seccomp,
            no_new_privs: self.no_new_privs && other.no_new_privs,
            undumpable: self.undumpable && other.undumpable,
            no_capabilities: self.no_capabilities && other.no_capabilities,
            rlimits: self.rlimits && other.rlimits,
        }
    }
}

impl Lockdown {
    /// Every measure.
    pub const ALL: Self = Self {
        landlock: Some(7),
        seccomp: true,
        no_new_privs: true,
        undumpable: true,
        no_capabilities: true,
        rlimits: true,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_is_named() {
        let all = Lockdown::ALL;
        assert!(all.complete());
        let old = Lockdown { landlock: None, seccomp: false, ..all };
        assert_eq!(old.lacking(), ["Landlock", "seccomp"]);
        assert_eq!(all.and(old), old);
        assert_eq!(all.and(Lockdown { landlock: Some(4), ..all }).landlock, Some(4));
        assert_eq!(Lockdown::default().lacking().len(), 6);
    }
}
