//! One sweep: connect, run, close; targets side by side, components side by side on each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::fleet_runs::{self, FleetRuns, TargetStatus};
use super::module_cache::ModuleCache;
use super::past::{self, PastRuns};
use super::pool::{Pool, RunResult};
use crate::anchor;
use crate::broker::{Broker, RunContext, Staged, TargetSession};
use crate::quarantine::Quarantine;
use bailiwick_core::fleet::{Access, Target};
use bailiwick_core::model::{ComponentId, Decision, Lockdown, LookError, Phase, SlotKey, Tainted, TargetName, World};
use bailiwick_core::outcome::{Call, Looked, Run, RunOutcome, Sweep, TargetResult};
use bailiwick_journal as journal;
use bailiwick_journal::history::Earlier;
use bailiwick_journal::{Entry, Journal, Sha};
use bailiwick_policy::grant;
use bailiwick_policy::grant::Grant;
use bailiwick_policy::lock::LockState;
use bailiwick_policy::ops::Ops;
use bailiwick_sandbox::cache::Cache;
use bailiwick_sandbox::imports::on_one_line;
use bailiwick_sandbox::{SlotEntry, TargetView};
use bailiwick_transport::{Connection, chain, ssh};

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Targets; a never-host may be among them, and is refused.
    pub targets: BTreeSet<TargetName>,
    /// Only these components; none: all that policy grants.
    pub components: Option<BTreeSet<ComponentId>>,
    /// What people have agreed to; by default nothing but what is built in.
    pub lock_state: LockState,
}

/// Bounds of a sweep.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Targets at the same time; 0 counts as 1.
    pub jobs: usize,
    /// Components that are kept from running.
    pub quarantine: Quarantine,
    /// A worker that lacks a measure of its lockdown gets no component: its runs are refused.
    pub require_lockdown: bool,
    /// Clocks of connections.
    pub ssh: ssh::Settings,
    /// Compiled components of earlier sweeps.
    pub cache: Option<Arc<Cache>>,
    /// What components have said before.
    pub pasts: Arc<PastRuns>,
}

/// Is told how far a sweep is.
pub trait Watcher: Send + Sync {
    /// A target has been dealt with.
    fn target_done(&self, looked: &Looked);

    /// Components have run in workers that lack a measure of their lockdown; told once, at the end.
    fn unlocked(&self, held: &Lockdown);

    /// An anchor did not take the journal's head; told at the end.
    fn not_anchored(&self, anchor: &str, why: &str);
}

/// Looks at what is asked for.
///
/// # Errors
/// When the journal cannot be written: nothing is sent that is not written down first.
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
    let kept = settings.cache.map(|cache| Arc::new(ModuleCache { cache, broker: Arc::clone(&broker), sweep: number }));
    let meetings = fleet_runs::meetings(&ops, &request);
    let shared = Arc::new(Shared {
        pool: Pool::new(&ops, &request, World::Probe, &settings.quarantine, settings.require_lockdown, kept.as_ref()),
        broker,
        ops,
        number,
        ssh: settings.ssh,
        components: request.components,
        lock_state: request.lock_state,
        pasts: settings.pasts,
        meetings,
    });
    shared.pool.start();
    // While connections are made; the first answer would have to wait for it.
    let redactor = Arc::clone(&shared.ops.policy.redactor);
    tokio::task::spawn_blocking(move || redactor.prepare());
    let mut runs = JoinSet::new();
    for component in shared.meetings.components() {
        let shared = Arc::clone(&shared);
        runs.spawn(async move { shared.look_together(&component).await });
    }
    let mut tasks = JoinSet::new();
    for name in request.targets {
        let (shared, jobs, watcher) = (Arc::clone(&shared), Arc::clone(&jobs), Arc::clone(&watcher));
        tasks.spawn(async move {
            // The semaphore is never closed.
            let permit = jobs.acquire().await;
            let (result, link) = shared.look(&name).await;
            let looked = Looked { target: name, result };
            watcher.target_done(&looked);
            // Another target's turn, while runs on several wait for it.
            drop(permit);
            shared.meetings.adjourned(&looked.target).await;
            if let Some(link) = link {
                link.finish().await;
                if let Some(link) = Arc::into_inner(link) {
                    link.close().await;
                }
            }
            looked
        });
    }
    let mut targets = all(tasks).await;
    targets.sort_by(|a, b| a.target.cmp(&b.target));
    let mut together: Vec<_> = all(runs).await.into_iter().flatten().collect();
    together.sort_by(|a, b| a.run.component.cmp(&b.run.component));
    shared.pool.close().await;
    let lockdown = shared.pool.lockdown();
    if let Some(held) = lockdown.filter(|held| !settings.require_lockdown && !held.complete()) {
        watcher.unlocked(&held);
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

/// What came of all tasks. A panic of ours must not pass for a target that was looked at.
async fn all<T: 'static>(mut tasks: JoinSet<T>) -> Vec<T> {
    let mut found = Vec::new();
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok(value) => found.push(value),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    found
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
    pub(super) pasts: Arc<PastRuns>,
    pub(super) meetings: FleetRuns,
}

