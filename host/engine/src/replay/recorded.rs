//! Runs as the journal has them: what each was given, asked, was told and said.
//!
//! Knows: entries. Must not know: where bytes are kept, or how a run is repeated. The chain has been checked up to the last
//! entry that is used; where it breaks, reading ends, and what stood before still counts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::v1;
use super::v1::asked_for;
use crate::run::{concluded, recorded_grant};
use bailiwick_core::model::Timing;
use bailiwick_core::model::{ActionId, ComponentId, Phase, SlotKey, Tainted, TargetName, Verb};
use bailiwick_core::outcome::{Call, DigestVersion, Run};
use bailiwick_core::redact::Counts;
use bailiwick_journal::history;
use bailiwick_journal::history::{Earlier, Told, ToldError};
use bailiwick_journal::{Entry, Outcome, ReadError, Reader, Record, RunEnd, RunTarget, Sha};
use bailiwick_policy::grant::Grant;

/// Which runs.
#[derive(Debug, Clone)]
pub enum Select {
    /// A run, or all runs of a sweep, by its number.
    Number(u64),
    /// All runs of the latest sweep.
    Last,
    /// All runs of a component since a time.
    Component {
        /// The component.
        id: ComponentId,
        /// Runs that began then or later.
        since: Timestamp,
    },
}

/// What the journal has of a selection.
#[derive(Debug, Default)]
pub struct Found {
    /// The runs, in order.
    pub runs: Vec<Recorded>,
    /// What was asked for in the same sweep and came to no run.
    pub not_run: Vec<NotRun>,
    /// Why reading ended before the journal did.
    pub stopped: Option<ReadError>,
    /// What retention has let go: the latest entry that says so.
    pub(super) pruned: BTreeMap<Sha, u64>,
    /// What the runs were told of their past; of those that were told nothing, nothing.
    told: BTreeMap<u64, Result<Told, ToldError>>,
}

/// A target that was not looked at, or a component that was not run.
#[derive(Debug)]
pub struct NotRun {
    /// Its entry.
    pub entry: u64,
    /// Target or component.
    pub what: String,
    /// Why, in the host's words, which may quote a target.
    pub why: Tainted,
}

/// One run.
#[derive(Debug)]
pub struct Recorded {
    /// Its number.
    pub run: u64,
    /// Its sweep's.
    pub sweep: u64,
    /// When it began.
    pub began: Timestamp,
    /// The component.
    pub component: ComponentId,
    /// From its manifest.
    pub version: String,
    /// SHA-256 of its bytes, by the journal's word.
    pub digest: String,
    /// Its targets, in the order in which it sees them: never none.
    pub(super) on: Vec<RunTarget>,
    pub(super) limits: BTreeMap<String, u64>,
    pub(super) now_ms: u64,
    pub(super) kept_bytes: Option<u64>,
    /// Which part of a fix's work it was; none for a probe.
    pub(super) phase: Option<Phase>,
    /// In order; a call's number is its place, from 1.
    pub(super) calls: Vec<Asked>,
    /// All that was answered on its targets in its sweep, by intent: to this run, or to others.
    pub(super) answers: BTreeMap<u64, Arc<Answered>>,
    pub(super) end: Option<RunEnd>,
    /// The digest of its report, with the version that computed it. An older program wrote none.
    pub(super) report: Option<(DigestVersion, Sha)>,
}

/// One call. `on` is the target, in a run on several.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    /// It was not in the grant.
    Refused { on: Option<TargetName>, verb: Verb, slot: Option<Tainted> },
    /// It was answered, or another run's answer served.
    Action { on: Option<TargetName>, action: ActionId, intent: u64 },
}

/// What came of an action.
#[derive(Debug)]
pub(super) struct Answered {
    /// By whom.
    pub(super) target: TargetName,
    pub(super) action: ActionId,
    pub(super) outcome: Outcome,
    /// When it was asked for, and how long it took, where the component is told.
    pub(super) timing: Option<Timing>,
    pub(super) redacted: Counts,
}

