//! The parts of WASI that a component may ask for. All are inert: they answer, and reach nothing outside.

use std::fmt;

use serde::Serialize;

/// A package of WASI whose functions reach neither this machine nor a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WasiGroup {
    /// `wasi:cli`.
    Cli,
    /// `wasi:clocks`.
    Clocks,
    /// `wasi:io`.
    Io,
    /// `wasi:random`.
    Random,
}

impl WasiGroup {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Cli, Self::Clocks, Self::Io, Self::Random];

    /// Its name in a manifest, and after `wasi:` in a component.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Clocks => "clocks",
            Self::Io => "io",
            Self::Random => "random",
        }
    }

    /// A description of what a component gets.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Cli => "no arguments, no environment, closed input, output to nowhere",
            Self::Clocks => "fixed at the run's begin",
            Self::Io => "streams without end or beginning",
            Self::Random => "seeded, the same for the same run",
        }
    }

    /// The group with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|group| group.name() == name)
    }
}

impl fmt::Display for WasiGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
