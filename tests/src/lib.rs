//! What tests share: real OpenSSH and PostgreSQL, hostile servers, ops directories, the lab.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "helpers of tests: what is not as it should be ends the test"
)]

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
pub mod readme;
pub mod sshd;
