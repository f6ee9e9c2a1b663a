//! A fix on one target: `plan` and `verify`, each in a run of its own.
//!
//! Knows: how a fix is run, and how its runs can end. Must not know: what happens to a plan, gates, approval. Attacks answered:
//! a fix that reports success (PH11): `verify` returns a report like a probe's, and the change engine also checks by itself;
//! a proposal without a change, and a change that is not proposed; a fix that asks for changes in `verify` (PH01).
//!
//! **Invariant:** nothing is changed here. A proposal is a list of actions from the fix's grant.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::fleet_runs::FleetRuns;
use super::pool::Pool;
use super::run::{Request, Settings, Shared};
use crate::broker::{Broker, Staged, TargetSession};
use crate::run::FinishedRun;
use bailiwick_core::model::{ComponentId, Decision, Phase, Tainted, TargetName, VerbError, World};
use bailiwick_core::outcome::{Call, Run, RunOutcome, TargetResult};
use bailiwick_policy::grant::Grant;
use bailiwick_policy::lock::LockState;
use bailiwick_policy::ops::Ops;

/// A fix on one target, in a worker of its own. Several runs may follow one another; each has its own instance.
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
    /// Its decision.
    pub decided: Decided,
    /// The calls of the run. Evidence counts from 1 into the calls that the component made, including staged changes.
    pub calls: Vec<Call>,
}

/// The decision of `plan`, checked against its list of changes.
#[derive(Debug, Clone)]
pub enum Decided {
    /// To apply the list: at least one change.
    Propose {
        /// What it saw, in its own text.
        context: Tainted,
        /// The calls that are its evidence.
        evidence: Vec<u32>,
        /// The changes, in order.
        staged: Vec<Staged>,
    },
    /// There is nothing to fix.
    NothingToDo {
        /// Why, in its own text.
        why: Tainted,
    },
    /// A person has to fix it.
    Refuse {
        /// Why, in its own text.
        reason: Tainted,
        /// Who has to fix it, in its own text.
        owner: Tainted,
        /// The calls that are its evidence.
        evidence: Vec<u32>,
    },
}

/// Why a fix cannot run on a target.
#[derive(Debug, thiserror::Error)]
pub enum FixError {
    /// No such component.
    #[error("there is no component `{0}`")]
    Unknown(ComponentId),
    /// It is a probe.
    #[error("`{0}` is a probe, not a fix\n\nhint: `bailiwick check --probe {0}` runs it")]
    Probe(ComponentId),
    /// Policy does not grant it there.
    #[error(
        "policy does not grant `{fix}` on {target}\n\nhint: add a [[grant]] with component = \"{fix}\" and on = [\"{target}\"]"
    )]
    NotGranted {
        /// The fix.
        fix: ComponentId,
        /// The target.
        target: TargetName,
    },
}

/// Why a fix has no plan.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NotPlanned {
    /// It may not run.
    #[error("the fix was not run: {0}")]
    Refused(String),
    /// It could not check. The reason is the component's text, which only an encoder may print.
    #[error("the fix could not check the target")]
    CouldNotCheck {
        /// Its text.
        reason: Tainted,
        /// The verb error behind it.
        error: Option<VerbError>,
    },
    /// It broke.
    #[error("the fix broke: {0}")]
    Broke(String),
    /// The journal is not writable, so nothing runs.
    #[error("the journal is not writable")]
    Unwritten,
}

impl Fixer {
    /// Prepares a fix for a target. `parent` is the number of the journal entry that its runs belong to.
    ///
    /// # Errors
    /// When there is no such fix there.
    pub fn new(
        ops: Arc<Ops>,
        broker: Arc<Broker>,
        parent: u64,
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
            number: parent,
            ssh: settings.ssh.clone(),
            components: request.components,
            lock_state: request.lock_state,
            past_runs: Arc::clone(&settings.past_runs),
            ops,
        });
        Ok(Self { shared, fix: fix.clone(), target: target.clone(), grant })
    }

    /// Its grant there.
    #[must_use]
    pub const fn grant(&self) -> &Arc<Grant> {
        &self.grant
    }

    /// Connects to the target in the same way as a sweep.
    ///
    /// # Errors
    /// When it is a never-host, or cannot be reached.
    pub async fn connect(&self) -> Result<Arc<TargetSession>, TargetResult> {
        self.shared.connect(&self.target).await.map(|connection| Arc::new(TargetSession::new(connection)))
    }

    /// Runs `plan`.
    ///
    /// # Errors
    /// When it returned no decision.
    pub async fn plan(&self, session: &Arc<TargetSession>) -> Result<Planned, NotPlanned> {
        let Some(FinishedRun { run, decided, staged }) = self.run(session, Phase::Plan).await else {
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

    /// Runs `verify`, which returns a report like a probe's. None only if the journal is not writable.
    pub async fn verify(&self, session: &Arc<TargetSession>) -> Option<Run> {
        self.run(session, Phase::Verify).await.map(|finished| finished.run)
    }

    async fn run(&self, session: &Arc<TargetSession>, phase: Phase) -> Option<FinishedRun> {
        let on = vec![(Arc::clone(&self.grant), Arc::clone(session))];
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
        RunOutcome::Report(_) => NotPlanned::Broke("it returned a report instead of a plan".to_owned()),
    }
}
