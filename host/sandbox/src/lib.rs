//! Runs untrusted components: inspects, compiles, links them function by function, limits their runs, and reads the answers of
//! targets.
//!
//! Knows: wasm; with `bailiwick_bindings` the only user of wasmtime, and the only one of wasmparser. Must not know: policy,
//! keys, journals, transports. Attacks answered: a guest that exhausts, escapes or lies about itself (GR, CA, PH, LK), and a
//! target whose output is crafted to break its reader (TG05).
//!
//! Two processes. The *worker* holds the engine and nothing else: no keys, files, network or environment, only a socket to the
//! *broker*. [`lockdown`] removes its means to get more. [`inspect`] and [`imports`] run in the broker before a worker sees a
//! byte; [`client`] is the broker's end of the socket, [`worker`] the other.
//!
//! **Invariant:** a function that the manifest does not ask for is not linked. **Invariant:** one fresh store per run; a
//! store that has trapped is never entered again. **Invariant:** text that a guest, a target or a worker chose is
//! [`bailiwick_core::model::Tainted`] when it leaves this module.

#[doc(hidden)]
pub mod answers;
pub mod attempt;
pub mod cache;
mod audited;
pub mod client;
mod engine;
pub mod fault;
#[doc(hidden)]
pub mod fuzzing;
mod host;
pub mod imports;
pub mod inspect;
mod kernel;
mod load;
mod lockdown;
mod meter;
mod process;
mod protocol;
mod random;
pub mod report;
mod run;
mod wasi;
pub mod wire;
pub mod worker;

pub use bailiwick_core::limits::Limits;
pub use client::{Code, Idle, RunEnd, Stopped, Worker};
pub use fault::{Fault, FaultKind};
pub use host::parse;
pub use imports::{ImportError, Links, check_component, check_imports};
pub use inspect::{InspectError, Inspected, inspect};
pub use load::LoadError;
pub use wire::{Ending, Outcome, SlotEntry, TargetView, VerbCall};
