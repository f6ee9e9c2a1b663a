//! Runs components that nobody has to trust: inspects, compiles, links per function, bounds, and reads target output.
//!
//! Knows: wasm; sole home of wasmtime and wasmparser. Must not know: policy, keys, journals; of a transport it knows the
//! shape of an answer. Attacks answered: a guest that exhausts, escapes or lies about itself (GR, CA, PH, LK), and a
//! target whose output is made to break its reader (TG05).
//!
//! Two processes. The *worker* holds the engine and nothing else: no keys, files, network or environment, only a socket
//! to the *broker*; [`lockdown`] takes from it what it could do to get more. [`inspect`] and [`imports`] run in the broker before a worker sees a byte; [`client`] is the broker's
//! end of the socket, [`worker`] the other.
//!
//! **Invariant:** a function that the manifest does not ask for is not linked. **Invariant:** one fresh store per run; a
//! store that has trapped is never entered again. **Invariant:** text that a guest, a target or a worker chose is
//! [`crate::model::Tainted`] when it leaves this module.

pub mod attempt;
pub mod client;
mod engine;
pub mod fault;
mod host;
pub mod imports;
pub mod inspect;
mod inherited;
mod kernel;
mod load;
mod lockdown;
mod meter;
mod protocol;
pub mod report;
mod run;
pub mod wire;
pub mod worker;

/// What fuzzing reaches of what is private otherwise.
#[doc(hidden)]
pub mod fuzzing {
    use std::collections::BTreeSet;

    use crate::limits::Limits;
    use crate::model::Verb;
    use crate::sandbox::protocol;
    use crate::sandbox::wire::{FromWorker, VerbCall};

    /// The calls that the broker's checks let in, of a run with one target, up to the first breach.
    pub fn admitted(verbs: &BTreeSet<Verb>, limits: Limits, messages: Vec<FromWorker>) -> Vec<VerbCall> {
        let mut ledger = protocol::Ledger::new(verbs.clone(), limits);
        ledger.open(1, 1);
        let mut calls = Vec::new();
        for message in messages {
            match ledger.admit(message) {
                Ok((run, protocol::Event::Call(call))) => {
                    ledger.answered(run);
                    calls.push(call);
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        calls
    }
}

pub use crate::limits::Limits;
pub use client::{Ending, Idle, RunEnd, Stopped, Worker};
pub use fault::{Fault, FaultKind};
pub use host::parse;
pub use imports::{ImportError, check_imports};
pub use inspect::{InspectError, Inspected, inspect};
pub use load::LoadError;
pub use wire::{Outcome, RawAnswer, SlotEntry, TargetView, VerbCall};
