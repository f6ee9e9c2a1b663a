//! Bailiwick: run health probes and reversible fixes from people you do not know, on production machines, safely.
//!
//! The binary is a thin door; everything stands here. Each module knows only those above it.

pub mod fleet;
pub mod grant;
pub mod library;
pub mod ops;
pub mod manifest;
mod ascii_json;
pub mod model;
pub mod policy;
pub mod sandbox;
pub mod source;
pub mod sweep;
pub mod transport;
pub mod journal;
pub mod verbs;
