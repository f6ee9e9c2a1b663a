//! Monitoring plugins with the Nagios interface: the exit status is the severity, the first line is the reason, and
//! performance data follow a `|`.

use bailiwick_guest::{Failure, Finding, Probe, Report, Severity, Target, Unit, VerbError, commands};

struct CommandPlugin;

impl Probe for CommandPlugin {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let bound = target.slots("plugins");
        if bound.is_empty() {
            return Err(Failure::new("nothing is bound to slot plugins"));
        }
        let mut report = Report::default();
        for plugin in &bound {
            let name = plugin.literal.split('#').next().unwrap_or_default();
            let output = match commands::run(target, plugin) {
                Ok(output) => output,
                Err(failure) if concerns_all(failure.error()) => return Err(failure.into()),
                // A missing plugin must not hide the others.
                Err(failure) => {
                    report.push(Finding::unknown("plugin", name, failure.to_string()).because(&failure));
                    continue;
                }
            };
            let line = output.stdout.lines().next().unwrap_or_default();
            let (text, numbers) = line.split_once('|').unwrap_or((line, ""));
            let (severity, word) = match output.exit_status {
                Some(0) => (Severity::Ok, ""),
                Some(1) => (Severity::Warning, ""),
                Some(2) => (Severity::Critical, ""),
                Some(3) => (Severity::Unknown, ""),
                Some(_) => (Severity::Unknown, " (not a plugin exit status)"),
                None => (Severity::Unknown, " (killed by a signal)"),
            };
            // A plugin must print a line.
            let (severity, text) = match text.trim() {
                "" => (severity.worse(Severity::Unknown), "no output"),
                text => (severity, text),
            };
            let finding = Finding::new(severity, "plugin", name, format!("{name}{word}: {text}"));
            let finding = performance(numbers)
                .into_iter()
                .fold(finding, |finding, (name, value, unit)| finding.metric(name, value, unit));
            report.push(finding.because(&output));
        }
        Ok(report)
    }
}

/// True if the next plugin would fail in the same way.
fn concerns_all(error: VerbError) -> bool {
    matches!(error, VerbError::Unreachable | VerbError::Exhausted | VerbError::Refused)
}

/// Parses `'label'=value[unit];warn;critical;min;max`, separated by spaces. Invalid items are left out.
fn performance(mut rest: &str) -> Vec<(String, f64, Unit)> {
    let mut found: Vec<(String, f64, Unit)> = Vec::new();
    loop {
        rest = rest.trim_start();
        let (label, after) = match rest.strip_prefix('\'') {
            Some(quoted) => match quoted.split_once("'=") {
                Some(split) => split,
                None => return found,
            },
            None => match rest.split_once('=') {
                Some(split) => split,
                None => return found,
            },
        };
        let (field, next) = after.split_once(' ').unwrap_or((after, ""));
        rest = next;
        let value = field.split(';').next().unwrap_or_default();
        let digits = value.find(|c: char| !matches!(c, '0'..='9' | '.' | '-' | '+')).unwrap_or(value.len());
        let (number, unit) = value.split_at_checked(digits).unwrap_or((value, ""));
        let name = metric_name(label);
        if let (Ok(number), false) = (number.parse::<f64>(), name.is_empty() || found.iter().any(|it| it.0 == name)) {
            let (scale, unit) = scale(unit);
            found.push((name, number * scale, unit));
        }
    }
}

/// A metric's name is `[a-z0-9-]{1,64}`: a run of other characters becomes one `-`.
fn metric_name(label: &str) -> String {
    let mut name = String::new();
    for c in label.chars().map(|c| c.to_ascii_lowercase()) {
        match c {
            'a'..='z' | '0'..='9' => name.push(c),
            _ if name.is_empty() || name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    name.truncate(64);
    // `/` is the label of the root filesystem.
    match name.trim_end_matches('-') {
        "" if label.trim() == "/" => "root".to_owned(),
        name => name.to_owned(),
    }
}

/// The factor to the base unit, and the base unit.
fn scale(unit: &str) -> (f64, Unit) {
    match unit {
        "s" => (1.0, Unit::Seconds),
        "ms" => (1e-3, Unit::Seconds),
        "us" => (1e-6, Unit::Seconds),
        "%" => (1.0, Unit::Percent),
        "B" => (1.0, Unit::Bytes),
        "KB" => (1024.0, Unit::Bytes),
        "MB" => (1_048_576.0, Unit::Bytes),
        "GB" => (1_073_741_824.0, Unit::Bytes),
        "TB" => (1_099_511_627_776.0, Unit::Bytes),
        _ => (1.0, Unit::Count),
    }
}

bailiwick_guest::export!(CommandPlugin);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn performance_data_is_read_up_to_the_first_error() {
        let read = |text| performance(text).into_iter().map(|(name, value, _)| (name, value)).collect::<Vec<_>>();
        assert_eq!(
            read("/=2643MB;5948;5958;0;5968 'free memory'=1.5GB time=0.25s;;;0 load1=0.5;5;10;0"),
            [
                ("root".to_owned(), 2_643.0 * 1_048_576.0),
                ("free-memory".to_owned(), 1.5 * 1_073_741_824.0),
                ("time".to_owned(), 0.25),
                ("load1".to_owned(), 0.5)
            ]
        );
        assert_eq!(read("a=U b=7 a=8 b=9 'c"), [("b".to_owned(), 7.0), ("a".to_owned(), 8.0)]);
        assert_eq!(read("='' =5 ''=6 é=7"), []);
    }
}
