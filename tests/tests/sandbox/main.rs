//! Tests of components in the real sandbox: each starts workers, and none starts a sweep.
//!
//! `guests::` needs `target/guests`, which `tests/run` builds with the wasm toolchain.

#![cfg(test)]

mod bounds;
mod cache;
mod cases;
mod hostile;
mod load;
#[cfg(target_os = "linux")]
mod native;
mod probes;
mod process;
mod support;

mod guests {
    mod fix;
    mod wasi;
}

/// The program under test, which is also the worker.
const PROGRAM: &str = env!("CARGO_BIN_EXE_bailiwick-under-test");
