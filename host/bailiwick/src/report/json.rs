//! A sweep for programs: the document `bailiwick.sweep/1`.
//!
//! Knows: field names, which are stable. Must not know: layout for people. The types are defined here and not in the model, so
//! that a change of the model cannot change the format unnoticed: within `/1` fields are added, never renamed, removed or given
//! another meaning. Every value that is one of several kinds is an object tagged by `kind`.
//!
//! Attacks answered: TX01, TX02, TX05 through [`encode::to_json`]; TX11 by naming the fields that hold untrusted text
//! (`untrusted`), so that an AI agent does not have to guess which text is the host's.

use std::collections::BTreeMap;

use serde::Serialize;

use bailiwick_core::model::{RuleName, RunFault, Severity, Tainted, TargetName, Unit, VerbError};
use bailiwick_core::outcome::{Call, CheckedTarget, LeftOut, Run, RunOutcome, Sweep, TargetResult, Together};

use super::tally::{Standing, Tally};
use bailiwick_core::encode;

/// The format that a reader checks first.
pub const FORMAT: &str = "bailiwick.sweep/1";

/// The JSON Schema 2020-12 of this format.
pub const SCHEMA: &str = include_str!("sweep-1.schema.json");

/// Fields whose text comes from a component or a target, or, in `cause`, may be quoted in the host's words. All other text is
/// the host's or the operator's.
const UNTRUSTED: &[&str] = &["asked", "cause", "code", "name", "reason", "subject", "title"];

#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    untrusted: &'static [&'static str],
    started: String,
    finished: String,
    elapsed_ms: u64,
    summary: Summary,
    /// In name order, as the sweep has them.
    targets: Vec<Target<'a>>,
    /// Runs on several targets at once, in id order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    together: Vec<TogetherOf<'a>>,
}

/// A run on several targets. Its findings' subjects, and its calls, name them.
#[derive(Serialize)]
struct TogetherOf<'a> {
    targets: &'a [TargetName],
    left_out: Vec<LeftOutOf<'a>>,
    run: RunOf<'a>,
}

#[derive(Serialize)]
struct LeftOutOf<'a> {
    target: &'a str,
    cause: &'a str,
}

#[derive(Serialize)]
struct Summary {
    targets: Targets,
    runs: Runs,
    findings: Findings,
}

#[derive(Serialize)]
struct Targets {
    total: usize,
    healthy: usize,
    findings: usize,
    in_part: usize,
    unseen: usize,
    refused: usize,
    not_applicable: usize,
}

#[derive(Serialize)]
struct Runs {
    total: usize,
    /// The word of `bailiwick.sweep/1`, which programs read.
    #[serde(rename = "could_not_look")]
    could_not_check: usize,
    not_applicable: usize,
    fault: usize,
    refused: usize,
}

#[derive(Serialize)]
struct Findings {
    critical: usize,
    warning: usize,
    unknown: usize,
    ok: usize,
}

#[derive(Serialize)]
struct Target<'a> {
    target: &'a str,
    standing: &'static str,
    result: ResultOf<'a>,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum ResultOf<'a> {
    Runs { runs: Vec<RunOf<'a>> },
    Unreachable { cause: &'a str, hint: Option<&'a str> },
    Refused { rule: &'a str },
}

#[derive(Serialize)]
struct RunOf<'a> {
    id: &'a str,
    component: &'a str,
    version: &'a str,
    elapsed_ms: u64,
    /// SHA-256 of the report, as the run's entry in the journal and `bailiwick replay` have it.
    report_sha256: String,
    outcome: Outcome<'a>,
    calls: Vec<CallOf<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Outcome<'a> {
    /// `severity` is the worst of the findings, `ok` if there are none.
    Report {
        severity: Option<Severity>,
        findings: Vec<FindingOf<'a>>,
    },
    /// The word of `bailiwick.sweep/1`, which programs read.
    #[serde(rename = "could-not-look")]
    CouldNotCheck {
        error: Option<VerbError>,
        reason: &'a Tainted,
    },
    Fault {
        cause: &'a str,
    },
    Refused {
        cause: &'a str,
    },
}

#[derive(Serialize)]
struct FindingOf<'a> {
    severity: Severity,
    code: &'a str,
    subject: &'a Tainted,
    title: &'a Tainted,
    metrics: Vec<MetricOf<'a>>,
    /// Numbers of `calls`.
    evidence: &'a [u32],
}

#[derive(Serialize)]
struct MetricOf<'a> {
    name: &'a str,
    value: f64,
    unit: Unit,
}

#[derive(Serialize)]
struct CallOf<'a> {
    /// From 1; evidence points here.
    number: usize,
    /// In a run on several targets.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    action: Option<&'a str>,
    asked: &'a Tainted,
    error: Option<VerbError>,
    cause: Option<&'a str>,
    /// The number of secrets that were removed from the answer, by rule.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    redacted: &'a BTreeMap<RuleName, u32>,
}

