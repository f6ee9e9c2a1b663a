//! The messages between broker and worker: typed, versioned, bounded.
//!
//! Knows: messages and frames. Must not know: wasm, policy, transports. Attack answered: a worker taken over by its
//! guest that sends lengths, counts or bytes meant to break the broker (GR14). A frame is its length (u32,
//! little-endian) and a postcard body; the length is checked before anything is allocated, and bytes after the
//! message are refused.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::attempt::{Attempt, Marks};
use super::fault::Fault;
use super::imports::Links;
use bailiwick_core::limits::{ANSWER_BYTES, Limits, WORKER_MESSAGE_BYTES};
use bailiwick_core::model::Answer;
use bailiwick_core::model::{
    Decision, Lockdown, ParamValue, Phase, Point, Report, StageError, Tainted, TargetName, Verb, VerbError,
};

/// Version of the messages. Both ends are the same executable; a difference means that it was replaced meanwhile.
pub const VERSION: u32 = 4;
/// Maximum frame of the first messages, in both directions.
pub const HELLO_FRAME_BYTES: usize = 1 << 10;
/// Maximum frame to a worker without a component: a compiled component, and a margin.
pub const LOAD_FRAME_BYTES: usize = ARTEFACT_BYTES_MAX + (64 << 10);
/// Largest component in its compiled form.
pub const ARTEFACT_BYTES_MAX: usize = 160 << 20;
/// Maximum frame to any other worker: an answer, and a margin.
pub const TO_WORKER_FRAME_BYTES: usize = ANSWER_BYTES as usize + (1 << 20);
/// Largest frame from a worker.
pub const FROM_WORKER_FRAME_BYTES: usize = WORKER_MESSAGE_BYTES as usize;
/// Maximum bytes of a slot key on the wire. Every valid key is shorter, so a longer one is cut and stays unknown.
pub const SLOT_KEY_BYTES: usize = 96;

/// To the worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToWorker {
    /// The first message.
    Hello {
        /// [`VERSION`].
        version: u32,
    },
    /// The second message, once.
    Load(Load),
    /// A new run.
    Start(Start),
    /// Instead of a component: an attempt at something that must not be possible.
    Attempt {
        /// The attempt.
        what: Attempt,
        /// The objects of the attempt.
        on: Marks,
    },
    /// The outcome of a call.
    Answer {
        /// The run.
        run: u32,
        /// The call's number.
        call: u32,
        /// The outcome.
        outcome: Outcome,
    },
}

/// The component that the worker is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// The component.
    pub code: Code,
    /// SHA-256 of the binary, a part of the seed of its random numbers.
    pub digest: [u8; 32],
    /// What its manifest asks for. Nothing else is linked.
    pub links: Links,
    /// Bounds of each run.
    pub limits: Box<Limits>,
}

/// A component, in one of two forms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Code {
    /// The binary.
    Component {
        /// The bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
        /// Whether the broker wants the compiled form.
        keep: bool,
    },
    /// Compiled by a worker of this program.
    Compiled(#[serde(with = "serde_bytes")] Vec<u8>),
}

/// The maximum compiled size of a component with this many bytes. Usually it is six times as large, plus 64 KiB.
#[must_use]
pub fn artefact_bytes_max(component: usize) -> usize {
    component.saturating_mul(16).saturating_add(1 << 20).min(ARTEFACT_BYTES_MAX)
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Its number in this worker.
    pub run: u32,
    /// Which of the component's functions is called.
    pub phase: Phase,
    /// When it began, in milliseconds since 1970-01-01T00:00Z.
    pub now_ms: u64,
    /// The targets. The guest knows a target by a handle, the broker by its index here.
    pub targets: Vec<TargetView>,
}

/// What a run knows of a target. No address, user or key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetView {
    /// The operator's name for it.
    pub name: TargetName,
    /// The component's parameters on it.
    pub params: BTreeMap<String, ParamValue>,
    /// The component's slots on it.
    pub slots: BTreeMap<String, Vec<SlotEntry>>,
    /// When its latest run began that could check the target, in milliseconds since 1970-01-01T00:00Z.
    pub previous_ms: Option<u64>,
    /// What it reported about the target before, oldest first; empty if its manifest does not ask for it.
    pub earlier: Vec<Point>,
}

