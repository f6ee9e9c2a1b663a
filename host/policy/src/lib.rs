//! What a component may do on a target, as a value, before anything runs.
//!
//! Knows: the operator's policy, the available components, what people accepted. Must not know: connections, processes, wasm,
//! the journal. Each module knows only those above it.

pub mod policy;
pub mod grant;
pub mod signature;
pub mod library;
pub mod ops;
pub mod lock;
pub mod unbound;
pub mod review;
pub mod gate;
