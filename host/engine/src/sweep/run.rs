//! One sweep: connect, run, close; several targets at once, and several components at once on each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::fleet_runs::{FleetRuns, TargetStatus};
use super::module_cache::ModuleCache;
use super::past::PastRuns;
use super::pool::Pool;
use crate::anchor;
use crate::broker::{Broker, TargetSession};
use crate::quarantine::Quarantine;
use crate::run::{FinishedRun, Inputs, NoWorker, OnTarget, RecordedRun};
use bailiwick_core::fleet::{Access, Target};
use bailiwick_core::model::{ComponentId, Lockdown, Phase, TargetName, VerbError, World};
use bailiwick_core::outcome::{Call, CheckedTarget, Run, Sweep, TargetResult};
use bailiwick_journal as journal;
use bailiwick_journal::history::Earlier;
use bailiwick_journal::{Entry, Journal};
use bailiwick_policy::grant::Grant;
use bailiwick_policy::lock::LockState;
use bailiwick_policy::ops::Ops;
use bailiwick_sandbox::cache::Cache;
use bailiwick_sandbox::imports::on_one_line;
use bailiwick_transport::{Connection, chain, ssh};

/// What to check.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The targets. A never-host among them is refused.
    pub targets: BTreeSet<TargetName>,
    /// Only these components. None: every component that policy grants.
    pub components: Option<BTreeSet<ComponentId>>,
    /// Which components are accepted. By default only the built-in ones.
    pub lock_state: LockState,
}

/// Bounds of a sweep.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Maximum number of targets checked at once; 0 counts as 1.
    pub jobs: usize,
    /// Components that must not run until a person releases them.
    pub quarantine: Quarantine,
    /// A worker that lacks a measure of its lockdown gets no component: its runs are refused.
    pub require_lockdown: bool,
    /// Time limits of connections.
    pub ssh: ssh::Settings,
    /// Compiled components of earlier sweeps.
    pub cache: Option<Arc<Cache>>,
    /// The history that components are given.
    pub past_runs: Arc<PastRuns>,
}

/// Follows the progress of a sweep.
pub trait Watcher: Send + Sync {
    /// A target is done.
    fn target_done(&self, checked: &CheckedTarget);

    /// Components ran in workers that lack a measure of their lockdown. Called once, at the end.
    fn unlocked(&self, lockdown: &Lockdown);

    /// The journal's head could not be copied to an anchor. Called at the end.
    fn not_anchored(&self, anchor: &str, why: &str);
}

/// Runs a sweep.
///
/// # Errors
/// When the journal is not writable: every action is in the journal before it is sent.
pub async fn sweep(
    ops: Arc<Ops>,
    request: Request,
    settings: Settings,
    journal: Arc<Journal>,
    watcher: Arc<dyn Watcher>,
) -> Result<Sweep, journal::OpenError> {
    let started = Timestamp::now();
    let number = journal.append(Entry::SweepStarted {
        bailiwick: env!("CARGO_PKG_VERSION").to_owned(),
        files: ops.digests.clone(),
        targets: request.targets.iter().cloned().collect(),
    })?;
    journal.sync()?;
    let jobs = Arc::new(Semaphore::new(settings.jobs.max(1)));
    let broker = Arc::new(Broker::new(Arc::clone(&journal)).redacting(Arc::clone(&ops.policy.redactor)));
    let module_cache =
        settings.cache.map(|cache| Arc::new(ModuleCache { cache, broker: Arc::clone(&broker), sweep: number }));
    let fleet_runs = FleetRuns::new(&ops, &request);
    let shared = Arc::new(Shared {
        pool: Pool::new(
            &ops,
            &request,
            World::Probe,
            &settings.quarantine,
            settings.require_lockdown,
            module_cache.as_ref(),
        ),
        broker,
        ops,
        number,
        ssh: settings.ssh,
        components: request.components,
        lock_state: request.lock_state,
        past_runs: settings.past_runs,
        fleet_runs,
    });
    shared.pool.start();
    // While connections are opened: otherwise the first answer waits for it.
    let redactor = Arc::clone(&shared.ops.policy.redactor);
    tokio::task::spawn_blocking(move || redactor.prepare());
    let mut runs = JoinSet::new();
    for component in shared.fleet_runs.components() {
        let shared = Arc::clone(&shared);
        runs.spawn(async move { shared.run_on_fleet(&component).await });
    }
    let mut tasks = JoinSet::new();
    for name in request.targets {
        let (shared, jobs, watcher) = (Arc::clone(&shared), Arc::clone(&jobs), Arc::clone(&watcher));
        tasks.spawn(async move {
            // The semaphore is never closed.
            let permit = jobs.acquire().await;
            let (result, session) = shared.check_target(&name).await;
            let checked = CheckedTarget { target: name, result };
            watcher.target_done(&checked);
            // Another target can start, while runs on several targets still use this connection.
            drop(permit);
            shared.fleet_runs.wait_until_unused(&checked.target).await;
            if let Some(session) = session {
                session.finish().await;
                if let Some(session) = Arc::into_inner(session) {
                    session.close().await;
                }
            }
            checked
        });
    }
    let mut targets = all(tasks).await;
    targets.sort_by(|a, b| a.target.cmp(&b.target));
    let mut together: Vec<_> = all(runs).await.into_iter().flatten().collect();
    together.sort_by(|a, b| a.run.component.cmp(&b.run.component));
    shared.pool.close().await;
    let lockdown = shared.pool.lockdown();
    if let Some(lockdown) = lockdown.filter(|lockdown| !settings.require_lockdown && !lockdown.complete()) {
        watcher.unlocked(&lockdown);
    }
    shared.broker.note(Entry::SweepEnded { sweep: number, lockdown });
    if let Some(failure) = shared.broker.failure() {
        return Err(failure);
    }
    journal.sync()?;
    let finished = Timestamp::now();
    for (anchor, failed) in anchor::copy(&shared.ops, &journal, &shared.ssh, finished).await? {
        if let Some(why) = failed {
            watcher.not_anchored(&anchor, &why);
        }
    }
    Ok(Sweep { started, finished, targets, together })
}

