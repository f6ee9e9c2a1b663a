//! Reading through a target's gate: actions that come while every channel is busy wait, and are sent together.
//!
//! Knows: the queue of one connection. Must not know: what an action means. A channel costs the target a shell, and us a round
//! trip. Under load, the next free channel takes all actions that wait. If a channel is free, an action is sent alone, so that it
//! does not wait for another action's slow program.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::Session;
use crate::RunError;
use crate::gate::{GateError, Role};
use bailiwick_core::gate_protocol;
use bailiwick_core::gate_protocol::{Request, Status};
use bailiwick_core::model::{Action, Verb};
use bailiwick_core::model::{Answer, Exit};
use bailiwick_core::verbs::Spec;

/// Maximum number of actions in one channel. They run one after the other.
const BATCH: usize = 8;
/// The time that a gate may take in addition to an action's own limit, to start and to answer.
const MARGIN: Duration = Duration::from_secs(10);

/// Actions that have not been sent.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<Vec<Asked>>);

#[derive(Debug)]
struct Asked {
    id: String,
    bytes_max: u64,
    timeout: Duration,
    /// Where the answer goes.
    reply: oneshot::Sender<Result<gate_protocol::Answer, RunError>>,
}

impl Waiting {
    fn push(&self, asked: Asked) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    }

    fn take_batch(&self) -> Vec<Asked> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.len().min(BATCH);
        // An action whose caller has given up is not sent.
        all.drain(..count).filter(|asked| !asked.reply.is_closed()).collect()
    }
}

impl Session {
    /// Runs an action of the gate's list.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub(super) async fn read_through_gate(&self, action: &Action, spec: &Spec) -> Result<Answer, RunError> {
        let (reply, mut answer) = oneshot::channel();
        let id = action.id.as_str().to_owned();
        let asked = Asked { id, bytes_max: spec.bytes_max, timeout: spec.timeout, reply };
        if action.verb == Verb::SystemClock {
            // The time that the request takes is part of the answer, so it is sent alone.
            let _slot = self.slots.acquire().await.map_err(|_| RunError::Lost)?;
            self.ask_together(vec![asked]).await;
        } else {
            self.waiting.push(asked);
            // The task that gets a channel first sends all waiting actions. This may be another task, and ours may be in a later batch.
            loop {
                tokio::select! {
                    biased;
                    received = &mut answer => return answered(received, spec),
                    slot = self.slots.acquire() => {
                        let _slot = slot.map_err(|_| RunError::Lost)?;
                        let all = self.waiting.take_batch();
                        if all.is_empty() {
                            break;
                        }
                        self.ask_together(all).await;
                    }
                }
            }
        }
        answered(answer.await, spec)
    }

    async fn ask_together(&self, all: Vec<Asked>) {
        let requests: Vec<_> = all.iter().map(|asked| Request::Read(asked.id.clone())).collect();
        let limits = all.iter().map(|asked| asked.bytes_max).collect();
        let patience = all.iter().map(|asked| asked.timeout).max().unwrap_or_default() + MARGIN;
        let mut rest = all.into_iter();
        let each = |answer| {
            if let Some(asked) = rest.next() {
                // Its caller may have given up.
                let _ = asked.reply.send(Ok(answer));
            }
        };
        if let Err(error) = self.ask_gate(Role::Read, &requests, limits, patience, each).await {
            for asked in rest {
                let _ = asked.reply.send(Err(run_error(&error)));
            }
        }
    }
}

fn answered(
    received: Result<Result<gate_protocol::Answer, RunError>, oneshot::error::RecvError>,
    spec: &Spec,
) -> Result<Answer, RunError> {
    // The task that sent our request was dropped before its answer came.
    let gate_protocol::Answer { status, stdout, stderr } = received.map_err(|_| RunError::Lost)??;
    match status {
        Status::Exit(code) => Ok(Answer { stdout, stderr, exit: Exit::Status(code.into()), timing: None }),
        Status::Timeout => Err(RunError::TimedOut(spec.timeout)),
        Status::TooLarge => Err(RunError::TooLarge(spec.bytes_max)),
        Status::Unknown => Err(RunError::Gate(
            "the target's gate does not list this action (`bailiwick gate verify` lists everything that is missing)"
                .to_owned(),
        )),
        other => Err(RunError::Gate(format!("the target's gate reports: {other}"))),
    }
}

/// The failure of a batch, for each action of it.
fn run_error(error: &GateError) -> RunError {
    match error {
        GateError::Run(RunError::TimedOut(after)) => RunError::TimedOut(*after),
        GateError::Run(RunError::NotStarted) => RunError::NotStarted,
        GateError::Run(RunError::NoChannel) => RunError::NoChannel,
        GateError::Run(RunError::Forbidden { rule }) => RunError::Forbidden { rule: rule.clone() },
        GateError::Run(_) => RunError::Lost,
        GateError::NoGate
        | GateError::Request(_)
        | GateError::Connect(_)
        | GateError::Frame(_)
        | GateError::Unreadable(_) => RunError::Gate(error.to_string()),
        GateError::Refused { .. } => {
            RunError::Gate("the target's gate refused the request (the reason is in the target's syslog)".to_owned())
        }
    }
}
