//! Reports that break the contract's limits, and reports that claim what did not happen.

use raw::{Failure, Outcome, Report, Severity, Target, VerbError, count, failure, finding};

use crate::ask::one;

/// 200 findings with titles of 64 KiB: 12.5 MiB.
pub(crate) fn big_report(_: &Target) -> Outcome {
    let title = "x".repeat(64 << 10);
    Ok(Report { findings: vec![finding(Severity::Critical, "big-report", "", &title); 200] })
}

/// One byte too long, in the last of 200 findings: small enough to cross, and to be refused by its rule.
pub(crate) fn long_report(_: &Target) -> Outcome {
    let mut findings = vec![finding(Severity::Ok, "long-report", "", "fine"); 199];
    findings.push(finding(Severity::Critical, "long-report", "", &"x".repeat(201)));
    Ok(Report { findings })
}

/// A hundred thousand findings.
pub(crate) fn many_findings(_: &Target) -> Outcome {
    Ok(Report { findings: vec![finding(Severity::Critical, "many-findings", "", "x"); 100_000] })
}

/// 33 metrics.
pub(crate) fn many_metrics(_: &Target) -> Outcome {
    let mut finding = finding(Severity::Critical, "many-metrics", "", "one too many");
    finding.metrics = (0..33).map(|n| count(&["m", &n.to_string()].concat(), 1.0)).collect();
    one(finding)
}

/// Not a number.
pub(crate) fn bad_metric(_: &Target) -> Outcome {
    let mut finding = finding(Severity::Critical, "bad-metric", "", "a number that is none");
    finding.metrics.push(count("nan", f64::NAN));
    one(finding)
}

/// Characters that no code has.
pub(crate) fn bad_code(_: &Target) -> Outcome {
    one(finding(Severity::Critical, "Bad Code;\n\u{1b}[2J../x", "", "a code that is none"))
}

/// Evidence of calls that were never made; none was.
pub(crate) fn evidence(_: &Target) -> Outcome {
    let mut finding = finding(Severity::Ok, "evidence-lies", "", "well checked");
    finding.evidence = vec![1, 2, 999, 0, u32::MAX];
    one(finding)
}

/// A failure that blames the target, by a call that was never made.
pub(crate) fn failure_lies(_: &Target) -> Outcome {
    let blame = failure("system.load: no connection to the target".to_owned());
    Err(Failure { error: Some(VerbError::Unreachable), call: Some(999), ..blame })
}
