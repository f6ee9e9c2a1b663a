//! The verifier of a change: a sweep of the related probes, on the target of the change and nowhere else.
//!
//! Knows: which probes check an object. Must not know: what they conclude. Attack answered: a change whose effects are not checked
//! (PH11): every probe that is granted an action on a changed object runs before and after.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::gate_client::Verifier;
use super::plan::Plan;
use bailiwick_core::encode;
use bailiwick_core::model::{
    Action, Change, ComponentId, Effect, Literal, Lockdown, Severity, Tainted, TargetName, VerbError,
};
use bailiwick_core::outcome::{CheckedTarget, Run, RunOutcome, TargetResult};
use bailiwick_engine::broker::{Broker, TargetSession};
use bailiwick_engine::sweep::{Fixer, NotPlanned, Planned, Request, Settings, Watcher, sweep};
use bailiwick_journal::{Entry, Journal, Observed, OpenError};
use bailiwick_policy::lock::LockState;
use bailiwick_policy::ops::Ops;

/// Sweeps of the probes that are related to a plan.
pub struct SweepVerifier {
    /// The ops directory.
    pub ops: Arc<Ops>,
    /// Which components are accepted.
    pub lock_state: LockState,
    /// The settings of a sweep.
    pub settings: Settings,
    /// The journal.
    pub journal: Arc<Journal>,
}

/// The probes that check an object of the plan, and those that raised its findings.
#[must_use]
pub fn related(ops: &Ops, plan: &Plan) -> BTreeSet<ComponentId> {
    let mut related: BTreeSet<_> = plan.raised.iter().map(|raised| raised.probe.clone()).collect();
    for id in ops.assignments.get(&plan.target).into_iter().flat_map(|ids| ids.keys()) {
        let Some(grant) = ops.grant(id, &plan.target) else { continue };
        let changes =
            grant.entries().any(|granted| bailiwick_core::verbs::spec(granted.action.verb).effect == Effect::Change);
        let checks = |action: &Action| plan.steps.iter().any(|step| is_about(action, &step.change));
        if !changes && grant.entries().any(|granted| checks(&granted.action)) {
            related.insert(id.clone());
        }
    }
    related
}

fn is_about(action: &Action, change: &Change) -> bool {
    match (&action.literal, change) {
        (Some(Literal::Unit(unit)), Change::Unit { unit: changed, .. }) => unit == changed,
        (Some(Literal::Container(container)), Change::RestartContainer { container: changed }) => container == changed,
        (Some(Literal::Path(path)), change) => change.path() == Some(path),
        _ => false,
    }
}

/// Shows no progress: the entries of the change report it.
#[derive(Debug, Clone, Copy)]
pub struct NoProgress;

impl Watcher for NoProgress {
    fn target_done(&self, _: &CheckedTarget) {}
    fn unlocked(&self, _: &Lockdown) {}
    fn not_anchored(&self, _: &str, _: &str) {}
}

impl SweepVerifier {
    /// The results of these components on a target, now.
    ///
    /// # Errors
    /// When the target could not be checked.
    pub async fn results(
        &self,
        target: &TargetName,
        components: BTreeSet<ComponentId>,
    ) -> Result<Vec<Observed>, String> {
        let request = Request {
            targets: [target.clone()].into(),
            components: Some(components),
            lock_state: self.lock_state.clone(),
        };
        let (ops, journal) = (Arc::clone(&self.ops), Arc::clone(&self.journal));
        let swept = sweep(ops, request, self.settings.clone(), journal, Arc::new(NoProgress)).await;
        let swept = swept.map_err(|error| bailiwick_transport::chain(&error))?;
        let mut seen = Vec::new();
        for checked in &swept.targets {
            match &checked.result {
                TargetResult::Runs(runs) => seen.extend(runs.iter().flat_map(results)),
                TargetResult::Unreachable { cause, .. } => return Err(cause.clone()),
                TargetResult::Refused { rule } => return Err(rule.clone()),
            }
        }
        seen.extend(swept.together.iter().flat_map(|together| results(&together.run)));
        Ok(seen)
    }
}