impl Shared {
    /// Looks at a target with the components that look at one at a time. Its connection is still open afterwards.
    async fn look(self: &Arc<Self>, name: &TargetName) -> (TargetResult, Option<Arc<TargetSession>>) {
        tracing::debug!("{name}: connecting");
        let link = match self.connect(name).await {
            Ok(connection) => Arc::new(TargetSession::new(connection)),
            Err(result) => {
                let (refused, cause) = match &result {
                    TargetResult::Refused { rule } => (true, rule.clone()),
                    TargetResult::Unreachable { cause, .. } => (false, cause.clone()),
                    TargetResult::Runs(_) => return (result, None),
                };
                self.meetings.arrive(
                    name,
                    if refused { TargetStatus::Refused(cause.clone()) } else { TargetStatus::Missing(cause.clone()) },
                );
                let target = name.clone();
                self.broker.note(Entry::NotLooked { sweep: self.number, target, refused, cause });
                return (result, None);
            }
        };
        self.meetings.arrive(name, TargetStatus::Here(Arc::clone(&link)));
        let mut tasks = JoinSet::new();
        for component in self.assigned(name) {
            let (shared, link) = (Arc::clone(self), Arc::clone(&link));
            let Some(grant) = self.ops.grant(&component, name).map(Arc::new) else { continue };
            tasks.spawn(async move { shared.run(&component, vec![(grant, link)]).await });
        }
        let mut runs: Vec<Run> = tasks.join_all().await.into_iter().flatten().collect();
        runs.sort_by(|a, b| a.component.cmp(&b.component));
        let result = match runs.iter().find_map(|run| unmasked(&run.calls)) {
            Some(rule) => TargetResult::Refused { rule },
            None => TargetResult::Runs(runs),
        };
        (result, Some(link))
    }

