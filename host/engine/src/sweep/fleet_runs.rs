//! Components that check all their targets in one run. Such a run waits until each of its targets is connected, or is known
//! to be out of reach.
//!
//! Knows: which run waits for which target. Must not know: what a run asks. Attack answered: one target that stops a run on
//! several targets (GR16): a target that cannot be reached is in the run too, and answers `unreachable`. A target that waits
//! for such a run does not occupy a job, so that no deadlock is possible.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::run::{Request, Shared, never_host_rule};
use crate::broker::TargetSession;
use bailiwick_core::manifest::Scope;
use bailiwick_core::model::{ComponentId, TargetName};
use bailiwick_core::outcome::{LeftOut, Run, RunOutcome, Together};
use bailiwick_journal::Entry;
use bailiwick_policy::ops::Ops;
use bailiwick_transport::Connection;

/// Whether a target can be used by the runs that wait for it.
#[derive(Debug, Clone)]
pub(super) enum TargetStatus {
    /// Connected.
    Connected(Arc<TargetSession>),
    /// It could not be reached: the cause.
    Unreachable(String),
    /// No grant can reach it: the rule.
    Refused(String),
}

/// One component and the targets that its run waits for.
struct FleetRun {
    targets: Vec<TargetName>,
    done: watch::Sender<bool>,
}

/// All runs on several targets of a sweep.
pub(super) struct FleetRuns {
    runs: BTreeMap<ComponentId, FleetRun>,
    statuses: BTreeMap<TargetName, watch::Sender<Option<TargetStatus>>>,
}

impl FleetRuns {
    /// The components of a request that check several targets in one run, each with those of the request's targets that
    /// policy gives it.
    pub(super) fn new(ops: &Ops, request: &Request) -> Self {
        let mut targets: BTreeMap<ComponentId, Vec<TargetName>> = BTreeMap::new();
        for target in &request.targets {
            for id in ops.assignments.get(target).into_iter().flat_map(BTreeMap::keys) {
                let wanted = request.components.as_ref().is_none_or(|only| only.contains(id));
                let fleet = ops.library.manifest(id.as_str()).is_some_and(|manifest| manifest.scope == Scope::Fleet);
                if wanted && fleet {
                    targets.entry(id.clone()).or_default().push(target.clone());
                }
            }
        }
        let statuses = targets.values().flatten().map(|target| (target.clone(), watch::Sender::new(None))).collect();
        let fleet_run = |targets| FleetRun { targets, done: watch::Sender::new(false) };
        Self { runs: targets.into_iter().map(|(id, targets)| (id, fleet_run(targets))).collect(), statuses }
    }

    /// The components.
    pub(super) fn components(&self) -> Vec<ComponentId> {
        self.runs.keys().cloned().collect()
    }

    /// True for a component that checks several targets in one run.
    pub(super) fn has(&self, id: &ComponentId) -> bool {
        self.runs.contains_key(id)
    }

    /// Sets a target's status, for the runs that wait for it.
    pub(super) fn set_status(&self, target: &TargetName, status: TargetStatus) {
        if let Some(sender) = self.statuses.get(target) {
            sender.send_replace(Some(status));
        }
    }

    /// Waits until no run needs the target's connection any more.
    pub(super) async fn wait_until_unused(&self, target: &TargetName) {
        for run in self.runs.values().filter(|run| run.targets.contains(target)) {
            // The sender lives as long as `self`.
            let _ = run.done.subscribe().wait_for(|done| *done).await;
        }
        if let Some(sender) = self.statuses.get(target) {
            sender.send_replace(None);
        }
    }

    async fn status(&self, target: &TargetName) -> TargetStatus {
        let unknown = || TargetStatus::Unreachable("the target was not checked".to_owned());
        let Some(sender) = self.statuses.get(target) else { return unknown() };
        let mut status = sender.subscribe();
        let status = status.wait_for(Option::is_some).await.ok().and_then(|status| status.clone());
        status.unwrap_or_else(unknown)
    }
}

impl Shared {
    /// Runs a component on all its targets in one run. None only if there is no such component.
    pub(super) async fn run_on_fleet(&self, id: &ComponentId) -> Option<Together> {
        let fleet_run = self.fleet_runs.runs.get(id)?;
        let together = self.run_on(id, &fleet_run.targets).await;
        fleet_run.done.send_replace(true);
        together
    }

    async fn run_on(&self, id: &ComponentId, wanted: &[TargetName]) -> Option<Together> {
        let (mut on, mut left_out) = (Vec::new(), Vec::new());
        for target in wanted {
            let grant = Arc::new(self.ops.grant(id, target)?);
            let session = match self.fleet_runs.status(target).await {
                TargetStatus::Connected(session) => session,
                TargetStatus::Unreachable(cause) => Arc::new(TargetSession::new(Connection::None { cause })),
                TargetStatus::Refused(reason) => {
                    left_out.push(LeftOut { target: target.clone(), reason });
                    continue;
                }
            };
            match self.lock_state.allows(&self.ops.library, &grant) {
                Ok(()) => on.push((grant, session)),
                Err(refusal) => {
                    let digest = self.ops.library.binary(id)?.digest.clone();
                    let reason = format!("on {target}: {}", refusal.on_one_line());
                    self.broker.note(Entry::LoadRefused { sweep: self.number, component: id.clone(), digest, reason });
                    left_out.push(LeftOut { target: target.clone(), reason: refusal.on_one_line() });
                }
            }
        }
        let mut targets: Vec<TargetName> = on.iter().map(|(grant, _)| grant.target.clone()).collect();
        if on.is_empty() {
            let manifest = self.ops.library.manifest(id.as_str())?;
            let outcome = RunOutcome::Refused { reason: "it may not run on any of its targets".to_owned() };
            let (component, version) = (id.clone(), manifest.version.clone());
            let run = Run { id: String::new(), component, version, outcome, calls: Vec::new(), elapsed_ms: 0 };
            return Some(Together { targets, left_out, run });
        }
        let run = self.run(id, on).await?;
        // A target may turn out to be a never-host only when an action is sent to it.
        for call in &run.calls {
            let (Some(rule), Some(target)) = (never_host_rule(std::slice::from_ref(call)), &call.target) else {
                continue;
            };
            if let Some(at) = targets.iter().position(|name| name == target) {
                left_out.push(LeftOut { target: targets.remove(at), reason: rule });
            }
        }
        left_out.sort_by(|a, b| a.target.cmp(&b.target));
        Some(Together { targets, left_out, run })
    }
}