/// The results of all tasks. A panic is passed on: it must not look like a target that was checked.
async fn all<T: 'static>(mut tasks: JoinSet<T>) -> Vec<T> {
    let mut results = Vec::new();
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok(value) => results.push(value),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    results
}

/// What all targets of a sweep share.
pub(super) struct Shared {
    pub(super) ops: Arc<Ops>,
    pub(super) broker: Arc<Broker>,
    pub(super) pool: Pool,
    pub(super) number: u64,
    pub(super) ssh: ssh::Settings,
    pub(super) components: Option<BTreeSet<ComponentId>>,
    pub(super) lock_state: LockState,
    pub(super) past_runs: Arc<PastRuns>,
    pub(super) fleet_runs: FleetRuns,
}

impl Shared {
    /// Checks a target with the components that check one target at a time. Its connection is still open afterwards.
    async fn check_target(self: &Arc<Self>, name: &TargetName) -> (TargetResult, Option<Arc<TargetSession>>) {
        tracing::debug!("{name}: connecting");
        let session = match self.connect(name).await {
            Ok(connection) => Arc::new(TargetSession::new(connection)),
            Err(result) => {
                let (refused, cause) = match &result {
                    TargetResult::Refused { rule } => (true, rule.clone()),
                    TargetResult::Unreachable { cause, .. } => (false, cause.clone()),
                    TargetResult::Runs(_) => return (result, None),
                };
                self.fleet_runs.set_status(
                    name,
                    if refused {
                        TargetStatus::Refused(cause.clone())
                    } else {
                        TargetStatus::Unreachable(cause.clone())
                    },
                );
                let target = name.clone();
                self.broker.note(Entry::NotChecked { sweep: self.number, target, refused, cause });
                return (result, None);
            }
        };
        self.fleet_runs.set_status(name, TargetStatus::Connected(Arc::clone(&session)));
        let mut tasks = JoinSet::new();
        for component in self.assigned(name) {
            let (shared, session) = (Arc::clone(self), Arc::clone(&session));
            let Some(grant) = self.ops.grant(&component, name).map(Arc::new) else { continue };
            tasks.spawn(async move { shared.run(&component, vec![(grant, session)]).await });
        }
        let mut runs: Vec<Run> = tasks.join_all().await.into_iter().flatten().collect();
        runs.sort_by(|a, b| a.component.cmp(&b.component));
        let result = match runs.iter().find_map(|run| never_host_rule(&run.calls)) {
            Some(rule) => TargetResult::Refused { rule },
            None => TargetResult::Runs(runs),
        };
        (result, Some(session))
    }

    /// The probes that policy grants on a target, that are requested, and that check one target at a time. A sweep runs no
    /// fix.
    fn assigned(&self, name: &TargetName) -> Vec<ComponentId> {
        let all = self.ops.assignments.get(name).into_iter().flat_map(BTreeMap::keys);
        let requested = all.filter(|id| self.components.as_ref().is_none_or(|only| only.contains(*id)));
        let is_probe = |id: &&ComponentId| {
            self.ops.library.manifest(id.as_str()).is_none_or(|manifest| manifest.world == World::Probe)
        };
        requested.filter(is_probe).filter(|id| !self.fleet_runs.has(id)).cloned().collect()
    }

