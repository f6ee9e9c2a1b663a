//! The decision of a fix, and the phase in which it may ask for a change.

use serde::{Deserialize, Serialize};

use super::Tainted;

/// The phase of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// A probe checks.
    #[default]
    Examine,
    /// A fix checks and proposes. The only phase in which a changing verb is accepted.
    Plan,
    /// A fix checks whether its change had the desired effect.
    Verify,
}

impl Phase {
    /// The function that is called.
    #[must_use]
    pub const fn export(self) -> &'static str {
        match self {
            Self::Examine => "examine",
            Self::Plan => "plan",
            Self::Verify => "verify",
        }
    }
}

/// Why a change was not put on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum StageError {
    /// Not in the grant, or with other bytes, or the object is already on the list.
    #[error("refused")]
    Refused,
    /// Not in this phase.
    #[error("only `plan` may propose a change")]
    WrongPhase,
    /// Too many, or too large.
    #[error("the list is full, or the bytes are too many")]
    Exhausted,
}

/// The result of `plan`. All text comes from the component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Proposes the changes on the list.
    Propose {
        /// What it observed.
        context: Tainted,
        /// The calls that are its evidence.
        evidence: Vec<u32>,
    },
    /// Everything is as it should be.
    NothingToDo {
        /// The component's reason.
        why: Tainted,
    },
    /// Another person or program has to act.
    Refuse {
        /// Why a change here would not help, or do harm.
        reason: Tainted,
        /// Who has to act.
        owner: Tainted,
        /// The calls that are its evidence.
        evidence: Vec<u32>,
    },
}

impl Decision {
    /// The calls that are its evidence.
    #[must_use]
    pub fn evidence(&self) -> &[u32] {
        match self {
            Self::Propose { evidence, .. } | Self::Refuse { evidence, .. } => evidence,
            Self::NothingToDo { .. } => &[],
        }
    }

    /// Its texts, each of which is one line.
    #[must_use]
    pub fn texts(&self) -> Vec<&Tainted> {
        match self {
            Self::Propose { context, .. } => vec![context],
            Self::NothingToDo { why } => vec![why],
            Self::Refuse { reason, owner, .. } => vec![reason, owner],
        }
    }
}
