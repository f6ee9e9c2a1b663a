//! Bailiwick: run health probes from people you do not know, on production machines, safely.
//!
//! This crate has the reports, the doctor and the command line. The other crates do the work.

pub mod report;
pub mod doctor;
mod cli;

use std::process::ExitCode;

/// The whole program: reads the command line and the environment, runs the command, and returns the exit code.
#[must_use]
pub fn main() -> ExitCode {
    // A panic is a bug, and has an exit code of its own.
    std::panic::catch_unwind(cli::main).unwrap_or_else(|_| report::exit::ExitCode::Bug.into())
}
