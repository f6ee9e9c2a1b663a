//! Checks an installation, and proves its defences.
//!
//! Knows: every part, and asks each for its state. Must not know: how the result is printed. Attack answered: a defence that
//! the operator relies on and that is missing.

mod installation;
mod native;
mod proof;

use serde::Serialize;

pub use installation::{Installation, check};
pub use proof::{ProofError, prove};

/// The state of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Ok,
    /// It works, but with less protection than possible.
    Warning,
    /// It does not work, or is not protected.
    Problem,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its state.
    pub state: State,
    /// The part: `kernel`, `ops`, `keys` …
    pub part: &'static str,
    /// The result of the check.
    pub says: String,
    /// What to do next.
    pub next: Option<String>,
}

/// One attempt that must not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// True if it was stopped as expected.
    pub stopped: bool,
    /// The attempt, in words.
    pub attempt: String,
    /// The part that stopped it: `engine`, `imports`, `broker`, `report`, `seccomp` …; `nothing` if none did.
    pub by: &'static str,
    /// Its result.
    pub gave: String,
}

impl Line {
    fn ok(part: &'static str, says: impl Into<String>) -> Self {
        Self { state: State::Ok, part, says: says.into(), next: None }
    }

    fn warning(part: &'static str, says: impl Into<String>, next: impl Into<String>) -> Self {
        Self { state: State::Warning, part, says: says.into(), next: Some(next.into()) }
    }

    fn problem(part: &'static str, says: impl Into<String>, next: impl Into<String>) -> Self {
        Self { state: State::Problem, part, says: says.into(), next: Some(next.into()) }
    }
}

/// The worst state of some lines.
#[must_use]
pub fn worst(lines: &[Line]) -> State {
    lines.iter().map(|line| line.state).max().unwrap_or(State::Ok)
}

/// A number of things, in words.
#[must_use]
pub fn count(number: usize, what: &str) -> String {
    bailiwick_core::encode::counted(number, what)
}

/// An error and its sources on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let message = source.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        next = source.source();
    }
    // A hint is a paragraph of its own, and is left out.
    text.split("\n\n").next().unwrap_or_default().to_owned()
}