/// Renders a sweep, indented, ending in a newline.
///
/// # Errors
/// Only if a value cannot be JSON, which is a bug: exit with [`super::exit::ExitCode::Bug`].
pub fn render(sweep: &Sweep) -> Result<String, serde_json::Error> {
    encode::to_json(&Document {
        format: FORMAT,
        untrusted: UNTRUSTED,
        started: sweep.started.to_string(),
        finished: sweep.finished.to_string(),
        elapsed_ms: super::elapsed_ms(sweep),
        summary: summary(&Tally::new(sweep)),
        targets: sweep.targets.iter().map(|checked| target(sweep, checked)).collect(),
        together: sweep.together.iter().map(together).collect(),
    })
}

fn summary(tally: &Tally) -> Summary {
    Summary {
        targets: Targets {
            total: tally.targets,
            healthy: tally.targets_healthy,
            findings: tally.targets_with_findings,
            in_part: tally.targets_in_part,
            unseen: tally.targets_unseen,
            refused: tally.targets_refused,
            not_applicable: tally.targets_not_applicable,
        },
        runs: Runs {
            total: tally.runs,
            could_not_check: tally.runs_unseen,
            not_applicable: tally.runs_not_applicable,
            fault: tally.runs_broken,
            refused: tally.runs_refused,
        },
        findings: Findings { critical: tally.critical, warning: tally.warning, unknown: tally.unknown, ok: tally.ok },
    }
}

fn left_out(left: &LeftOut) -> LeftOutOf<'_> {
    LeftOutOf { target: left.target.as_str(), cause: &left.reason }
}

fn together(together: &Together) -> TogetherOf<'_> {
    TogetherOf {
        targets: &together.targets,
        left_out: together.left_out.iter().map(left_out).collect(),
        run: run(&together.run),
    }
}

fn target<'a>(sweep: &Sweep, checked: &'a CheckedTarget) -> Target<'a> {
    Target {
        target: checked.target.as_str(),
        standing: match Standing::new(sweep, checked) {
            Standing::Healthy => "healthy",
            Standing::Findings => "findings",
            Standing::InPart => "in-part",
            Standing::NotApplicable => "not-applicable",
            Standing::Unseen => "unseen",
            Standing::Refused => "refused",
        },
        result: match &checked.result {
            TargetResult::Runs(runs) => ResultOf::Runs { runs: runs.iter().map(run).collect() },
            TargetResult::Unreachable { cause, hint } => ResultOf::Unreachable { cause, hint: hint.as_deref() },
            TargetResult::Refused { rule } => ResultOf::Refused { rule },
        },
    }
}

fn run(run: &Run) -> RunOf<'_> {
    RunOf {
        id: &run.id,
        component: run.component.as_str(),
        version: &run.version,
        elapsed_ms: run.elapsed_ms,
        report_sha256: run.digest(),
        outcome: match &run.outcome {
            RunOutcome::Report(report) => {
                Outcome::Report { severity: run.severity(), findings: report.findings.iter().map(finding).collect() }
            }
            RunOutcome::CouldNotCheck { reason, error } => Outcome::CouldNotCheck { error: *error, reason },
            RunOutcome::Fault(RunFault { message, .. }) => Outcome::Fault { cause: message },
            RunOutcome::Refused { reason } => Outcome::Refused { cause: reason },
        },
        calls: run.calls.iter().enumerate().map(|(index, call)| call_of(index + 1, call)).collect(),
    }
}

fn finding(finding: &bailiwick_core::model::Finding) -> FindingOf<'_> {
    let metrics = finding.metrics.iter();
    FindingOf {
        severity: finding.severity,
        code: &finding.code,
        subject: &finding.subject,
        title: &finding.title,
        metrics: metrics.map(|m| MetricOf { name: &m.name, value: m.value, unit: m.unit }).collect(),
        evidence: &finding.evidence,
    }
}

fn call_of(number: usize, call: &Call) -> CallOf<'_> {
    CallOf {
        number,
        target: call.target.as_ref().map(TargetName::as_str),
        action: call.action.as_ref().map(|action| action.as_str()),
        asked: &call.asked,
        error: call.error,
        cause: call.cause.as_deref(),
        redacted: &call.redacted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn every_kind_of_outcome() {
        insta::assert_snapshot!(render(&samples::kinds()).unwrap());
    }

    #[test]
    fn hostile_text_is_harmless_and_exact() {
        let sweep = samples::hostile();
        let text = render(&sweep).unwrap();
        assert!(
            text.chars().all(|c| c == '\n' || (' '..='~').contains(&c) || c.is_alphanumeric() || "✔…→─│".contains(c))
        );
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let title = value.pointer("/targets/0/result/runs/0/outcome/findings/0/title").unwrap();
        let TargetResult::Runs(runs) = &sweep.targets[0].result else { panic!("runs") };
        let RunOutcome::Report(report) = &runs[0].outcome else { panic!("a report") };
        assert_eq!(title, report.findings[0].title.for_encoder());
        insta::assert_snapshot!(text);
    }
}