/// Finds runs in the journal in `folder`.
///
/// # Errors
/// When there is no journal to read.
pub fn find(folder: &Path, select: &Select) -> Result<Found, ReadError> {
    let mut found = Found::default();
    let mut sweep = Sweep::default();
    for record in Reader::open(folder)? {
        match record {
            Err(error) => {
                found.stopped = Some(error);
                break;
            }
            Ok(Record { seq, entry: Entry::Pruned { evidence, .. }, .. }) => {
                found.pruned.extend(evidence.into_iter().map(|sha| (sha, seq)));
            }
            Ok(record) => {
                if matches!(record.entry, Entry::SweepStarted { .. }) {
                    std::mem::take(&mut sweep).select(select, &mut found);
                }
                sweep.take(record);
            }
        }
    }
    sweep.select(select, &mut found);
    let with_past = found.runs.iter().filter(|run| run.on.iter().any(|on| on.earlier.is_some()));
    let with_past: BTreeSet<u64> = with_past.map(|run| run.run).collect();
    if !with_past.is_empty() {
        found.told = history::told(folder, &with_past)?;
    }
    Ok(found)
}

/// The sweep that is being read.
#[derive(Debug, Default)]
struct Sweep {
    number: u64,
    runs: BTreeMap<u64, Recorded>,
    not_run: Vec<NotRun>,
    /// Target and action of each intent.
    intents: BTreeMap<u64, (TargetName, ActionId)>,
    answers: BTreeMap<u64, Arc<Answered>>,
}

impl Sweep {
    fn take(&mut self, record: Record) {
        let Record { seq, time, entry } = record;
        match entry {
            Entry::SweepStarted { .. } => self.number = seq,
            Entry::NotChecked { target, cause, .. } => {
                self.not_run.push(NotRun { entry: seq, what: target.to_string(), why: Tainted::new(cause) });
            }
            Entry::LoadRefused { component, reason, .. } => {
                self.not_run.push(NotRun { entry: seq, what: component.to_string(), why: Tainted::new(reason) });
            }
            Entry::RunStarted(start) => {
                let (component, version, digest) =
                    (start.component.clone(), start.version.clone(), start.digest.clone());
                let run = Recorded {
                    run: seq,
                    sweep: start.sweep,
                    began: time,
                    component,
                    version,
                    digest,
                    limits: start.limits.clone(),
                    now_ms: start.now_ms,
                    kept_bytes: start.kept_bytes,
                    phase: start.phase,
                    on: start.into_targets().collect(),
                    calls: Vec::new(),
                    answers: BTreeMap::new(),
                    end: None,
                    report: None,
                };
                self.runs.insert(seq, run);
            }
            Entry::CallRefused { run, call, on, verb, slot } => {
                self.ask(run, call, Asked::Refused { on, verb, slot });
            }
            Entry::Intent { run, call, on, action } => {
                if let Some(on) = self.runs.get(&run).and_then(|run| run.on(on.as_ref())) {
                    self.intents.insert(seq, (on.target.clone(), action.clone()));
                }
                self.ask(run, call, Asked::Action { on, action, intent: seq });
            }
            Entry::Shared { run, call, on, action, intent } => {
                self.ask(run, call, Asked::Action { on, action, intent });
            }
            Entry::Outcome { intent, outcome, timing, redacted, .. } => {
                if let Some((target, action)) = self.intents.get(&intent) {
                    let (target, action) = (target.clone(), action.clone());
                    self.answers.insert(intent, Arc::new(Answered { target, action, outcome, timing, redacted }));
                }
            }
            Entry::RunEnded { run, end, report, report_v2, .. } => {
                if let Some(run) = self.runs.get_mut(&run) {
                    run.end = Some(end);
                    let v1 = report.map(|sha| (DigestVersion::V1, sha));
                    run.report = report_v2.map(|sha| (DigestVersion::V2, sha)).or(v1);
                }
            }
            _ => {}
        }
    }

    /// A run's calls are written in order: it has one under way at a time. What is out of order was not written by us.
    fn ask(&mut self, run: u64, number: u32, asked: Asked) {
        if let Some(run) = self.runs.get_mut(&run)
            && usize::try_from(number).is_ok_and(|number| number == run.calls.len() + 1)
        {
            run.calls.push(asked);
        }
    }

