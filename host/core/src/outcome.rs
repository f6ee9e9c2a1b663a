//! What came of a sweep: the value that every report is rendered from.

mod digest;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

pub use self::digest::DigestVersion;
use crate::model::{ActionId, ComponentId, LookError, Report, RuleName, RunFault, Severity, Tainted, TargetName};

/// A whole sweep, targets in name order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sweep {
    /// When it began, by the controller's clock.
    pub started: Timestamp,
    /// When its last run ended.
    pub finished: Timestamp,
    /// One entry per target that was asked for.
    pub targets: Vec<Looked>,
    /// One entry per component that looks at all its targets in one run, in id order.
    pub together: Vec<Together>,
}

/// One component on several targets at once.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Together {
    /// Those that the run was about, reached or not, in name order.
    pub targets: Vec<TargetName>,
    /// Those that policy gives it and that the run was not about.
    pub left_out: Vec<LeftOut>,
    /// The run.
    pub run: Run,
}

/// A target that a run over several was not about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeftOut {
    /// Its name.
    pub target: TargetName,
    /// Why, in the host's words.
    pub reason: String,
}

/// What came of one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Looked {
    /// Its name.
    pub target: TargetName,
    /// What came of it.
    pub result: TargetResult,
}

/// What came of one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetResult {
    /// It was reached; one entry per component that policy grants there, in id order.
    Runs(Vec<Run>),
    /// It could not be looked at.
    Unreachable {
        /// Why, in the host's words: `connection refused (10.77.0.11:22)`.
        cause: String,
        /// What to do next, if there is something.
        hint: Option<String>,
    },
    /// No grant can reach it.
    Refused {
        /// The rule: `never-host fw01, recognised by address (fleet.toml:12: …)`.
        rule: String,
    },
}

/// One component on one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// The run's id in the journal.
    pub id: String,
    /// The component.
    pub component: ComponentId,
    /// Its version, from its manifest.
    pub version: String,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Its verb calls; a finding's evidence counts from 1 into this list.
    pub calls: Vec<Call>,
    /// From start to end, in milliseconds.
    pub elapsed_ms: u64,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// It looked.
    Report(Report),
    /// It could not look, and says so.
    CouldNotLook {
        /// The component's words.
        reason: Tainted,
        /// The verb error behind it.
        error: Option<LookError>,
    },
    /// The component broke: trap, limit, bad output, dead worker.
    Fault(RunFault),
    /// The host would not run the component: its bytes, imports or manifest are not as they must be.
    Refused {
        /// Why, in the host's words.
        reason: String,
    },
}

/// One verb call of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Call {
    /// On which target; none in a run on one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetName>,
    /// The action, or none where the call was refused before one was found.
    pub action: Option<ActionId>,
    /// What the component asked for: `services.status(exporter)`. Slot names are the guest's text.
    pub asked: Tainted,
    /// Why there was no answer.
    pub error: Option<LookError>,
    /// The transport's own words on the failure, such as `no answer within 10 s`.
    pub cause: Option<String>,
    /// Secrets that were taken out of the answer before anybody saw it, by rule.
    pub redacted: BTreeMap<RuleName, u32>,
}

impl Run {
    /// The worst that the run has to say; `None` if it could not look or broke.
    #[must_use]
    pub fn severity(&self) -> Option<Severity> {
        match &self.outcome {
            RunOutcome::Report(report) => {
                Some(report.findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok))
            }
            _ => None,
        }
    }
}
