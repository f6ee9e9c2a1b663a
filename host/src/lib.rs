//! Bailiwick: run health probes from people you do not know, on production machines, safely.
//!
//! The binary only calls `main`; everything stands here. Each module knows only those above it.

// The command line reads as a program beside the library: it names what it uses by `bailiwick::`.
extern crate self as bailiwick;

mod ascii_json;
pub mod model;
pub mod encode;
pub mod outcome;
pub mod source;
pub mod limits;
pub mod redact;
pub mod verbs;
pub mod wit;
pub mod rules;
pub mod manifest;
pub mod fleet;
pub mod policy;
pub mod grant;
pub mod signature;
pub mod library;
pub mod ops;
pub mod lock;
pub mod review;
pub mod gate;
pub mod transport;
pub mod journal;
pub mod history;
pub mod anchor;
pub mod quarantine;
pub mod cache;
pub mod sandbox;
pub mod consent;
pub mod broker;
pub mod sweep;
pub mod change;
pub mod report;
pub mod cases;
pub mod replay;
pub mod pack;
pub mod doctor;
pub mod project;
mod cli;

/// Runs the command line of this process. The program's `main`, and that of the tests' copy of it.
#[must_use]
pub fn main() -> std::process::ExitCode {
    // A panic is a mistake of ours, and says so in its exit code.
    std::panic::catch_unwind(cli::main).unwrap_or_else(|_| report::exit::ExitCode::Bug.into())
}
