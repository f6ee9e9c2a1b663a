//! The ways in which a component gets no worker.
//!
//! Knows: how a process ended that was to load one. Must not know: what is done about it.

use std::io;

use rustix::process::Signal;

use super::fault::WorkerEnd;
use super::wire::WireError;
use bailiwick_core::limits::Limits;
use bailiwick_core::model::Tainted;

/// Why there is no worker for a component.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The process could not be started.
    #[error("cannot start a worker")]
    Spawn(#[source] io::Error),
    /// The engine does not take the component.
    #[error("the engine does not take it")]
    NotLoaded {
        /// The engine's words; names in them are the component's.
        reason: Tainted,
    },
    /// The process ended.
    #[error("its worker died while loading it ({0})")]
    Died(WorkerEnd),
    /// It used up its processor time.
    #[error("it took longer than {0} s to compile (limit `compile-s`)")]
    Slow(u64),
    /// It was not done by the clock, and had time of the processor left.
    #[error(
        "its worker was not ready within {0} s, though it had time of the processor left: this machine is too busy"
    )]
    Late(u64),
    /// It gave up.
    #[error("its worker gave up compiling it: it needs more than {} MiB (limit `compile-bytes`), or breaks the compiler", .0 >> 20)]
    GaveUp(u64),
    /// It said something else.
    #[error("its worker broke the protocol while loading it")]
    Protocol(#[source] Option<WireError>),
}

impl LoadError {
    /// How its worker came to its end, if that is the component's doing.
    #[must_use]
    pub fn death(&self) -> Option<String> {
        match self {
            Self::Died(end) => end.is_its_own().then(|| end.to_string()),
            Self::Slow(_) | Self::GaveUp(_) | Self::Protocol(_) => Some(self.to_string()),
            Self::Spawn(_) | Self::NotLoaded { .. } | Self::Late(_) => None,
        }
    }

    /// True if it would come to the same another time.
    #[must_use]
    pub const fn is_for_good(&self) -> bool {
        matches!(self, Self::Slow(_) | Self::GaveUp(_))
    }

    /// Why a worker died that was to compile.
    pub(super) fn died(end: WorkerEnd, limits: &Limits) -> Self {
        match end {
            WorkerEnd::Signal(signal) if signal == Signal::XCPU.as_raw() => Self::Slow(limits.compile_s),
            WorkerEnd::Signal(signal) if signal == Signal::ABORT.as_raw() => Self::GaveUp(limits.compile_bytes),
            end => Self::Died(end),
        }
    }
}
