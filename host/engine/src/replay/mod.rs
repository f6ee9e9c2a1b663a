//! Runs a recorded run again: with the same component, grant, parameters, clock and answers, and without a target.
//!
//! Knows: the journal, the sandbox, recorded answers. Must not know: any network, key, fleet or policy: a run's entry has
//! everything that the run was given. Attacks answered: a journal from a third party (JR11), which is bounded as it is when it is read, names a
//! component by its digest and never by a path, and runs it where it could do nothing in the first place.
//!
//! What is compared is the report: component, version, outcome (severity, code, subject, title, metrics and evidence of every
//! finding; or why it could not check) and calls (action, error, redactions), from which every output is made. Its
//! SHA-256 is in the run's last entry ([`bailiwick_core::outcome::Run::digest_as`]), and in `check --format json`. The entry
//! names the version of the digest, and the replay computes the same version. An older program wrote only the report
//! itself; then that is compared. Times, instructions and notes are not part of a report.
//!
//! A guest cannot distinguish a replay from a run (JR12): it gets the same world, and the same answers in it.

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
pub use self::component::{ComponentStore, NotInStore};
pub use self::recorded::{NotRun, Recorded, Select, Selection, find};
pub use self::with::{Candidate, Comparison};
use crate::broker::{Broker, TargetSession};
use crate::run::{Inputs, OnTarget, RunResult, WorkerHandle};
use bailiwick_core::limits::Limits;
use bailiwick_core::manifest;
use bailiwick_core::model::{ActionId, Phase};
use bailiwick_core::outcome::Call;
use bailiwick_core::rules::Rules;
use bailiwick_core::source::Source;
use bailiwick_journal::history::{Earlier, PastError};
use bailiwick_journal::{OpenError, RunEnd, Scratch};
use bailiwick_policy::grant::Grant;
use bailiwick_sandbox as sandbox;
use bailiwick_sandbox::client::Worker;
use bailiwick_sandbox::{Links, LoadError};
use bailiwick_transport::Connection;
use bailiwick_transport::recorded::RecordedAnswers;

/// The result of a replay.
#[derive(Debug)]
pub enum Replayed {
    /// The report is identical: its SHA-256.
    Identical(String),
    /// The report differs: the first difference.
    Differs(Difference),
    /// The run cannot be replayed.
    Not(NotReplayable),
}

/// Why a run cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum NotReplayable {
    /// It has no end.
    #[error("it did not end: it or its sweep was stopped")]
    Interrupted,
    /// It is a run of a fix.
    #[error("it is a run of a fix, which cannot be replayed; make a new plan instead")]
    Fix,
    /// It has no report.
    #[error("it broke ({0}), so it has no report to compare with")]
    Broke(String),
    /// The numbers that it was given cannot be read any more.
    #[error("the history that it was given cannot be read")]
    Past(#[from] PastError),
    /// Its component cannot be found.
    #[error(transparent)]
    Component(#[from] NotInStore),
    /// Its component is refused here.
    #[error("this version refuses its component: {0}")]
    Refused(String),
    /// Its component cannot be compiled here.
    #[error("its component cannot be loaded")]
    Load(#[from] LoadError),
    /// Retention removed the answer.
    #[error("the answer to its call {call}, {action}, was pruned (entry {entry}): retention removed it")]
    Pruned {
        /// The call.
        call: usize,
        /// The action.
        action: ActionId,
        /// The entry that records that.
        entry: u64,
    },
    /// The journal has no answer.
    #[error("its call {call}, {action}, has no answer in the journal")]
    Unanswered {
        /// The call.
        call: usize,
        /// The action.
        action: ActionId,
    },
}

/// Replays recorded runs.
pub struct Runner<'p> {
    program: Option<&'p Path>,
    store: ComponentStore,
    broker: Arc<Broker>,
    /// One worker at a time: the digest of its component, its limits, and the worker.
    loaded: Option<(String, BTreeMap<String, u64>, WorkerHandle)>,
    _scratch: Scratch,
}

impl<'p> Runner<'p> {
    /// Takes components from `store`. `program` is the worker's executable, or none for this one.
    ///
    /// # Errors
    /// When the temporary journal of the replays cannot be created.
    pub fn new(program: Option<&'p Path>, store: ComponentStore) -> Result<Self, OpenError> {
        let (journal, scratch) = Scratch::journal()?;
        let broker = Arc::new(Broker::new(Arc::new(journal)));
        Ok(Self { program, store, broker, loaded: None, _scratch: scratch })
    }

    /// Replays one run.
    pub async fn replay(&mut self, selection: &Selection, run: &Recorded) -> Replayed {
        match self.try_replay(selection, run).await {
            Ok(replayed) => replayed,
            Err(why) => Replayed::Not(why),
        }
    }

    async fn try_replay(&mut self, selection: &Selection, run: &Recorded) -> Result<Replayed, NotReplayable> {
        if run.phase.is_some() {
            return Err(NotReplayable::Fix);
        }
        let end = match &run.end {
            None => return Err(NotReplayable::Interrupted),
            Some(RunEnd::Fault(fault)) => return Err(NotReplayable::Broke(fault.message.clone())),
            Some(end) => end.clone(),
        };
        let answers = match answers::of_run(selection, run, self.store.evidence()) {
            Ok(answers) => answers,
            Err(answers::Gap::Missing(why)) => return Err(why),
            Err(answers::Gap::Differs(difference)) => return Ok(Replayed::Differs(difference)),
        };
        let earlier = run.earlier(selection)?;
        let grants = run.grants();
        let recorded = run.report(end, &grants);
        let broker = Arc::clone(&self.broker);
        let worker = self.worker(selection, run).await?;
        let (end, calls) = play(&broker, worker, &grants, answers, &earlier, run.now_ms).await;
        let replayed = run.as_reported(end, calls, &grants);
        Ok(compare::reports(run.report.as_ref(), &recorded, &replayed))
    }

    async fn worker(&mut self, selection: &Selection, run: &Recorded) -> Result<&WorkerHandle, NotReplayable> {
        let fits = |(digest, limits, _): &(String, BTreeMap<_, _>, _)| *digest == run.digest && *limits == run.limits;
        if !self.loaded.as_ref().is_some_and(fits) {
            // The earlier worker ends first.
            self.loaded = None;
            let bytes = self.store.find(selection, run)?;
            let limits = Limits::recorded(&run.limits);
            let worker = load(self.program, &bytes, limits).await?;
            self.loaded = Some((run.digest.clone(), run.limits.clone(), worker));
        }
        self.loaded.as_ref().map(|(_, _, worker)| worker).ok_or(NotReplayable::Interrupted)
    }
}

/// The checks that are sealed into a component.
fn rules(bytes: &[u8]) -> Option<Rules> {
    let text = bailiwick_core::sections::sealed_manifest(bytes).ok()??;
    manifest::parse(&Source::embedded("manifest.toml", text)).ok()?.rules
}

/// A worker that has the component loaded. Its imports were accepted when it ran: the bytes are the same.
async fn load(program: Option<&Path>, bytes: &[u8], limits: Limits) -> Result<WorkerHandle, NotReplayable> {
    let refused = |error: &dyn std::error::Error| NotReplayable::Refused(sandbox::imports::on_one_line(error));
    let inspected = sandbox::inspect(bytes, &limits).map_err(|error| refused(&error))?;
    let links = match sandbox::imports::asks_by_rules(&inspected) {
        // The interpreter, perhaps of another release: the checks are sealed in.
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
