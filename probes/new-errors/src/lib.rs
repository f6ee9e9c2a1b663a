//! What a unit logged since the last check: each error is reported once, grouped by message.

use std::collections::BTreeMap;

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit, clock,
    logs::{self, Entry},
    services, text,
};

/// syslog's `err`; the verb also returns warnings (4).
const ERROR: u8 = 3;
/// Messages with a finding of their own.
const KINDS_MAX: usize = 5;

struct NewErrors;

impl Probe for NewErrors {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let (warn, critical) = (params.number("warn")?, params.number("critical")?);
        let worst_priority = if params.flag("count-warnings")? { ERROR + 1 } else { ERROR };
        let unit = target.slot("unit")?;
        let name = unit.literal.as_str();

        // The journal cannot distinguish a missing unit from one that logs nothing.
        let status = services::status(target, &unit)?;
        let new = logs::since_last_run(target, &unit)?;
        let errors: Vec<&Entry> = new.entries.iter().filter(|entry| entry.priority <= worst_priority).collect();

        let since = match new.since_ms {
            Some(since) => {
                let ago = clock::now_ms().saturating_sub(since) as f64 / 1_000.0;
                format!("since the last check, {} ago", text::duration(ago))
            }
            None => "in the last 8 days; no earlier check is known".to_owned(),
        };
        let count = errors.len();
        let (mut severity, mut title) = match count {
            0 => (Severity::Ok, format!("{name} logged no errors {since}")),
            _ => (
                Severity::rising(count as f64, warn, critical),
                format!("{name} logged {} {since}", text::count(count, "error")),
            ),
        };
        if !new.complete {
            severity = severity.worse(Severity::Unknown);
            title.push_str("; older entries are left out, so there may be more");
        }
        let mut report = Report::from(
            Finding::new(severity, "new-errors", name, title)
                .metric("new-errors", count, Unit::Count)
                .because(&status)
                .because(&new),
        );
        let kinds = kinds(&errors);
        for (message, count) in kinds.iter().take(KINDS_MAX) {
            let title = format!("{count} x {message}");
            let finding = Finding::new(Severity::rising(*count as f64, warn, critical), "message", message, title);
            report.push(finding.metric("new-errors", *count, Unit::Count).because(&new));
        }
        Ok(report)
    }
}

/// Groups messages that differ only in numbers; the most frequent first.
fn kinds(errors: &[&Entry]) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for entry in errors {
        *counts.entry(text::pattern(&entry.message)).or_insert(0) += 1;
    }
    let mut kinds: Vec<_> = counts.into_iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    kinds
}

bailiwick_guest::export!(NewErrors);
