//! Findings of probes. Their text is tainted; numbers and codes are checked.

use serde::{Deserialize, Serialize};

use super::Tainted;

/// Bounds of a report, as the WIT documents them.
pub mod limits {
    /// Findings in one report.
    pub const FINDINGS: usize = 200;
    /// Metrics of one finding.
    pub const METRICS: usize = 32;
    /// Evidence entries of one finding.
    pub const EVIDENCE: usize = 64;
    /// Bytes of a subject, a title or a reason.
    pub const LINE_BYTES: usize = 200;
    /// Bytes of all text of one report.
    pub const REPORT_BYTES: usize = 256 << 10;
}

/// The severity of a finding, least first. `Unknown` is above `Ok` and below `Warning`: a check that was not possible is
/// neither an alarm nor healthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// The probe could not decide.
    Unknown,
    /// Needs a person soon.
    Warning,
    /// Needs a person now.
    Critical,
}

impl Severity {
    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// The unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// A plain number of things.
    Count,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// Hundredths.
    Percent,
    /// A share, or one number over another.
    Ratio,
    /// Events a second.
    PerSecond,
    /// Events an hour.
    PerHour,
}

impl Unit {
    /// All units, in the contract's order.
    pub const ALL: [Self; 7] =
        [Self::Count, Self::Bytes, Self::Seconds, Self::Percent, Self::Ratio, Self::PerSecond, Self::PerHour];

    /// Its word in the contract.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
            Self::Percent => "percent",
            Self::Ratio => "ratio",
            Self::PerSecond => "per-second",
            Self::PerHour => "per-hour",
        }
    }

    /// The unit with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.name() == name)
    }
}

/// One number behind a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// The name or code: `[a-z0-9-]{1,64}`.
    pub name: String,
    /// The value, which is finite.
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
}

/// One statement about one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The name or code: `[a-z0-9-]{1,64}`.
    pub code: String,
    /// Its severity.
    pub severity: Severity,
    /// The subject within the target.
    pub subject: Tainted,
    /// One line for a person.
    pub title: Tainted,
    /// The numbers behind it.
    pub metrics: Vec<Metric>,
    /// Numbers of this run's verb calls.
    pub evidence: Vec<u32>,
}

/// The report of a run that could check.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// In the probe's order.
    pub findings: Vec<Finding>,
}

/// Why a verb gave no answer: the WIT enum `verb-error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum VerbError {
    /// Not in the component's bailiwick.
    #[error("not in its bailiwick")]
    Refused,
    /// The target has no such object.
    #[error("not found on the target")]
    NotFound,
    /// The account may not read it.
    #[error("the account on the target may not read it")]
    NotPermitted,
    /// The target lacks the facility.
    #[error("the target lacks the facility")]
    Unsupported,
    /// No connection.
    #[error("no connection to the target")]
    Unreachable,
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// The answer is larger than the verb's limit.
    #[error("the answer is larger than the verb's limit")]
    TooLarge,
    /// The answer cannot be parsed.
    #[error("the target's answer cannot be understood")]
    Garbled,
    /// This run's calls or bytes are used up.
    #[error("the run's calls or bytes are used up")]
    Exhausted,
}
