//! One channel to a gate: all requests are sent, the input stays open, and answers are read.
//!
//! Knows: frames and their answers. Must not know: what a request is for. Attack answered: a gate's program that continues after
//! its request was given up (AR22): the channel's input is then closed, whatever the reason, and the gate ends its program.

use std::time::Duration;

use russh::ChannelMsg;
use tokio::time::timeout;

use super::{AttemptError, Open, Session};
use crate::RunError;
use crate::gate::{GateError, Role};
use bailiwick_core::gate_protocol::{Answer, Decoder, Request, frame};
use bailiwick_core::model::Tainted;

/// Maximum that is kept of a gate's standard error: a sentence.
const STDERR_BYTES: usize = 4 << 10;
/// The exit status of a gate that refused and did nothing.
const REFUSED: u32 = 126;

impl Session {
    /// Sends requests to the gate in a channel of its own, and waits for every answer, for `patience` at most for each.
    ///
    /// # Errors
    /// An answer did not come.
    pub async fn exchange(
        &self,
        role: Role,
        requests: &[Request],
        limits: Vec<u64>,
        patience: Duration,
    ) -> Result<Vec<Answer>, GateError> {
        let _slot = self.slots.acquire().await.map_err(|_| RunError::Lost)?;
        let mut answers = Vec::new();
        self.ask_gate(role, requests, limits, patience, |answer| answers.push(answer)).await?;
        Ok(answers)
    }

    /// The same in a slot that the caller holds. `each` gets every answer when it comes.
    pub(super) async fn ask_gate(
        &self,
        role: Role,
        requests: &[Request],
        limits: Vec<u64>,
        patience: Duration,
        each: impl FnMut(Answer),
    ) -> Result<(), GateError> {
        let frame = frame(requests)?;
        let bytes = limits.iter().fold(64 << 10, |sum: u64, limit| sum.saturating_add(*limit));
        self.meter.allow(bytes.saturating_mul(4).saturating_add(2 * u64::from(super::connect::WINDOW)));
        match self.attempt_gate(role, &frame, limits, patience, each).await {
            Err(GateAttemptError::Run(AttemptError::NoChannel)) => Err(RunError::NoChannel.into()),
            Err(GateAttemptError::Run(AttemptError::Run(RunError::Lost))) => Err(self.lost().into()),
            Err(GateAttemptError::Run(AttemptError::Run(error))) => Err(error.into()),
            Err(GateAttemptError::Gate(error)) => Err(error),
            Ok(()) => Ok(()),
        }
    }

    async fn attempt_gate(
        &self,
        role: Role,
        frame: &[u8],
        limits: Vec<u64>,
        patience: Duration,
        mut each: impl FnMut(Answer),
    ) -> Result<(), GateAttemptError> {
        let opening = timeout(patience, self.handle.channel_open_session()).await;
        let channel = match opening {
            Err(_) => return Err(RunError::TimedOut(patience).into()),
            Ok(Err(russh::Error::ChannelOpenFailure(_))) => return Err(GateAttemptError::Run(AttemptError::NoChannel)),
            Ok(Err(_)) => return Err(RunError::Lost.into()),
            Ok(Ok(channel)) => channel,
        };
        let (mut incoming, outgoing) = channel.split();
        let open = Open { channel: Some(outgoing), program: true };
        let Some(outgoing) = &open.channel else { return Err(RunError::Lost.into()) };
        outgoing.exec(true, role.exec()).await.map_err(|_| RunError::Lost)?;
        outgoing.data(frame).await.map_err(|_| RunError::Lost)?;
        let mut decoder = Decoder::new(limits);
        let (mut answered, mut stderr, mut started, mut exit) = (false, Vec::new(), false, None);
        loop {
            let Ok(message) = timeout(patience, incoming.wait()).await else {
                return Err(RunError::TimedOut(patience).into());
            };
            match message {
                Some(ChannelMsg::Success) => started = true,
                Some(ChannelMsg::Failure) => return Err(RunError::NotStarted.into()),
                Some(ChannelMsg::Data { data }) => {
                    for answer in decoder.feed(&data).map_err(GateError::from)? {
                        answered = true;
                        each(answer);
                    }
                    if decoder.is_over() {
                        return Ok(());
                    }
                }
                Some(ChannelMsg::ExtendedData { data, .. }) => {
                    let room = STDERR_BYTES.saturating_sub(stderr.len());
                    stderr.extend_from_slice(data.get(..room).unwrap_or(&data));
                }
                // Output of the gate may still follow.
                Some(ChannelMsg::ExitStatus { exit_status }) => {
                    exit.get_or_insert(exit_status);
                }
                Some(ChannelMsg::Close) if !started => return Err(RunError::NotStarted.into()),
                Some(ChannelMsg::Close) if exit == Some(REFUSED) && !answered => {
                    let reason = Tainted::new(String::from_utf8_lossy(&stderr));
                    return Err(GateError::Refused { reason }.into());
                }
                // The gate did not finish its answer: what it did is unknown.
                Some(ChannelMsg::Close) | None => return Err(RunError::Lost.into()),
                Some(_) => {}
            }
        }
    }
}

/// Why one attempt has no answers.
enum GateAttemptError {
    Run(AttemptError),
    Gate(GateError),
}

impl From<RunError> for GateAttemptError {
    fn from(error: RunError) -> Self {
        Self::Run(AttemptError::Run(error))
    }
}

impl From<GateError> for GateAttemptError {
    fn from(error: GateError) -> Self {
        Self::Gate(error)
    }
}
