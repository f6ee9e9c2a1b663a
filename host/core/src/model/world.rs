//! The two kinds of components: their worlds, and the functions that they export.

use serde::{Deserialize, Serialize};

/// The world that a component is built for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum World {
    /// It observes, and cannot name a verb that changes anything.
    #[default]
    Probe,
    /// It observes, and proposes changes.
    Fix,
}

impl World {
    /// Both worlds.
    pub const ALL: &'static [Self] = &[Self::Probe, Self::Fix];

    /// Its name in the contract.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Fix => "fix",
        }
    }

    /// Its name in manifests, with package and version.
    #[must_use]
    pub const fn full_name(self) -> &'static str {
        match self {
            Self::Probe => "bailiwick:ops/probe@0.1.0",
            Self::Fix => "bailiwick:ops/fix@0.1.0",
        }
    }

    /// The functions that its components export. They export nothing else.
    #[must_use]
    pub const fn exports(self) -> &'static [&'static str] {
        match self {
            Self::Probe => &["examine"],
            Self::Fix => &["plan", "verify"],
        }
    }
}

impl std::fmt::Display for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
