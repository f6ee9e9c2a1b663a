//! What came of a case: whether the component said what it must, and where it did not.
//!
//! Knows: expectations and reports. Must not know: how either came about.

use std::collections::BTreeMap;

use super::case::{Case, Expected, RawFailure, RawFinding, RawPlan};
use super::text;
use crate::broker::Staged;
use bailiwick_core::model::{ActionId, Decision, ParamValue, Report, Tainted, TargetName};
use bailiwick_journal::RunEnd;

/// What came of a case.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What it asked for and has no answer to, or the reverse; that it broke.
    pub notes: Vec<String>,
    /// One line for each difference between the two below.
    pub differences: Vec<String>,
    /// The expectation, as a case writes it.
    pub expected: String,
    /// What the component said, in the same form. Somebody else's text.
    pub found: String,
}

impl Verdict {
    /// True if there is nothing to say against it.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.notes.is_empty() && self.differences.is_empty()
    }

    /// Holds how a run ended, and what it asked for, against a case.
    pub(super) fn new(case: &Case, end: &RunEnd, asked: &[(Option<TargetName>, ActionId)], staged: &[Staged]) -> Self {
        let mut found = Self { expected: text::expected(&case.expected), ..Self::default() };
        for on in &case.targets {
            // In a case with one target nobody has to say which.
            let name = (case.targets.len() > 1).then_some(&on.grant.target);
            let where_ = name.map(|name| format!(" on {name}")).unwrap_or_default();
            let of_it: Vec<_> = asked.iter().filter(|(target, _)| target.as_ref() == name).map(|(_, id)| id).collect();
            for action in of_it.iter().filter(|action| !on.answers.has(action)) {
                found.notes.push(format!("it asks for {action}{where_}, and the case records no answer to that"));
            }
            for action in on.answers.ids().filter(|id| !of_it.contains(id)) {
                found.notes.push(format!("it never asks for {action}{where_}, to which the case records an answer"));
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
                found.notes.push(format!("it broke: {fault}"));
                found.found = format!("# it broke: {fault}\n");
                return found;
            }
        };
        found.found = text::expected(&end_text);
        match (&case.expected, end) {
            (Expected::Findings(expected), RunEnd::Report(report)) => found.findings(expected, report),
            (Expected::Failure(expected), RunEnd::CouldNotCheck { reason, error }) => {
                found.differ("error", &expected.error, error);
                if let Some(text) = &expected.reason {
                    found.differ("reason", text, &reason.for_encoder().to_owned());
                }
            }
            (Expected::Plan(expected), RunEnd::Decided(decision)) => {
                let planned = plan(decision, staged, &case.expected);
                found.differ("propose", &expected.propose, &planned.propose);
                found.differ("nothing", &expected.nothing, &planned.nothing);
                found.differ("refuse", &expected.refuse, &planned.refuse);
                found.differ("owner", &expected.owner, &planned.owner);
                found.differ("stages", &expected.stages, &planned.stages);
                found.differ("computed", &expected.computed, &planned.computed);
            }
            (Expected::Plan(_), _) => found.notes.push("it could not look, and a plan is expected".to_owned()),
            (Expected::Findings(_), _) => found.notes.push("it could not look, and findings are expected".to_owned()),
            (Expected::Failure(_), _) => found.notes.push("it looked, and that it cannot is expected".to_owned()),
        }
        found
    }
}

/// A plan as a case writes it: of a change the digest of what is written stands there only where the case has it.
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
    let mut found = RawPlan {
        stages: stages.collect(),
        computed: staged.iter().filter_map(|staged| staged.computed.clone()).collect(),
        ..RawPlan::default()
    };
    match decision {
        Decision::Propose { context, .. } => found.propose = text(context),
        Decision::NothingToDo { why } => found.nothing = text(why),
        Decision::Refuse { reason, owner, .. } => {
            found.refuse = text(reason);
            found.owner = text(owner);
        }
    }
    found
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
                self.differences.push(format!("{}: expected, and not there", at(name)));
            }
        }
    }
}
