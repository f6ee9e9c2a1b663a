//! The run: calls the verb of every check for every entry of its slot, and judges the answers.

use bailiwick_guest::__private::{
    bindings::bailiwick::ops::{calls, params},
    handle, words,
};
use bailiwick_guest::target::{Entry, Value as Param};
use bailiwick_guest::{Failure, Finding, Probe, Report, Target, VerbError, clock};

use crate::bindings::bailiwick::rules::rules::{self, Check, Value};
use crate::check::{judge, say};
use crate::line;
use crate::value::Scope;

/// The probe that runs the checks of a manifest.
pub struct Interpreter;

impl Probe for Interpreter {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let mut run = Run { target, report: Report::default(), first: None, checked: false };
        for (number, check) in rules::checks().iter().enumerate() {
            run.put(number as u32, check);
        }
        match run.first {
            // As for any probe: a run without any answer could not check.
            Some(failure) if !run.checked => Err(failure),
            _ => Ok(run.report),
        }
    }
}

struct Run<'t> {
    target: &'t Target,
    report: Report,
    first: Option<Failure>,
    checked: bool,
}

impl Run<'_> {
    fn put(&mut self, number: u32, check: &Check) {
        let Some(slot) = &check.slot else { return self.ask(number, check, None) };
        let entries = self.target.slots(slot);
        if entries.is_empty() {
            let failure = Failure::new(["nothing is bound to slot ", slot].concat());
            self.could_not_check(check, "", failure);
        }
        for entry in &entries {
            self.ask(number, check, Some(entry));
        }
    }

    fn ask(&mut self, number: u32, check: &Check, entry: Option<&Entry>) {
        let answer = rules::ask(handle(self.target), number, entry.map(|entry| entry.key.as_str()));
        let call = calls::last();
        let literal = entry.map(|entry| entry.literal.as_str());
        let param = |name: &str| param(self.target, name);
        let scope =
            Scope { now: clock::now_ms() as f64 / 1000.0, param: &param, slot: literal, item: &[], count: None };
        let found = match answer {
            Ok(items) => judge(check, &items, scope),
            Err(error) => match check.errors.iter().find(|(expected, _)| *expected == error) {
                Some((_, verdict)) => vec![say(check, verdict, &scope)],
                None => {
                    let failure = failure(check, literal, error, call);
                    return self.could_not_check(check, &line::write(&check.place, &scope), failure);
                }
            },
        };
        self.checked = true;
        self.report.extend(found.into_iter().map(|mut finding| {
            finding.evidence.push(call);
            finding
        }));
    }

    /// Reports one entry of the check as unknown; the other entries continue.
    fn could_not_check(&mut self, check: &Check, subject: &str, failure: Failure) {
        let mut finding = Finding::unknown(&check.code, subject, &failure.reason);
        finding.evidence.extend(failure.call);
        self.report.push(finding);
        self.first.get_or_insert(failure);
    }
}

fn failure(check: &Check, literal: Option<&str>, error: VerbError, call: u32) -> Failure {
    let object = literal.map(|literal| [" of ", literal].concat()).unwrap_or_default();
    let mut failure = Failure::new([check.verb.as_str(), &object, words(error)].concat());
    failure.error = Some(error);
    failure.call = Some(call);
    failure
}

fn param(target: &Target, name: &str) -> Value {
    match params::get(handle(target), name) {
        Some(Param::Number(number)) => Value::Number(number),
        Some(Param::Text(text)) => Value::Text(text),
        Some(Param::Flag(flag)) => Value::Flag(flag),
        Some(Param::Texts(texts)) => Value::Texts(texts),
        None => Value::Absent,
    }
}
