//! Whether an installation is as it must be, and whether it holds.
//!
//! Knows: every part, and asks each what it would say. Must not know: how anything is printed. Attack answered: a defence
//! that everybody believes in and that is not there.

mod installation;
mod native;
mod proof;

use serde::Serialize;

pub use installation::{Installation, check};
pub use proof::{ProofError, prove};

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Ok,
    /// Something runs, and less well guarded than it could.
    Warning,
    /// Something does not run, or is not guarded.
    Problem,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// How it stands.
    pub state: State,
    /// Which part: `kernel`, `ops`, `keys` …
    pub part: &'static str,
    /// What was found.
    pub says: String,
    /// What to do next.
    pub next: Option<String>,
}

/// One thing that was tried, and must not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// True: it was stopped as it must be.
    pub stopped: bool,
    /// What was tried, in words.
    pub attempt: String,
    /// Which part stopped it: `engine`, `imports`, `broker`, `report`, `seccomp` …; `nothing` if none did.
    pub by: &'static str,
    /// What came of it.
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

/// The worst of some lines.
#[must_use]
pub fn worst(lines: &[Line]) -> State {
    lines.iter().map(|line| line.state).max().unwrap_or(State::Ok)
}

/// So many of something.
#[must_use]
pub fn count(number: usize, what: &str) -> String {
    bailiwick_core::encode::counted(number, what)
}

/// An error and what is behind it, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let said = source.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = source.source();
    }
    // A hint stands in a line of its own.
    text.split("\n\n").next().unwrap_or_default().to_owned()
}
