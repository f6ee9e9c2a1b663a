//! What a change has to show, held against what was seen. Pure.
//!
//! Knows: states, and what probes said before and after. Must not know: how they were asked. Attacks answered: a fix that says that
//! all is well (PH11): its own word is one proof among four, and the only one that it has any part in; and a fix that mends one
//! thing and breaks another: nothing that was looked at before may be worse afterwards.

use std::collections::BTreeMap;

use super::check::is_back;
use super::plan::{Plan, Step};
use bailiwick_core::model::{Severity, State, Tainted};
use bailiwick_journal::{Observed, ProofResult};

/// The state that each object has after the plan: that of the last step that touches it.
#[must_use]
pub fn last_of_each(plan: &Plan) -> Vec<(usize, &Step)> {
    let mut found: BTreeMap<String, (usize, &Step)> = BTreeMap::new();
    for (index, step) in plan.steps.iter().enumerate() {
        found.insert(step.change.object(), (index, step));
    }
    let mut found: Vec<_> = found.into_values().collect();
    found.sort_by_key(|(index, _)| *index);
    found
}

/// The first step that touches each object: before it the object is what it was.
#[must_use]
pub fn first_of_each(plan: &Plan) -> Vec<(usize, &Step)> {
    let mut found: BTreeMap<String, (usize, &Step)> = BTreeMap::new();
    for (index, step) in plan.steps.iter().enumerate() {
        found.entry(step.change.object()).or_insert((index, step));
    }
    let mut found: Vec<_> = found.into_values().collect();
    found.sort_by_key(|(index, _)| *index);
    found
}

fn shown(what: String, holds: bool, said: impl Into<String>) -> ProofResult {
    ProofResult { what, holds, said: Tainted::new(said) }
}

/// Whether an object is what the plan says that it is afterwards.
#[must_use]
pub fn after(step: &Step, now: &State) -> ProofResult {
    shown(format!("state of {}", step.change.object()), *now == step.after, now.to_string())
}

/// Whether an object is what it was.
#[must_use]
pub fn before(step: &Step, now: &State) -> ProofResult {
    let what = format!("{} is what it was", step.change.object());
    shown(what, is_back(step, now), now.to_string())
}

/// An object of which nobody can say what it is.
#[must_use]
pub fn unseen(step: &Step, why: &str) -> ProofResult {
    shown(format!("state of {}", step.change.object()), false, why)
}

/// What the fix says of its own work: it looked, and has nothing worse than ok to say.
#[must_use]
pub fn verified(said: Result<&[Observed], &str>) -> ProofResult {
    let what = "the fix's own verify".to_owned();
    match said {
        Err(why) => shown(what, false, why),
        Ok([]) => shown(what, false, "it says nothing"),
        Ok(seen) => {
            let bad: Vec<_> = seen.iter().filter(|seen| seen.severity != Some(Severity::Ok)).collect();
            shown(what, bad.is_empty(), list(if bad.is_empty() { seen.iter().collect() } else { bad }))
        }
    }
}

/// Whether the findings are gone that the plan answers, and whether anything else is worse than before.
#[must_use]
pub fn looked(plan: &Plan, baseline: &[Observed], said: Result<&[Observed], &str>) -> Vec<ProofResult> {
    let seen = match said {
        Ok(seen) => seen,
        Err(why) => return vec![shown("the probes of what it touches".to_owned(), false, why)],
    };
    let mut proofs = Vec::new();
    for raised in &plan.raised {
        let what = format!("{} no longer says {}", raised.probe, raised.code);
        let mine: Vec<_> = seen.iter().filter(|seen| seen.probe == raised.probe).collect();
        let still = mine.iter().any(|seen| seen.code == raised.code && seen.severity != Some(Severity::Ok));
        let blind = mine.is_empty() || mine.iter().any(|seen| seen.severity.is_none());
        proofs.push(shown(what, !still && !blind, list(mine)));
    }
    let worse = worse(plan, baseline, seen);
    let what = "nothing else is worse than before".to_owned();
    let said =
        if worse.is_empty() { format!("{} statements compared", seen.len()) } else { list(worse.iter().collect()) };
    proofs.push(shown(what, worse.is_empty(), said));
    proofs
}

/// What is worse than before; what the plan answers is told apart from it.
fn worse(plan: &Plan, baseline: &[Observed], now: &[Observed]) -> Vec<Observed> {
    let answered =
        |seen: &Observed| plan.raised.iter().any(|raised| raised.probe == seen.probe && raised.code == seen.code);
    let was = |seen: &Observed| {
        baseline
            .iter()
            .filter(|old| old.probe == seen.probe && old.code == seen.code && old.subject == seen.subject)
            .map(|old| old.severity)
            .max()
    };
    let blind_before = |seen: &Observed| baseline.iter().any(|old| old.probe == seen.probe && old.severity.is_none());
    let is_worse = |seen: &&Observed| match seen.severity {
        // It looked before, and cannot any more.
        None => !blind_before(seen),
        Some(Severity::Ok) => false,
        Some(now) => match was(seen) {
            Some(before) => before.is_none_or(|before| now > before) && !blind_before(seen),
            // Who could not look before says nothing of before.
            None => !blind_before(seen),
        },
    };
    let mut found: Vec<_> = now.iter().filter(|seen| !answered(seen)).filter(is_worse).cloned().collect();
    // One that spoke before and is silent now has not looked.
    let silent = baseline.iter().filter(|old| old.severity.is_some() && now.iter().all(|seen| seen.probe != old.probe));
    found.extend(silent.map(|old| Observed { severity: None, ..old.clone() }));
    found
}

/// Words of probes, for a person and the journal.
fn list(seen: Vec<&Observed>) -> String {
    let one = |seen: &&Observed| {
        let severity = seen.severity.map_or("could not look", Severity::name);
        let code = if seen.code.is_empty() { String::new() } else { format!(" {}", seen.code) };
        format!("{}: {severity}{code}", seen.probe)
    };
    let mut words: Vec<_> = seen.iter().map(one).collect();
    words.dedup();
    let more = words.len().saturating_sub(WORDS_MAX);
    words.truncate(WORDS_MAX);
    if more > 0 {
        words.push(format!("and {more} more"));
    }
    words.join("; ")
}

/// Most words of probes that a proof repeats; the runs themselves stand in the journal.
const WORDS_MAX: usize = 12;
