//! A sweep as metrics, for the textfile collector of Prometheus' node exporter.
//!
//! Knows: the text exposition format 0.0.4. `bailiwick_last_success_timestamp_seconds` is the dead man's switch: an alert on
//! its age fires when checks no longer run, whatever the reason. If a sweep could not check a target, the time is kept from the
//! file of the sweep before.
//!
//! Attack answered: text of guests that closes a label or starts a line. Labels hold harmless text, and every quote and
//! backslash in it is escaped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use bailiwick_core::model::{Severity, TargetName};
use bailiwick_core::outcome::Sweep;

use super::statement::{Kind, Statement, statements};
use super::tally::Standing;

const SUCCESS: &str = "bailiwick_last_success_timestamp_seconds";

/// When each target was last checked in full, in seconds since 1970-01-01T00:00Z.
pub type Successes = BTreeMap<String, i64>;

/// The times in an earlier file. Lines that this program would not write are skipped.
#[must_use]
pub fn successes(earlier: &str) -> Successes {
    let line = |line: &str| {
        let rest = line.strip_prefix(SUCCESS)?.strip_prefix("{target=\"")?;
        let (target, time) = rest.split_once("\"} ")?;
        Some((TargetName::new(target).ok()?.to_string(), time.parse().ok().filter(|&time| time >= 0)?))
    };
    earlier.lines().filter_map(line).collect()
}

/// Renders a sweep; `earlier` is what [`successes`] read.
#[must_use]
pub fn render(sweep: &Sweep, earlier: &Successes) -> String {
    let mut out = String::new();
    let statements = statements(sweep);
    // Writing to a text does not fail.
    let head = |out: &mut String, name: &str, about: &str| {
        let _ = writeln!(out, "# HELP {name} {about}\n# TYPE {name} gauge");
    };
    let finished = sweep.finished.as_second();
    head(&mut out, "bailiwick_last_sweep_timestamp_seconds", "When the last sweep ended.");
    let _ = writeln!(out, "bailiwick_last_sweep_timestamp_seconds {finished}");
    head(&mut out, SUCCESS, "Time when every probe of the target last succeeded.");
    let is_blind = |statement: &&Statement<'_>| matches!(statement.kind, Kind::Unseen | Kind::Broken | Kind::Refused);
    let blind: BTreeSet<_> = statements.iter().filter(is_blind).map(|statement| statement.target).collect();
    for checked in &sweep.targets {
        let seen = match Standing::new(sweep, checked) {
            Standing::Healthy | Standing::NotApplicable => true,
            Standing::Findings => !blind.contains(&checked.target),
            Standing::InPart | Standing::Unseen | Standing::Refused => false,
        };
        let time = if seen { Some(finished) } else { earlier.get(checked.target.as_str()).copied() };
        let _ = writeln!(out, "{SUCCESS}{{target=\"{}\"}} {}", checked.target, time.unwrap_or(0));
    }
    head(&mut out, "bailiwick_blind", "What could not be checked: 1 for each target or probe.");
    for statement in statements.iter().filter(is_blind) {
        let component = statement.component.map_or("", |id| id.as_str());
        let _ = writeln!(
            out,
            "bailiwick_blind{{target=\"{}\",component=\"{component}\",reason=\"{}\"}} 1",
            statement.target, statement.code
        );
    }
    head(&mut out, "bailiwick_finding", "Severity of each finding: 0 ok, 1 warning, 2 critical, 3 unknown.");
    let mut known = BTreeMap::new();
    let mut metrics = Vec::new();
    for statement in &statements {
        let (Kind::Finding(severity), Some(component)) = (statement.kind, statement.component) else { continue };
        let labels = format!(
            "target=\"{}\",component=\"{component}\",code=\"{}\",subject=\"{}\"",
            statement.target,
            label(&statement.code),
            label(&statement.subject)
        );
        // Each series appears once. If a probe has two findings about one subject, the worse one counts.
        let worst = known.entry(labels.clone()).or_insert(severity);
        *worst = severity.max(*worst);
        for (name, value, unit) in statement.metrics.iter().filter(|(_, value, _)| value.is_finite()) {
            metrics.push((format!("{labels},metric=\"{}\",unit=\"{}\"", label(name), unit.name()), *value));
        }
    }
    for (labels, severity) in &known {
        let _ = writeln!(out, "bailiwick_finding{{{labels}}} {}", number(*severity));
    }
    head(&mut out, "bailiwick_metric", "The numbers behind the findings, in the unit of the label.");
    for (labels, value) in &metrics.into_iter().collect::<BTreeMap<_, _>>() {
        let _ = writeln!(out, "bailiwick_metric{{{labels}}} {value}");
    }
    out
}

const fn number(severity: Severity) -> u8 {
    match severity {
        Severity::Ok => 0,
        Severity::Warning => 1,
        Severity::Critical => 2,
        Severity::Unknown => 3,
    }
}

fn label(text: &str) -> String {
    super::untied(text).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn a_night() {
        insta::assert_snapshot!(render(&samples::night(), &Successes::new()));
    }

    /// A target that cannot be checked keeps the time of its last check.
    #[test]
    fn the_dead_man_remembers() {
        let ok = samples::report("p", vec![samples::finding(Severity::Ok, "", "fine")]);
        let first = samples::sweep(vec![samples::checked("a", vec![ok])]);
        let text = render(&first, &Successes::new());
        let times = successes(&text);
        assert_eq!(times.get("a"), Some(&first.finished.as_second()));
        let dark = samples::sweep(vec![samples::unreachable("a", "refused", None)]);
        assert_eq!(successes(&render(&dark, &times)), times);
        let forged = format!("{SUCCESS}{{target=\"a\"}} -5\n{SUCCESS}{{target=\"A b\"}} 7\n{SUCCESS} 9\n");
        assert_eq!(successes(&forged), Successes::new());
    }

    #[test]
    fn tx05_hostile_text_stays_in_its_label() {
        let text = render(&samples::hostile(), &Successes::new());
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            assert!(line.starts_with("bailiwick_"), "{line}");
            // Outside of escapes every quote opens or closes a label.
            let quotes = line.replace("\\\\", "").replace("\\\"", "").matches('"').count();
            assert_eq!(quotes % 2, 0, "{line}");
        }
    }
}
