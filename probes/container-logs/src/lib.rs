//! How often a container logs errors, and which one it logs most. Containers give their lines no priority: words decide.

use std::collections::BTreeMap;

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit, VerbError,
    containers::{self, LogLine},
    text,
};

/// What the verb covers: so many hours, or so many lines if there are more.
const HOURS: f64 = 24.0;
const LINES_MAX: usize = 1_000;

struct ContainerLogs;

impl Probe for ContainerLogs {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let warn = params.number("warn-per-hour")?;
        let critical = params.number("critical-per-hour")?;
        let may_be_silent = params.flag("may-be-silent")?;
        let lower = |texts: Vec<String>| -> Vec<String> { texts.iter().map(|text| text.to_lowercase()).collect() };
        let (words, ignored) = (lower(params.texts("words")?), lower(params.texts("ignore")?));
        let container = target.slot("container")?;
        let name = container.literal.as_str();

        let lines = match containers::logs(target, &container) {
            Err(gone) if gone.error() == VerbError::NotFound => {
                return Ok(Finding::critical("error-rate", name, format!("{name} does not exist"))
                    .because(&gone)
                    .into());
            }
            answer => answer?,
        };
        let is_error = |line: &&LogLine| {
            let line = line.text.to_lowercase();
            let holds = |texts: &[String]| texts.iter().any(|text| line.contains(text.as_str()));
            holds(&words) && !holds(&ignored)
        };
        let errors: Vec<&LogLine> = lines.iter().filter(is_error).collect();
        let hours = hours_covered(&lines);
        let per_hour = errors.len() as f64 / hours;
        let (severity, title) = match most_frequent(&errors) {
            None if lines.is_empty() => (
                if may_be_silent { Severity::Ok } else { Severity::Unknown },
                format!("{name} wrote nothing in {}", text::duration(hours * 3_600.0)),
            ),
            None => (
                Severity::Ok,
                format!(
                    "{name} wrote {} in {}, none of them an error",
                    text::count(lines.len(), "line"),
                    text::duration(hours * 3_600.0)
                ),
            ),
            Some((line, count)) => (
                Severity::rising(per_hour, warn, critical),
                format!(
                    "{name} logs {} errors per hour ({} in {}), {count} of them: {line}",
                    text::number(per_hour, if per_hour < 0.1 { 2 } else { 1 }),
                    errors.len(),
                    text::duration(hours * 3_600.0),
                ),
            ),
        };
        Ok(Finding::new(severity, "error-rate", name, title)
            .metric("errors-per-hour", per_hour, Unit::PerHour)
            .metric("errors", errors.len(), Unit::Count)
            .metric("lines", lines.len(), Unit::Count)
            .because(&lines)
            .into())
    }
}

/// A full answer does not reach back a day: then the time between its ends counts, at least an hour, so that one burst
/// is not taken for a rate.
fn hours_covered(lines: &[LogLine]) -> f64 {
    match (lines.first(), lines.last()) {
        (Some(oldest), Some(newest)) if lines.len() >= LINES_MAX => {
            (newest.time_ms.saturating_sub(oldest.time_ms) as f64 / 3_600_000.0).clamp(1.0, HOURS)
        }
        _ => HOURS,
    }
}

/// The line that comes most often when numbers do not count, and how often. Of equals, the one that comes first.
fn most_frequent(errors: &[&LogLine]) -> Option<(String, usize)> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (position, line) in errors.iter().enumerate() {
        counts.entry(normalised(&line.text)).or_insert((0, position)).0 += 1;
    }
    let (line, (count, _)) = counts.into_iter().max_by_key(|(_, (count, position))| (*count, usize::MAX - position))?;
    Some((line, count))
}

/// With `#` for each number, so that two lines that differ in a time or an address are one.
fn normalised(line: &str) -> String {
    let mut normal = String::with_capacity(line.len());
    for character in line.chars() {
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

bailiwick_guest::export!(ContainerLogs);

#[cfg(test)]
mod tests {
    use bailiwick_guest::{containers::Channel, fixture::Fixture};

    use super::*;

    fn examine(lines: Vec<LogLine>) -> Finding {
        let report = Fixture::new()
            .param("words", ["error"])
            .param("ignore", ["no error"])
            .param("warn-per-hour", 1.0)
            .param("critical-per-hour", 10.0)
            .param("may-be-silent", false)
            .bind("container", "podman/web")
            .container_logs("container", Ok(lines))
            .examine::<ContainerLogs>()
            .unwrap();
        report.findings.into_iter().next().unwrap()
    }

    /// So many lines, 9 s apart, every tenth an error.
    fn lines(count: u64) -> Vec<LogLine> {
        (0..count)
            .map(|n| LogLine {
                time_ms: n * 9_000,
                channel: Channel::Error,
                text: if n % 10 == 0 { format!("ERROR {n}: no beans") } else { "no error here".to_owned() },
            })
            .collect()
    }

    #[test]
    fn a_full_answer_covers_the_time_between_its_ends() {
        assert_eq!(
            examine(lines(1_000)).title,
            "podman/web logs 40.0 errors per hour (100 in 2 h 29 min), 100 of them: ERROR #: no beans"
        );
        assert!(examine(lines(999)).title.contains("4.2 errors per hour (100 in 1 d)"));
    }

    #[test]
    fn silence_is_not_health() {
        assert_eq!(examine(Vec::new()).severity, Severity::Unknown);
    }
}
