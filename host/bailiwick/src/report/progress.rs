//! The progress of a sweep, for a person who waits.
//!
//! Knows: stderr. Must not know: stdout, which is for data only. If stderr is not a terminal, everything here does nothing, so
//! that logs contain none of it.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use bailiwick_core::model::TargetName;

/// Maximum number of pending targets that are named.
const NAMED_MAX: usize = 3;

/// A bar on stderr: targets done, findings so far, and, when few targets are left, their names. Can be shared between tasks.
/// Its line is removed when it is dropped or finished.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: BTreeSet<TargetName>,
    findings: usize,
}

impl Progress {
    /// A bar for these targets. It does nothing if stderr is not a terminal that can redraw a line.
    #[must_use]
    pub fn new<'a>(targets: impl IntoIterator<Item = &'a TargetName>) -> Self {
        let able = std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self::on(if able { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }, targets)
    }

    fn on<'a>(draw: ProgressDrawTarget, targets: impl IntoIterator<Item = &'a TargetName>) -> Self {
        let waiting: BTreeSet<TargetName> = targets.into_iter().cloned().collect();
        let total = u64::try_from(waiting.len()).unwrap_or(u64::MAX);
        let bar = ProgressBar::with_draw_target(Some(total), draw).with_finish(ProgressFinish::AndClear);
        // ASCII, for serial consoles.
        if let Ok(style) = ProgressStyle::with_template("[{bar:20}] {pos}/{len} targets{wide_msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        let progress = Self { bar, state: Mutex::new(State { waiting, findings: 0 }) };
        progress.say();
        progress
    }

    /// A target is done, with any result.
    pub fn target_done(&self, target: &TargetName) {
        if self.with(|state| state.waiting.remove(target)) {
            self.bar.inc(1);
        }
        self.say();
    }

    /// Adds findings that need a person: `warning` or worse.
    pub fn add_findings(&self, findings: usize) {
        self.with(|state| state.findings += findings);
        self.say();
    }

    /// Removes the bar. Call it before anything is printed.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn say(&self) {
        let text = self.with(|state| state.text());
        self.bar.set_message(text);
    }

    /// The state of a progress bar is valid even after a panic elsewhere.
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A bar on stderr for a file that is read. Its line is removed when it is dropped.
#[derive(Debug)]
pub struct Reading(ProgressBar);

impl Reading {
    /// A bar that does nothing if stderr is not a terminal that can redraw a line. `what` is the host's own word.
    #[must_use]
    pub fn new(what: &str) -> Self {
        let able = std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let draw = if able { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, draw).with_finish(ProgressFinish::AndClear);
        if let Ok(style) = ProgressStyle::with_template("[{bar:20}] {bytes}/{total_bytes} of {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what.to_owned());
        Self(bar)
    }

    /// Sets the number of bytes that are read, and the total.
    pub fn at(&self, bytes: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(bytes);
    }

    /// Removes the bar. Call it before anything is printed.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}

impl State {
    fn text(&self) -> String {
        let mut text = String::new();
        if self.findings > 0 {
            text.push_str(", ");
            text.push_str(&bailiwick_core::encode::counted(self.findings, "finding"));
        }
        if (1..=NAMED_MAX).contains(&self.waiting.len()) {
            let names: Vec<&str> = self.waiting.iter().map(TargetName::as_str).collect();
            text.push_str(", waiting for ");
            text.push_str(&names.join(", "));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_who_is_late() {
        let names: Vec<TargetName> = ["a", "b", "c", "d", "e"].iter().map(|n| TargetName::new(n).unwrap()).collect();
        let progress = Progress::on(ProgressDrawTarget::hidden(), &names);
        let text = |progress: &Progress| progress.with(|state| state.text());
        assert_eq!(text(&progress), "");
        progress.add_findings(1);
        progress.target_done(&names[0]);
        progress.target_done(&names[2]);
        progress.target_done(&names[2]);
        assert_eq!(text(&progress), ", 1 finding, waiting for b, d, e");
        assert_eq!(progress.bar.position(), 2);
        for name in &names {
            progress.target_done(name);
        }
        assert_eq!(text(&progress), ", 1 finding");
        progress.finish();
        assert!(progress.bar.is_finished());
    }
}
