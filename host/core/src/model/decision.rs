//! What a fix says when it has looked, and in which part of its work it may ask for a change.

use serde::{Deserialize, Serialize};

use super::Tainted;

/// The part of a component's work that a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// A probe looks.
    #[default]
    Examine,
    /// A fix looks and proposes. The only part in which a changing verb is taken.
    Plan,
    /// A fix looks whether all is as it wants it.
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
    /// Not in the grant, or not such bytes, or the object is on the list already.
    #[error("refused")]
    Refused,
    /// Not in this part of its work.
    #[error("only `plan` may propose a change")]
    WrongPhase,
    /// Too many, or too large.
    #[error("the list is full, or the bytes are too many")]
    Exhausted,
}

/// What `plan` came to. All text is the component's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// To do what it put on the list.
    Propose {
        /// What it saw.
        context: Tainted,
        /// The calls that it rests on.
        evidence: Vec<u32>,
    },
    /// All is as it should be.
    NothingToDo {
        /// In its words.
        why: Tainted,
    },
    /// Another person or program has to do it.
    Refuse {
        /// Why a change here would not help, or do harm.
        reason: Tainted,
        /// Whose fix it is.
        owner: Tainted,
        /// The calls that it rests on.
        evidence: Vec<u32>,
    },
}

impl Decision {
    /// The calls that it rests on.
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
