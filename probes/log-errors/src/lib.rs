//! How often a unit logs errors, and which one it logs most.

use std::collections::BTreeMap;

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit,
    services::{self, LogEntry},
    text,
};

/// What the verb covers: so many hours, or so many entries if there are more.
const HOURS: f64 = 24.0;
const ENTRIES_MAX: usize = 1_000;
/// syslog's `err`; the verb gives warnings (4) too.
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

        // To the journal, a unit that does not exist and one that logs nothing are the same.
        let status = services::status(target, &unit)?;
        let entries = services::logs(target, &unit)?;
        let errors: Vec<&LogEntry> = entries.iter().filter(|entry| entry.priority <= worst_priority).collect();
        let hours = hours_covered(&entries);
        let per_hour = errors.len() as f64 / hours;

        let severity = Severity::rising(per_hour, warn, critical);
        let title = match most_frequent(&errors) {
            None => format!("{name} logged no errors in {}", text::duration(hours * 3_600.0)),
            Some((message, count)) => format!(
                "{name} logs {} errors per hour ({} in {}), {count} of them: {message}",
                text::number(per_hour, if per_hour < 0.1 { 2 } else { 1 }),
                errors.len(),
                text::duration(hours * 3_600.0),
            ),
        };
        Ok(Finding::new(severity, "error-rate", name, title)
            .metric("errors-per-hour", per_hour, Unit::PerHour)
            .metric("errors", errors.len(), Unit::Count)
            .metric("entries", entries.len(), Unit::Count)
            .because(&status)
            .because(&entries)
            .into())
    }
}

/// A full answer does not reach back a day: then the time between its ends counts, at least an hour, so that one burst
/// is not taken for a rate. Both ends are by the target's clock, which may jump: never more than the day, either.
fn hours_covered(entries: &[LogEntry]) -> f64 {
    match (entries.first(), entries.last()) {
        (Some(oldest), Some(newest)) if entries.len() >= ENTRIES_MAX => {
            (newest.time_ms.saturating_sub(oldest.time_ms) as f64 / 3_600_000.0).clamp(1.0, HOURS)
        }
        _ => HOURS,
    }
}

/// The message that comes most often when numbers do not count, and how often. Of equals, the one that comes first.
fn most_frequent(errors: &[&LogEntry]) -> Option<(String, usize)> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (position, entry) in errors.iter().enumerate() {
        counts.entry(text::pattern(&entry.message)).or_insert((0, position)).0 += 1;
    }
    let (message, (count, _)) =
        counts.into_iter().max_by_key(|(_, (count, position))| (*count, usize::MAX - position))?;
    Some((message, count))
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

    /// So many entries, 9 s apart, every tenth an error. Not a case: a thousand lines are nothing to read.
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
