//! A run again, on what was recorded of it: the same component, grant, settings, clock and answers, and no target.
//!
//! Knows: the journal, the sandbox, a tape. Must not know: any network, key, fleet or policy: what a run was given stands
//! in its entry. Attacks answered: a journal from a third party (JR11), which is bounded as it is when it is read, names a
//! component by its digest and never by a path, and runs it where it could do nothing in the first place.
//!
//! What is compared is the report: component, version, outcome (severity, code, subject, title, metrics and evidence of every
//! finding; or why it could not look) and calls (action, error, redactions), from which every rendering is made. Its
//! SHA-256 is in the run's last entry ([`bailiwick_core::outcome::Run::digest_as`]), and in `check --format json`. The entry
//! names the version of the digest, and the replay computes the same version. An older program wrote only the report
//! itself; then that is compared. Times, instructions and notes are not part of a report.
//!
//! A guest cannot tell a replay from a run (JR12): it gets the same world, and the same answers in it.

mod compare;
mod component;
mod recorded;
mod v1;
mod answers;
mod with;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub use self::compare::Difference;
pub use self::component::{ComponentStore, Unshelved};
pub use self::recorded::{Found, NotRun, Recorded, Select, find};
pub use self::with::{Candidate, Said};
use crate::broker::{Broker, TargetSession};
use crate::run::{Inputs, OnTarget, RunResult, WorkerHandle};
use bailiwick_core::limits::Limits;
use bailiwick_core::manifest;
use bailiwick_core::model::{ActionId, Phase};
use bailiwick_core::outcome::Call;
use bailiwick_core::rules::Rules;
use bailiwick_core::source::Source;
use bailiwick_journal::history::{Earlier, ToldError};
use bailiwick_journal::{OpenError, RunEnd, Scratch};
use bailiwick_policy::grant::Grant;
use bailiwick_sandbox as sandbox;
use bailiwick_sandbox::client::Worker;
use bailiwick_sandbox::{Links, LoadError};
use bailiwick_transport::Connection;
use bailiwick_transport::recorded::RecordedAnswers;

/// What came of a replay.
#[derive(Debug)]
pub enum Replayed {
    /// The report is the same, byte for byte: its SHA-256.
    Identical(String),
    /// It is not: the first thing that differs.
    Differs(Difference),
    /// There is nothing to compare.
    Not(Unplayable),
}

