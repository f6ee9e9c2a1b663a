//! Converts the result of a guest to the host's types. Attack answered: see [`crate::report`], which checks it.

use crate::report::{OutputError, check_failure, check_report};
use crate::wire::Ending;
use bailiwick_bindings::ops::reports as wit;
use bailiwick_core::model::{Finding, Metric, Report, Severity, Tainted, Unit};

/// Converts what `examine` returned in a run that made `calls` calls.
///
/// # Errors
/// The rule that it breaks.
pub(crate) fn end(result: Result<wit::Report, wit::Failure>, calls: u32) -> Result<Ending, OutputError> {
    match result {
        Ok(report) => {
            let report = Report { findings: report.findings.into_iter().map(finding).collect() };
            check_report(&report, calls)?;
            Ok(Ending::Report(report))
        }
        Err(failure) => {
            let reason = Tainted::new(failure.reason);
            check_failure(&reason, failure.call, calls)?;
            Ok(Ending::CouldNotCheck { reason, error: failure.error.map(super::verb_error), call: failure.call })
        }
    }
}

fn finding(finding: wit::Finding) -> Finding {
    Finding {
        code: finding.code,
        severity: match finding.severity {
            wit::Severity::Ok => Severity::Ok,
            wit::Severity::Warning => Severity::Warning,
            wit::Severity::Critical => Severity::Critical,
            wit::Severity::Unknown => Severity::Unknown,
        },
        subject: Tainted::new(finding.subject),
        title: Tainted::new(finding.title),
        metrics: finding.metrics.into_iter().map(metric).collect(),
        evidence: finding.evidence,
    }
}

fn metric(metric: wit::Metric) -> Metric {
    let unit = match metric.unit {
        wit::Unit::Count => Unit::Count,
        wit::Unit::Bytes => Unit::Bytes,
        wit::Unit::Seconds => Unit::Seconds,
        wit::Unit::Percent => Unit::Percent,
        wit::Unit::Ratio => Unit::Ratio,
        wit::Unit::PerSecond => Unit::PerSecond,
        wit::Unit::PerHour => Unit::PerHour,
    };
    Metric { name: metric.name, value: metric.value, unit }
}
