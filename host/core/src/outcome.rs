//! The result of a sweep: the value that every report is made from.
//!
//! Knows: targets, runs, calls, and how each ended. Must not know: how a report shows it.

mod digest;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use self::digest::DigestVersion;
use crate::model::{ActionId, ComponentId, Report, RuleName, RunFault, Severity, Tainted, TargetName, VerbError};

/// A whole sweep, targets in name order.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// When it started, by the controller's clock.
    pub started: Timestamp,
    /// When its last run ended.
    pub finished: Timestamp,
    /// One entry per target that was asked for.
    pub targets: Vec<CheckedTarget>,
    /// One entry per component that checks all its targets in one run, in id order.
    pub together: Vec<Together>,
}

/// One component on several targets at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Together {
    /// The targets of the run, reached or not, in name order.
    pub targets: Vec<TargetName>,
    /// The targets that policy gives the component and that were not in the run.
    pub left_out: Vec<LeftOut>,
    /// The run.
    pub run: Run,
}

/// A target that was left out of a run on several.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftOut {
    /// Its name.
    pub target: TargetName,
    /// Why, in a sentence of the host.
    pub reason: String,
}

/// One target with its result.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedTarget {
    /// Its name.
    pub target: TargetName,
    /// Its result.
    pub result: TargetResult,
}

/// The result of one target.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetResult {
    /// The target was reached. One entry per component that policy grants there, in id order.
    Runs(Vec<Run>),
    /// The target could not be checked.
    Unreachable {
        /// Why, in a sentence of the host: `connection refused (10.77.0.11:22)`.
        cause: String,
        /// The next step, if there is one.
        hint: Option<String>,
    },
    /// No grant can reach the target.
    Refused {
        /// The rule: `never-host fw01, recognised by address (fleet.toml:12: …)`.
        rule: String,
    },
}

/// One component on one target.
#[derive(Debug, Clone, PartialEq)]
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
#[derive(Debug, Clone, PartialEq)]
pub enum RunOutcome {
    /// The component checked.
    Report(Report),
    /// The component reports that it could not check.
    CouldNotCheck {
        /// The component's text.
        reason: Tainted,
        /// The verb error behind it.
        error: Option<VerbError>,
    },
    /// The component broke: trap, limit, bad output, dead worker.
    Fault(RunFault),
    /// The host refused to run the component: its bytes, imports or manifest do not match what is required.
    Refused {
        /// Why, in a sentence of the host.
        reason: String,
    },
}

/// One verb call of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The target. None in a run on one target.
    pub target: Option<TargetName>,
    /// The action. None if the grant has no such action.
    pub action: Option<ActionId>,
    /// What the component asked for: `services.status(exporter)`. Slot names are text of the guest.
    pub asked: Tainted,
    /// Why there was no answer.
    pub error: Option<VerbError>,
    /// The transport's sentence about the failure, such as `no answer within 10 s`.
    pub cause: Option<String>,
    /// The number of secrets that were removed from the answer, by rule.
    pub redacted: BTreeMap<RuleName, u32>,
}

impl Run {
    /// The worst severity of its findings; `None` if the component could not check or broke.
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