/// Why a run cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum Unplayable {
    /// It has no end.
    #[error("it did not end: it was stopped, or its sweep was")]
    Interrupted,
    /// It was not a probe's.
    #[error("it was a part of a fix's work, which is done again by a new plan, and not replayed")]
    Fix,
    /// It had no report.
    #[error("it broke then ({0}), so there is no report to compare with")]
    Broke(String),
    /// What it was told of its own past is not there any more.
    #[error("what it was told of its own past cannot be told again")]
    Past(#[from] ToldError),
    /// Its component is not to be had.
    #[error(transparent)]
    Component(#[from] Unshelved),
    /// Its component would not run here.
    #[error("its component is refused by this version: {0}")]
    Refused(String),
    /// It cannot be compiled here.
    #[error("its component cannot be loaded")]
    Load(#[from] LoadError),
    /// Policy had the answer removed.
    #[error("the answer to its call {call}, {action}, was pruned (entry {entry}): retention let it go")]
    Pruned {
        /// The call.
        call: usize,
        /// What it asked for.
        action: ActionId,
        /// The entry that says so.
        entry: u64,
    },
    /// There never was an answer.
    #[error("its call {call}, {action}, has no answer in the journal")]
    Unanswered {
        /// The call.
        call: usize,
        /// What it asked for.
        action: ActionId,
    },
}

/// Runs recorded runs again.
pub struct Runner<'p> {
    program: Option<&'p Path>,
    shelf: ComponentStore,
    broker: Arc<Broker>,
    /// One worker at a time: the component, its limits, and what came of loading it.
    loaded: Option<(String, BTreeMap<String, u64>, WorkerHandle)>,
    _scratch: Scratch,
}

impl<'p> Runner<'p> {
    /// A bench that takes components from a shelf. `program` is the worker's executable, or none for this one.
    ///
    /// # Errors
    /// When there is no room for what it writes down, which nobody keeps.
    pub fn new(program: Option<&'p Path>, shelf: ComponentStore) -> Result<Self, OpenError> {
        let (journal, scratch) = Scratch::journal()?;
        let broker = Arc::new(Broker::new(Arc::new(journal)));
        Ok(Self { program, shelf, broker, loaded: None, _scratch: scratch })
    }

    /// Replays one run.
    pub async fn replay(&mut self, found: &Found, run: &Recorded) -> Replayed {
        match self.try_replay(found, run).await {
            Ok(replayed) => replayed,
            Err(why) => Replayed::Not(why),
        }
    }

    async fn try_replay(&mut self, found: &Found, run: &Recorded) -> Result<Replayed, Unplayable> {
        if run.phase.is_some() {
            return Err(Unplayable::Fix);
        }
        let end = match &run.end {
            None => return Err(Unplayable::Interrupted),
            Some(RunEnd::Fault(fault)) => return Err(Unplayable::Broke(fault.message.clone())),
            Some(end) => end.clone(),
        };
        let tapes = match answers::of(found, run, self.shelf.evidence()) {
            Ok(tapes) => tapes,
            Err(answers::Gap::Not(why)) => return Err(why),
            Err(answers::Gap::Differs(difference)) => return Ok(Replayed::Differs(difference)),
        };
        let pasts = run.pasts(found)?;
        let grants = run.grants();
        let recorded = run.report(end, &grants);
        let broker = Arc::clone(&self.broker);
        let worker = self.worker(found, run).await?;
        let (end, calls) = play(&broker, worker, &grants, tapes, &pasts, run.now_ms).await;
        let replayed = run.as_reported(end, calls, &grants);
        Ok(compare::reports(run.report.as_ref(), &recorded, &replayed))
    }

    async fn worker(&mut self, found: &Found, run: &Recorded) -> Result<&WorkerHandle, Unplayable> {
        let fits = |(digest, limits, _): &(String, BTreeMap<_, _>, _)| *digest == run.digest && *limits == run.limits;
        if !self.loaded.as_ref().is_some_and(fits) {
            // The one before it ends first.
            self.loaded = None;
            let bytes = self.shelf.find(found, run)?;
            let limits = Limits::recorded(&run.limits);
            let worker = load(self.program, &bytes, limits).await?;
            self.loaded = Some((run.digest.clone(), run.limits.clone(), worker));
        }
        self.loaded.as_ref().map(|(_, _, worker)| worker).ok_or(Unplayable::Interrupted)
    }
}

/// The checks that are sealed into a component.
fn rules(bytes: &[u8]) -> Option<Rules> {
    let text = bailiwick_core::sections::sealed_manifest(bytes).ok()??;
    manifest::parse(&Source::embedded("manifest.toml", text)).ok()?.rules
}

/// A worker with a component in it. What it imports is what it was admitted with then: the bytes are the same.
async fn load(program: Option<&Path>, bytes: &[u8], limits: Limits) -> Result<WorkerHandle, Unplayable> {
    let refused = |error: &dyn std::error::Error| Unplayable::Refused(sandbox::imports::on_one_line(error));
    let inspected = sandbox::inspect(bytes, &limits).map_err(|error| refused(&error))?;
    let links = match sandbox::imports::asks_by_rules(&inspected) {
        // The interpreter, perhaps that of another release: what it asked by is sealed in.
        true => Links::from(rules(bytes).ok_or_else(|| refused(&sandbox::ImportError::NoChecks))?),
        false => sandbox::imports::links(&inspected).map_err(|error| refused(&error))?,
    };
    Ok(Worker::load(program, bytes, &links, limits).await?.into())
}

/// One run on recorded answers, one set for each target: how it ended, and its calls.
async fn play(
    broker: &Arc<Broker>,
    worker: &WorkerHandle,
    grants: &[Arc<Grant>],
    answers: Vec<RecordedAnswers>,
    earlier: &[Earlier],
    now_ms: u64,
) -> (RunEnd, Vec<Call>) {
    let targets = grants.iter().zip(answers).zip(earlier).map(|((grant, answers), earlier)| OnTarget {
        grant: Arc::clone(grant),
        session: Arc::new(TargetSession::new(Connection::Recorded(answers))),
        earlier: earlier.clone(),
    });
    let inputs = Inputs { targets: targets.collect(), now_ms, phase: Phase::Examine };
    let RunResult { end, calls, .. } = worker.run(broker, 0, &inputs).await;
    (end, calls)
}
