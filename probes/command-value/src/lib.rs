//! A number that an operator's program prints, against thresholds: a temperature, the length of a queue, a wear level.

use bailiwick_guest::{Failure, Finding, Probe, Report, Severity, Target, Unit, commands, text};

struct CommandValue;

impl Probe for CommandValue {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let after = params.text("after")?;
        let (warn, critical) = (params.number("warn")?, params.number("critical")?);
        let unit = unit(&params.text("unit")?)?;
        let judge = if params.flag("low-is-bad")? { Severity::falling } else { Severity::rising };
        let command = target.slot("command")?;
        let name = command.literal.split('#').next().unwrap_or_default();

        let output = commands::run(target, &command)?;
        if output.exit_status != Some(0) {
            let ended = match output.exit_status {
                Some(status) => format!("exited with status {status}"),
                None => "was killed by a signal".to_owned(),
            };
            let first_line = output.stderr.lines().chain(output.stdout.lines()).next().unwrap_or("no output");
            // Output of a failed program is not a measurement.
            return Ok(Finding::unknown("value", name, format!("{name} {ended}: {first_line}"))
                .because(&output)
                .into());
        }
        let value = output.stdout.split_once(after.as_str()).and_then(|(_, rest)| first_number(rest));
        let Some(value) = value else {
            let place = if after.is_empty() { String::new() } else { format!(" after {after:?}") };
            let title = format!("{name} printed no number{place}");
            return Ok(Finding::unknown("value", name, title).because(&output).into());
        };
        let title = format!("{name} reports {}", formatted(value, unit));
        Ok(Finding::new(judge(value, warn, critical), "value", name, title)
            .metric("value", value, unit)
            .because(&output)
            .into())
    }
}

/// The first number in a text: `48.3` of `temp=48.3'C`, `-5` of `a -5 b`. Digits in a name (`sda1`, `x86`) do not count.
fn first_number(text: &str) -> Option<f64> {
    let is_digit = |c: char| c.is_ascii_digit();
    let mut at = 0;
    while let Some(found) = text.get(at..)?.find(is_digit) {
        let start = at + found;
        let rest = text.get(start..)?;
        let length = rest.find(|c: char| !is_digit(c) && c != '.').unwrap_or(rest.len());
        let before = text.get(..start)?.chars().next_back();
        at = start + length;
        if before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '.') {
            let number: f64 = text.get(start..at)?.trim_end_matches('.').parse().ok()?;
            return Some(if before == Some('-') { -number } else { number });
        }
    }
    None
}

fn formatted(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Bytes if value >= 0.0 => text::bytes(value as u64),
        Unit::Seconds if value >= 1.0 => text::duration(value),
        Unit::Percent => text::percent(value),
        _ if value.fract() == 0.0 => text::number(value, 0),
        _ => text::number(value, 2),
    }
}

fn unit(name: &str) -> Result<Unit, Failure> {
    Ok(match name {
        "count" => Unit::Count,
        "bytes" => Unit::Bytes,
        "seconds" => Unit::Seconds,
        "percent" => Unit::Percent,
        "ratio" => Unit::Ratio,
        "per-second" => Unit::PerSecond,
        "per-hour" => Unit::PerHour,
        _ => return Err(Failure::new(["parameter unit: unknown unit ", name].concat())),
    })
}

bailiwick_guest::export!(CommandValue);

#[cfg(test)]
mod tests {
    use super::first_number;

    #[test]
    fn digits_in_a_name_are_not_a_number() {
        for (text, number) in [
            ("temp=48.3'C", Some(48.3)),
            ("48.", Some(48.0)),
            ("a -5 b", Some(-5.0)),
            ("sda1 has 7 left", Some(7.0)),
            ("x86_64", None),
            ("v1.2.3", None),
            ("1.2.3", None),
            ("", None),
            ("50%", Some(50.0)),
            ("é7 8", Some(8.0)),
        ] {
            assert_eq!(first_number(text), number, "{text}");
        }
    }
}
