//! Bailiwick: run health probes and reversible fixes from people you do not know, on production machines, safely.
//!
//! The binary is a thin door; everything stands here. Each module knows only those above it.

mod ascii_json;
pub mod broker;
pub mod fleet;
pub mod grant;
pub mod journal;
pub mod library;
pub mod manifest;
pub mod model;
pub mod ops;
pub mod policy;
pub mod review;
pub mod source;
pub mod sweep;
pub mod transport;
pub mod verbs;
