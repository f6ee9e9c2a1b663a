//! After a crash: what is true, found out by asking and looking, and nothing else (D23).
//!
//! Knows: what the journal says last, what the gate says, what the objects are. Must not know: how to change anything: it holds the
//! hands only to ask. Attack answered: a program that starts again and does what it was at once more (CH06). Where nobody can tell, it
//! says so and leaves the change open: the target undoes it by itself, or a person types `bailiwick rollback`.

use super::gate_client::{Closed, GateClient, GateClientError};
use super::log::{Log, LogError};
use super::plan::Plan;
use super::state::{ChangeState, ChangeStatus};
use super::verify;
use bailiwick_core::model::{ChangeId, Tainted};
use bailiwick_journal::{End, Event, ProofResult};

/// What was found out of one change.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The change.
    pub change: ChangeId,
    /// How it has ended, as is known now; none: it is open still.
    pub end: Option<End>,
    /// In the host's words.
    pub why: String,
    /// What was seen.
    pub said: Vec<ProofResult>,
}

/// Finds out what is true of a change that has no end.
///
/// # Errors
/// When the journal cannot be written.
pub async fn recover<H: GateClient>(
    log: &mut Log,
    hands: &mut H,
    plan: Option<&Plan>,
    change: &ChangeId,
) -> Result<Option<Found>, LogError> {
    let Some(course) = log.course(change).filter(|course| course.stage.is_open()).cloned() else { return Ok(None) };
    if course.stage == ChangeStatus::Reserved {
        // Nothing is sent before the entry after this one.
        return end(log, change, End::NotBegun, "it never began", Vec::new()).map(Some);
    }
    let Some(plan) = plan else {
        return open(change, "its plan is not there any more, so nobody can say what it was to do", Vec::new());
    };
    let known = match hands.known(change).await {
        Ok(known) => known,
        Err(error) => return open(change, &format!("the target cannot be asked: {error}"), Vec::new()),
    };
    let gate = match known.as_ref().map(|known| known.closed) {
        None => "it has never heard of it",
        Some(None) => "it is open there, and is undone there when its time is over",
        Some(Some(Closed::Kept)) => "it was told to keep it",
        Some(Some(Closed::Undone)) => "it is undone",
        Some(Some(Closed::Failed)) => "it could not undo it",
    };
    let what = "what the gate says of the change".to_owned();
    let mut said = vec![ProofResult { what, holds: known.is_some(), said: Tainted::new(gate) }];
    let (mut all_after, mut all_before) = (true, true);
    for (_, step) in verify::last_of_each(plan) {
        match hands.preview(step).await {
            Ok(preview) => {
                let proof = verify::after(step, &preview.before);
                all_after &= proof.holds;
                said.push(proof);
            }
            Err(error) => return unseen(log, change, said, &error),
        }
    }
    for (_, step) in verify::first_of_each(plan) {
        match hands.preview(step).await {
            Ok(preview) => all_before &= verify::before(step, &preview.before).holds,
            Err(error) => return unseen(log, change, said, &error),
        }
    }
    log.write(Event::Inspected { change: change.clone(), said: said.clone() })?;
    judged(log, &course, known.map(|known| known.closed), all_before, all_after, said).map(Some)
}

/// What the three words come to: journal, gate, objects.
fn judged(
    log: &mut Log,
    course: &ChangeState,
    gate: Option<Option<Closed>>,
    all_before: bool,
    all_after: bool,
    said: Vec<ProofResult>,
) -> Result<Found, LogError> {
    let change = &course.id;
    match (gate, course.stage) {
        // It was proved, and the gate was told to keep it; only the last word was not written.
        (Some(Some(Closed::Kept)), ChangeStatus::Keeping) if all_after => {
            end(log, change, End::Applied, "it was proved and kept before the program ended", said)
        }
        // Of an earlier apply: it was being undone, and some steps are.
        (Some(Some(Closed::Kept)), ChangeStatus::Undoing | ChangeStatus::Dropping) if all_before => {
            end(log, change, End::RolledBack, "everything is what it was", said)
        }
        (Some(Some(Closed::Kept)), ChangeStatus::Undoing | ChangeStatus::Dropping) => Ok(Found {
            change: change.clone(),
            end: None,
            why: format!("it is half undone; `bailiwick rollback {change}` goes on with that"),
            said,
        }),
        (Some(Some(Closed::Undone)), _) if all_before => {
            end(log, change, End::RolledBack, "the target has undone it, and everything is what it was", said)
        }
        (None, ChangeStatus::Begun) if all_before => end(log, change, End::NotBegun, "the gate never began it", said),
        (Some(None), _) => Ok(Found {
            change: change.clone(),
            end: None,
            why: format!(
                "it is open on the target, which undoes it when its time is over; `bailiwick rollback {change}` does it now"
            ),
            said,
        }),
        _ => end(log, change, End::Stuck, "journal, gate and objects do not say the same; a person has to look", said),
    }
}

fn end(log: &mut Log, change: &ChangeId, end: End, why: &str, said: Vec<ProofResult>) -> Result<Found, LogError> {
    log.write(Event::Ended { change: change.clone(), end, why: Some(why.to_owned()) })?;
    Ok(Found { change: change.clone(), end: Some(end), why: why.to_owned(), said })
}

fn open(change: &ChangeId, why: &str, said: Vec<ProofResult>) -> Result<Option<Found>, LogError> {
    Ok(Some(Found { change: change.clone(), end: None, why: why.to_owned(), said }))
}

fn unseen(
    log: &mut Log,
    change: &ChangeId,
    said: Vec<ProofResult>,
    error: &GateClientError,
) -> Result<Option<Found>, LogError> {
    log.write(Event::Inspected { change: change.clone(), said: said.clone() })?;
    open(change, &format!("the target does not say what the objects are: {error}"), said)
}