/// One entry of a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotEntry {
    /// The key that the guest passes to a verb.
    pub key: String,
    /// The literal that policy bound to it.
    pub literal: String,
}

/// The outcome of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The target answered.
    Answered(Answer),
    /// There is no answer.
    Failed(VerbError),
    /// The change is on the list.
    Staged,
    /// The change is not on the list.
    NotStaged(StageError),
}

/// From the worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromWorker {
    /// The compiled form, if the broker asked for it. [`FromWorker::Ready`] follows.
    Artefact(#[serde(with = "serde_bytes")] Vec<u8>),
    /// The component is compiled and linked.
    Ready(Ready),
    /// It is not compiled and linked.
    NotLoaded {
        /// The engine's message. It can contain names from the component.
        reason: Tainted,
    },
    /// A run calls a verb and waits.
    Call {
        /// The run.
        run: u32,
        /// The call.
        call: VerbCall,
    },
    /// A run's note.
    Log {
        /// The run.
        run: u32,
        /// The note.
        line: LogLine,
    },
    /// A run is over.
    Ended {
        /// The run.
        run: u32,
        /// How.
        end: Ending,
        /// Wasm instructions it took.
        fuel_used: u64,
        /// Log lines dropped or cut.
        logs_dropped: u32,
    },
    /// The first message, before the worker has a component: its lockdown.
    Locked(Lockdown),
    /// The result of an attempt: `None` if it succeeded, else the number of the error, or 0 if it has none.
    Attempted(Option<i32>),
}

/// The result of loading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Time to compile, in milliseconds.
    pub compile_ms: u64,
}

/// A verb call, before the broker has looked it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerbCall {
    /// Its number, from 1 in each run, without gaps.
    pub number: u32,
    /// Index of the target in [`Start::targets`].
    pub target: u32,
    /// The verb.
    pub verb: Verb,
    /// The slot's key, as the guest gave it; present if the verb takes an object.
    pub slot: Option<Tainted>,
    /// The other inputs of a changing verb.
    pub given: Given,
}

/// The inputs of a changing verb besides its slot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// The name of a declared content, as the guest gave it.
    pub content: Option<Tainted>,
    /// Bytes that the guest computed.
    #[serde(with = "serde_bytes")]
    pub bytes: Option<Vec<u8>>,
}

/// A component's note for its author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The level.
    pub level: LogLevel,
    /// The note.
    pub text: Tainted,
}

/// The level of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogLevel {
    /// For the author.
    Debug,
    /// Worth knowing.
    Info,
    /// Worth checking.
    Warning,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Ending {
    /// It checked its targets. The report is validated by the worker and by the broker.
    Report(Report),
    /// A fix has planned. The decision is validated by the worker and by the broker.
    Decision(Decision),
    /// It could not check them, and reports why.
    CouldNotCheck {
        /// Its reason.
        reason: Tainted,
        /// The verb error behind it.
        error: Option<VerbError>,
        /// The number of the call that stopped it.
        call: Option<u32>,
    },
    /// It broke.
    Fault(Fault),
    /// Its worker was killed because of another run. It can be started again in a new worker. No message can say it.
    #[serde(skip)]
    Interrupted,
}

/// A frame that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Longer than this end accepts.
    #[error("a frame of {bytes} bytes (maximum {max})")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Not a message.
    #[error("a frame that is not a message")]
    Malformed(#[source] postcard::Error),
    /// A message followed by more bytes.
    #[error("a message followed by {0} extra bytes")]
    Trailing(usize),
    /// The socket.
    #[error("the socket between broker and worker")]
    Io(#[from] io::Error),
}

/// A message as one frame.
///
/// # Errors
/// When it is longer than `max`.
pub fn encode<T: Serialize>(message: &T, max: usize) -> Result<Vec<u8>, WireError> {
    let mut frame = postcard::to_extend(message, vec![0; 4]).map_err(WireError::Malformed)?;
    let bytes = frame.len().saturating_sub(4);
    let length = u32::try_from(bytes).ok().filter(|_| bytes <= max);
    let Some(length) = length else { return Err(WireError::TooLong { bytes, max }) };
    for (to, from) in frame.iter_mut().zip(length.to_le_bytes()) {
        *to = from;
    }
    Ok(frame)
}

/// The length that a frame's first four bytes announce.
///
/// # Errors
/// When it is over `max`: nothing has been allocated for it yet.
pub fn length(header: [u8; 4], max: usize) -> Result<usize, WireError> {
    match usize::try_from(u32::from_le_bytes(header)) {
        Ok(bytes) if bytes <= max => Ok(bytes),
        _ => Err(WireError::TooLong { bytes: u32::from_le_bytes(header) as usize, max }),
    }
}

/// The message in a frame's body.
///
/// # Errors
/// When the body is not exactly one message.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, WireError> {
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok(message),
        Ok((_, rest)) => Err(WireError::Trailing(rest.len())),
        Err(error) => Err(WireError::Malformed(error)),
    }
}

