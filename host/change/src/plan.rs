//! A plan: immutable, canonical, known by its digest. What a person approves is these bytes.
//!
//! **Invariant:** a plan is the bytes whose digest was approved; nothing in it is computed again later (PH07). What it says
//! of an object before the change is held against the object again, right before the change.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use bailiwick_core::model::{ActionId, Change, ComponentId, Inverse, State, Tainted, TargetName};

/// The format of a plan's file.
pub const FORMAT: &str = "bailiwick.plan/1";

/// What one fix is about to do on one target.
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
    /// Where.
    pub target: TargetName,
    /// The key that the target proves itself by, as `fleet.toml` has it.
    pub host_key: String,
    /// Digest of the grant.
    pub grant: String,
    /// Digest of the gate's list, as it is installed.
    pub gate: String,
    /// Digest over the ops directory's files.
    pub policy: String,
    /// The run that planned it: its number in the journal.
    pub run: u64,
    /// Why.
    pub contract: Contract,
    /// The findings that it answers.
    pub raised: Vec<Raised>,
    /// What is done, in this order.
    pub steps: Vec<Step>,
    /// What must be shown before it counts as done.
    pub proof: Vec<Proof>,
}

/// What the change does, and why things are as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Contract {
    /// What the fix saw: its own words.
    pub context: Tainted,
    /// What it is to achieve.
    pub intent: String,
    /// Why this way.
    pub rationale: String,
    /// What breaks if it is taken back.
    pub if_reverted: String,
    /// What shaped it.
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
    /// The action, by the name that grant and gate have for it.
    pub action: ActionId,
    /// What it does.
    pub change: Change,
    /// What the object was when the plan was made, and must be.
    pub before: State,
    /// What it must be afterwards.
    pub after: State,
    /// How it is taken back.
    pub inverse: Inverse,
    /// For bytes that the fix made: their SHA-256. They are beside the plan's file, by this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computed: Option<String>,
    /// What it looks like to a person: a unified diff, or a sentence; secrets are out of it.
    pub shown: Tainted,
}

/// What a class of change must show (the table of the trust filters).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// The state of each object before and after, as the target's gate says it.
    BeforeAfter,
    /// What the change is for works: the fix's own `verify`, and the probe that raised the finding.
    LiveStatus,
    /// The way back is at hand: what was there is kept on the target, with the command that restores it.
    RollbackArtefact,
    /// Nothing else got worse: the probes of every object that was touched.
    Unharmed,
}

/// A plan's file is not one.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// It is no plan.
    #[error("it is no plan: {0}")]
    Syntax(String),
    /// It is of another program.
    #[error("it is in format `{0}`, and this program reads `{FORMAT}`")]
    Format(String),
    /// It says the same in other bytes.
    #[error("its bytes are not those of the plan that they say")]
    NotCanonical,
}

impl Plan {
    /// The bytes: JSON, fields in this file's order, no space, one line end behind.
    ///
    /// # Errors
    /// Never, in practice: every field is text or a number.
    pub fn bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a plan's bytes, and gives their digest with it.
    ///
    /// # Errors
    /// When they are not exactly what [`Self::bytes`] makes of what they say.
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

    /// The objects that other changes must leave alone meanwhile.
    pub fn objects(&self) -> impl Iterator<Item = String> {
        self.steps.iter().map(|step| step.change.object())
    }

    /// Whether a person has to say yes to this very plan: it holds bytes that nobody has reviewed.
    #[must_use]
    pub fn needs_a_person(&self) -> bool {
        self.steps.iter().any(|step| !step.change.is_declared())
    }
}

/// SHA-256 of a plan's bytes: what is approved.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}
