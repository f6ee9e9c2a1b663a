//! After a crash: find out the state of an open change, by reading and nothing else (D23).
//!
//! Knows: the latest entry of the journal, the gate's record, the objects. Must not know: how to change anything: it uses the gate's
//! client only to query. Attack answered: a program that starts again and repeats what it did before the crash (CH06). Where the state
//! stays unknown, the change stays open, and is reported as open: the target rolls it back by itself, or a person runs
//! `bailiwick rollback`.

use super::gate_client::{Closed, GateClient, GateClientError};
use super::log::{Log, LogError};
use super::plan::Plan;
use super::state::{ChangeState, ChangeStatus};
use super::verify;
use bailiwick_core::model::{ChangeId, Tainted};
use bailiwick_journal::{End, Event, ProofResult};

/// What recovery has found out about one change.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovered {
    /// The change.
    pub change: ChangeId,
    /// How it has ended; none: it is still open.
    pub end: Option<End>,
    /// The reason, in the host's words.
    pub why: String,
    /// What was read.
    pub proofs: Vec<ProofResult>,
}

/// Finds out the state of a change that has no end.
///
/// # Errors
/// When the journal is not writable.
pub async fn recover<H: GateClient>(
    log: &mut Log,
    gate: &mut H,
    plan: Option<&Plan>,
    change: &ChangeId,
) -> Result<Option<Recovered>, LogError> {
    let Some(state) = log.change(change).filter(|state| state.status.is_open()).cloned() else { return Ok(None) };
    if state.status == ChangeStatus::Reserved {
        // Nothing is sent before the entry after this one.
        return end(log, change, End::NotBegun, "it never began", Vec::new()).map(Some);
    }
    let Some(plan) = plan else {
        return open(change, "its plan is missing, so it is unknown what it was to do", Vec::new());
    };
    let record = match gate.record(change).await {
        Ok(record) => record,
        Err(error) => return open(change, &format!("the target does not answer: {error}"), Vec::new()),
    };
    let closed = record.as_ref().map(|record| record.closed);
    let reported = match closed {
        None => "it has no record of the change",
        Some(None) => "the change is open; the target rolls it back when its time is over",
        Some(Some(Closed::Confirmed)) => "the change is kept",
        Some(Some(Closed::RolledBack)) => "the change is rolled back",
        Some(Some(Closed::Failed)) => "the target could not roll the change back",
    };
    let what = "the gate has a record of the change".to_owned();
    let mut proofs = vec![ProofResult { what, holds: record.is_some(), detail: Tainted::new(reported) }];
    let (mut all_after, mut all_before) = (true, true);
    for (_, step) in verify::last_of_each(plan) {
        match gate.preview(step).await {
            Ok(preview) => {
                let proof = verify::state_after(step, &preview.before);
                all_after &= proof.holds;
                proofs.push(proof);
            }
            Err(error) => return unknown_objects(log, change, proofs, &error),
        }
    }
    for (_, step) in verify::first_of_each(plan) {
        match gate.preview(step).await {
            Ok(preview) => all_before &= verify::state_before(step, &preview.before).holds,
            Err(error) => return unknown_objects(log, change, proofs, &error),
        }
    }
    log.write(Event::Inspected { change: change.clone(), proofs: proofs.clone() })?;
    judge(log, &state, closed, all_before, all_after, proofs).map(Some)
}

/// What journal, gate and objects together say about the change.
fn judge(
    log: &mut Log,
    state: &ChangeState,
    gate: Option<Option<Closed>>,
    all_before: bool,
    all_after: bool,
    proofs: Vec<ProofResult>,
) -> Result<Recovered, LogError> {
    let change = &state.id;
    match (gate, state.status) {
        // It was proved, and the gate was ordered to keep it; only the last entry is missing.
        (Some(Some(Closed::Confirmed)), ChangeStatus::Keeping) if all_after => {
            end(log, change, End::Applied, "it was proved and kept before the program ended", proofs)
        }
        // It was applied earlier, and its rollback was under way.
        (Some(Some(Closed::Confirmed)), ChangeStatus::RollingBack | ChangeStatus::Dropping) if all_before => {
            end(log, change, End::RolledBack, "every object has its former state", proofs)
        }
        (Some(Some(Closed::Confirmed)), ChangeStatus::RollingBack | ChangeStatus::Dropping) => Ok(Recovered {
            change: change.clone(),
            end: None,
            why: format!("it is partly rolled back; `bailiwick rollback {change}` continues"),
            proofs,
        }),
        (Some(Some(Closed::RolledBack)), _) if all_before => end(
            log,
            change,
            End::RolledBack,
            "the target has rolled it back, and every object has its former state",
            proofs,
        ),
        (None, ChangeStatus::Begun) if all_before => end(log, change, End::NotBegun, "the gate never began it", proofs),
        (Some(None), _) => Ok(Recovered {
            change: change.clone(),
            end: None,
            why: format!(
                "it is open on the target, which rolls it back when its time is over; `bailiwick rollback {change}` does so now"
            ),
            proofs,
        }),
        _ => end(
            log,
            change,
            End::Stuck,
            "journal, gate and objects contradict one another; a person must check",
            proofs,
        ),
    }
}

fn end(log: &mut Log, change: &ChangeId, end: End, why: &str, proofs: Vec<ProofResult>) -> Result<Recovered, LogError> {
    log.write(Event::Ended { change: change.clone(), end, why: Some(why.to_owned()) })?;
    Ok(Recovered { change: change.clone(), end: Some(end), why: why.to_owned(), proofs })
}

fn open(change: &ChangeId, why: &str, proofs: Vec<ProofResult>) -> Result<Option<Recovered>, LogError> {
    Ok(Some(Recovered { change: change.clone(), end: None, why: why.to_owned(), proofs }))
}

fn unknown_objects(
    log: &mut Log,
    change: &ChangeId,
    proofs: Vec<ProofResult>,
    error: &GateClientError,
) -> Result<Option<Recovered>, LogError> {
    log.write(Event::Inspected { change: change.clone(), proofs: proofs.clone() })?;
    open(change, &format!("the target does not report the state of the objects: {error}"), proofs)
}
