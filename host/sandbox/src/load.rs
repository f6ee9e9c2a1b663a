//! Why there is no worker for a component.
//!
//! Knows: how the process that tried to load it ended. Must not know: what the caller does then.

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
    /// The engine rejected the component.
    #[error("the wasm engine rejected it")]
    NotLoaded {
        /// The engine's message. It can contain names from the component.
        reason: Tainted,
    },
    /// The process ended.
    #[error("its worker died while loading it ({0})")]
    Died(WorkerEnd),
    /// It used up its processor time.
    #[error("it took longer than {0} s to compile (limit `compile-s`)")]
    Slow(u64),
    /// It was not ready in time, but had processor time left.
    #[error("its worker was not ready within {0} s, but had processor time left: this machine is too busy")]
    Late(u64),
    /// It aborted.
    #[error("its worker aborted while compiling it: it needs more than {} MiB (limit `compile-bytes`) or crashes the compiler", .0 >> 20)]
    GaveUp(u64),
    /// It sent an unexpected message.
    #[error("its worker broke the protocol while loading it")]
    Protocol(#[source] Option<WireError>),
}

impl LoadError {
    /// How its worker ended, if the component caused that.
    #[must_use]
    pub fn death(&self) -> Option<String> {
        match self {
            Self::Died(end) => end.is_its_own().then(|| end.to_string()),
            Self::Slow(_) | Self::GaveUp(_) | Self::Protocol(_) => Some(self.to_string()),
            Self::Spawn(_) | Self::NotLoaded { .. } | Self::Late(_) => None,
        }
    }

    /// True if loading it again would fail in the same way.
    #[must_use]
    pub const fn is_for_good(&self) -> bool {
        matches!(self, Self::Slow(_) | Self::GaveUp(_))
    }

    /// Why a worker died while it compiled.
    pub(super) fn died(end: WorkerEnd, limits: &Limits) -> Self {
        match end {
            WorkerEnd::Signal(signal) if signal == Signal::XCPU.as_raw() => Self::Slow(limits.compile_s),
            WorkerEnd::Signal(signal) if signal == Signal::ABORT.as_raw() => Self::GaveUp(limits.compile_bytes),
            end => Self::Died(end),
        }
    }
}
