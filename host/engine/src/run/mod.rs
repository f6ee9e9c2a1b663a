//! One run: its start, its calls through the broker, its end, and the journal's entries of all three.
//!
//! Knows: a worker that has a component loaded, the broker, grants. Must not know: whether a component may run, how a target
//! is reached, or what the run is for (a sweep, a case or a replay). Attack answered: a fix whose decision does not match
//! its list of changes (PH11).

mod end;
mod start;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bailiwick_core::model::{ComponentId, Decision, Phase, RunFault, Tainted};
use bailiwick_core::outcome::{Call, DigestVersion, Run, RunOutcome};
use bailiwick_journal::history::Earlier;
use bailiwick_journal::{Entry, RunEnd, RunStart, Sha};
use bailiwick_policy::grant::Grant;

use crate::broker::{Broker, Staged, TargetSession};

pub(crate) use self::end::concluded;
pub(crate) use self::start::recorded_grant;
pub(crate) use self::worker::{RunResult, WorkerHandle};

/// One target of a run, with what the run is given there.
#[derive(Debug, Clone)]
pub(crate) struct OnTarget {
    pub(crate) grant: Arc<Grant>,
    pub(crate) session: Arc<TargetSession>,
    /// The component's own earlier numbers there.
    pub(crate) earlier: Earlier,
}

/// What a run is given: its targets, its clock, the part of the component's work.
#[derive(Debug, Clone)]
pub(crate) struct Inputs {
    /// In the run's order.
    pub(crate) targets: Vec<OnTarget>,
    /// In milliseconds since 1970.
    pub(crate) now_ms: u64,
    pub(crate) phase: Phase,
}

/// A run of a sweep, which is recorded in the journal.
pub(crate) struct RecordedRun<'b> {
    pub(crate) broker: &'b Arc<Broker>,
    pub(crate) sweep: u64,
    pub(crate) component: ComponentId,
    pub(crate) version: String,
    /// SHA-256 of the component's bytes.
    pub(crate) digest: String,
    /// Limits that differ from the defaults, by name.
    pub(crate) limits: BTreeMap<String, u64>,
    pub(crate) inputs: Inputs,
    pub(crate) started: Instant,
}

/// Why a run has no worker.
#[derive(Debug, Clone)]
pub(crate) enum NoWorker {
    /// The component may not run: the reason.
    Refused(String),
    /// The component cannot be loaded.
    Fault(RunFault),
}

/// A run that is over.
pub(crate) struct FinishedRun {
    /// The run as it is reported. If it planned, only the calls of its report have a meaning.
    pub(crate) run: Run,
    /// Its decision, if it planned.
    pub(crate) decided: Option<Decision>,
    /// Its list of changes. Empty unless it proposes them.
    pub(crate) staged: Vec<Staged>,
}

impl RecordedRun<'_> {
    /// Writes that the run starts, and returns its number. None once a write has failed: then nothing may be sent.
    pub(crate) fn start(&self, kept_bytes: Option<u64>) -> Option<u64> {
        let Inputs { targets, now_ms, phase } = &self.inputs;
        let mut targets = targets.iter().map(start::run_target);
        self.broker.note(Entry::RunStarted(RunStart {
            sweep: self.sweep,
            component: self.component.clone(),
            version: self.version.clone(),
            digest: self.digest.clone(),
            first: targets.next()?,
            others: targets.collect(),
            now_ms: *now_ms,
            limits: self.limits.clone(),
            kept_bytes,
            phase: (*phase != Phase::Examine).then_some(*phase),
        }))
    }

    /// Writes that the run ended without a report.
    pub(crate) fn end(&self, id: u64, end: RunEnd, fuel: u64) {
        self.broker.note(Entry::RunEnded { run: id, end, fuel, report: None, report_v2: None });
    }

    /// Writes how the run ended, with the digest of its report.
    pub(crate) fn finish(&self, id: u64, result: RunResult) -> FinishedRun {
        let RunResult { end, calls, staged, fuel, .. } = result;
        let grants = self.inputs.targets.iter().map(|on| on.grant.as_ref());
        let (outcome, calls) = concluded(end.clone(), calls, grants);
        let mut finished = self.finished(Some(id), outcome, calls);
        let mut report_v2 = None;
        match &end {
            RunEnd::Decided(decision) => {
                finished.decided = Some(decision.clone());
                finished.staged = staged;
            }
            _ => report_v2 = Sha::try_from(finished.run.digest_as(DigestVersion::V2)).ok(),
        }
        self.broker.note(Entry::RunEnded { run: id, end, fuel, report: None, report_v2 });
        finished
    }

    /// Writes that the component was not run. A refused component has no run; one that cannot be loaded has a run that broke.
    pub(crate) fn not_run(&self, why: NoWorker) -> FinishedRun {
        match why {
            NoWorker::Refused(reason) => {
                let (sweep, component, digest) = (self.sweep, self.component.clone(), self.digest.clone());
                self.broker.note(Entry::LoadRefused { sweep, component, digest, reason: reason.clone() });
                self.finished(None, RunOutcome::Refused { reason }, Vec::new())
            }
            NoWorker::Fault(fault) => {
                let id = self.start(None);
                if let Some(id) = id {
                    self.end(id, RunEnd::Fault(fault.clone()), 0);
                }
                self.finished(id, RunOutcome::Fault(fault), Vec::new())
            }
        }
    }

    /// Writes a run whose component has to be given its past, which cannot be read. The component is not called.
    pub(crate) fn without_past(&self, kept_bytes: Option<u64>, why: String) -> Option<FinishedRun> {
        let reason = Tainted::new(why);
        let id = self.start(kept_bytes)?;
        self.end(id, RunEnd::CouldNotCheck { reason: reason.clone(), error: None }, 0);
        Some(self.finished(Some(id), RunOutcome::CouldNotCheck { reason, error: None }, Vec::new()))
    }

    fn finished(&self, id: Option<u64>, outcome: RunOutcome, calls: Vec<Call>) -> FinishedRun {
        let run = Run {
            id: id.map(|id| id.to_string()).unwrap_or_default(),
            component: self.component.clone(),
            version: self.version.clone(),
            outcome,
            calls,
            elapsed_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        FinishedRun { run, decided: None, staged: Vec::new() }
    }
}
