//! A fix on one target: `plan` and `verify`, each a run of its own.
//!
//! Knows: how a fix is run, and what it may have come to. Must not know: what becomes of a plan, gates, approval. Attacks
//! answered: a fix that says that all went well (PH11): `verify` gives a report like any probe's, and whoever carries a plan
//! out looks for himself, too; a proposal without a change, and a change that nobody proposed; one that accepted nothing in
//! `plan` and asks again in `verify` (PH01).
//!
//! **Invariant:** nothing is changed here. What a fix wants is a list of actions of its grant.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::fleet_runs::FleetRuns;
use super::pool::Pool;
use super::run::{Request, Settings, Shared};
use crate::broker::{Broker, Staged, TargetSession};
use crate::run::FinishedRun;
use bailiwick_core::model::{ComponentId, Decision, LookError, Phase, Tainted, TargetName, World};
use bailiwick_core::outcome::{Call, Run, RunOutcome, TargetResult};
use bailiwick_policy::grant::Grant;
use bailiwick_policy::lock::LockState;
use bailiwick_policy::ops::Ops;

/// A fix on one target, in a worker of its own. Runs may follow one another; each is an instance of its own.
pub struct Fixer {
    shared: Arc<Shared>,
    fix: ComponentId,
    target: TargetName,
    grant: Arc<Grant>,
}

/// What a fix planned.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The run's number in the journal.
    pub run: u64,
    /// What it came to.
    pub decided: Decided,
    /// The calls of the run; evidence counts from 1 into the calls that the component made, staged changes among them.
    pub calls: Vec<Call>,
}

/// What `plan` came to, held against the list.
#[derive(Debug, Clone)]
pub enum Decided {
    /// To do what is on the list: at least one change.
    Propose {
        /// What it saw, in its words.
        context: Tainted,
        /// The calls that it rests on.
        evidence: Vec<u32>,
        /// The changes, in their order.
        staged: Vec<Staged>,
    },
    /// All is as it should be.
    NothingToDo {
        /// In its words.
        why: Tainted,
    },
    /// It is somebody else's to do.
    Refuse {
        /// Why, in its words.
        reason: Tainted,
        /// Whose fix it is, in its words.
        owner: Tainted,
        /// The calls that it rests on.
        evidence: Vec<u32>,
    },
}

/// Why there is no fix to run on a target.
#[derive(Debug, thiserror::Error)]
pub enum FixError {
    /// No such component.
    #[error("there is no component `{0}`")]
    Unknown(ComponentId),
    /// It is a probe.
    #[error("`{0}` is a probe, and changes nothing\n\nhint: `bailiwick check --probe {0}` runs it")]
    Probe(ComponentId),
    /// Policy puts it not there.
    #[error(
        "policy does not put `{fix}` on {target}\n\nhint: add a [[grant]] with component = \"{fix}\" and on = [\"{target}\"]"
    )]
    NotGranted {
        /// The fix.
        fix: ComponentId,
        /// The target.
        target: TargetName,
    },
}

/// Why a fix has not planned.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NotPlanned {
    /// It may not run.
    #[error("it was not run: {0}")]
    Refused(String),
    /// It could not look. The words are the component's, and are said by whoever has an encoder.
    #[error("it could not look")]
    CouldNotCheck {
        /// Its words.
        reason: Tainted,
        /// The verb error behind it.
        error: Option<LookError>,
    },
    /// It broke.
    #[error("it broke: {0}")]
    Broke(String),
    /// The journal cannot be written, so nothing is run.
    #[error("the journal cannot be written")]
    Unwritten,
}

impl Fixer {
    /// Gets a fix ready for a target. `began` is the journal's number of the entry that its runs belong to.
    ///
    /// # Errors
    /// When there is no such fix there.
    pub fn new(
        ops: Arc<Ops>,
        broker: Arc<Broker>,
        began: u64,
        fix: &ComponentId,
        target: &TargetName,
        settings: &Settings,
        lock_state: LockState,
    ) -> Result<Self, FixError> {
        let manifest = ops.library.manifest(fix.as_str()).ok_or_else(|| FixError::Unknown(fix.clone()))?;
        if manifest.world != World::Fix {
            return Err(FixError::Probe(fix.clone()));
        }
        let none = || FixError::NotGranted { fix: fix.clone(), target: target.clone() };
        let grant = Arc::new(ops.grant(fix, target).ok_or_else(none)?);
        let components = Some(BTreeSet::from([fix.clone()]));
        let request = Request { targets: [target.clone()].into(), components, lock_state };
        let shared = Arc::new(Shared {
            pool: Pool::new(&ops, &request, World::Fix, &settings.quarantine, settings.require_lockdown, None),
            fleet_runs: FleetRuns::new(&ops, &request),
            broker,
            number: began,
            ssh: settings.ssh.clone(),
            components: request.components,
            lock_state: request.lock_state,
            past_runs: Arc::clone(&settings.past_runs),
            ops,
        });
        Ok(Self { shared, fix: fix.clone(), target: target.clone(), grant })
    }

    /// What it may do there.
    #[must_use]
    pub const fn grant(&self) -> &Arc<Grant> {
        &self.grant
    }

    /// Connects to the target, as a sweep does.
    ///
    /// # Errors
    /// When it is a never-host, or cannot be reached.
    pub async fn connect(&self) -> Result<Arc<TargetSession>, TargetResult> {
        self.shared.connect(&self.target).await.map(|connection| Arc::new(TargetSession::new(connection)))
    }

    /// Runs `plan`.
    ///
    /// # Errors
    /// When it came to no decision.
    pub async fn plan(&self, link: &Arc<TargetSession>) -> Result<Planned, NotPlanned> {
        let Some(FinishedRun { run, decided, staged }) = self.run(link, Phase::Plan).await else {
            return Err(NotPlanned::Unwritten);
        };
        let number = run.id.parse().unwrap_or_default();
        let Some(decision) = decided else { return Err(not_planned(run.outcome)) };
        let decided = match decision {
            Decision::Propose { context, evidence } => Decided::Propose { context, evidence, staged },
            Decision::NothingToDo { why } => Decided::NothingToDo { why },
            Decision::Refuse { reason, owner, evidence } => Decided::Refuse { reason, owner, evidence },
        };
        Ok(Planned { run: number, decided, calls: run.calls })
    }

    /// Runs `verify`: a run like a probe's. None only if the journal cannot be written.
    pub async fn verify(&self, link: &Arc<TargetSession>) -> Option<Run> {
        self.run(link, Phase::Verify).await.map(|finished| finished.run)
    }

    async fn run(&self, link: &Arc<TargetSession>, phase: Phase) -> Option<FinishedRun> {
        let on = vec![(Arc::clone(&self.grant), Arc::clone(link))];
        self.shared.run_phase(&self.fix, on, phase).await
    }

    /// Ends the worker.
    pub async fn close(self) {
        self.shared.pool.close().await;
    }
}

fn not_planned(outcome: RunOutcome) -> NotPlanned {
    match outcome {
        RunOutcome::Refused { reason } => NotPlanned::Refused(reason),
        RunOutcome::CouldNotCheck { reason, error } => NotPlanned::CouldNotCheck { reason, error },
        RunOutcome::Fault(fault) => NotPlanned::Broke(fault.message),
        RunOutcome::Report(_) => NotPlanned::Broke("it looked, and was to plan".to_owned()),
    }
}
