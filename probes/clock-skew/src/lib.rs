//! Whether the clocks of all machines agree: each against the controller's, and the two that are furthest apart.

use bailiwick_guest::{
    Evidence, Failure, Finding, FleetProbe, Observed, Report, Severity, Target, Unit,
    system::{self, ClockInfo},
    text,
};

struct ClockSkew;

impl FleetProbe for ClockSkew {
    fn examine_all(targets: &[Target]) -> Result<Report, Failure> {
        let mut report = Report::default();
        let mut clocks: Vec<(String, Observed<ClockInfo>)> = Vec::new();
        let mut first_failure = None;
        for target in targets {
            let name = target.name();
            match system::clock(target) {
                Ok(clock) => {
                    let params = target.params();
                    let limits = (params.number("warn-seconds")?, params.number("critical-seconds")?);
                    report.push(judge(&name, &clock, limits).because(&clock));
                    clocks.push((name, clock));
                }
                Err(failure) => {
                    let title = format!("{name}: {failure}");
                    report.push(Finding::unknown("clock", &name, title).because(&failure));
                    first_failure.get_or_insert(failure);
                }
            }
        }
        if let (true, Some(failure)) = (clocks.is_empty(), first_failure) {
            return Err(failure.into());
        }
        report.extend(furthest_apart(&clocks));
        Ok(report)
    }
}

/// Only the certain part counts: the part of the difference that the round trip cannot explain.
fn judge(name: &str, clock: &ClockInfo, (warn, critical): (f64, f64)) -> Finding {
    let (ahead, unsure) = (clock.ahead_seconds(), clock.uncertainty_seconds());
    let certain = (ahead.abs() - unsure).max(0.0);
    let severity = match Severity::rising(certain, warn, critical) {
        // The clock may be off by more than the threshold, within the uncertainty.
        Severity::Ok if unsure > warn => Severity::Unknown,
        severity => severity,
    };
    let way = if ahead < 0.0 { "behind" } else { "ahead of" };
    let title = format!(
        "{name}: {} s {way} the controller, give or take {} s",
        text::number(ahead.abs(), 3),
        text::number(unsure, 3)
    );
    Finding::new(severity, "clock", name, title).metric("ahead-seconds", ahead, Unit::Seconds).metric(
        "uncertainty-seconds",
        unsure,
        Unit::Seconds,
    )
}

/// The two clocks that are furthest apart. Always ok: the findings of the two machines have the severity.
fn furthest_apart(clocks: &[(String, Observed<ClockInfo>)]) -> Option<Finding> {
    let by_time = |a: &&(String, Observed<ClockInfo>), b: &&(String, Observed<ClockInfo>)| {
        a.1.ahead_seconds().total_cmp(&b.1.ahead_seconds())
    };
    let (behind, ahead) = (clocks.iter().min_by(by_time)?, clocks.iter().max_by(by_time)?);
    if behind.1.call() == ahead.1.call() {
        return None;
    }
    let apart = ahead.1.ahead_seconds() - behind.1.ahead_seconds();
    let unsure = ahead.1.uncertainty_seconds() + behind.1.uncertainty_seconds();
    let title = format!(
        "{} and {} are furthest apart: {} s, give or take {} s",
        behind.0,
        ahead.0,
        text::number(apart, 3),
        text::number(unsure, 3)
    );
    let finding = Finding::ok("spread", "", title).metric("apart-seconds", apart, Unit::Seconds);
    Some(finding.metric("uncertainty-seconds", unsure, Unit::Seconds).because(&behind.1).because(&ahead.1))
}

bailiwick_guest::export!(ClockSkew);
