//! The rules of a report, checked twice: in the worker, where a violation is the guest's fault, and in the broker,
//! where it means that the worker was taken over.
//!
//! Attack answered: findings that flood a person, numbers that poison a trend, evidence that cites calls that
//! were not made (GR12). Nothing is truncated: a report that breaks a rule is refused as a whole.

use serde::{Deserialize, Serialize};

use bailiwick_core::model::{Decision, Finding, Report, Tainted, report_limits as limits};

/// The rule that a report breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum OutputError {
    /// Too many findings.
    #[error("{0} findings (maximum {max})", max = limits::FINDINGS)]
    Findings(u64),
    /// Too much text.
    #[error("{0} bytes of text (maximum {max})", max = limits::REPORT_BYTES)]
    Bytes(u64),
    /// A finding breaks a rule. Findings are counted from 1.
    #[error("finding {0}: {1}")]
    Finding(u32, FindingError),
    /// The reason of a failure is too long.
    #[error("a reason of {0} bytes (maximum {max})", max = limits::LINE_BYTES)]
    Reason(u64),
    /// A line of a decision is empty or too long.
    #[error("a line of {0} bytes in the decision (must be 1 to {max})", max = limits::LINE_BYTES)]
    Line(u64),
    /// There is too much evidence.
    #[error("{0} entries of evidence in the decision (maximum {max})", max = limits::EVIDENCE)]
    Evidence(u64),
    /// A call that was never made.
    #[error("the decision cites call {0}, which was not made")]
    DecisionCall(u32),
    /// A call that was never made.
    #[error("the failure cites call {0}, which was not made")]
    Call(u32),
}

/// The rule that a finding breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum FindingError {
    /// Not `[a-z0-9-]{1,64}`.
    #[error("the code is not of the form `[a-z0-9-]{{1,64}}`")]
    Code,
    /// Too long.
    #[error("a subject of {0} bytes (maximum {max})", max = limits::LINE_BYTES)]
    Subject(u64),
    /// Too long.
    #[error("a title of {0} bytes (maximum {max})", max = limits::LINE_BYTES)]
    Title(u64),
    /// Too many.
    #[error("{0} metrics (maximum {max})", max = limits::METRICS)]
    Metrics(u64),
    /// Not `[a-z0-9-]{1,64}`.
    #[error("a metric name is not of the form `[a-z0-9-]{{1,64}}`")]
    MetricName,
    /// Infinite, or not a number.
    #[error("a metric value is not a finite number")]
    MetricValue,
    /// Too many.
    #[error("{0} entries of evidence (maximum {max})", max = limits::EVIDENCE)]
    Evidence(u64),
    /// A call that was never made.
    #[error("the evidence cites call {0}, which was not made")]
    Call(u32),
}

/// Checks a report of a run that made `calls` calls.
///
/// # Errors
/// The first rule that is broken.
pub fn check_report(report: &Report, calls: u32) -> Result<(), OutputError> {
    if report.findings.len() > limits::FINDINGS {
        return Err(OutputError::Findings(report.findings.len() as u64));
    }
    for (number, finding) in (1..).zip(&report.findings) {
        check_finding(finding, calls).map_err(|error| OutputError::Finding(number, error))?;
    }
    let bytes: usize = report.findings.iter().map(text_bytes).sum();
    if bytes > limits::REPORT_BYTES {
        return Err(OutputError::Bytes(bytes as u64));
    }
    Ok(())
}

/// Checks the reason of a run that could not check its target.
///
/// # Errors
/// When it is too long, or cites a call that was not made.
pub fn check_failure(reason: &Tainted, call: Option<u32>, calls: u32) -> Result<(), OutputError> {
    if reason.len() > limits::LINE_BYTES {
        return Err(OutputError::Reason(reason.len() as u64));
    }
    match call {
        Some(number) if !was_made(number, calls) => Err(OutputError::Call(number)),
        _ => Ok(()),
    }
}

/// Checks what a fix decided in a run that made `calls` calls. A decision must have a reason.
///
/// # Errors
/// The first rule that is broken.
pub fn check_decision(decision: &Decision, calls: u32) -> Result<(), OutputError> {
    for text in decision.texts() {
        if text.is_empty() || text.len() > limits::LINE_BYTES {
            return Err(OutputError::Line(text.len() as u64));
        }
    }
    let evidence = decision.evidence();
    if evidence.len() > limits::EVIDENCE {
        return Err(OutputError::Evidence(evidence.len() as u64));
    }
    match evidence.iter().find(|number| !was_made(**number, calls)) {
        Some(number) => Err(OutputError::DecisionCall(*number)),
        None => Ok(()),
    }
}

