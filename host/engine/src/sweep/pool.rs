//! One worker per component, started when the sweep starts, and again if it dies.
//!
//! **Invariant:** a component whose worker has died twice is not started a third time (GR14): not in the same sweep, however
//! the workers died, and in no later one before a person has released it, if it was the component's doing.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use tokio::sync::{Mutex, Semaphore};

use super::module_cache::{ModuleCache, Unloaded};
use super::run::Request;
use crate::consent;
use crate::quarantine::{Quarantine, QuarantineError, Record, Who};
use crate::run::{NoWorker, WorkerHandle};
use bailiwick_core::encode;
use bailiwick_core::limits::{COMPILING, DEATHS, Limits};
use bailiwick_core::model::{ComponentId, Lockdown, RunFault, World};
use bailiwick_policy::library::Binary;
use bailiwick_policy::ops::Ops;
use bailiwick_sandbox::client::Worker;
use bailiwick_sandbox::{Idle, Links, LoadError};
use bailiwick_transport::chain;

/// The workers of a sweep.
pub(super) struct Pool {
    slots: BTreeMap<ComponentId, Arc<Slot>>,
    held: Held,
}

/// What has held in every worker so far; none: there was none.
type Held = Arc<std::sync::Mutex<Option<Lockdown>>>;

pub(super) struct Slot {
    pub(super) kept: Option<Arc<ModuleCache>>,
    pub(super) binary: Binary,
    /// What it is linked with, or why it may not be compiled.
    links: Result<Links, String>,
    pub(super) limits: Limits,
    compiling: Arc<Semaphore>,
    quarantine: Quarantine,
    pub(super) who: Who,
    /// A worker that lacks a measure gets no component.
    require_lockdown: bool,
    held: Held,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    worker: Option<Arc<Worker>>,
    /// Why there is none, and will be none.
    refused: Option<String>,
    /// What every further run comes to.
    over: Option<RunFault>,
    deaths: u64,
}

impl Pool {
    /// Room for every component of a world that policy puts on a requested target. Looks whether each may run, and at its imports.
    pub(super) fn new(
        ops: &Ops,
        request: &Request,
        world: World,
        quarantine: &Quarantine,
        require_lockdown: bool,
        kept: Option<&Arc<ModuleCache>>,
    ) -> Self {
        let held = Held::default();
        let mut slots = BTreeMap::new();
        let compiling = Arc::new(Semaphore::new(COMPILING as usize));
        let assigned = request.targets.iter().filter_map(|target| ops.assignments.get(target));
        let ids = assigned.flat_map(BTreeMap::keys);
        for id in ids.filter(|id| request.components.as_ref().is_none_or(|only| only.contains(*id))) {
            let (Some(binary), Some(manifest)) = (ops.library.binary(id), ops.library.manifest(id.as_str())) else {
                continue;
            };
            if manifest.world != world {
                continue;
            }
            slots.entry(id.clone()).or_insert_with(|| {
                let version = manifest.version.clone();
                let who = Who { component: id.clone(), version, digest: binary.digest.clone() };
                let links = match quarantined(&who, quarantine.record(&who.digest)) {
                    Some(reason) => Err(reason),
                    None => consent::admit(ops, &request.lock_state, id, Timestamp::now()),
                };
                Arc::new(Slot {
                    kept: kept.cloned(),
                    binary: binary.clone(),
                    links,
                    limits: ops.limits(id).clone(),
                    compiling: Arc::clone(&compiling),
                    quarantine: quarantine.clone(),
                    who,
                    require_lockdown,
                    held: Arc::clone(&held),
                    state: Mutex::default(),
                })
            });
        }
        Self { slots, held }
    }

