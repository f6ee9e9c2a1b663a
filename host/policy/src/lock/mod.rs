//! `bailiwick.lock`: which components a person has agreed to, what each may ask for on which target, who agreed, and why.
//!
//! Knows: the file, and how what is there today compares with what was accepted. Must not know: how a component is read
//! (`sandbox`), how anybody is asked (`consent`, `cli`). Attacks answered: a component that is swapped (LK07), that comes
//! back as another version or somebody else's (LK09, LK14, LK18), a policy that gives more than was agreed to.
//!
//! **Invariant:** nothing from `components/` runs unless this file says so, byte for byte, and its grant on that target is
//! a subset of what was accepted there. A file that is missing, unreadable or edited accepts nothing.

mod compare;
mod parse;
mod state;
pub mod store;
mod version;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::grant::Grant;
use bailiwick_core::model::{ComponentId, TargetName};

pub use compare::{Difference, compare};
pub use parse::{LockError, parse};
pub use state::{LockState, Refusal};
pub use version::{Version, VersionError};
pub use write::render;

/// The file's name in an ops directory.
pub const FILE: &str = "bailiwick.lock";
/// What it says of itself. Another number is another format.
pub const FORMAT: &str = "bailiwick.lock/1";

/// The finite list of one component on one target: ids of actions. What an id says to a target is the program's own.
pub type Actions = BTreeSet<String>;

/// Who may do what, by the consent of people.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lock {
    /// What is accepted.
    pub components: BTreeMap<ComponentId, Component>,
    /// Digests that must not come back, in hex.
    pub revoked: BTreeMap<String, Revoked>,
}

/// One accepted component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// What it is.
    pub facts: Facts,
    /// The digest of the question that was answered: what `--accept` takes.
    pub grant_digest: String,
    /// Who accepted these bytes.
    pub record: Record,
    /// What was accepted on each target.
    pub grants: BTreeMap<TargetName, Accepted>,
}

/// What a component is, apart from what policy gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// From its manifest. The accepted one is the highest: a lower one is not taken until it is revoked.
    pub version: Version,
    /// SHA-256 of its bytes, in hex.
    pub digest: String,
    /// SHA-256 of the manifest beside it, in hex; none if the manifest is part of the bytes.
    pub manifest: Option<String>,
    /// Who signed it, if that was checked.
    pub signer: Option<String>,
    /// Every import, down to the function.
    pub imports: BTreeSet<String>,
    /// Limits that policy raises for it.
    pub limits: BTreeMap<String, u64>,
}

/// What was accepted on one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The list.
    pub actions: Actions,
    /// Who accepted it.
    pub record: Record,
}

/// Who, when and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// `alice (uid 1000)`.
    pub who: String,
    /// By the clock of the machine where it was written.
    pub when: Timestamp,
    /// In their words, or the program's.
    pub why: String,
}

/// A digest that must not come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// What it was, if it had been accepted or held here.
    pub component: Option<(ComponentId, Version)>,
    /// Who revoked it.
    pub record: Record,
}

/// The list of a grant.
#[must_use]
pub fn actions(grant: &Grant) -> Actions {
    grant.entries().map(|granted| granted.action.id.as_str().to_owned()).collect()
}
