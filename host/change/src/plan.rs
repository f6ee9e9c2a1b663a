//! A plan: immutable, canonical, addressed by its digest. What a person approves is these bytes.
//!
//! Knows: what a plan contains, and its bytes. Must not know: how it is applied.
//! **Invariant:** a plan is the bytes whose digest was approved; nothing in it is computed again later (PH07). The state that it has
//! for an object before the change is compared with the object again, right before the change.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use bailiwick_core::model::{ActionId, Change, ComponentId, Inverse, State, Tainted, TargetName};

/// The format of a plan's file.
pub const FORMAT: &str = "bailiwick.plan/1";

/// What one fix will do on one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Plan {
    /// [`FORMAT`].
    pub format: String,
    /// When it was made, by the controller's clock.
    pub made: Timestamp,
    /// The fix.
    pub fix: ComponentId,
    /// From its manifest.
    pub version: String,
    /// SHA-256 of its bytes.
    pub component: String,
    /// The target.
    pub target: TargetName,
    /// The target's pinned host key, as in `fleet.toml`.
    pub host_key: String,
    /// Digest of the grant.
    pub grant: String,
    /// Digest of the list of the installed gate.
    pub gate: String,
    /// Digest over the ops directory's files.
    pub policy: String,
    /// The run that planned it: its number in the journal.
    pub run: u64,
    /// The reasons.
    pub contract: Contract,
    /// The findings that it answers.
    pub raised: Vec<Raised>,
    /// The steps, in the order in which they are done.
    pub steps: Vec<Step>,
    /// What must be proved before the change counts as done.
    pub proof: Vec<Proof>,
}

/// What the change does, and why it does so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Contract {
    /// What the fix observed, in its own words.
    pub context: Tainted,
    /// What the change must achieve.
    pub intent: String,
    /// Why it is done this way.
    pub rationale: String,
    /// What breaks if it is rolled back.
    pub if_reverted: String,
    /// The constraints on it.
    pub constraints: Vec<String>,
}

/// A finding that a plan answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Raised {
    /// The probe.
    pub probe: ComponentId,
    /// The finding's code, which must be gone afterwards.
    pub code: String,
}

/// One change to one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Step {
    /// The action, by its id in the grant and in the gate's list.
    pub action: ActionId,
    /// The change.
    pub change: Change,
    /// The state of the object when the plan was made, which must still hold.
    pub before: State,
    /// The state of the object afterwards.
    pub after: State,
    /// How the step is undone.
    pub inverse: Inverse,
    /// SHA-256 of bytes that the fix has computed. They are in a file of this name beside the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computed: Option<String>,
    /// How a person sees it: a unified diff, or a sentence. Secrets are removed.
    pub shown: Tainted,
}

/// What a class of change must prove (the table of the trust filters).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// The state of each object before and after, as the target's gate reports it.
    BeforeAfter,
    /// The change works: the fix's own `verify`, and the probe that raised the finding.
    LiveStatus,
    /// A rollback is possible: the target keeps the former state, with the command that restores it.
    RollbackArtefact,
    /// Nothing else got worse: the probes of every changed object.
    Unharmed,
}

/// Why bytes are not a plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// They are not the JSON of a plan.
    #[error("not a plan: {0}")]
    Syntax(String),
    /// They are in another format.
    #[error("the plan has the format `{0}`, and this program reads `{FORMAT}` only")]
    Format(String),
    /// They are the same plan in other bytes.
    #[error("the plan is not in its canonical form, so its digest differs")]
    NotCanonical,
}

impl Plan {
    /// The bytes: JSON, fields in this file's order, no spaces, one newline at the end.
    ///
    /// # Errors
    /// Never, in practice: every field is text or a number.
    pub fn bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a plan from its bytes, with their digest.
    ///
    /// # Errors
    /// When they are not exactly the bytes that [`Self::bytes`] writes for this plan.
    pub fn read(bytes: &[u8]) -> Result<(Self, String), PlanError> {
        let plan: Self = serde_json::from_slice(bytes).map_err(|error| PlanError::Syntax(error.to_string()))?;
        if plan.format != FORMAT {
            return Err(PlanError::Format(plan.format.escape_debug().to_string()));
        }
        match plan.bytes() {
            Ok(own) if own == bytes => Ok((plan, digest(bytes))),
            _ => Err(PlanError::NotCanonical),
        }
    }

    /// The objects that no other change may touch meanwhile.
    pub fn objects(&self) -> impl Iterator<Item = String> {
        self.steps.iter().map(|step| step.change.object())
    }

    /// True if the plan writes bytes that were computed by the fix and not reviewed: then an approver must sign this plan.
    #[must_use]
    pub fn has_computed_bytes(&self) -> bool {
        self.steps.iter().any(|step| !step.change.is_declared())
    }
}

/// SHA-256 of a plan's bytes, which is what an approver approves.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}
