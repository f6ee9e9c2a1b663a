//! Runs as the journal records them: what each was given, its calls, the answers, its end.
//!
//! Knows: entries. Must not know: where bytes are kept, or how a run is replayed. The chain is checked up to the last entry
//! that is used. Reading ends where the chain breaks; entries before the break are used.

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
use bailiwick_journal::history::{Earlier, PastError, PastNumbers};
use bailiwick_journal::{Entry, Outcome, ReadError, Reader, Record, RunEnd, RunTarget, Sha};
use bailiwick_policy::grant::Grant;

/// Which runs to replay.
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

/// The selected runs, as the journal records them.
#[derive(Debug, Default)]
pub struct Selection {
    /// The runs, in order.
    pub runs: Vec<Recorded>,
    /// Targets and components of the same sweep that have no run.
    pub not_run: Vec<NotRun>,
    /// Why reading ended before the end of the journal.
    pub stopped: Option<ReadError>,
    /// Evidence that retention removed, with the latest entry that records it.
    pub(super) pruned: BTreeMap<Sha, u64>,
    /// The earlier numbers that the runs were given. Runs that were given none are not in it.
    earlier: BTreeMap<u64, Result<PastNumbers, PastError>>,
}

/// A target that was not checked, or a component that was not run.
#[derive(Debug)]
pub struct NotRun {
    /// Its entry.
    pub entry: u64,
    /// Target or component.
    pub what: String,
    /// Why, in a sentence of the host, which may quote a target.
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
    /// SHA-256 of its bytes, as the journal records it.
    pub digest: String,
    /// Its targets, in the run's order: at least one.
    pub(super) on: Vec<RunTarget>,
    pub(super) limits: BTreeMap<String, u64>,
    pub(super) now_ms: u64,
    pub(super) kept_bytes: Option<u64>,
    /// The part of a fix's work. None for a probe.
    pub(super) phase: Option<Phase>,
    /// In order. A call's number is its index plus 1.
    pub(super) calls: Vec<Asked>,
    /// All answers of its targets in its sweep, by intent: to this run and to others.
    pub(super) answers: BTreeMap<u64, Arc<Answered>>,
    pub(super) end: Option<RunEnd>,
    /// The digest of its report, with the version that computed it. An older program wrote none.
    pub(super) report: Option<(DigestVersion, Sha)>,
}

/// One call. `on` is the target, in a run on several.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    /// The grant does not have it.
    Refused { on: Option<TargetName>, verb: Verb, slot: Option<Tainted> },
    /// It was sent, or shares the answer of another run.
    Action { on: Option<TargetName>, action: ActionId, intent: u64 },
}

/// The answer to an action.
#[derive(Debug)]
pub(super) struct Answered {
    /// The target that answered.
    pub(super) target: TargetName,
    pub(super) action: ActionId,
    pub(super) outcome: Outcome,
    /// When it was sent and how long it took, if the component gets that.
    pub(super) timing: Option<Timing>,
    pub(super) redacted: Counts,
}

/// Finds runs in the journal in `folder`.
///
/// # Errors
/// When there is no journal to read.
pub fn find(folder: &Path, select: &Select) -> Result<Selection, ReadError> {
    let mut selection = Selection::default();
    let mut sweep = Sweep::default();
    for record in Reader::open(folder)? {
        match record {
            Err(error) => {
                selection.stopped = Some(error);
                break;
            }
            Ok(Record { seq, entry: Entry::Pruned { evidence, .. }, .. }) => {
                selection.pruned.extend(evidence.into_iter().map(|sha| (sha, seq)));
            }
            Ok(record) => {
                if matches!(record.entry, Entry::SweepStarted { .. }) {
                    std::mem::take(&mut sweep).select(select, &mut selection);
                }
                sweep.take(record);
            }
        }
    }
    sweep.select(select, &mut selection);
    let with_past = selection.runs.iter().filter(|run| run.on.iter().any(|on| on.earlier.is_some()));
    let with_past: BTreeSet<u64> = with_past.map(|run| run.run).collect();
    if !with_past.is_empty() {
        selection.earlier = history::past_numbers(folder, &with_past)?;
    }
    Ok(selection)
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

    /// A run has one call at a time, so that its calls are in order. A call out of order was not written by Bailiwick.
    fn ask(&mut self, run: u64, number: u32, asked: Asked) {
        if let Some(run) = self.runs.get_mut(&run)
            && usize::try_from(number).is_ok_and(|number| number == run.calls.len() + 1)
        {
            run.calls.push(asked);
        }
    }

    /// Adds the runs that are selected, each with the answers of its targets.
    fn select(self, select: &Select, selection: &mut Selection) {
        let Self { number, runs, not_run, intents: _, answers } = self;
        if number == 0 {
            return;
        }
        let whole = match select {
            Select::Number(wanted) => *wanted == number,
            Select::Last => {
                selection.runs.clear();
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
                    .filter(|(_, answer)| run.on.iter().any(|on| on.target == answer.target))
                    .map(|(intent, answer)| (*intent, Arc::clone(answer)))
                    .collect();
                selection.runs.push(run);
            }
        }
        if whole {
            selection.not_run = not_run;
        }
    }
}

impl Recorded {
    /// Its targets.
    pub fn targets(&self) -> impl Iterator<Item = &TargetName> {
        self.on.iter().map(|on| &on.target)
    }

    /// The target with this name, or the only target.
    fn on(&self, named: Option<&TargetName>) -> Option<&RunTarget> {
        match (self.on.as_slice(), named) {
            ([only], None) => Some(only),
            (several, named) => several.iter().find(|on| Some(&on.target) == named),
        }
    }

    /// Its grants, in the order of its targets.
    pub(super) fn grants(&self) -> Vec<Arc<Grant>> {
        self.on.iter().map(|on| Arc::new(recorded_grant(&self.component, on))).collect()
    }

    /// The earlier numbers that it was given, in the order of its targets.
    pub(super) fn earlier(&self, selection: &Selection) -> Result<Vec<Earlier>, PastError> {
        let points = match selection.earlier.get(&self.run) {
            Some(points) => points.clone()?,
            None => vec![Vec::new(); self.on.len()],
        };
        let earlier =
            |(on, points): (&RunTarget, _)| Earlier { previous_ms: on.previous_ms, points, ..Earlier::default() };
        Ok(self.on.iter().zip(points).map(earlier).collect())
    }

    /// The report as the journal records it.
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
                    error: Some(bailiwick_core::model::VerbError::Refused),
                    cause: grant.and_then(|grant| grant.withheld_reason(*verb, key)),
                    redacted: Counts::new(),
                }
            }
            Asked::Action { action, intent, .. } => {
                let answer = self.answers.get(intent);
                let failure = answer.and_then(|answer| match &answer.outcome {
                    Outcome::Failed { error, cause } => Some((*error, cause.clone())),
                    Outcome::Answer { .. } => None,
                });
                // If several slots have the same literal, the first of them: the entry does not name the slot.
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
                    redacted: answer.map(|answer| answer.redacted.clone()).unwrap_or_default(),
                }
            }
        }
    }
}