    /// Hands over what is asked for, each run with the answers of its targets.
    fn select(self, select: &Select, found: &mut Found) {
        let Self { number, runs, not_run, intents: _, answers } = self;
        if number == 0 {
            return;
        }
        let whole = match select {
            Select::Number(wanted) => *wanted == number,
            Select::Last => {
                found.runs.clear();
                true
            }
            Select::Component { .. } => false,
        };
        for mut run in runs.into_values() {
            let wanted = match select {
                Select::Number(wanted) => whole || *wanted == run.run,
                Select::Last => true,
                Select::Component { id, since } => run.component == *id && run.began >= *since,
            };
            if wanted {
                run.answers = answers
                    .iter()
                    .filter(|(_, told)| run.on.iter().any(|on| on.target == told.target))
                    .map(|(intent, told)| (*intent, Arc::clone(told)))
                    .collect();
                found.runs.push(run);
            }
        }
        if whole {
            found.not_run = not_run;
        }
    }
}

impl Recorded {
    /// Its targets.
    pub fn targets(&self) -> impl Iterator<Item = &TargetName> {
        self.on.iter().map(|on| &on.target)
    }

    /// The target that is meant: the only one, or the one that is named.
    fn on(&self, named: Option<&TargetName>) -> Option<&RunTarget> {
        match (self.on.as_slice(), named) {
            ([only], None) => Some(only),
            (several, named) => several.iter().find(|on| Some(&on.target) == named),
        }
    }

    /// What it may do on each target, in their order.
    pub(super) fn grants(&self) -> Vec<Arc<Grant>> {
        self.on.iter().map(|on| Arc::new(recorded_grant(&self.component, on))).collect()
    }

    /// What it was told of its past on each target, in their order.
    pub(super) fn pasts(&self, found: &Found) -> Result<Vec<Earlier>, ToldError> {
        let told = match found.told.get(&self.run) {
            Some(told) => told.clone()?,
            None => vec![Vec::new(); self.on.len()],
        };
        let past =
            |(on, points): (&RunTarget, _)| Earlier { previous_ms: on.previous_ms, points, ..Earlier::default() };
        Ok(self.on.iter().zip(told).map(past).collect())
    }

    /// The report as the journal has it.
    pub(super) fn report(&self, end: RunEnd, grants: &[Arc<Grant>]) -> Run {
        let calls = self.calls.iter().map(|asked| self.call(asked, grants)).collect();
        self.as_reported(end, calls, grants)
    }

    /// A report of this run.
    pub(super) fn as_reported(&self, end: RunEnd, calls: Vec<Call>, grants: &[Arc<Grant>]) -> Run {
        let asked = calls.len();
        let (outcome, mut calls) = concluded(end, calls, grants.iter().map(Arc::as_ref));
        if matches!(self.report, Some((DigestVersion::V1, _))) {
            v1::reword(&mut calls, asked, grants);
        }
        let (component, version) = (self.component.clone(), self.version.clone());
        Run { id: self.run.to_string(), component, version, outcome, calls, elapsed_ms: 0 }
    }

    fn call(&self, asked: &Asked, grants: &[Arc<Grant>]) -> Call {
        let (Asked::Refused { on, .. } | Asked::Action { on, .. }) = asked;
        let (target, on) = (on.clone(), self.on(on.as_ref()));
        match asked {
            Asked::Refused { verb, slot, .. } => {
                let key = slot.as_ref().map(Tainted::for_encoder);
                let grant = grants.iter().find(|grant| on.is_some_and(|on| on.target == grant.target));
                Call {
                    target,
                    action: None,
                    asked: asked_for(*verb, key),
                    error: Some(bailiwick_core::model::LookError::Refused),
                    cause: grant.and_then(|grant| grant.withheld_by(*verb, key)),
                    redacted: Counts::new(),
                }
            }
            Asked::Action { action, intent, .. } => {
                let told = self.answers.get(intent);
                let failure = told.and_then(|told| match &told.outcome {
                    Outcome::Failed { error, cause } => Some((*error, cause.clone())),
                    Outcome::Answer { .. } => None,
                });
                // Of several slots with one literal the first: the entry does not say which of them was meant.
                let mut actions = on.iter().flat_map(|on| &on.actions);
                let key = actions.find(|entry| entry.action == *action).and_then(|entry| entry.key.as_ref());
                let asked = match action.verb() {
                    Some(verb) => asked_for(verb, key.map(SlotKey::as_str)),
                    None => Tainted::new(action.as_str()),
                };
                Call {
                    target,
                    action: Some(action.clone()),
                    asked,
                    error: failure.as_ref().map(|(error, _)| *error),
                    cause: failure.map(|(_, cause)| cause),
                    redacted: told.map(|told| told.redacted.clone()).unwrap_or_default(),
                }
            }
        }
    }
}
