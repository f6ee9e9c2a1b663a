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
        counts.entry(normalised(&entry.message)).or_insert((0, position)).0 += 1;
    }
    let (message, (count, _)) =
        counts.into_iter().max_by_key(|(_, (count, position))| (*count, usize::MAX - position))?;
    Some((message, count))
}

/// With `#` for each number, so that two messages that differ in a process id or an address are one.
fn normalised(message: &str) -> String {
    let mut normal = String::with_capacity(message.len());
    for character in message.chars() {
        let character = match character {
            '0'..='9' => '#',
            other if other.is_control() => ' ',
            other => other,
        };
        if !(matches!(character, '#' | ' ') && normal.ends_with(character)) {
            normal.push(character);
        }
    }
    normal
}

bailiwick_guest::export!(LogErrors);
