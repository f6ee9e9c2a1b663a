//! One check and one answer: which items count, and the finding for each.

use bailiwick_guest::{Finding, Severity};

use crate::bindings::bailiwick::rules::rules::{Check, Step, Value, Verdict};
use crate::line;
use crate::value::{Scope, evaluate};

/// The findings for an answer: one for each item that counts, or one for all of them.
pub fn judge(check: &Check, items: &[Vec<Value>], outer: Scope<'_>) -> Vec<Finding> {
    let mut counted = 0_u32;
    let mut doubtful = false;
    let mut found = Vec::new();
    for item in items {
        let mut known = item.clone();
        // A definition can use the answer's fields, but no other definition.
        known.extend(check.definitions.iter().map(|steps| evaluate(steps, &Scope { item, ..outer })));
        let scope = Scope { item: &known, ..outer };
        let counts = counts(check, &scope);
        match counts {
            Some(false) => continue,
            Some(true) => counted += 1,
            None => doubtful = true,
        }
        if !check.summary {
            found.push(finding(check, &scope, counts.is_none()));
        }
    }
    if check.summary {
        // If it is not known whether an item counts, the number of items is not known either.
        let count = (!doubtful).then(|| f64::from(counted));
        return vec![finding(check, &Scope { count, ..outer }, doubtful)];
    }
    if found.is_empty() {
        found.extend(check.nothing.as_ref().map(|verdict| say(check, verdict, &outer)));
    }
    found
}

/// The finding that the manifest defines for the case that there is nothing to judge.
pub fn say(check: &Check, verdict: &Verdict, scope: &Scope<'_>) -> Finding {
    let subject = line::write(&check.place, scope);
    Finding::new(verdict.severity, &check.code, subject, line::write(&verdict.title, scope))
}

/// Whether an item counts; none if that is not known.
fn counts(check: &Check, scope: &Scope<'_>) -> Option<bool> {
    check.filter.as_ref().map_or(Some(true), |steps| flag(steps, scope))
}

fn flag(steps: &[Step], scope: &Scope<'_>) -> Option<bool> {
    match evaluate(steps, scope) {
        Value::Flag(flag) => Some(flag),
        _ => None,
    }
}

fn finding(check: &Check, scope: &Scope<'_>, doubtful: bool) -> Finding {
    let severity = if doubtful { Severity::Unknown } else { severity(check, scope) };
    let line = line::write(if severity == Severity::Ok { &check.fine } else { &check.title }, scope);
    let subject = if check.summary { &check.place } else { &check.subject };
    let title = if severity == Severity::Unknown { ["unknown: ", &line].concat() } else { line };
    let finding = Finding::new(severity, &check.code, line::write(subject, scope), title);
    check.measures.iter().fold(finding, |finding, measure| match evaluate(&measure.value, scope) {
        Value::Number(value) => finding.metric(&measure.name, value, measure.unit),
        _ => finding,
    })
}

/// The worst certain severity. The result is ok only if neither condition can hold.
fn severity(check: &Check, scope: &Scope<'_>) -> Severity {
    // A missing condition does not hold.
    let holds = |steps: &Option<Vec<Step>>| steps.as_ref().map_or(Some(false), |steps| flag(steps, scope));
    match (holds(&check.critical), holds(&check.warning)) {
        (Some(true), _) => Severity::Critical,
        (_, Some(true)) => Severity::Warning,
        (Some(false), Some(false)) => Severity::Ok,
        _ => Severity::Unknown,
    }
}
