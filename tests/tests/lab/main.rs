//! Tests on the lab, a network of real hosts: `tests/lab/scenarios` starts it and runs them.

#![cfg(test)]

mod changes;
mod evidence;
mod matrix;
mod readme;
mod stories;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_bailiwick-under-test");
