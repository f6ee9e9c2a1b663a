//! The result of a case: whether the component reports what the case expects, and where it does not.
//!
//! Knows: expectations and reports. Must not know: how either was made.

use std::collections::BTreeMap;

use super::case::{Case, Expected, RawFailure, RawFinding, RawPlan};
use super::text;
use crate::broker::Staged;
use bailiwick_core::model::{ActionId, Decision, ParamValue, Report, Tainted, TargetName};
use bailiwick_journal::RunEnd;

/// The result of a case.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Actions without a recorded answer, answers that the component never asks for, or that the component broke.
    pub notes: Vec<String>,
    /// One line for each difference between the two below.
    pub differences: Vec<String>,
    /// The expectation, as a case writes it.
    pub expected: String,
    /// What the component reports, in the same form. It is text from the component.
    pub found: String,
}

impl Verdict {
    /// True if the component reports what the case expects.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.notes.is_empty() && self.differences.is_empty()
    }

    /// Compares the end of a run, and the actions that it asked for, with a case.
    pub(super) fn new(case: &Case, end: &RunEnd, asked: &[(Option<TargetName>, ActionId)], staged: &[Staged]) -> Self {
        let mut verdict = Self { expected: text::expected(&case.expected), ..Self::default() };
        for on in &case.targets {
            // A case with one target does not name it.
            let name = (case.targets.len() > 1).then_some(&on.grant.target);
            let where_ = name.map(|name| format!(" on {name}")).unwrap_or_default();
            let asked_here: Vec<_> =
                asked.iter().filter(|(target, _)| target.as_ref() == name).map(|(_, id)| id).collect();
            for action in asked_here.iter().filter(|action| !on.answers.has(action)) {
                verdict.notes.push(format!("it asks for {action}{where_}, and the case has no answer to that"));
            }
            for action in on.answers.ids().filter(|id| !asked_here.contains(id)) {
                verdict.notes.push(format!("it never asks for {action}{where_}, and the case has an answer to that"));
            }
        }
        let end_text = match end {
            RunEnd::Report(report) => Expected::Findings(as_written(report)),
            RunEnd::CouldNotCheck { reason, error } => {
                let wanted = !matches!(&case.expected, Expected::Failure(RawFailure { reason: None, .. }));
                let reason = wanted.then(|| reason.for_encoder().to_owned());
                Expected::Failure(RawFailure { error: *error, reason })
            }
            RunEnd::Decided(decision) => Expected::Plan(plan(decision, staged, &case.expected)),
            RunEnd::Fault(fault) => {
                verdict.notes.push(format!("it broke: {fault}"));
                verdict.found = format!("# it broke: {fault}\n");
                return verdict;
            }
        };
        verdict.found = text::expected(&end_text);
        match (&case.expected, end) {
            (Expected::Findings(expected), RunEnd::Report(report)) => verdict.findings(expected, report),
            (Expected::Failure(expected), RunEnd::CouldNotCheck { reason, error }) => {
                verdict.differ("error", &expected.error, error);
                if let Some(text) = &expected.reason {
                    verdict.differ("reason", text, &reason.for_encoder().to_owned());
                }
            }
            (Expected::Plan(expected), RunEnd::Decided(decision)) => {
                let planned = plan(decision, staged, &case.expected);
                verdict.differ("propose", &expected.propose, &planned.propose);
                verdict.differ("nothing", &expected.nothing, &planned.nothing);
                verdict.differ("refuse", &expected.refuse, &planned.refuse);
                verdict.differ("owner", &expected.owner, &planned.owner);
                verdict.differ("stages", &expected.stages, &planned.stages);
                verdict.differ("computed", &expected.computed, &planned.computed);
            }
            (Expected::Plan(_), _) => verdict.notes.push("it could not check, and the case expects a plan".to_owned()),
            (Expected::Findings(_), _) => {
                verdict.notes.push("it could not check, and the case expects findings".to_owned())
            }
            (Expected::Failure(_), _) => {
                verdict.notes.push("it could check, and the case expects a failure".to_owned())
            }
        }
        verdict
    }
}

/// A plan as a case writes it. The digest of a change's content is written only where the case has one.
fn plan(decision: &Decision, staged: &[Staged], expected: &Expected) -> RawPlan {
    let wanted = match expected {
        Expected::Plan(plan) => plan.stages.as_slice(),
        _ => &[],
    };
    let stages = staged.iter().enumerate().map(|(at, staged)| {
        let id = staged.action.id.as_str();
        let short = id.split('#').next().unwrap_or(id);
        let whole = wanted.get(at).is_some_and(|wanted| wanted.contains('#'));
        if whole { id.to_owned() } else { short.to_owned() }
    });
    let text = |text: &Tainted| Some(text.for_encoder().to_owned());
    let mut written = RawPlan {
        stages: stages.collect(),
        computed: staged.iter().filter_map(|staged| staged.computed.clone()).collect(),
        ..RawPlan::default()
    };
    match decision {
        Decision::Propose { context, .. } => written.propose = text(context),
        Decision::NothingToDo { why } => written.nothing = text(why),
        Decision::Refuse { reason, owner, .. } => {
            written.refuse = text(reason);
            written.owner = text(owner);
        }
    }
    written
}

/// A report as a case writes it.
pub(super) fn as_written(report: &Report) -> Vec<RawFinding> {
    let written = |finding: &bailiwick_core::model::Finding| RawFinding {
        code: finding.code.clone(),
        severity: finding.severity,
        subject: finding.subject.for_encoder().to_owned(),
        title: finding.title.for_encoder().to_owned(),
        metrics: finding
            .metrics
            .iter()
            .map(|metric| (metric.name.clone(), toml::Value::Float(metric.value)))
            .collect::<BTreeMap<_, _>>(),
    };
    report.findings.iter().map(written).collect()
}

impl Verdict {
    fn differ<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, expected: &T, found: &T) {
        if expected != found {
            self.differences.push(format!("{what}: expected {expected:?}, found {found:?}"));
        }
    }

    fn findings(&mut self, expected: &[RawFinding], report: &Report) {
        self.differ("findings", &expected.len(), &report.findings.len());
        for (index, (expected, found)) in expected.iter().zip(&report.findings).enumerate() {
            let at = |field: &str| format!("finding {}, {field}", index + 1);
            self.differ(&at("code"), &expected.code, &found.code);
            self.differ(&at("severity"), &expected.severity, &found.severity);
            self.differ(&at("subject"), &expected.subject, &found.subject.for_encoder().to_owned());
            self.differ(&at("title"), &expected.title, &found.title.for_encoder().to_owned());
            let names: Vec<_> = found.metrics.iter().map(|metric| metric.name.clone()).collect();
            for metric in &found.metrics {
                let wanted = expected.metrics.get(&metric.name).and_then(ParamValue::from_toml);
                match wanted {
                    Some(ParamValue::Number(wanted)) => {
                        if (wanted - metric.value).abs() > 1e-9 * wanted.abs().max(1.0) {
                            self.differ(&at(&metric.name), &wanted, &metric.value);
                        }
                    }
                    _ => self.differences.push(format!(
                        "{}: found {}, expected no such metric",
                        at(&metric.name),
                        metric.value
                    )),
                }
            }
            for name in expected.metrics.keys().filter(|name| !names.contains(name)) {
                self.differences.push(format!("{}: expected, and missing", at(name)));
            }
        }
    }
}
