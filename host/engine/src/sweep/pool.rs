//! One worker per component. It starts with the sweep, and again if it dies.
//!
//! Knows: workers, consent, the quarantine. Must not know: what a run asks for.
//!
//! **Invariant:** a component whose worker has died twice is not started a third time (GR14): not in the same sweep, however
//! the workers died; and not in a later sweep before a person releases it, if the component caused the deaths.

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
    lockdown: SharedLockdown,
}

/// The measures that every worker so far has applied. None if no worker was started.
type SharedLockdown = Arc<std::sync::Mutex<Option<Lockdown>>>;

pub(super) struct Slot {
    pub(super) module_cache: Option<Arc<ModuleCache>>,
    pub(super) binary: Binary,
    /// What the component is linked with, or why it may not be compiled.
    links: Result<Links, String>,
    pub(super) limits: Limits,
    compiling: Arc<Semaphore>,
    quarantine: Quarantine,
    pub(super) who: Who,
    /// A worker that lacks a measure of its lockdown gets no component.
    require_lockdown: bool,
    lockdown: SharedLockdown,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    worker: Option<Arc<Worker>>,
    /// Why the component is refused for the rest of the sweep.
    refused: Option<String>,
    /// The fault of every further run.
    fault: Option<RunFault>,
    deaths: u64,
}

impl Pool {
    /// A slot for every component of a world that policy puts on a requested target. Checks whether each may run, and its
    /// imports.
    pub(super) fn new(
        ops: &Ops,
        request: &Request,
        world: World,
        quarantine: &Quarantine,
        require_lockdown: bool,
        module_cache: Option<&Arc<ModuleCache>>,
    ) -> Self {
        let lockdown = SharedLockdown::default();
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
                    module_cache: module_cache.cloned(),
                    binary: binary.clone(),
                    links,
                    limits: ops.limits(id).clone(),
                    compiling: Arc::clone(&compiling),
                    quarantine: quarantine.clone(),
                    who,
                    require_lockdown,
                    lockdown: Arc::clone(&lockdown),
                    state: Mutex::default(),
                })
            });
        }
        Self { slots, lockdown }
    }

    /// The measures that every worker so far has applied. None if no worker was started.
    pub(super) fn lockdown(&self) -> Option<Lockdown> {
        *self.lockdown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts to compile the components that may run, while connections are opened.
    pub(super) fn start(&self) {
        for slot in self.slots.values().filter(|slot| slot.links.is_ok()) {
            let slot = Arc::clone(slot);
            tokio::spawn(async move { drop(slot.worker().await) });
        }
    }

    /// A component's worker.
    ///
    /// # Errors
    /// Why the run has no worker.
    pub(super) async fn worker(&self, id: &ComponentId) -> Result<WorkerHandle, NoWorker> {
        match self.slots.get(id) {
            Some(slot) => slot.worker().await.map(WorkerHandle::from),
            None => Err(NoWorker::Refused("there is no such component".to_owned())),
        }
    }

    /// Records the death of a worker that died in a run.
    pub(super) async fn check_worker(&self, id: &ComponentId) {
        if let Some(slot) = self.slots.get(id) {
            slot.state.lock().await.remove_dead(slot);
        }
    }

    /// Ends every worker.
    pub(super) async fn close(&self) {
        for slot in self.slots.values() {
            slot.state.lock().await.remove_dead(slot);
            let worker = slot.state.lock().await.worker.take();
            if let Some(worker) = worker.and_then(Arc::into_inner) {
                worker.close().await;
            }
        }
    }
}

/// Why a component is in quarantine, if it is. A record that cannot be read also keeps it from running.
fn quarantined(who: &Who, record: Result<Option<Record>, QuarantineError>) -> Option<String> {
    let id = &who.component;
    match record {
        Ok(record) => record.filter(Record::holds).map(|record| {
            format!("in quarantine: {}; `bailiwick unquarantine {id}` lets it run again", record.summary())
        }),
        Err(error) => Some(format!(
            "its quarantine record cannot be read: {}; `bailiwick unquarantine {id}` starts a new record",
            chain(&error)
        )),
    }
}

impl Slot {
    /// A worker without a component, if its lockdown has every measure that policy requires.
    pub(super) async fn idle(&self) -> Result<Idle, Unloaded> {
        let idle = Worker::start(None).await?;
        let lockdown = idle.lockdown();
        {
            let mut shared = self.lockdown.lock().unwrap_or_else(PoisonError::into_inner);
            *shared = Some(shared.map_or(lockdown, |shared| shared.and(lockdown)));
        }
        if self.require_lockdown && !lockdown.complete() {
            return Err(Unloaded::Lacking(lockdown.lacking().join(", no ")));
        }
        Ok(idle)
    }

    async fn worker(&self) -> Result<Arc<Worker>, NoWorker> {
        let links = self.links.as_ref().map_err(|reason| NoWorker::Refused(reason.clone()))?;
        let mut state = self.state.lock().await;
        state.remove_dead(self);
        if let Some(reason) = &state.refused {
            return Err(NoWorker::Refused(reason.clone()));
        }
        if let Some(worker) = &state.worker {
            return Ok(Arc::clone(worker));
        }
        if let Some(fault) = &state.fault {
            return Err(NoWorker::Fault(fault.clone()));
        }
        if state.deaths >= DEATHS {
            let message = format!("its worker died {DEATHS} times in this sweep; it is not started again");
            return Err(NoWorker::Fault(RunFault::new("worker-deaths", message)));
        }
        // The semaphore is never closed.
        let _permit = self.compiling.acquire().await;
        match super::module_cache::load(self, links).await {
            Err(Unloaded::Lacking(lacking)) => {
                let reason = format!("its worker cannot be locked down on this machine: no {lacking}");
                state.refused = Some(reason.clone());
                Err(NoWorker::Refused(reason))
            }
            Ok(worker) => {
                let worker = Arc::new(worker);
                state.worker = Some(Arc::clone(&worker));
                Ok(worker)
            }
            Err(Unloaded::Load(LoadError::NotLoaded { reason })) => {
                let reason = format!("the wasm engine rejected it: {}", encode::terminal(&reason, 200));
                state.refused = Some(reason.clone());
                Err(NoWorker::Refused(reason))
            }
            Err(Unloaded::Load(error)) => {
                let fault = RunFault::new("load", chain(&error));
                state.deaths += 1;
                state.fault = error.is_for_good().then(|| fault.clone());
                if let Some(how) = error.death() {
                    state.count(self, &how);
                }
                Err(NoWorker::Fault(fault))
            }
        }
    }
}

impl State {
    /// Removes a worker that has died, and counts its death.
    fn remove_dead(&mut self, slot: &Slot) {
        let Some(worker) = self.worker.take_if(|worker| !worker.is_alive()) else { return };
        self.deaths += 1;
        if let Some(how) = worker.death() {
            self.count(slot, &how);
        }
    }

    /// Records a death in the quarantine. If that fails, the component is refused as well.
    fn count(&mut self, slot: &Slot, how: &str) {
        let now = Timestamp::now();
        let record = slot.quarantine.died(&slot.who, how, now);
        self.refused = quarantined(&slot.who, record.map(Some));
    }
}
