//! How often a unit logs errors, and which error most often.

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit,
    services::{self, LogEntry},
};
use shared::errors::Errors;

/// syslog's `err`; the verb also returns warnings (4).
const ERROR: u8 = 3;

struct LogErrors;

impl Probe for LogErrors {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let warn = params.number("warn-per-hour")?;
        let critical = params.number("critical-per-hour")?;
        let worst_priority = if params.flag("count-warnings")? { ERROR + 1 } else { ERROR };
        let unit = target.slot("unit")?;
        let name = unit.literal.as_str();

        // The journal cannot distinguish a missing unit from one that logs nothing.
        let status = services::status(target, &unit)?;
        let entries = services::logs(target, &unit)?;
        let is_error = |entry: &LogEntry| entry.priority <= worst_priority;
        let errors = Errors::among(&entries, |entry| entry.time_ms, |entry| &entry.message, is_error);
        let title = errors.title(name).unwrap_or_else(|| format!("{name} logged no errors in {}", errors.covered()));
        let severity = Severity::rising(errors.per_hour, warn, critical);
        Ok(Finding::new(severity, "error-rate", name, title)
            .metric("errors-per-hour", errors.per_hour, Unit::PerHour)
            .metric("errors", errors.count, Unit::Count)
            .metric("entries", entries.len(), Unit::Count)
            .because(&status)
            .because(&entries)
            .into())
    }
}

bailiwick_guest::export!(LogErrors);

#[cfg(test)]
mod tests {
    use bailiwick_guest::{
        fixture::Fixture,
        services::{ActiveState, StatusInfo},
    };

    use super::*;

    fn running() -> StatusInfo {
        StatusInfo {
            unit: "db.service".to_owned(),
            active: ActiveState::Active,
            sub_state: "running".to_owned(),
            outcome: "success".to_owned(),
            enablement: "enabled".to_owned(),
            restarts: 0,
            exit_status: None,
            since_boot: None,
            memory: None,
        }
    }

    fn examine(entries: Vec<LogEntry>) -> Finding {
        let report = Fixture::new()
            .param("warn-per-hour", 1.0)
            .param("critical-per-hour", 10.0)
            .param("count-warnings", false)
            .bind("unit", "db.service")
            .status("unit", Ok(running()))
            .logs("unit", Ok(entries))
            .examine::<LogErrors>()
            .unwrap();
        report.findings.into_iter().next().unwrap()
    }

    /// `count` entries, 9 s apart, every tenth an error. Not a case file: a thousand lines are too long to read.
    fn entries(count: u64) -> Vec<LogEntry> {
        (0..count)
            .map(|n| LogEntry {
                time_ms: n * 9_000,
                priority: if n % 10 == 0 { ERROR } else { ERROR + 1 },
                message: "lost connection during query".to_owned(),
            })
            .collect()
    }

    #[test]
    fn a_full_answer_covers_the_time_between_its_ends() {
        assert_eq!(
            examine(entries(1_000)).title,
            "db.service logs 40.0 errors per hour (100 in 2 h 29 min), 100 of them: lost connection during query"
        );
    }

    #[test]
    fn an_answer_that_is_not_full_covers_the_day() {
        assert_eq!(
            examine(entries(999)).title,
            "db.service logs 4.2 errors per hour (100 in 1 d), 100 of them: lost connection during query"
        );
    }

    #[test]
    fn a_burst_is_no_rate_and_a_clock_that_jumps_back_does_no_harm() {
        let mut burst = entries(1_000);
        burst.iter_mut().for_each(|entry| entry.time_ms = 0);
        assert!(examine(burst).title.contains("100.0 errors per hour (100 in 1 h"));
        let mut backwards = entries(1_000);
        backwards.reverse();
        assert!(examine(backwards).title.contains("100.0 errors per hour (100 in 1 h"));
    }

    #[test]
    fn findings_rest_on_both_calls() {
        assert_eq!(examine(Vec::new()).evidence, [1, 2]);
    }
}
