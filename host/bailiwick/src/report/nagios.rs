//! A sweep by the contract of Nagios plugins: one line of status, details, performance data, and an exit code of its own.
//!
//! Knows: <https://nagios-plugins.org/doc/guidelines.html>. 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. What could not be checked is
//! UNKNOWN, unless a finding is worse: a critical finding is never hidden by a target that could not be checked.
//!
//! Attack answered: text of guests with a `|` or a line break in it, which would become performance data.

use std::fmt::Write;

use bailiwick_core::encode;
use bailiwick_core::model::{Severity, Unit};
use bailiwick_core::outcome::Sweep;

use super::statement::{Kind, Statement, statements};

/// Maximum number of lines of details. Nagios keeps 8 KiB in total.
const LINES_MAX: usize = 40;
/// Maximum number of values of performance data, for the same reason.
const METRICS_MAX: usize = 60;

/// The state of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Everything that was checked is ok.
    Ok,
    /// A person should act, but not urgently.
    Warning,
    /// It could not be checked, or the result is unknown.
    Unknown,
    /// A person should act now.
    Critical,
}

impl State {
    /// The plugin's exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    /// The first word of the first line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }

    fn new(statement: &Statement<'_>) -> Self {
        match statement.kind {
            Kind::Finding(Severity::Ok) | Kind::NotApplicable => Self::Ok,
            Kind::Finding(Severity::Warning) => Self::Warning,
            Kind::Finding(Severity::Critical) => Self::Critical,
            Kind::Finding(Severity::Unknown) | Kind::Unseen | Kind::Broken | Kind::Refused => Self::Unknown,
        }
    }
}

/// The state of a sweep. A sweep without statements is unknown.
#[must_use]
pub fn state(sweep: &Sweep) -> State {
    worst(&statements(sweep))
}

fn worst(statements: &[Statement<'_>]) -> State {
    statements.iter().map(State::new).max().unwrap_or(State::Unknown)
}

/// Renders a sweep. Ends in a newline.
#[must_use]
pub fn render(sweep: &Sweep) -> String {
    let mut statements = statements(sweep);
    statements.sort_by_key(|statement| std::cmp::Reverse(State::new(statement)));
    let count = |state| statements.iter().filter(|statement| State::new(statement) == state).count();
    let state = worst(&statements);
    let mut out = format!("BAILIWICK {} - ", state.word());
    match statements.first().filter(|_| state != State::Ok) {
        Some(worst) => out.push_str(&line(worst)),
        None => {
            let targets = encode::counted(sweep.targets.len(), "target");
            let _ = write!(out, "{targets}, {}", encode::counted(statements.len(), "finding"));
        }
    }
    let _ = write!(
        out,
        " | critical={} warning={} unknown={} ok={}",
        count(State::Critical),
        count(State::Warning),
        count(State::Unknown),
        count(State::Ok)
    );
    out.push('\n');
    let problems: Vec<_> = statements.iter().filter(|statement| State::new(statement) != State::Ok).collect();
    for statement in problems.iter().take(LINES_MAX) {
        let _ = writeln!(out, "{}: {}", State::new(statement).word(), line(statement));
    }
    if problems.len() > LINES_MAX {
        let _ = writeln!(out, "and {} more", problems.len() - LINES_MAX);
    }
    let metrics: Vec<_> = statements.iter().flat_map(perf).take(METRICS_MAX).collect();
    if !metrics.is_empty() {
        // Long performance data begins after the last line of details.
        let _ = writeln!(out, "| {}", metrics.join("\n"));
    }
    out
}

/// An error of the plugin itself, for a scheduler that only reads standard output.
#[must_use]
pub fn failed(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    format!("BAILIWICK {} - {}\n", State::Unknown.word(), unpiped(&bailiwick_core::encode::harmless(line, 200)))
}

fn line(statement: &Statement<'_>) -> String {
    let component = statement.component.map(|id| format!(" {id}")).unwrap_or_default();
    unpiped(&format!("{}{component}: {}", statement.target, statement.text))
}

fn unpiped(text: &str) -> String {
    super::untied(text).replace('|', "¦")
}

/// `'db01/memory/memory/available-bytes'=123B`. A label has neither `=` nor a quote in it.
fn perf(statement: &Statement<'_>) -> Vec<String> {
    let component = statement.component.map_or("bailiwick", |id| id.as_str());
    let subject = if statement.subject.is_empty() { String::new() } else { format!("{}/", statement.subject) };
    statement
        .metrics
        .iter()
        .map(|(name, value, unit)| {
            let label = format!("{}/{component}/{}/{subject}{name}", statement.target, statement.code);
            let label = unpiped(&label).replace(['=', '\''], "_");
            let unit = match unit {
                Unit::Bytes => "B",
                Unit::Seconds => "s",
                Unit::Percent => "%",
                Unit::Count | Unit::Ratio | Unit::PerSecond | Unit::PerHour => "",
            };
            format!("'{label}'={value}{unit}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn a_night() {
        assert_eq!(state(&samples::night()).code(), 2);
        insta::assert_snapshot!(render(&samples::night()));
    }

    #[test]
    fn not_having_looked_is_unknown() {
        let one = |target| state(&samples::sweep(vec![target]));
        assert_eq!(one(samples::unreachable("a", "refused", None)), State::Unknown);
        assert_eq!(one(samples::refused("a", "never-host")), State::Unknown);
        assert_eq!(one(samples::checked("a", vec![samples::fault("p", "trap")])), State::Unknown);
        assert_eq!(one(samples::checked("a", vec![])), State::Unknown);
        let ok = samples::report("p", vec![samples::finding(Severity::Ok, "", "fine")]);
        assert_eq!(one(samples::checked("a", vec![ok])), State::Ok);
        assert_eq!(state(&samples::sweep(vec![])), State::Unknown);
    }

    /// There is one `|` on the first line, and one before the rest of the data. No text of a guest adds one.
    #[test]
    fn tx05_hostile_text_is_no_data() {
        let text = render(&samples::hostile());
        let bars = text.matches('|').count();
        let data = text.lines().filter(|line| line.starts_with("| ")).count();
        assert_eq!(bars, 1 + data, "{text}");
        assert!(text.lines().next().unwrap().contains(" | critical="), "{text}");
    }
}