/// Writes one message.
///
/// # Errors
/// When it is longer than `max`, or the socket is gone.
pub fn write<T: Serialize>(to: &mut impl Write, message: &T, max: usize) -> Result<(), WireError> {
    Ok(to.write_all(&encode(message, max)?)?)
}

/// Reads one message; `None` at the end of the stream.
///
/// # Errors
/// When the bytes are not a message of at most `max` bytes.
pub fn read<T: DeserializeOwned>(from: &mut impl Read, max: usize) -> Result<Option<T>, WireError> {
    let mut header = [0; 4];
    match from.read_exact(&mut header) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let mut body = vec![0; length(header, max)?];
    from.read_exact(&mut body)?;
    decode(&body).map(Some)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn call() -> FromWorker {
        FromWorker::Call {
            run: 7,
            call: VerbCall {
                number: 1,
                target: 0,
                verb: Verb::FilesRead,
                slot: Some(Tainted::new("config")),
                given: Given::default(),
            },
        }
    }

    #[test]
    fn a_message_survives_the_wire() {
        let mut wire = Vec::new();
        write(&mut wire, &call(), FROM_WORKER_FRAME_BYTES).unwrap();
        let back: FromWorker = read(&mut wire.as_slice(), FROM_WORKER_FRAME_BYTES).unwrap().unwrap();
        assert_eq!(back, call());
    }

    #[test]
    fn no_message_says_that_a_run_was_interrupted() {
        let ended = |end| FromWorker::Ended { run: 1, end, fuel_used: 0, logs_dropped: 0 };
        assert!(encode(&ended(Ending::Interrupted), FROM_WORKER_FRAME_BYTES).is_err());
        let fault = || ended(Ending::Fault(super::super::fault::FaultKind::Host.into()));
        let frame = encode(&fault(), FROM_WORKER_FRAME_BYTES).unwrap();
        // The byte after the message's and the run's is the end's: a fault is the last that a message can have.
        let mut body = frame.get(4..).unwrap().to_vec();
        assert_eq!(decode::<FromWorker>(&body).unwrap(), fault());
        body[2] += 1;
        assert!(matches!(decode::<FromWorker>(&body), Err(WireError::Malformed(_))));
    }

    #[test]
    fn a_long_frame_is_refused_by_its_header() {
        let header: &[u8] = &[0xff, 0xff, 0xff, 0xff];
        let read: Result<Option<FromWorker>, _> = read(&mut &*header, FROM_WORKER_FRAME_BYTES);
        assert!(matches!(read, Err(WireError::TooLong { .. })), "{read:?}");
    }

    #[test]
    fn bytes_behind_a_message_are_refused() {
        let mut body = encode(&call(), 1 << 10).unwrap().split_off(4);
        body.push(0);
        assert!(matches!(decode::<FromWorker>(&body), Err(WireError::Trailing(1))));
    }

    #[test]
    fn a_message_too_long_to_be_read_is_not_written() {
        let line = LogLine { level: LogLevel::Info, text: Tainted::new("x".repeat(100)) };
        assert!(matches!(encode(&FromWorker::Log { run: 1, line }, 50), Err(WireError::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn no_frame_breaks_the_broker(body in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = decode::<FromWorker>(&body);
            let _ = decode::<ToWorker>(&body);
        }

        /// Small bodies that start like a report and claim any number of findings.
        #[test]
        fn no_count_is_believed(count in any::<u64>(), rest in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut body = vec![5, 1, 0];
            body.extend(postcard::to_allocvec(&count).unwrap());
            body.extend(rest);
            let _ = decode::<FromWorker>(&body);
        }
    }
}