    pub(super) async fn connect(&self, name: &TargetName) -> Result<Connection, TargetResult> {
        let fleet = &self.ops.fleet;
        let Some(target) = fleet.targets.get(name) else {
            let rule = match fleet.never.get(name) {
                Some(never) => format!("never-host {name} ({}: {})", never.place, never.why),
                None => format!("there is no target {name}"),
            };
            return Err(TargetResult::Refused { rule });
        };
        if let Some(hit) = fleet.forbidden(target) {
            return Err(TargetResult::Refused { rule: hit.to_string() });
        }
        self.open(target).await
    }

    async fn open(&self, target: &Target) -> Result<Connection, TargetResult> {
        match &target.access {
            Access::Local => Ok(Connection::Local),
            Access::Ssh(_) => match ssh::connect(&self.ops.fleet, target, &self.ssh).await {
                Ok(session) => Ok(Connection::Ssh(session)),
                Err(error) => Err(match error.refusal() {
                    Some(rule) => TargetResult::Refused { rule: rule.to_owned() },
                    None => {
                        let cause = self.ops.policy.redactor.text(chain(&error), &mut BTreeMap::new());
                        TargetResult::Unreachable { cause, hint: error.hint() }
                    }
                }),
            },
        }
    }

    /// Runs one component on one target, or on several. None if there is no such component or target, or the journal cannot
    /// be written.
    pub(super) async fn run(&self, component: &ComponentId, on: Vec<(Arc<Grant>, Arc<TargetSession>)>) -> Option<Run> {
        self.run_phase(component, on, Phase::Examine).await.map(|finished| finished.run)
    }

    /// The same for a part of a component's work.
    pub(super) async fn run_phase(
        &self,
        component: &ComponentId,
        on: Vec<(Arc<Grant>, Arc<TargetSession>)>,
        phase: Phase,
    ) -> Option<FinishedRun> {
        let manifest = self.ops.library.manifest(component.as_str())?;
        let binary = self.ops.library.binary(component)?;
        let first = on.first()?.0.target.clone();
        let now_ms = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0);
        let refusal = on.iter().find_map(|(grant, _)| self.lock_state.allows(&self.ops.library, grant).err());
        let earlier = |(grant, _): &(Arc<Grant>, _)| self.past_runs.earlier(manifest, grant, now_ms, on.len());
        let (earlier, no_past) = match on.iter().map(earlier).collect::<Result<Vec<_>, String>>() {
            Ok(earlier) => (earlier, None),
            Err(why) => (vec![Earlier::default(); on.len()], Some(why)),
        };
        let targets = on.into_iter().zip(earlier);
        let targets = targets.map(|((grant, session), earlier)| OnTarget { grant, session, earlier }).collect();
        let changed = self.ops.budget(component);
        let run = RecordedRun {
            broker: &self.broker,
            sweep: self.number,
            component: component.clone(),
            version: manifest.version.clone(),
            digest: binary.digest.clone(),
            limits: changed.changed().map(|(row, value, _)| (row.name.to_owned(), value)).collect(),
            inputs: Inputs { targets, now_ms, phase },
            started: Instant::now(),
        };
        if let Some(refusal) = refusal {
            return Some(run.not_run(NoWorker::Refused(on_one_line(&refusal))));
        }
        if let Some(why) = no_past {
            return run.without_past(self.broker.keep_component(binary).await, why);
        }
        let mut may_repeat = true;
        loop {
            let worker = match self.pool.worker(component).await {
                Ok(worker) => worker,
                Err(why) => return Some(run.not_run(why)),
            };
            // Without a journal nothing is sent, and the sweep ends with the journal's error.
            let kept_bytes = self.broker.keep_component(binary).await;
            let id = run.start(kept_bytes)?;
            tracing::debug!("{first}: run {id} of {component} begins");
            let result = worker.run(&self.broker, id, &run.inputs).await;
            self.pool.check_worker(component).await;
            // Its worker was killed because of another run. This run changes nothing, and starts again, once.
            if result.interrupted && may_repeat {
                may_repeat = false;
                run.end(id, result.end, result.fuel);
                continue;
            }
            return Some(run.finish(id, result));
        }
    }
}

/// The rule, if a target turned out to be a never-host after its runs had started: a granted action was refused.
pub(super) fn never_host_rule(calls: &[Call]) -> Option<String> {
    let refused = calls.iter().find(|call| call.action.is_some() && call.error == Some(VerbError::Refused))?;
    refused.cause.clone()
}
