//! Bailiwick: run health probes and reversible fixes from people you do not know, on production machines, safely.
//!
//! The binary is a thin door; everything stands here. Each module knows only those above it.

pub mod model;
pub mod source;
pub mod verbs;
pub mod fleet;
pub mod transport;
pub mod sweep;
pub mod report;
