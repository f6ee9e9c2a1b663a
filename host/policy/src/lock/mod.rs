//! `bailiwick.lock`: which components a person has agreed to, what each may ask for on which target, who agreed, and why.
//!
//! Knows: the file, and how the current components compare with what was accepted. Must not know: how a component is read
//! (`sandbox`), how a person is asked (`consent`, `cli`). Attacks answered: a component that is swapped (LK07), that comes back
//! as another version or as another author's (LK09, LK14, LK18), a policy that grants more than was accepted.
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
/// The format that the file names. Another number is another format.
pub const FORMAT: &str = "bailiwick.lock/1";

/// The finite list of one component on one target, as ids of actions. The program decides the wire form of an id.
pub type Actions = BTreeSet<String>;

/// What people have accepted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lock {
    /// The accepted components.
    pub components: BTreeMap<ComponentId, Component>,
    /// Digests that stay blocked, in hex.
    pub revoked: BTreeMap<String, Revoked>,
}

/// One accepted component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Its version, digest, imports and limits.
    pub facts: Facts,
    /// The digest of the review that was accepted, as `--accept` takes it.
    pub grant_digest: String,
    /// Who accepted these bytes, when and why.
    pub record: Record,
    /// What was accepted on each target.
    pub grants: BTreeMap<TargetName, Accepted>,
}

/// Facts about a component that do not depend on policy's grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// From its manifest. A lower version than the accepted one is refused until the accepted one is revoked.
    pub version: Version,
    /// SHA-256 of its bytes, in hex.
    pub digest: String,
    /// SHA-256 in hex of the manifest beside it. None if the manifest is sealed into the component.
    pub manifest: Option<String>,
    /// Who signed it, if the signature was checked.
    pub signer: Option<String>,
    /// Every import, down to the function.
    pub imports: BTreeSet<String>,
    /// Limits that policy raises for it.
    pub limits: BTreeMap<String, u64>,
}

/// What was accepted on one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The accepted actions.
    pub actions: Actions,
    /// Who accepted them, when and why.
    pub record: Record,
}

/// Who, when and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// The user: `alice (uid 1000)`.
    pub who: String,
    /// By the clock of the machine where it was written.
    pub when: Timestamp,
    /// The user's reason, or a default one.
    pub why: String,
}

/// A digest that stays blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// The component with this digest, if it had been accepted or held here.
    pub component: Option<(ComponentId, Version)>,
    /// Who revoked it, when and why.
    pub record: Record,
}

/// The ids of a grant's actions.
#[must_use]
pub fn actions(grant: &Grant) -> Actions {
    grant.entries().map(|granted| granted.action.id.as_str().to_owned()).collect()
}
