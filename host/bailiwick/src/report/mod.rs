//! What people and programs get to see of a sweep: a table, a JSON document, an exit code, a progress bar.
//!
//! Knows: `outcome` and the model's words. Must not know: how a sweep is run, files, the network, which stream or
//! terminal the text goes to (all but `progress`, which draws on stderr and nowhere else). Everything here but `progress`
//! is a pure function of its arguments, so that the replay of a run gives the identical report.
//!
//! Attacks answered: text of guests and targets that drives a terminal, hides or reorders what is on it, or passes itself
//! off as the host's own words (TX01, TX02, TX05, TX07). `encode` makes it harmless; `table` keeps it in its own columns.

pub mod change;
pub mod exit;
pub mod format;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod nagios;
pub mod progress;
pub mod quote;
pub mod sarif;
pub mod table;
pub mod tally;
pub mod textfile;
pub mod trend;

mod humane;
mod statement;
mod wrap;

#[cfg(test)]
mod samples;

use bailiwick_core::outcome::Sweep;

/// From a sweep's start to its end; 0 if the clock was set back in between.
fn elapsed_ms(sweep: &Sweep) -> u64 {
    u64::try_from(sweep.finished.duration_since(sweep.started).as_millis()).unwrap_or(0)
}

/// Where a page breaks its own lines, a space is a space.
fn untied(text: &str) -> String {
    text.replace(wrap::TIE, " ")
}