    /// What has held in every worker so far; none: there was none.
    pub(super) fn lockdown(&self) -> Option<Lockdown> {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts compiling those that may be, while connections are being made.
    pub(super) fn start(&self) {
        for slot in self.slots.values().filter(|slot| slot.links.is_ok()) {
            let slot = Arc::clone(slot);
            tokio::spawn(async move { drop(slot.worker().await) });
        }
    }

    /// A component's worker.
    ///
    /// # Errors
    /// What the run comes to, if there is none.
    pub(super) async fn worker(&self, id: &ComponentId) -> Result<WorkerHandle, NoWorker> {
        match self.slots.get(id) {
            Some(slot) => slot.worker().await.map(WorkerHandle::from),
            None => Err(NoWorker::Refused("there is no such component".to_owned())),
        }
    }

    /// Notices a worker that has died in a run, and writes it down at once.
    pub(super) async fn look_after(&self, id: &ComponentId) {
        if let Some(slot) = self.slots.get(id) {
            slot.state.lock().await.bury(slot);
        }
    }

    /// Ends every worker.
    pub(super) async fn close(&self) {
        for slot in self.slots.values() {
            slot.state.lock().await.bury(slot);
            let worker = slot.state.lock().await.worker.take();
            if let Some(worker) = worker.and_then(Arc::into_inner) {
                worker.close().await;
            }
        }
    }
}

/// Why a component may not run at all, if a person has to release it first. What cannot be read holds it.
fn quarantined(who: &Who, found: Result<Option<Record>, QuarantineError>) -> Option<String> {
    let id = &who.component;
    match found {
        Ok(record) => record
            .filter(Record::holds)
            .map(|record| format!("in quarantine: {}; `bailiwick unquarantine {id}` lets it run again", record.told())),
        Err(error) => Some(format!(
            "whether it is in quarantine cannot be told: {}; `bailiwick unquarantine {id}` starts a new record",
            chain(&error)
        )),
    }
}

impl Slot {
    /// A worker without a component, if it lacks nothing that it may not lack.
    pub(super) async fn idle(&self) -> Result<Idle, Unloaded> {
        let idle = Worker::start(None).await?;
        let lockdown = idle.lockdown();
        {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            *held = Some(held.map_or(lockdown, |held| held.and(lockdown)));
        }
        if self.require_lockdown && !lockdown.complete() {
            return Err(Unloaded::Lacking(lockdown.lacking().join(", no ")));
        }
        Ok(idle)
    }

    async fn worker(&self) -> Result<Arc<Worker>, NoWorker> {
        let links = self.links.as_ref().map_err(|reason| NoWorker::Refused(reason.clone()))?;
        let mut state = self.state.lock().await;
        state.bury(self);
        if let Some(reason) = &state.refused {
            return Err(NoWorker::Refused(reason.clone()));
        }
        if let Some(worker) = &state.worker {
            return Ok(Arc::clone(worker));
        }
        if let Some(fault) = &state.over {
            return Err(NoWorker::Fault(fault.clone()));
        }
        if state.deaths >= DEATHS {
            let message = format!("its worker has died {DEATHS} times in this sweep; it is not started again");
            return Err(NoWorker::Fault(RunFault::new("worker-deaths", message)));
        }
        // The semaphore is never closed.
        let _permit = self.compiling.acquire().await;
        match super::module_cache::load(self, links).await {
            Err(Unloaded::Lacking(lacking)) => {
                let reason = format!("its worker cannot be locked down here: no {lacking}");
                state.refused = Some(reason.clone());
                Err(NoWorker::Refused(reason))
            }
            Ok(worker) => {
                let worker = Arc::new(worker);
                state.worker = Some(Arc::clone(&worker));
                Ok(worker)
            }
            Err(Unloaded::Load(LoadError::NotLoaded { reason })) => {
                let reason = format!("the engine does not take it: {}", encode::terminal(&reason, 200));
                state.refused = Some(reason.clone());
                Err(NoWorker::Refused(reason))
            }
            Err(Unloaded::Load(error)) => {
                let fault = RunFault::new("load", chain(&error));
                state.deaths += 1;
                state.over = error.is_for_good().then(|| fault.clone());
                if let Some(how) = error.death() {
                    state.count(self, &how);
                }
                Err(NoWorker::Fault(fault))
            }
        }
    }
}

impl State {
    /// Takes a worker away that has died, and counts it.
    fn bury(&mut self, slot: &Slot) {
        let Some(worker) = self.worker.take_if(|worker| !worker.is_alive()) else { return };
        self.deaths += 1;
        if let Some(how) = worker.death() {
            self.count(slot, &how);
        }
    }

    /// Writes a death down. One that cannot be written down must not be forgotten either.
    fn count(&mut self, slot: &Slot, how: &str) {
        let now = Timestamp::now();
        let found = slot.quarantine.died(&slot.who, how, now);
        self.refused = quarantined(&slot.who, found.map(Some));
    }
}
