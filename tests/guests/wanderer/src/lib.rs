//! The fuzzer: calls every verb with keys that exist and keys that do not, at random from a seed, and counts what it gets.
//! It is its own judge: an answer, or any error but `refused` and `exhausted`, for a key that is not its own is a critical
//! finding `outside`. What reached a target is for the test to see.

#![expect(clippy::indexing_slicing, reason = "places come from `below`; a mistake traps, and fails the test")]

mod keys;
mod random;

use std::collections::BTreeMap;

use keys::Keys;
use random::Random;
use raw::{
    Finding, Guest, Object, Outcome, Report, Severity, Target, VERBS, Verb, calls, count, error_name, failure, finding,
};

/// Slots of the manifest.
const SLOTS: &[(&str, Object)] = &[
    ("unit", Object::Unit),
    ("units", Object::Unit),
    ("file", Object::Path),
    ("files", Object::Path),
    ("runtimes", Object::Runtime),
    ("containers", Object::Container),
    ("commands", Object::Command),
    ("url", Object::Url),
    ("endpoint", Object::Endpoint),
    ("databases", Object::Database),
    ("statements", Object::Statement),
];
const PARAMS: &[&str] = &["seed", "calls"];

struct Wanderer;

impl Guest for Wanderer {
    fn examine(targets: Vec<Target>) -> Outcome {
        let Some(target) = targets.first() else {
            return Err(failure("the run has no target".to_owned()));
        };
        let mut random = Random::new(raw::number(target, "seed")? as u64);
        let mut keys = Keys::new(target);
        let mut seen = Seen::default();
        for _ in 0..raw::number(target, "calls")? as u32 {
            let verb = pick_verb(&mut random);
            let key = keys.pick(&mut random);
            seen.local(target, &key);
            let own = verb.object == Object::None || keys.own(verb.object, &key);
            let answer = verb.ask(target, &key).map_or_else(error_name, |()| "answered");
            seen.verb(verb.name, verb.object, &key, own, answer);
        }
        Ok(seen.report(keys.bytes_spent()))
    }
}

/// Any verb; those that take a key more often.
fn pick_verb(random: &mut Random) -> &'static Verb {
    loop {
        let verb = &VERBS[random.below(VERBS.len())];
        if verb.object != Object::None || random.below(8) == 0 {
            return verb;
        }
    }
}

#[derive(Default)]
struct Seen {
    /// Calls by the answer of the host.
    answers: BTreeMap<&'static str, u32>,
    /// Calls with a key that is not ours.
    strange: u32,
    /// Calls with a key of ours that were refused: nothing bad where a never-rule took one away.
    own_refused: u32,
    /// What must not happen.
    outside: Vec<Finding>,
    outside_count: u32,
}

impl Seen {
    fn verb(&mut self, verb: &str, object: Object, key: &str, own: bool, answer: &'static str) {
        *self.answers.entry(answer).or_default() += 1;
        if own {
            self.own_refused += u32::from(object != Object::None && answer == "refused");
            return;
        }
        self.strange += 1;
        if !matches!(answer, "refused" | "exhausted") {
            self.outside(verb, key, answer);
        }
    }

    /// Slots and parameters that are not ours have nothing in them.
    fn local(&mut self, target: &Target, name: &str) {
        if !raw::slots::entries(target, name).is_empty() && !SLOTS.iter().any(|(slot, _)| *slot == name) {
            self.outside("slots.entries", name, "entries");
        }
        if raw::params::get(target, name).is_some() && !PARAMS.contains(&name) {
            self.outside("params.get", name, "a value");
        }
    }

    fn outside(&mut self, function: &str, key: &str, answer: &str) {
        self.outside_count += 1;
        if self.outside.len() < 50 {
            let title = format!("{function} answered: {answer}");
            // Six bytes of escape at most for each: within the 200.
            let shown: String = key.chars().take(16).flat_map(char::escape_debug).collect();
            let mut finding = finding(Severity::Critical, "outside", &shown, &title);
            finding.evidence.extend(Some(calls::last()).filter(|call| *call > 0));
            self.outside.push(finding);
        }
    }

    fn report(self, key_bytes: usize) -> Report {
        let worst = if self.outside_count == 0 { Severity::Ok } else { Severity::Critical };
        let mut summary = finding(worst, "wander", "", "keys that are not its own are refused");
        summary.metrics = vec![
            count("calls", f64::from(calls::last())),
            count("strange", f64::from(self.strange)),
            count("outside", f64::from(self.outside_count)),
            count("own-refused", f64::from(self.own_refused)),
            count("key-bytes", key_bytes as f64),
        ];
        summary.metrics.extend(self.answers.iter().map(|(answer, calls)| count(answer, f64::from(*calls))));
        let mut findings = self.outside;
        findings.insert(0, summary);
        Report { findings }
    }
}

raw::export_component!(Wanderer with_types_in raw);
