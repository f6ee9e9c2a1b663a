//! What a worker process has given up, by its own word.
//!
//! Knows: names of measures. Must not know: how they are taken. Nothing is decided on it but whether to warn or to refuse:
//! a worker that lies here has been taken over already, and every call of it is looked up all the same.

use serde::{Deserialize, Serialize};

/// Measures that hold for a process and all its threads to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Lockdown {
    /// Landlock: no file, no TCP port, no signal or abstract socket out of the process. The kernel's ABI, which says how
    /// much of that it knows.
    pub landlock: Option<u32>,
    /// Only the system calls on a list of ours.
    pub seccomp: bool,
    /// No program that it starts has more rights than it has.
    pub no_new_privs: bool,
    /// Nobody of the same user may read its memory; it leaves no core.
    pub undumpable: bool,
    /// No capabilities, whichever user runs it.
    pub no_capabilities: bool,
    /// Resource limits.
    pub rlimits: bool,
}

impl Lockdown {
    /// What does not hold, in words; empty: all does.
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

    /// True if every measure holds.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.lacking().is_empty()
    }

    /// What holds in both of two.
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
