//! One channel on which a gate is asked: all requests go out, input stays open, answers come in.
//!
//! Attack answered: a gate's program that outlives its question (AR22): the channel's input is closed when we lose interest,
//! whatever the reason, and the gate then ends what it runs.

use std::time::Duration;

use russh::ChannelMsg;
use tokio::time::timeout;

use super::{Miss, Open, Session};
use crate::RunError;
use crate::gate::{GateError, Role};
use bailiwick_core::gate_protocol::{Answer, Decoder, Request, frame};
use bailiwick_core::model::Tainted;

/// Most of what a gate says on standard error: a sentence.
const SAID_BYTES: usize = 4 << 10;
/// How a gate ends that has done nothing.
const REFUSED: u32 = 126;

impl Session {
    /// Asks the gate in a channel of its own, and waits for every answer: so long for each.
    ///
    /// # Errors
    /// When one of them does not come.
    pub async fn converse(
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

    /// The same in a slot that the caller has, with each answer as it comes.
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
        match self.talk_to_gate(role, &frame, limits, patience, each).await {
            Err(Talk::Run(Miss::NoChannel)) => Err(RunError::NoChannel.into()),
            Err(Talk::Run(Miss::Run(RunError::Lost))) => Err(self.lost().into()),
            Err(Talk::Run(Miss::Run(error))) => Err(error.into()),
            Err(Talk::Gate(error)) => Err(error),
            Ok(()) => Ok(()),
        }
    }

    async fn talk_to_gate(
        &self,
        role: Role,
        frame: &[u8],
        limits: Vec<u64>,
        patience: Duration,
        mut each: impl FnMut(Answer),
    ) -> Result<(), Talk> {
        let opening = timeout(patience, self.handle.channel_open_session()).await;
        let channel = match opening {
            Err(_) => return Err(RunError::TimedOut(patience).into()),
            Ok(Err(russh::Error::ChannelOpenFailure(_))) => return Err(Talk::Run(Miss::NoChannel)),
            Ok(Err(_)) => return Err(RunError::Lost.into()),
            Ok(Ok(channel)) => channel,
        };
        let (mut incoming, outgoing) = channel.split();
        let open = Open { channel: Some(outgoing), program: true };
        let Some(outgoing) = &open.channel else { return Err(RunError::Lost.into()) };
        outgoing.exec(true, role.exec()).await.map_err(|_| RunError::Lost)?;
        outgoing.data(frame).await.map_err(|_| RunError::Lost)?;
        let mut decoder = Decoder::new(limits);
        let (mut answered, mut said, mut started, mut exit) = (false, Vec::new(), false, None);
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
                    let room = SAID_BYTES.saturating_sub(said.len());
                    said.extend_from_slice(data.get(..room).unwrap_or(&data));
                }
                // What it has said may still be on its way.
                Some(ChannelMsg::ExitStatus { exit_status }) => {
                    exit.get_or_insert(exit_status);
                }
                Some(ChannelMsg::Close) if !started => return Err(RunError::NotStarted.into()),
                Some(ChannelMsg::Close) if exit == Some(REFUSED) && !answered => {
                    let said = Tainted::new(String::from_utf8_lossy(&said));
                    return Err(GateError::Refused { said }.into());
                }
                // Before it has said that it is done: whatever it did, nobody knows.
                Some(ChannelMsg::Close) | None => return Err(RunError::Lost.into()),
                Some(_) => {}
            }
        }
    }
}

/// Why one try gave no answers.
enum Talk {
    Run(Miss),
    Gate(GateError),
}

impl From<RunError> for Talk {
    fn from(error: RunError) -> Self {
        Self::Run(Miss::Run(error))
    }
}

impl From<GateError> for Talk {
    fn from(error: GateError) -> Self {
        Self::Gate(error)
    }
}
