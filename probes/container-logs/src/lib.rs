//! How often a container logs errors, and which error most often. Container lines have no priority, so words decide.

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit, VerbError,
    containers::{self, LogLine},
    text,
};
use shared::errors::Errors;

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
        let is_error = |line: &LogLine| {
            let line = line.text.to_lowercase();
            let holds = |texts: &[String]| texts.iter().any(|text| line.contains(text.as_str()));
            holds(&words) && !holds(&ignored)
        };
        let errors = Errors::among(&lines, |line| line.time_ms, |line| &line.text, is_error);
        let (severity, title) = match errors.title(name) {
            None if lines.is_empty() => (
                if may_be_silent { Severity::Ok } else { Severity::Unknown },
                format!("{name} wrote nothing in {}", errors.covered()),
            ),
            None => (
                Severity::Ok,
                format!(
                    "{name} wrote {} in {}, none of them an error",
                    text::count(lines.len(), "line"),
                    errors.covered()
                ),
            ),
            Some(title) => (Severity::rising(errors.per_hour, warn, critical), title),
        };
        Ok(Finding::new(severity, "error-rate", name, title)
            .metric("errors-per-hour", errors.per_hour, Unit::PerHour)
            .metric("errors", errors.count, Unit::Count)
            .metric("lines", lines.len(), Unit::Count)
            .because(&lines)
            .into())
    }
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

    /// `count` lines, 9 s apart, every tenth an error.
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
