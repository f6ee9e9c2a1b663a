//! Runs components against targets: each call through the broker, each run in the journal.
//!
//! Knows: grants, connections, workers and the journal, and connects them. Must not know: how results are shown, or how a
//! change is applied. Each module knows only those above it.

pub mod anchor;
pub mod quarantine;
pub mod consent;
pub mod broker;
mod run;
pub mod sweep;
pub mod cases;
pub mod replay;
pub mod pack;
pub mod project;
