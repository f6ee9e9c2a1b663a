//! The last line: the counts, and the duration.

use std::collections::BTreeSet;

use crate::report;
use crate::report::tally::Tally;
use bailiwick_core::outcome::{Sweep, TargetResult};
use bailiwick_core::wrap::TIE;

use super::{Detail, humane};

/// `9 targets: 7 healthy, 1 with findings (1 critical, 2 warnings), 1 could not be checked - 2.1 s`.
pub(in crate::report) fn line(sweep: &Sweep, detail: Detail) -> String {
    let tally = Tally::new(sweep);
    let mut line = humane::count(tally.targets, "target");
    let mut with_findings = "with findings".to_owned();
    let findings = list(&[
        (tally.critical, "critical", "critical"),
        (tally.warning, "warning", "warnings"),
        (tally.unknown, "unknown", "unknown"),
    ]);
    if !findings.is_empty() {
        with_findings.push_str(&format!(" ({findings})"));
    }
    let targets = list(&[
        (tally.targets_healthy, "healthy", "healthy"),
        (tally.targets_with_findings, &with_findings, &with_findings),
        (tally.targets_in_part, "partly checked", "partly checked"),
        (tally.targets_unseen, "could not be checked", "could not be checked"),
        (tally.targets_refused, "refused", "refused"),
        (tally.targets_not_applicable, "without a probe that applies", "without a probe that applies"),
    ]);
    let probes = list(&[
        (tally.runs_broken, "probe failed", "probes failed"),
        (tally.runs_unseen, "probe could not check", "probes could not check"),
        (tally.runs_refused, "probe was refused", "probes were refused"),
    ]);
    let redacted = list(&[(
        redacted(sweep),
        "answer held secrets, which were removed",
        "answers held secrets, which were removed",
    )]);
    for (separator, part) in [(": ", targets), ("; ", probes), ("; ", redacted)] {
        if !part.is_empty() {
            line.push_str(separator);
            line.push_str(&part);
        }
    }
    line.extend([TIE, '-', TIE]);
    line.push_str(&humane::elapsed(report::elapsed_ms(sweep)));
    if detail == Detail::Full {
        line.push_str(&format!(", from {:.0} to {:.0}", sweep.started, sweep.finished));
    }
    line
}

/// The number of answers with removed secrets. An answer that several runs shared counts once.
fn redacted(sweep: &Sweep) -> usize {
    let mut answers = BTreeSet::new();
    for checked in &sweep.targets {
        let TargetResult::Runs(runs) = &checked.result else { continue };
        let calls = runs.iter().flat_map(|run| &run.calls).filter(|call| !call.redacted.is_empty());
        answers.extend(calls.map(|call| (&checked.target, &call.action)));
    }
    // In a run on several targets, each call names its target.
    for together in &sweep.together {
        let calls = together.run.calls.iter().filter(|call| !call.redacted.is_empty());
        answers
            .extend(calls.filter_map(|call| Some((call.target.as_ref().or(together.targets.first())?, &call.action))));
    }
    answers.len()
}

/// The parts that are not zero: `1 critical, 2 warnings`.
fn list(parts: &[(usize, &str, &str)]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| format!("{count}{TIE}{}", if *count == 1 { one } else { many }))
        .collect();
    parts.join(", ")
}
