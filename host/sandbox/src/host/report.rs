//! The guest's last word, turned into the host's own. Attack answered: see [`crate::report`], which judges it.

use super::wit::bailiwick::ops::reports as wit;
use crate::report::{OutputError, check_failure, check_report};
use crate::wire::End;
use bailiwick_core::model::{Finding, LookError, Metric, Report, Severity, Tainted, Unit};

/// Takes what `examine` returned in a run that made `calls` calls.
///
/// # Errors
/// The rule that it breaks.
pub(crate) fn end(result: Result<wit::Report, wit::Failure>, calls: u32) -> Result<End, OutputError> {
    match result {
        Ok(report) => {
            let report = Report { findings: report.findings.into_iter().map(Finding::from).collect() };
            check_report(&report, calls)?;
            Ok(End::Report(report))
        }
        Err(failure) => {
            let reason = Tainted::new(failure.reason);
            check_failure(&reason, failure.call, calls)?;
            Ok(End::CouldNotCheck { reason, error: failure.error.map(LookError::from), call: failure.call })
        }
    }
}

impl From<wit::Finding> for Finding {
    fn from(finding: wit::Finding) -> Self {
        Self {
            code: finding.code,
            severity: match finding.severity {
                wit::Severity::Ok => Severity::Ok,
                wit::Severity::Warning => Severity::Warning,
                wit::Severity::Critical => Severity::Critical,
                wit::Severity::Unknown => Severity::Unknown,
            },
            subject: Tainted::new(finding.subject),
            title: Tainted::new(finding.title),
            metrics: finding.metrics.into_iter().map(Metric::from).collect(),
            evidence: finding.evidence,
        }
    }
}

impl From<wit::Metric> for Metric {
    fn from(metric: wit::Metric) -> Self {
        let unit = match metric.unit {
            wit::Unit::Count => Unit::Count,
            wit::Unit::Bytes => Unit::Bytes,
            wit::Unit::Seconds => Unit::Seconds,
            wit::Unit::Percent => Unit::Percent,
            wit::Unit::Ratio => Unit::Ratio,
            wit::Unit::PerSecond => Unit::PerSecond,
            wit::Unit::PerHour => Unit::PerHour,
        };
        Self { name: metric.name, value: metric.value, unit }
    }
}
