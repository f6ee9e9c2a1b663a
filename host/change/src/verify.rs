//! What a change must prove, compared with what was observed. Pure.
//!
//! Knows: states, and the results of probes before and after. Must not know: how they were obtained. Attacks answered: a fix that falsely
//! reports success (PH11): its own verify is one proof among four, and the only one that it influences; and a fix that repairs one
//! thing and breaks another: nothing that was checked before may be worse afterwards.

use std::collections::BTreeMap;

use super::check::is_restored;
use super::plan::{Plan, Step};
use bailiwick_core::model::{Severity, State, Tainted};
use bailiwick_journal::{Observed, ProofResult};

/// The last step that touches each object, whose state afterwards the object has after the plan.
#[must_use]
pub fn last_of_each(plan: &Plan) -> Vec<(usize, &Step)> {
    let mut steps: BTreeMap<String, (usize, &Step)> = BTreeMap::new();
    for (index, step) in plan.steps.iter().enumerate() {
        steps.insert(step.change.object(), (index, step));
    }
    let mut steps: Vec<_> = steps.into_values().collect();
    steps.sort_by_key(|(index, _)| *index);
    steps
}

/// The first step that touches each object, whose state before the object has before the plan.
#[must_use]
pub fn first_of_each(plan: &Plan) -> Vec<(usize, &Step)> {
    let mut steps: BTreeMap<String, (usize, &Step)> = BTreeMap::new();
    for (index, step) in plan.steps.iter().enumerate() {
        steps.entry(step.change.object()).or_insert((index, step));
    }
    let mut steps: Vec<_> = steps.into_values().collect();
    steps.sort_by_key(|(index, _)| *index);
    steps
}

fn proof(what: String, holds: bool, detail: impl Into<String>) -> ProofResult {
    ProofResult { what, holds, detail: Tainted::new(detail) }
}

/// Whether an object has the state that the plan expects afterwards.
#[must_use]
pub fn state_after(step: &Step, now: &State) -> ProofResult {
    proof(format!("state of {}", step.change.object()), *now == step.after, now.to_string())
}

/// Whether an object has its former state.
#[must_use]
pub fn state_before(step: &Step, now: &State) -> ProofResult {
    let what = format!("former state of {}", step.change.object());
    proof(what, is_restored(step, now), now.to_string())
}

/// An object whose state is unknown.
#[must_use]
pub fn unknown_state(step: &Step, why: &str) -> ProofResult {
    proof(format!("state of {}", step.change.object()), false, why)
}

/// The fix's own verify: it could check, and reports nothing worse than ok.
#[must_use]
pub fn own_verify(result: Result<&[Observed], &str>) -> ProofResult {
    let what = "the fix's own verify".to_owned();
    match result {
        Err(why) => proof(what, false, why),
        Ok([]) => proof(what, false, "it reports nothing"),
        Ok(seen) => {
            let bad: Vec<_> = seen.iter().filter(|seen| seen.severity != Some(Severity::Ok)).collect();
            proof(what, bad.is_empty(), list(if bad.is_empty() { seen.iter().collect() } else { bad }))
        }
    }
}

/// Whether the findings are gone that the plan answers, and whether anything else is worse than before.
#[must_use]
pub fn against_baseline(plan: &Plan, baseline: &[Observed], result: Result<&[Observed], &str>) -> Vec<ProofResult> {
    let seen = match result {
        Ok(seen) => seen,
        Err(why) => return vec![proof("the probes of the changed objects".to_owned(), false, why)],
    };
    let mut proofs = Vec::new();
    for raised in &plan.raised {
        let what = format!("{} no longer reports {}", raised.probe, raised.code);
        let mine: Vec<_> = seen.iter().filter(|seen| seen.probe == raised.probe).collect();
        let still = mine.iter().any(|seen| seen.code == raised.code && seen.severity != Some(Severity::Ok));
        let blind = mine.is_empty() || mine.iter().any(|seen| seen.severity.is_none());
        proofs.push(proof(what, !still && !blind, list(mine)));
    }
    let worse = worse(plan, baseline, seen);
    let what = "nothing else is worse than before".to_owned();
    let detail = if worse.is_empty() {
        format!("{} result{} compared", seen.len(), if seen.len() == 1 { "" } else { "s" })
    } else {
        list(worse.iter().collect())
    };
    proofs.push(proof(what, worse.is_empty(), detail));
    proofs
}

/// The results that are worse than before, without the findings that the plan answers.
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
        // The probe could check before, and cannot any more.
        None => !blind_before(seen),
        Some(Severity::Ok) => false,
        Some(now) => match was(seen) {
            Some(before) => before.is_none_or(|before| now > before) && !blind_before(seen),
            // A probe that could not check before is no evidence of the state before.
            None => !blind_before(seen),
        },
    };
    let mut worse: Vec<_> = now.iter().filter(|seen| !answered(seen)).filter(is_worse).cloned().collect();
    // A probe that reported before and is silent now has not checked.
    let silent = baseline.iter().filter(|old| old.severity.is_some() && now.iter().all(|seen| seen.probe != old.probe));
    worse.extend(silent.map(|old| Observed { severity: None, ..old.clone() }));
    worse
}

/// Results of probes, for a person and the journal.
fn list(seen: Vec<&Observed>) -> String {
    let one = |seen: &&Observed| {
        let severity = seen.severity.map_or("could not check", Severity::name);
        let code = if seen.code.is_empty() { String::new() } else { format!(" {}", seen.code) };
        format!("{}: {severity}{code}", seen.probe)
    };
    let mut results: Vec<_> = seen.iter().map(one).collect();
    results.dedup();
    let more = results.len().saturating_sub(RESULTS_MAX);
    results.truncate(RESULTS_MAX);
    if more > 0 {
        results.push(format!("and {more} more"));
    }
    results.join("; ")
}

/// Maximum number of results that a proof repeats; the runs themselves are in the journal.
const RESULTS_MAX: usize = 12;
