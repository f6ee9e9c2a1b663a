//! Findings and how to build them. This module enforces the contract's limits (200 bytes of title, 32 metrics, 200 findings):
//! it cuts what is too long, so that a probe does not have to check.

use crate::{Evidence, Failure, Finding, Metric, Report, Severity, Unit, text};

const METRICS_MAX: usize = 32;
const FINDINGS_MAX: usize = 200;

impl Finding {
    /// A statement about `subject`, such as a mount point or a unit, or about the whole target if `subject` is empty.
    ///
    /// `code` names the check. It is stable and machine-readable, `[a-z0-9-]{1,64}`, and the same for a healthy and a faulty
    /// subject, so that trends can connect them. `title` is one line for a person, with the number that decided the
    /// severity. Subject and title are cut to one line of at most 200 bytes.
    pub fn new(severity: Severity, code: impl Into<String>, subject: impl AsRef<str>, title: impl AsRef<str>) -> Self {
        Finding {
            code: code.into(),
            severity,
            subject: text::one_line(subject.as_ref()),
            title: text::one_line(title.as_ref()),
            metrics: Vec::new(),
            evidence: Vec::new(),
        }
    }

    /// A finding of severity ok.
    pub fn ok(code: impl Into<String>, subject: impl AsRef<str>, title: impl AsRef<str>) -> Self {
        Self::new(Severity::Ok, code, subject, title)
    }

    /// A finding of severity warning: it needs attention during working hours.
    pub fn warning(code: impl Into<String>, subject: impl AsRef<str>, title: impl AsRef<str>) -> Self {
        Self::new(Severity::Warning, code, subject, title)
    }

    /// A finding of severity critical: it needs attention now.
    pub fn critical(code: impl Into<String>, subject: impl AsRef<str>, title: impl AsRef<str>) -> Self {
        Self::new(Severity::Critical, code, subject, title)
    }

    /// A finding of severity unknown: the probe could not decide.
    pub fn unknown(code: impl Into<String>, subject: impl AsRef<str>, title: impl AsRef<str>) -> Self {
        Self::new(Severity::Unknown, code, subject, title)
    }

    /// Adds a metric to the finding. `name` is `[a-z0-9-]{1,64}` and stable across versions; `value` is in `unit`
    /// (base units: bytes, seconds). A value that is not finite is left out, and so are all metrics
    /// after the 32nd.
    #[must_use]
    pub fn metric(mut self, name: impl Into<String>, value: impl Quantity, unit: Unit) -> Self {
        let value = value.quantity();
        if value.is_finite() && self.metrics.len() < METRICS_MAX {
            self.metrics.push(Metric { name: name.into(), value, unit });
        }
        self
    }

    /// Adds evidence to the finding: a verb's answer, or its failure. Add them in the order of the calls.
    #[must_use]
    pub fn because(mut self, evidence: &impl Evidence) -> Self {
        let call = evidence.call();
        if !self.evidence.contains(&call) {
            self.evidence.push(call);
        }
        self
    }
}

impl Report {
    /// Adds a finding at the end.
    pub fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Cuts the report to the contract's limits. Of more than 200 findings the worst stay, in their order, and a last one
    /// (code `left-out`) counts the others.
    pub(crate) fn fit(mut self) -> Self {
        let over = self.findings.len().saturating_sub(FINDINGS_MAX);
        if over > 0 {
            let mut drop = over + 1;
            for severity in [Severity::Ok, Severity::Unknown, Severity::Warning, Severity::Critical] {
                let of_this = self.findings.iter().filter(|finding| finding.severity == severity).count();
                // Drops the last ones of this severity.
                let mut stay = of_this.saturating_sub(drop);
                drop -= of_this.min(drop);
                self.findings.retain(|finding| {
                    let keep = finding.severity != severity || stay > 0;
                    if keep && finding.severity == severity {
                        stay -= 1;
                    }
                    keep
                });
                if drop == 0 {
                    let title = (over + 1).to_string() + " more findings, none worse, are left out";
                    self.findings.push(Finding::new(severity, "left-out", "", title));
                    break;
                }
            }
        }
        for finding in &mut self.findings {
            finding.subject = text::one_line(&finding.subject);
            finding.title = text::one_line(&finding.title);
            finding.metrics.truncate(METRICS_MAX);
        }
        self
    }
}

