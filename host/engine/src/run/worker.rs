//! Runs a component once in its worker.
//!
//! Knows: which of the broker's two functions answers a call: `stage` for a verb that changes, `call` for one that
//! observes. Must not know: what an answer means.

use std::sync::Arc;

use super::Inputs;
use super::end::{reported, settled};
use super::start::view;
use crate::broker::{Broker, RunContext, StageRequest, Staged};
use bailiwick_core::model::{Answer, Effect, Tainted};
use bailiwick_core::outcome::Call;
use bailiwick_core::verbs::spec;
use bailiwick_journal::{Entry, RunEnd};
use bailiwick_sandbox::client::Worker;
use bailiwick_sandbox::{Ending, Outcome, VerbCall};

/// A worker that has a component loaded. Many runs may use it at once.
#[derive(Debug, Clone)]
pub(crate) struct WorkerHandle(Arc<Worker>);

/// How a run went.
#[derive(Debug)]
pub(crate) struct RunResult {
    pub(crate) end: RunEnd,
    pub(crate) calls: Vec<Call>,
    /// Its list of changes, in order.
    pub(crate) staged: Vec<Staged>,
    pub(crate) fuel: u64,
    /// Its worker was killed because of another run.
    pub(crate) interrupted: bool,
}

impl From<Arc<Worker>> for WorkerHandle {
    fn from(worker: Arc<Worker>) -> Self {
        Self(worker)
    }
}

impl From<Worker> for WorkerHandle {
    fn from(worker: Worker) -> Self {
        Self(Arc::new(worker))
    }
}

impl WorkerHandle {
    /// Runs the component once, each of its calls through the broker. `id` is the run's number in the broker's journal; 0
    /// if that journal is temporary.
    pub(crate) async fn run(&self, broker: &Arc<Broker>, id: u64, inputs: &Inputs) -> RunResult {
        let on = inputs.targets.iter().map(|on| (Arc::clone(&on.grant), Arc::clone(&on.session)));
        let context = RunContext::together(id, on.collect()).in_phase(inputs.phase);
        let views = inputs.targets.iter().map(view).collect();
        let (broker, run) = (broker, &context);
        let answer = |call: VerbCall| async move {
            if spec(call.verb).effect == Effect::Change {
                let VerbCall { number, target, verb, slot, given } = call;
                let request = StageRequest { number, target, verb, slot, content: given.content, bytes: given.bytes };
                return match broker.stage(run, request).await {
                    Ok(()) => Outcome::Staged,
                    Err(error) => Outcome::NotStaged(error),
                };
            }
            match broker.call(run, call.number, call.target, call.verb, call.slot.as_ref()).await {
                Ok(answer) => Outcome::Answered(Answer::clone(&answer)),
                Err(error) => Outcome::Failed(error),
            }
        };
        let ended = self.0.run_phase(inputs.phase, inputs.now_ms, views, answer).await;
        for line in ended.logs {
            broker.note(Entry::Note { run: id, text: line.text });
        }
        if ended.logs_dropped > 0 {
            let text = Tainted::new(format!("({} notes were dropped or cut)", ended.logs_dropped));
            broker.note(Entry::Note { run: id, text });
        }
        if let Ending::Fault(fault) = &ended.ending
            && !fault.detail.is_empty()
        {
            broker.note(Entry::Note { run: id, text: fault.detail.clone() });
        }
        let (end, interrupted) = reported(ended.ending);
        let (calls, staged) = (context.calls(), context.staged());
        let end = settled(end, staged.len());
        RunResult { end, calls, staged, fuel: ended.fuel_used, interrupted }
    }
}
