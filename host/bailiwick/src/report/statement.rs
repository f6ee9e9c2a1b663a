//! A sweep as a flat list of statements, for formats that other tools read.
//!
//! Knows: which outcome becomes which statement. Must not know: any format. Attacks answered: TX02, TX05: text of guests and
//! targets is harmless to terminals before a format's own encoder gets it.

use bailiwick_core::encode;
use bailiwick_core::model::{ComponentId, Metric, RunFault, Severity, Tainted, TargetName, Unit};
use bailiwick_core::outcome::{CheckedTarget, Run, RunOutcome, Sweep, TargetResult, Together};

use super::tally::{RunStanding, Standing};

/// Maximum columns of a line for other tools. It is longer than any finding's title.
const COLUMNS: usize = 500;

/// The kind of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A finding.
    Finding(Severity),
    /// The target lacks what the probe checks.
    NotApplicable,
    /// The check was not possible.
    Unseen,
    /// The component broke.
    Broken,
    /// The check was refused.
    Refused,
}

/// One statement.
#[derive(Debug)]
pub(super) struct Statement<'a> {
    /// The machine that it is about.
    pub(super) target: &'a TargetName,
    /// The component that made it. None for the host.
    pub(super) component: Option<&'a ComponentId>,
    /// A stable code, `[a-z0-9-]`. Harmless.
    pub(super) code: String,
    /// The subject within the target, mostly empty. Harmless.
    pub(super) subject: String,
    /// Its kind.
    pub(super) kind: Kind,
    /// Its text. Harmless.
    pub(super) text: String,
    /// Its metrics, with harmless names.
    pub(super) metrics: Vec<(String, f64, Unit)>,
}

impl Statement<'_> {
    /// `component/code`, or `bailiwick/code` for a statement of the host.
    pub(super) fn rule(&self) -> String {
        format!("{}/{}", self.component.map_or("bailiwick", ComponentId::as_str), self.code)
    }
}

/// All statements of a sweep, in its order.
pub(super) fn statements(sweep: &Sweep) -> Vec<Statement<'_>> {
    sweep.targets.iter().flat_map(|checked| of_target(sweep, checked)).collect()
}

/// The statements about one of its targets.
pub(super) fn of_target<'a>(sweep: &'a Sweep, checked: &'a CheckedTarget) -> Vec<Statement<'a>> {
    let mut all = Vec::new();
    let host = |code, kind, text: &str| Statement {
        target: &checked.target,
        component: None,
        code: String::from(code),
        subject: String::new(),
        kind,
        text: encode::harmless(text, COLUMNS),
        metrics: Vec::new(),
    };
    match &checked.result {
        TargetResult::Unreachable { cause, .. } => all.push(host("unreachable", Kind::Unseen, cause)),
        TargetResult::Refused { rule } => all.push(host("refused", Kind::Refused, rule)),
        TargetResult::Runs(runs) if runs.is_empty() => {
            if Standing::new(sweep, checked) == Standing::Unseen {
                all.push(host("nothing-ran", Kind::Unseen, "no probe ran here"));
            }
        }
        TargetResult::Runs(runs) => runs.iter().for_each(|run| push(&mut all, &checked.target, run)),
    }
    for together in &sweep.together {
        push_together(&mut all, checked, together);
    }
    all
}

/// Adds the statements of a run on several targets about one of them. A statement that names no target belongs to the first
/// one.
fn push_together<'a>(all: &mut Vec<Statement<'a>>, checked: &'a CheckedTarget, together: &'a Together) {
    let Together { targets, left_out, run } = together;
    if let Some(left) = left_out.iter().find(|left| left.target == checked.target) {
        all.push(Statement {
            target: &checked.target,
            component: Some(&run.component),
            code: String::from("refused"),
            subject: String::new(),
            kind: Kind::Refused,
            text: encode::harmless(&left.reason, COLUMNS),
            metrics: Vec::new(),
        });
    }
    if !targets.contains(&checked.target) {
        return;
    }
    let mut statements = Vec::new();
    push(&mut statements, &checked.target, run);
    let RunOutcome::Report(report) = &run.outcome else { return all.extend(statements) };
    let is_first = targets.first() == Some(&checked.target);
    for (finding, statement) in report.findings.iter().zip(statements) {
        let of_one = targets.iter().any(|target| finding.subject.is_about(target.as_str()));
        if finding.subject.is_about(checked.target.as_str()) || is_first && !of_one {
            all.push(statement);
        }
    }
}

fn numbered(metric: &Metric) -> (String, f64, Unit) {
    (encode::harmless(&metric.name, COLUMNS), metric.value, metric.unit)
}

fn push<'a>(all: &mut Vec<Statement<'a>>, target: &'a TargetName, run: &'a Run) {
    let one = |code: &str, kind, text| Statement {
        target,
        component: Some(&run.component),
        code: encode::harmless(code, COLUMNS),
        subject: String::new(),
        kind,
        text,
        metrics: Vec::new(),
    };
    let theirs = |text: &Tainted| encode::terminal(text, COLUMNS);
    match &run.outcome {
        RunOutcome::Report(report) => all.extend(report.findings.iter().map(|finding| Statement {
            subject: theirs(&finding.subject),
            metrics: finding.metrics.iter().map(numbered).collect(),
            ..one(&finding.code, Kind::Finding(finding.severity), theirs(&finding.title))
        })),
        RunOutcome::CouldNotCheck { reason, .. } => {
            let (code, kind) = match RunStanding::new(run) {
                RunStanding::NotApplicable => ("not-applicable", Kind::NotApplicable),
                // A code that other tools store.
                _ => ("could-not-look", Kind::Unseen),
            };
            all.push(one(code, kind, theirs(reason)));
        }
        RunOutcome::Fault(RunFault { message, .. }) => {
            all.push(one("fault", Kind::Broken, encode::harmless(&format!("the probe failed: {message}"), COLUMNS)));
        }
        RunOutcome::Refused { reason } => all.push(one("refused", Kind::Refused, encode::harmless(reason, COLUMNS))),
    }
}
