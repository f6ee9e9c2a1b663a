//! The ways in which a component's run breaks, as data.
//!
//! Knows: kinds and the host's words for them. Must not know: who reads them. Attack answered: a guest that writes the
//! operator's error messages (TX05): everything said in the host's words is typed, down to the numbers; what the
//! engine said besides stands in `detail`, tainted, because it holds the guest's names.

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use super::report::OutputError;
use bailiwick_core::limits::STACK_BYTES;
use bailiwick_core::model::Tainted;

/// A broken run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{kind}")]
pub struct Fault {
    /// What happened.
    pub kind: FaultKind,
    /// The engine's words and up to 8 wasm frames, at most 1 KiB; for the journal, not for a report.
    pub detail: Tainted,
}

impl Fault {
    /// A fault that needs no more words.
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

/// What broke a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
pub enum FaultKind {
    /// The fuel is gone.
    #[error("used up its fuel ({0} instructions)")]
    Fuel(u64),
    /// The time is gone.
    #[error("took longer than {} s", .0 / 1000)]
    Wall(u64),
    /// The wasm stack is full.
    #[error("recursed too deeply ({} KiB of stack)", STACK_BYTES >> 10)]
    Stack,
    /// It wanted more memory, and broke without.
    #[error("needed more than {} MiB of memory", .0 >> 20)]
    Memory(u64),
    /// It wanted a larger table, and broke without.
    #[error("needed a table of more than {0} elements")]
    Table(u64),
    /// Too many core instances, memories or tables.
    #[error("is made of too many instances, memories or tables")]
    Instances,
    /// It stopped itself: a panic, an abort, a failed assertion.
    #[error("panicked (`unreachable`)")]
    Unreachable,
    /// Any other trap.
    #[error("trapped: {0}")]
    Trap(TrapKind),
    /// A call carried too much from the guest.
    #[error("passed more than {} KiB in one call", .0 >> 10)]
    GuestBytes(u64),
    /// Answers carried too much to the guest.
    #[error("took more than {} MiB from the host", .0 >> 20)]
    HostBytes(u64),
    /// A handle, pointer, discriminant or string that is not one.
    #[error("broke the canonical ABI (a bad handle, pointer, discriminant or string)")]
    CanonicalAbi,
    /// Too many calls.
    #[error("made more than {0} calls")]
    Calls(u64),
    /// It called the host before it was asked anything.
    #[error("called the host while it was being instantiated")]
    Phase,
    /// It called `wasi:cli/exit` instead of returning a report.
    #[error("exited (`wasi:cli/exit`) without a report")]
    Exited,
    /// It waited for a time, by a clock that is fixed.
    #[error("waited for a time that never comes: its clock is fixed at the run's begin")]
    Waits,
    /// Its report is not as a report must be.
    #[error("gave a bad report: {0}")]
    Output(OutputError),
    /// The worker is gone.
    #[error("its worker died ({0})")]
    WorkerDied(WorkerEnd),
    /// The worker said something that it cannot have to say.
    #[error("its worker broke the protocol ({0}) and was killed")]
    Protocol(Breach),
    /// The host could not.
    #[error("the worker could not run it")]
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
    #[error("indirect call to nothing, or of another type")]
    IndirectCall,
    /// Arithmetic.
    #[error("integer overflow, division by zero or bad conversion")]
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
    /// It is not known.
    #[error("cause unknown")]
    Unknown,
}

impl WorkerEnd {
    /// False for the signals by which a person, a terminal or an init system ends programs.
    pub(super) fn is_its_own(self) -> bool {
        let asked = [Signal::TERM, Signal::INT, Signal::HUP].map(Signal::as_raw);
        !matches!(self, Self::Signal(signal) if asked.contains(&signal))
    }
}

/// A signal, and what it says of the one who died of it, where that is plain.
fn signal(number: i32) -> String {
    // SIGSYS, whose number is not the same on every system.
    let meaning = if cfg!(target_os = "linux") && number == 31 { ": a system call that no worker needs" } else { "" };
    format!("{number}{meaning}")
}

/// What a worker must not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Breach {
    /// No message.
    #[error("a malformed or oversized message")]
    Malformed,
    /// A message that does not belong here.
    #[error("an unexpected message")]
    Unexpected,
    /// About a run that is not under way.
    #[error("an unknown run")]
    UnknownRun,
    /// A call whose number is not the next, or while another is open.
    #[error("a call out of order")]
    CallOrder,
    /// A call of a verb that is not linked, on a target that does not exist, or with a slot that it cannot have.
    #[error("an impossible call")]
    ImpossibleCall,
    /// More calls or notes than the limits allow, which the worker enforces.
    #[error("more than its limits")]
    Limits,
    /// A bad report, which the worker checks.
    #[error("an unchecked report")]
    UncheckedReport,
}
