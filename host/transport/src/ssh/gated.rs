//! Reading through a target's gate: what is asked while every channel is at work waits, and goes out together.
//!
//! A channel costs the target a shell and us a round trip; under load the next free one takes all that waits. An action that is
//! asked alone goes out alone, so that nobody waits for anybody else's slow program.

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

/// Most actions in one channel: they run one after the other.
const TOGETHER: usize = 8;
/// What a gate may take over an action's own time, to start and to tell.
const MARGIN: Duration = Duration::from_secs(10);

/// Actions that nobody has asked yet.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<Vec<Asked>>);

#[derive(Debug)]
struct Asked {
    id: String,
    bytes_max: u64,
    timeout: Duration,
    /// For whoever waits.
    tell: oneshot::Sender<Result<gate_protocol::Answer, RunError>>,
}

impl Waiting {
    fn push(&self, asked: Asked) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    }

    fn take(&self) -> Vec<Asked> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.len().min(TOGETHER);
        // Whoever has gone meanwhile is not asked for.
        all.drain(..count).filter(|asked| !asked.tell.is_closed()).collect()
    }
}

impl Session {
    /// Runs an action of the gate's list.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub(super) async fn gated(&self, action: &Action, spec: &Spec) -> Result<Answer, RunError> {
        let (tell, mut told) = oneshot::channel();
        let id = action.id.as_str().to_owned();
        let asked = Asked { id, bytes_max: spec.bytes_max, timeout: spec.timeout, tell };
        if action.verb == Verb::SystemClock {
            // How long it took is part of the answer.
            let _slot = self.slots.acquire().await.map_err(|_| RunError::Lost)?;
            self.ask_together(vec![asked]).await;
        } else {
            self.waiting.push(asked);
            // Our own question is answered by whoever has a channel first: that may be us, and it may be behind others'.
            loop {
                tokio::select! {
                    biased;
                    answer = &mut told => return answered(answer, spec),
                    slot = self.slots.acquire() => {
                        let _slot = slot.map_err(|_| RunError::Lost)?;
                        let all = self.waiting.take();
                        if all.is_empty() {
                            break;
                        }
                        self.ask_together(all).await;
                    }
                }
            }
        }
        answered(told.await, spec)
    }

    async fn ask_together(&self, all: Vec<Asked>) {
        let requests: Vec<_> = all.iter().map(|asked| Request::Read(asked.id.clone())).collect();
        let limits = all.iter().map(|asked| asked.bytes_max).collect();
        let patience = all.iter().map(|asked| asked.timeout).max().unwrap_or_default() + MARGIN;
        let mut rest = all.into_iter();
        let each = |answer| {
            if let Some(asked) = rest.next() {
                // Nobody may be waiting any more.
                let _ = asked.tell.send(Ok(answer));
            }
        };
        if let Err(error) = self.ask_gate(Role::Read, &requests, limits, patience, each).await {
            for asked in rest {
                let _ = asked.tell.send(Err(said(&error)));
            }
        }
    }
}

fn answered(
    told: Result<Result<gate_protocol::Answer, RunError>, oneshot::error::RecvError>,
    spec: &Spec,
) -> Result<Answer, RunError> {
    // Whoever asked for us was given up in the middle of it.
    let gate_protocol::Answer { status, stdout, stderr } = told.map_err(|_| RunError::Lost)??;
    match status {
        Status::Exit(code) => Ok(Answer { stdout, stderr, exit: Exit::Status(code.into()), timing: None }),
        Status::Timeout => Err(RunError::TimedOut(spec.timeout)),
        Status::TooLarge => Err(RunError::TooLarge(spec.bytes_max)),
        Status::Unknown => Err(RunError::Gate(
            "the target's gate does not list it (`bailiwick gate verify` says what else is missing)".to_owned(),
        )),
        other => Err(RunError::Gate(format!("the target's gate says: {other}"))),
    }
}

/// One failure, told to each of those who wait.
fn said(error: &GateError) -> RunError {
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
        GateError::Refused { .. } => RunError::Gate("the target's gate refuses (its syslog says why)".to_owned()),
    }
}