fn check_finding(finding: &Finding, calls: u32) -> Result<(), FindingError> {
    if !is_code(&finding.code) {
        return Err(FindingError::Code);
    }
    if finding.subject.len() > limits::LINE_BYTES {
        return Err(FindingError::Subject(finding.subject.len() as u64));
    }
    if finding.title.len() > limits::LINE_BYTES {
        return Err(FindingError::Title(finding.title.len() as u64));
    }
    if finding.metrics.len() > limits::METRICS {
        return Err(FindingError::Metrics(finding.metrics.len() as u64));
    }
    for metric in &finding.metrics {
        if !is_code(&metric.name) {
            return Err(FindingError::MetricName);
        }
        if !metric.value.is_finite() {
            return Err(FindingError::MetricValue);
        }
    }
    if finding.evidence.len() > limits::EVIDENCE {
        return Err(FindingError::Evidence(finding.evidence.len() as u64));
    }
    match finding.evidence.iter().find(|number| !was_made(**number, calls)) {
        Some(number) => Err(FindingError::Call(*number)),
        None => Ok(()),
    }
}

fn was_made(number: u32, calls: u32) -> bool {
    (1..=calls).contains(&number)
}

fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn text_bytes(finding: &Finding) -> usize {
    let names: usize = finding.metrics.iter().map(|metric| metric.name.len()).sum();
    finding.code.len() + finding.subject.len() + finding.title.len() + names
}

#[cfg(test)]
mod tests {
    use super::*;
    use bailiwick_core::model::{Metric, Severity, Unit};

    fn finding() -> Finding {
        Finding {
            code: "space".to_owned(),
            severity: Severity::Ok,
            subject: Tainted::new("/"),
            title: Tainted::new("fine"),
            metrics: vec![Metric { name: "used".to_owned(), value: 1.0, unit: Unit::Bytes }],
            evidence: vec![1],
        }
    }

    fn check(change: impl Fn(&mut Finding)) -> Result<(), OutputError> {
        let mut finding = finding();
        change(&mut finding);
        check_report(&Report { findings: vec![finding] }, 1)
    }

    #[test]
    fn each_rule() {
        assert_eq!(check(|_| {}), Ok(()));
        type Change = fn(&mut Finding);
        let table: &[(Change, FindingError)] = &[
            (|f| f.code = String::new(), FindingError::Code),
            (|f| f.code = "a b".to_owned(), FindingError::Code),
            (|f| f.code = "A".to_owned(), FindingError::Code),
            (|f| f.code = "a".repeat(65), FindingError::Code),
            (|f| f.title = Tainted::new("x".repeat(201)), FindingError::Title(201)),
            (|f| f.subject = Tainted::new("x".repeat(201)), FindingError::Subject(201)),
            (|f| f.metrics = vec![f.metrics[0].clone(); 33], FindingError::Metrics(33)),
            (|f| f.metrics[0].name = "é".to_owned(), FindingError::MetricName),
            (|f| f.metrics[0].value = f64::NAN, FindingError::MetricValue),
            (|f| f.metrics[0].value = f64::NEG_INFINITY, FindingError::MetricValue),
            (|f| f.evidence = vec![1; 65], FindingError::Evidence(65)),
            (|f| f.evidence = vec![2], FindingError::Call(2)),
            (|f| f.evidence = vec![0], FindingError::Call(0)),
        ];
        for (change, error) in table {
            assert_eq!(check(change), Err(OutputError::Finding(1, error.clone())), "{error}");
        }
    }

    #[test]
    fn the_whole_is_bounded_too() {
        let many = Report { findings: vec![finding(); 201] };
        assert_eq!(check_report(&many, 1), Err(OutputError::Findings(201)));
        let mut long = finding();
        long.metrics = vec![Metric { name: "m".repeat(64), value: 0.0, unit: Unit::Count }; 32];
        let report = Report { findings: vec![long; 200] };
        assert!(matches!(check_report(&report, 1), Err(OutputError::Bytes(_))));
    }

    #[test]
    fn a_failure_rests_on_a_call_that_was_made() {
        assert_eq!(check_failure(&Tainted::new("x"), Some(1), 1), Ok(()));
        assert_eq!(check_failure(&Tainted::new("x"), Some(2), 1), Err(OutputError::Call(2)));
        assert_eq!(check_failure(&Tainted::new("x".repeat(201)), None, 1), Err(OutputError::Reason(201)));
    }
}