impl SweepVerifier {
    /// Runs a fix until it proposes a plan. This changes nothing.
    ///
    /// # Errors
    /// When the fix could not run to its end.
    pub async fn plan(&self, fix: &ComponentId, target: &TargetName) -> Result<Planned, String> {
        let planned = self.fix(fix, target, async |fixer, link| fixer.plan(link).await).await?;
        planned.map_err(|error| match &error {
            NotPlanned::CouldNotCheck { reason, .. } => format!("{error}: {}", encode::terminal(reason, 300)),
            _ => error.to_string(),
        })
    }

    /// A fix's run is in the journal in the same way as one of a sweep, so that it can be replayed.
    async fn fix<T>(
        &self,
        fix: &ComponentId,
        target: &TargetName,
        work: impl AsyncFnOnce(&Fixer, &Arc<TargetSession>) -> T,
    ) -> Result<T, String> {
        let written = |error: OpenError| bailiwick_transport::chain(&error);
        let began = self.journal.append(Entry::SweepStarted {
            bailiwick: env!("CARGO_PKG_VERSION").to_owned(),
            files: self.ops.digests.clone(),
            targets: vec![target.clone()],
        });
        let began = began.map_err(written)?;
        let broker = Broker::new(Arc::clone(&self.journal)).redacting(Arc::clone(&self.ops.policy.redactor));
        let broker = Arc::new(broker);
        let (ops, lock_state) = (Arc::clone(&self.ops), self.lock_state.clone());
        let fixer = Fixer::new(ops, Arc::clone(&broker), began, fix, target, &self.settings, lock_state);
        let fixer = fixer.map_err(|error| error.to_string())?;
        let result = match fixer.connect().await {
            Ok(link) => {
                let result = work(&fixer, &link).await;
                link.finish().await;
                if let Some(link) = Arc::into_inner(link) {
                    link.close().await;
                }
                Ok(result)
            }
            Err(TargetResult::Unreachable { cause, .. }) => Err(cause),
            Err(TargetResult::Refused { rule }) => Err(rule),
            Err(TargetResult::Runs(_)) => Err("the target was not checked".to_owned()),
        };
        fixer.close().await;
        self.journal.append(Entry::SweepEnded { sweep: began, lockdown: None }).map_err(written)?;
        result
    }
}

impl Verifier for SweepVerifier {
    async fn check(&mut self, plan: &Plan) -> Result<Vec<Observed>, String> {
        self.results(&plan.target, related(&self.ops, plan)).await
    }

    async fn verify(&mut self, plan: &Plan) -> Result<Vec<Observed>, String> {
        let run = self.fix(&plan.fix, &plan.target, async |fixer, link| fixer.verify(link).await).await?;
        let run = run.ok_or_else(|| "the journal is not writable".to_owned())?;
        Ok(results(&run))
    }
}

/// The results of a run, as far as they are compared.
#[must_use]
pub fn results(run: &Run) -> Vec<Observed> {
    let one = |severity, code: &str, subject: &Tainted| Observed {
        probe: run.component.clone(),
        severity,
        code: code.to_owned(),
        subject: subject.clone(),
    };
    let nothing = Tainted::new("");
    match &run.outcome {
        RunOutcome::Report(report) if report.findings.is_empty() => vec![one(Some(Severity::Ok), "", &nothing)],
        RunOutcome::Report(report) => {
            report.findings.iter().map(|finding| one(Some(finding.severity), &finding.code, &finding.subject)).collect()
        }
        // There is nothing to check, and there was nothing before.
        RunOutcome::CouldNotCheck { error: Some(VerbError::Unsupported), .. } => {
            vec![one(Some(Severity::Ok), "not-applicable", &nothing)]
        }
        RunOutcome::CouldNotCheck { reason, .. } => vec![one(None, "", reason)],
        RunOutcome::Fault(fault) => vec![one(None, "", &Tainted::new(&fault.message))],
        RunOutcome::Refused { reason } => vec![one(None, "", &Tainted::new(reason))],
    }
}