    /// The probes that policy puts on a target, that are asked for, and that look at one target at a time. A sweep only looks:
    /// no fix is run by it.
    fn assigned(&self, name: &TargetName) -> Vec<ComponentId> {
        let all = self.ops.assignments.get(name).into_iter().flat_map(BTreeMap::keys);
        let asked = all.filter(|id| self.components.as_ref().is_none_or(|only| only.contains(*id)));
        let looks = |id: &&ComponentId| {
            self.ops.library.manifests.get(*id).is_none_or(|manifest| manifest.world == World::Probe)
        };
        asked.filter(looks).filter(|id| !self.meetings.has(id)).cloned().collect()
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

    /// Runs one component on one target, or on several. `None` only if there is none such, or no target.
    pub(super) async fn run(&self, component: &ComponentId, on: Vec<(Arc<Grant>, Arc<TargetSession>)>) -> Option<Run> {
        self.run_phase(component, on, Phase::Examine).await.map(|phased| phased.run)
    }

    /// The same for a part of a component's work.
    pub(super) async fn run_phase(
        &self,
        component: &ComponentId,
        on: Vec<(Arc<Grant>, Arc<TargetSession>)>,
        phase: Phase,
    ) -> Option<Phased> {
        let manifest = self.ops.library.manifests.get(component)?;
        let version = manifest.version.clone();
        let binary = self.ops.library.binary(component)?;
        let digest = binary.digest.clone();
        let (first, _) = on.first()?;
        let started = Instant::now();
        let now_ms = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0);
        let past = |(grant, _): &(Arc<Grant>, _)| self.pasts.of(manifest, grant, now_ms, on.len());
        let (pasts, unknown) = match on.iter().map(past).collect::<Result<Vec<_>, String>>() {
            Ok(pasts) => (pasts, None),
            Err(why) => (vec![Earlier::default(); on.len()], Some(why)),
        };
        let begin = |kept_bytes| {
            let mut others = on.iter().zip(&pasts).map(|((grant, _), past)| of_target(grant, past));
            let first = others.next().unwrap_or_else(|| of_target(first, &Earlier::default()));
            let journal::Other { target, grant, actions, params, withheld, previous_ms, earlier } = first;
            let changed = self.ops.budget(component);
            let changed = changed.changed().map(|(row, value, _)| (row.name.to_owned(), value));
            Entry::RunStarted {
                sweep: self.number,
                component: component.clone(),
                version: version.clone(),
                digest: digest.clone(),
                target,
                grant,
                actions,
                params,
                now_ms,
                previous_ms,
                earlier,
                others: others.collect(),
                withheld,
                limits: changed.collect(),
                kept_bytes,
                phase: (phase != Phase::Examine).then_some(phase),
            }
        };
        let done = |id: Option<u64>, outcome, calls| {
            let (component, version, elapsed_ms) = (component.clone(), version.clone(), millis(started));
            let id = id.map(|id| id.to_string()).unwrap_or_default();
            let run = Run { id, component, version, outcome, calls, elapsed_ms };
            Some(Phased { run, decided: None, staged: Vec::new() })
        };
        let refusal = on.iter().find_map(|(grant, _)| self.lock_state.allows(&self.ops.library, grant).err());
        if let Some(refusal) = refusal {
            let outcome = RunOutcome::Refused { reason: on_one_line(&refusal) };
            let id = self.not_run(component, &digest, &outcome, begin);
            return done(id, outcome, Vec::new());
        }
        if let Some(why) = unknown {
            let reason = Tainted::new(why);
            let kept_bytes = self.broker.keep_component(binary).await;
            let id = self.broker.note(begin(kept_bytes))?;
            let end = journal::RunEnd::CouldNotLook { reason: reason.clone(), error: None };
            self.broker.note(Entry::RunEnded { run: id, end, fuel: 0, report: None });
            return done(Some(id), RunOutcome::CouldNotLook { reason, error: None }, Vec::new());
        }
        let mut again = true;
        loop {
            let worker = match self.pool.worker(component).await {
                Ok(worker) => worker,
                Err(outcome) => {
                    let id = self.not_run(component, &digest, &outcome, begin);
                    return done(id, outcome, Vec::new());
                }
            };
            // Without a journal nothing is sent, and the sweep ends with the journal's error.
            let kept_bytes = self.broker.keep_component(binary).await;
            let id = self.broker.note(begin(kept_bytes))?;
            tracing::debug!("{}: run {id} of {component} begins", first.target);
            let context = RunContext::together(id, on.clone()).in_phase(phase);
            let views = on.iter().zip(&pasts).map(|((grant, _), past)| view(grant, past)).collect();
            let RunResult { end, fuel, interrupted } = worker.run(&self.broker, &context, now_ms, views).await;
            self.pool.look_after(component).await;
            // Another run took the worker with it. This one has only looked, and is begun again, once.
            if interrupted && again {
                again = false;
                self.broker.note(Entry::RunEnded { run: id, end, fuel, report: None });
                continue;
            }
            let staged = context.staged();
            let end = settled(end, staged.len());
            let grants = on.iter().map(|(grant, _)| grant.as_ref());
            let (outcome, calls) = concluded(end.clone(), context.calls(), grants);
            let mut ran = done(Some(id), outcome, calls)?;
            let mut report = None;
            match &end {
                journal::RunEnd::Decided(decision) => {
                    ran.decided = Some(decision.clone());
                    ran.staged = staged;
                }
                _ => report = Sha::try_from(ran.run.digest()).ok(),
            }
            self.broker.note(Entry::RunEnded { run: id, end, fuel, report });
            return Some(ran);
        }
    }

    /// Writes down a run that came to nothing: a refused component has no run, a broken one has one that broke.
    fn not_run(
        &self,
        component: &ComponentId,
        digest: &str,
        outcome: &RunOutcome,
        begin: impl Fn(Option<u64>) -> Entry,
    ) -> Option<u64> {
        match outcome {
            RunOutcome::Refused { reason } => {
                let (component, digest, reason) = (component.clone(), digest.to_owned(), reason.clone());
                self.broker.note(Entry::LoadRefused { sweep: self.number, component, digest, reason });
                None
            }
            RunOutcome::Fault { message } => {
                let id = self.broker.note(begin(None))?;
                let end = journal::RunEnd::Fault { message: message.clone() };
                self.broker.note(Entry::RunEnded { run: id, end, fuel: 0, report: None });
                Some(id)
            }
            RunOutcome::Report(_) | RunOutcome::CouldNotLook { .. } => None,
        }
    }
}

/// One run of one part of a component's work.
pub(super) struct Phased {
    /// As it is reported. Of one that planned, only its calls mean anything.
    pub(super) run: Run,
    /// What it decided, if it planned.
    pub(super) decided: Option<Decision>,
    /// What it put on its list; empty unless it proposes that.
    pub(super) staged: Vec<Staged>,
}

