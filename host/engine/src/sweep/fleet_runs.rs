//! Components that look at all their targets in one run: each waits until every one of its targets is there, or is known
//! not to come.
//!
//! Knows: who waits for whom. Must not know: what is asked. Attack answered: one target that keeps the run from all others
//! (GR16): one that cannot be reached is in the run all the same, and answers `unreachable`. Nobody waits for a run on
//! several targets while keeping others from being looked at, so that none waits for ever.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::run::{Request, Shared, unmasked};
use crate::broker::TargetSession;
use bailiwick_core::manifest::Scope;
use bailiwick_core::model::{ComponentId, TargetName};
use bailiwick_core::outcome::{LeftOut, Run, RunOutcome, Together};
use bailiwick_journal::Entry;
use bailiwick_policy::ops::Ops;
use bailiwick_transport::Connection;

/// How a target came to where it is waited for.
#[derive(Debug, Clone)]
pub(super) enum TargetStatus {
    /// Connected.
    Here(Arc<TargetSession>),
    /// It could not be reached: the cause.
    Missing(String),
    /// No grant can reach it: the rule.
    Refused(String),
}

/// One component and the targets it waits for.
struct FleetRun {
    targets: Vec<TargetName>,
    over: watch::Sender<bool>,
}

/// All that is waited for.
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
        let fleet_run = |targets| FleetRun { targets, over: watch::Sender::new(false) };
        Self { runs: targets.into_iter().map(|(id, targets)| (id, fleet_run(targets))).collect(), statuses }
    }

    /// The components.
    pub(super) fn components(&self) -> Vec<ComponentId> {
        self.runs.keys().cloned().collect()
    }

    /// True for a component that looks at several targets at once.
    pub(super) fn has(&self, id: &ComponentId) -> bool {
        self.runs.contains_key(id)
    }

    /// Tells whoever waits for a target how it came.
    pub(super) fn set_status(&self, target: &TargetName, status: TargetStatus) {
        if let Some(sender) = self.statuses.get(target) {
            sender.send_replace(Some(status));
        }
    }

    /// Waits until nobody needs the target's connection any more.
    pub(super) async fn wait_until_unused(&self, target: &TargetName) {
        for run in self.runs.values().filter(|run| run.targets.contains(target)) {
            // The sender lives as long as `self`.
            let _ = run.over.subscribe().wait_for(|over| *over).await;
        }
        if let Some(sender) = self.statuses.get(target) {
            sender.send_replace(None);
        }
    }

    async fn status(&self, target: &TargetName) -> TargetStatus {
        let missing = || TargetStatus::Missing("the target was not checked".to_owned());
        let Some(sender) = self.statuses.get(target) else { return missing() };
        let mut status = sender.subscribe();
        let status = status.wait_for(Option::is_some).await.ok().and_then(|status| status.clone());
        status.unwrap_or_else(missing)
    }
}

impl Shared {
    /// Runs a component on all its targets at once. None only if there is no such component.
    pub(super) async fn run_on_fleet(&self, id: &ComponentId) -> Option<Together> {
        let fleet_run = self.fleet_runs.runs.get(id)?;
        let together = self.run_on(id, &fleet_run.targets).await;
        fleet_run.over.send_replace(true);
        together
    }

    async fn run_on(&self, id: &ComponentId, wanted: &[TargetName]) -> Option<Together> {
        let (mut on, mut left_out) = (Vec::new(), Vec::new());
        for target in wanted {
            let grant = Arc::new(self.ops.grant(id, target)?);
            let session = match self.fleet_runs.status(target).await {
                TargetStatus::Here(session) => session,
                TargetStatus::Missing(cause) => Arc::new(TargetSession::new(Connection::None { cause })),
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
            let outcome = RunOutcome::Refused { reason: "none of its targets is one that it may look at".to_owned() };
            let (component, version) = (id.clone(), manifest.version.clone());
            let run = Run { id: String::new(), component, version, outcome, calls: Vec::new(), elapsed_ms: 0 };
            return Some(Together { targets, left_out, run });
        }
        let run = self.run(id, on).await?;
        // One that has turned out to be a never-host when it was asked.
        for call in &run.calls {
            let (Some(rule), Some(target)) = (unmasked(std::slice::from_ref(call)), &call.target) else { continue };
            if let Some(at) = targets.iter().position(|name| name == target) {
                left_out.push(LeftOut { target: targets.remove(at), reason: rule });
            }
        }
        left_out.sort_by(|a, b| a.target.cmp(&b.target));
        Some(Together { targets, left_out, run })
    }
}
