//! Reports of a sweep for people and programs: a table, a JSON document, an exit code, a progress bar.
//!
//! Knows: `outcome` and the model's words. Must not know: how a sweep is run, files, the network, which stream or terminal the
//! text goes to (except `progress`, which draws on stderr only). Everything here except `progress` is a pure function of its
//! arguments, so that the replay of a run gives the identical report.
//!
//! Attacks answered: text of guests and targets that controls a terminal, hides or reorders what is on it, or imitates the
//! host's words (TX01, TX02, TX05, TX07). `encode` makes it harmless; `table` keeps it in its own columns.

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

#[cfg(test)]
mod samples;

use bailiwick_core::outcome::Sweep;
use bailiwick_core::wrap::TIE;

use self::format::{Format, format};

/// Every format: `--format`, `--write`, the help and the tests read this table. The first is the default.
pub const FORMATS: &[Format] = &[
    format("table", "text/plain", "For people, at a terminal", |sweep, view| Ok(table::render(sweep, &view.options))),
    format("json", "application/json", "For programs; `bailiwick schema` prints its schema", |sweep, _| {
        Ok(json::render(sweep)?)
    }),
    format("markdown", "text/markdown", "For a ticket or a chat", |sweep, view| {
        Ok(markdown::render(sweep, view.options.detail))
    }),
    format("html", "text/html", "One self-contained HTML page", |sweep, view| {
        Ok(html::render(sweep, view.options.detail))
    }),
    format("junit", "application/xml", "JUnit XML, for CI", |sweep, _| Ok(junit::render(sweep)?)),
    Format {
        is_plugin: true,
        ..format("nagios", "text/plain", "Output and exit code (0 to 3) of a Nagios plugin", |sweep, _| {
            Ok(nagios::render(sweep))
        })
    },
    format("sarif", "application/sarif+json", "SARIF 2.1.0, for CI", |sweep, _| Ok(sarif::render(sweep)?)),
    format(
        "textfile",
        "text/plain; version=0.0.4",
        "Metrics for the textfile collector of node_exporter",
        |sweep, view| Ok(textfile::render(sweep, &textfile::successes(view.earlier.unwrap_or_default()))),
    ),
];

/// From a sweep's start to its end; 0 if the clock was set back in between.
fn elapsed_ms(sweep: &Sweep) -> u64 {
    u64::try_from(sweep.finished.duration_since(sweep.started).as_millis()).unwrap_or(0)
}

/// Replaces non-breaking spaces, for pages that break lines themselves.
fn untied(text: &str) -> String {
    text.replace(TIE, " ")
}