#[expect(clippy::derivable_impls, reason = "the type is generated, with derives of its own")]
impl Default for Report {
    fn default() -> Self {
        Report { findings: Vec::new() }
    }
}

impl From<Finding> for Report {
    fn from(finding: Finding) -> Self {
        Report { findings: vec![finding] }
    }
}

impl FromIterator<Finding> for Report {
    fn from_iter<I: IntoIterator<Item = Finding>>(findings: I) -> Self {
        Report { findings: findings.into_iter().collect() }
    }
}

impl Extend<Finding> for Report {
    fn extend<I: IntoIterator<Item = Finding>>(&mut self, findings: I) {
        self.findings.extend(findings);
    }
}

impl Failure {
    /// A run that could not check, with the probe's own reason, cut to one line of at most 200 bytes. `?` converts the error of
    /// a verb.
    pub fn new(reason: impl AsRef<str>) -> Self {
        Failure { reason: text::one_line(reason.as_ref()), error: None, call: None }
    }

    pub(crate) fn fit(mut self) -> Self {
        self.reason = text::one_line(&self.reason);
        self
    }
}

impl Severity {
    /// For a value where higher is worse: critical from `critical`, warning from `warn`, including the threshold itself.
    /// Unknown if the value is NaN.
    pub fn rising(value: f64, warn: f64, critical: f64) -> Self {
        if value.is_nan() {
            Severity::Unknown
        } else if value >= critical {
            Severity::Critical
        } else if value >= warn {
            Severity::Warning
        } else {
            Severity::Ok
        }
    }

    /// For a value where lower is worse: critical at or below `critical`, warning at or below `warn`. Unknown if
    /// the value is NaN.
    pub fn falling(value: f64, warn: f64, critical: f64) -> Self {
        Self::rising(-value, -warn, -critical)
    }

    /// The worse of the two, in the order critical, warning, unknown, ok.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        fn rank(severity: Severity) -> u8 {
            match severity {
                Severity::Ok => 0,
                Severity::Unknown => 1,
                Severity::Warning => 2,
                Severity::Critical => 3,
            }
        }
        if rank(other) > rank(self) { other } else { self }
    }
}

/// A number of any common type, for [`Finding::metric`]. Integers above 2^53 lose their last digits.
pub trait Quantity {
    /// The value as the contract's 64-bit float.
    fn quantity(self) -> f64;
}

macro_rules! quantity {
    ($($number:ty),*) => {$(
        impl Quantity for $number {
            fn quantity(self) -> f64 {
                self as f64
            }
        }
    )*};
}
quantity!(f64, u64, i64, u32, i32, usize);

/// The share of `part` in `whole`, in percent; none if `whole` is 0. More than 100 if `part` is larger.
pub fn percent_of(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 * 100.0 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_include_their_own_value() {
        assert_eq!(Severity::rising(80.0, 80.0, 90.0), Severity::Warning);
        assert_eq!(Severity::rising(90.0, 80.0, 90.0), Severity::Critical);
        assert_eq!(Severity::falling(10.0, 10.0, 5.0), Severity::Warning);
        assert_eq!(Severity::falling(10.1, 10.0, 5.0), Severity::Ok);
        assert_eq!(Severity::rising(f64::NAN, 80.0, 90.0), Severity::Unknown);
    }

    #[test]
    fn a_report_that_is_too_long_keeps_the_worst_and_counts_the_rest() {
        let mut report: Report = (0..300).map(|n| Finding::ok("space", n.to_string(), "fine")).collect();
        report.findings[299].severity = Severity::Critical;
        let report = report.fit();
        assert_eq!(report.findings.len(), 200);
        assert_eq!(report.findings[197].subject, "197");
        assert_eq!(report.findings[198].severity, Severity::Critical);
        assert_eq!(report.findings[199].title, "101 more findings, none worse, are left out");
        assert_eq!(report.findings[199].severity, Severity::Ok);
    }

    #[test]
    fn fields_set_without_the_builder_are_cut_too() {
        let mut finding = Finding::ok("x", "", "");
        finding.title = "é".repeat(300);
        let report = Report::from(finding).fit();
        assert!(report.findings[0].title.len() <= 200);
    }

    #[test]
    fn a_metric_that_is_not_finite_is_left_out() {
        assert!(Finding::ok("x", "", "").metric("m", f64::INFINITY, Unit::Count).metrics.is_empty());
    }
}
