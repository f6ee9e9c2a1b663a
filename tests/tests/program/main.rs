//! Tests that run the real program, or what it talks to: sshd, PostgreSQL, the gate of a target.
//!
//! A module that is named for a need holds the tests that have it; `tests/run` leaves these out where the need is not met.

#![cfg(test)]

mod cache;
mod change_cli;
mod cli;
mod consent;
mod consent_story;
mod declared;
#[cfg(target_os = "linux")]
mod doctor;
mod languages;
mod limits;
mod local;
#[cfg(target_os = "linux")]
mod lockdown;
mod postgres;
mod project;
mod replay;
mod sealed;
mod sweep;
mod together;
mod words;

/// Needs OpenSSH: sshd, ssh, ssh-keygen, ssh-agent.
mod ssh {
    mod anchors;
    mod approval;
    mod connect;
    mod files;
    mod hostile;
    mod import;
    mod record;
    mod replay;
    mod session;
    mod signature;
    mod signers;
    mod tls;
}

/// Needs `target/guests`, which `tests/run` builds with the wasm toolchain, and OpenSSH.
mod guests {
    mod catalogue;
    mod hostile;
    mod readme;
    mod redact;
    mod target;
}

/// Needs root, sudo, busybox and OpenSSH: a gate keeps the owners of what it writes.
mod gate {
    mod change;
    mod files;
    mod frames;
    mod ssh;
    mod theorems;
}

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_bailiwick-under-test");