/// How a run ended, held against its list: a proposal without a change is none, and a change that is not proposed has no
/// reason. Both are the component's fault.
pub(crate) fn settled(end: journal::RunEnd, staged: usize) -> journal::RunEnd {
    let message = match &end {
        journal::RunEnd::Decided(Decision::Propose { .. }) if staged == 0 => {
            "it proposes, and no change is on its list"
        }
        journal::RunEnd::Decided(Decision::NothingToDo { .. } | Decision::Refuse { .. }) if staged > 0 => {
            "changes are on its list, and it does not propose them"
        }
        _ => return end,
    };
    journal::RunEnd::Fault { message: message.to_owned() }
}

/// What a run's start says of one target.
fn of_target(grant: &Grant, past: &Earlier) -> journal::Other {
    journal::Other {
        target: grant.target.clone(),
        grant: grant.digest(),
        actions: granted(grant),
        params: grant.params.iter().map(|(name, value)| (name.as_str().to_owned(), value.clone())).collect(),
        withheld: grant.withheld.iter().map(taken).collect(),
        previous_ms: past.previous_ms,
        earlier: past::kept(past),
    }
}

/// The rule, if a target turned out to be a never-host after its runs had begun: refused although the action was granted.
pub(super) fn unmasked(calls: &[Call]) -> Option<String> {
    let found = calls.iter().find(|call| call.action.is_some() && call.error == Some(LookError::Refused))?;
    found.cause.clone()
}

/// A run as it is reported: how it ended, and what it asked.
pub(crate) fn concluded<'g>(
    end: journal::RunEnd,
    mut calls: Vec<Call>,
    mut grants: impl Iterator<Item = &'g Grant>,
) -> (RunOutcome, Vec<Call>) {
    let outcome = match end {
        journal::RunEnd::Report(report) => RunOutcome::Report(report),
        journal::RunEnd::CouldNotLook { reason, error } => {
            // A component that finds its slot empty does not know why; the operator must.
            let withheld = error.is_none().then(|| grants.find_map(withheld)).flatten();
            let error = error.or(withheld.as_ref().and_then(|call| call.error));
            calls.extend(withheld);
            RunOutcome::CouldNotLook { reason, error }
        }
        // No probe can: its worker would have been ended for it.
        journal::RunEnd::Decided(_) => RunOutcome::Fault { message: "it planned, and was to look".to_owned() },
        journal::RunEnd::Fault { message } => RunOutcome::Fault { message },
    };
    (outcome, calls)
}

/// What a never-rule took from a run, as the journal keeps it.
fn taken(withheld: &grant::Withheld) -> journal::Withheld {
    let grant::Withheld { granted, rule, why } = withheld;
    let (key, action) = (granted.key.clone(), granted.action.id.clone());
    journal::Withheld { key, action, rule: rule.clone(), why: why.clone() }
}

/// What a never-rule took from a run, told as a call that was refused.
fn withheld(grant: &Grant) -> Option<Call> {
    let withheld = grant.withheld.first()?;
    Some(Call {
        target: None,
        action: None,
        asked: Tainted::new(withheld.granted.action.id.as_str()),
        error: Some(LookError::Refused),
        cause: Some(format!("{} is withheld by {}: {}", withheld.granted.action.id, withheld.rule, withheld.why)),
        redacted: BTreeMap::new(),
    })
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// The list as the journal keeps it.
fn granted(grant: &Grant) -> Vec<journal::Granted> {
    let entry = |granted: &bailiwick_policy::grant::Granted| journal::Granted {
        key: granted.key.clone(),
        action: granted.action.id.clone(),
        wire: granted.action.wire.text(),
    };
    grant.entries().map(entry).collect()
}

/// What the guest is told of its target: name, settings, slots, its own past. No address, user or key.
pub(crate) fn view(grant: &Grant, past: &Earlier) -> TargetView {
    let entries = |entries: Vec<(SlotKey, String)>| {
        entries
            .into_iter()
            .map(|(key, literal)| SlotEntry { key: key.as_str().to_owned(), literal })
            .collect::<Vec<_>>()
    };
    TargetView {
        name: grant.target.clone(),
        params: grant.params.iter().map(|(name, value)| (name.as_str().to_owned(), value.clone())).collect(),
        slots: grant.slots().into_iter().map(|(slot, list)| (slot, entries(list))).collect(),
        previous_ms: past.previous_ms,
        earlier: past.points.clone(),
    }
}
