//! What needs more than one unit: real OpenSSH, hostile servers, benchmarks.

pub mod change;
pub mod fleet;
pub mod gate;
pub mod gate_host;
pub mod guest;
pub mod hostile;
pub mod invariants;
#[cfg(target_os = "linux")]
pub mod kernel;
pub mod lab;
pub mod lab_changes;
pub mod listeners;
pub mod offer;
pub mod ops;
pub mod postgres;
pub mod pages;
pub mod sshd;
