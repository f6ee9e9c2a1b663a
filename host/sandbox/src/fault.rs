//! The faults of a run, as data.
//!
//! Knows: kinds of faults, their codes and sentences. Must not know: who reads them. Attack answered: a guest that writes the
//! operator's error messages (TX05): the sentences are made of typed values only. The engine's own text is in `detail`,
//! tainted, because it can contain the guest's names.

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use super::report::OutputError;
use bailiwick_core::limits::STACK_BYTES;
use bailiwick_core::model::Tainted;

/// Why a run broke.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{kind}")]
pub struct Fault {
    /// The kind.
    pub kind: FaultKind,
    /// The engine's text and up to 8 wasm frames, at most 1 KiB; for the journal, not for a report.
    pub detail: Tainted,
}

impl Fault {
    /// A fault without detail.
    #[must_use]
    pub fn new(kind: FaultKind) -> Self {
        Self { kind, detail: Tainted::new("") }
    }
}

impl From<FaultKind> for Fault {
    fn from(kind: FaultKind) -> Self {
        Self::new(kind)
    }
}

/// The kind of a fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
pub enum FaultKind {
    /// The fuel is used up.
    #[error("used up its fuel ({0} instructions)")]
    Fuel(u64),
    /// The wall time is used up.
    #[error("took longer than {} s", .0 / 1000)]
    Wall(u64),
    /// The wasm stack overflowed.
    #[error("recursed too deeply ({} KiB of stack)", STACK_BYTES >> 10)]
    Stack,
    /// It asked for more memory than its limit, and trapped.
    #[error("needed more than {} MiB of memory", .0 >> 20)]
    Memory(u64),
    /// It asked for a larger table than its limit, and trapped.
    #[error("needed a table of more than {0} elements")]
    Table(u64),
    /// Too many core instances, memories or tables.
    #[error("has too many instances, memories or tables")]
    Instances,
    /// It stopped itself: a panic, an abort, a failed assertion.
    #[error("panicked (`unreachable`)")]
    Unreachable,
    /// Any other trap.
    #[error("trapped: {0}")]
    Trap(TrapKind),
    /// A call passed too many bytes to the host.
    #[error("passed more than {} KiB in one call", .0 >> 10)]
    GuestBytes(u64),
    /// Answers passed too many bytes to the guest.
    #[error("received more than {} MiB from the host", .0 >> 20)]
    HostBytes(u64),
    /// An invalid handle, pointer, discriminant or string.
    #[error("broke the canonical ABI (a bad handle, pointer, discriminant or string)")]
    CanonicalAbi,
    /// Too many calls.
    #[error("made more than {0} calls")]
    Calls(u64),
    /// It called the host before its function was called.
    #[error("called the host while it was being instantiated")]
    Phase,
    /// It called `wasi:cli/exit` instead of returning a report.
    #[error("exited (`wasi:cli/exit`) without a report")]
    Exited,
    /// It waited on its clock, which does not advance.
    #[error("waited on its clock, which does not advance during a run")]
    Waits,
    /// Its report breaks a rule.
    #[error("returned an invalid report: {0}")]
    Output(OutputError),
    /// The worker process ended.
    #[error("its worker died ({0})")]
    WorkerDied(WorkerEnd),
    /// The worker sent a message that an honest worker never sends.
    #[error("its worker broke the protocol ({0}) and was killed")]
    Protocol(Breach),
    /// The host failed.
    #[error("the worker could not run the component")]
    Host,
}

impl FaultKind {
    /// A word for the kind that never changes, for programs: journals and reports have it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Fuel(_) => "fuel",
            Self::Wall(_) => "wall-time",
            Self::Stack => "stack",
            Self::Memory(_) => "memory",
            Self::Table(_) => "table",
            Self::Instances => "instances",
            Self::Unreachable => "panic",
            Self::Trap(_) => "trap",
            Self::GuestBytes(_) => "guest-bytes",
            Self::HostBytes(_) => "host-bytes",
            Self::CanonicalAbi => "canonical-abi",
            Self::Calls(_) => "calls",
            Self::Phase => "phase",
            Self::Exited => "exited",
            Self::Waits => "waits",
            Self::Output(_) => "output",
            Self::WorkerDied(_) => "worker-died",
            Self::Protocol(_) => "worker-protocol",
            Self::Host => "host",
        }
    }
}

/// A trap that has no kind of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum TrapKind {
    /// Memory.
    #[error("memory access out of bounds")]
    MemoryOutOfBounds,
    /// Table.
    #[error("table access out of bounds")]
    TableOutOfBounds,
    /// `call_indirect`.
    #[error("indirect call to null or with the wrong type")]
    IndirectCall,
    /// Arithmetic.
    #[error("integer overflow, division by zero or invalid conversion")]
    Arithmetic,
    /// Anything else.
    #[error("see the journal")]
    Other,
}

/// How a worker process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum WorkerEnd {
    /// By a signal.
    #[error("signal {}", signal(*_0))]
    Signal(i32),
    /// With a status.
    #[error("status {0}")]
    Status(i32),
    /// Unknown.
    #[error("cause unknown")]
    Unknown,
}

impl WorkerEnd {
    /// False for the signals with which a person, a terminal or an init system ends programs.
    pub(super) fn is_its_own(self) -> bool {
        let asked = [Signal::TERM, Signal::INT, Signal::HUP].map(Signal::as_raw);
        !matches!(self, Self::Signal(signal) if asked.contains(&signal))
    }
}

/// A signal, with its meaning if that is certain.
fn signal(number: i32) -> String {
    // SIGSYS, whose number is not the same on every system.
    let meaning =
        if cfg!(target_os = "linux") && number == 31 { ": a system call that workers may not make" } else { "" };
    format!("{number}{meaning}")
}

/// How a worker broke the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Breach {
    /// Not a message.
    #[error("a malformed or oversized message")]
    Malformed,
    /// A message that is not allowed at this point.
    #[error("an unexpected message")]
    Unexpected,
    /// A message about a run that is not in progress.
    #[error("an unknown run")]
    UnknownRun,
    /// A call whose number is not the next, or while another is open.
    #[error("a call out of order")]
    CallOrder,
    /// A call of a verb that is not linked, on a target that does not exist, or with a slot that it cannot have.
    #[error("an impossible call")]
    ImpossibleCall,
    /// More calls or notes than the limits allow, which the worker enforces.
    #[error("over its limits")]
    Limits,
    /// An invalid report. An honest worker checks its reports first.
    #[error("an invalid report")]
    UncheckedReport,
}
