//! The terms of Bailiwick and their rules: names, verbs, limits, findings.
//!
//! Knows: names, verbs, manifests, fleets, findings, limits, the contract. Must not know: policy, connections, processes,
//! wasm. Each module knows only those above it.

pub mod ascii_json;
pub mod model;
pub mod encode;
pub mod wrap;
pub mod nearest;
pub mod outcome;
pub mod source;
pub mod durable;
pub mod reference;
pub mod read_toml;
pub mod limits;
pub mod redact;
pub mod verbs;
pub mod wit;
pub mod rules;
pub mod sections;
pub mod interpreter;
pub mod manifest;
pub mod fleet;
pub mod gate_protocol;
