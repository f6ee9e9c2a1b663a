//! Size of each database of a server, and the age of its oldest unfrozen transaction.

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit,
    postgres::{self, Database},
    text,
};

struct PostgresDatabases;

impl Probe for PostgresDatabases {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let (warn, critical) = (params.number("warn-bytes")?, params.number("critical-bytes")?);
        let (warn_age, critical_age) = (params.number("warn-age")?, params.number("critical-age")?);
        let databases = postgres::databases(target, &target.slot("database")?)?;

        let mut report = Report::default();
        let mut largest: Option<(&Database, u64)> = None;
        let (mut total, mut hidden) = (0_u64, 0_usize);
        // Templates hold no user data.
        for database in databases.iter().filter(|database| !database.template) {
            let name = &database.name;
            let Some(bytes) = database.bytes else {
                hidden += 1;
                let title = format!("this role cannot see the size of {name}: it lacks pg_monitor");
                report.push(Finding::unknown("size", name, title).because(&databases));
                continue;
            };
            total = total.saturating_add(bytes);
            if largest.is_none_or(|(_, most)| bytes > most) {
                largest = Some((database, bytes));
            }
            let severity = Severity::rising(bytes as f64, or_never(warn), or_never(critical));
            let title = format!("{name} is {}", text::bytes(bytes));
            let finding = Finding::new(severity, "size", name, title).metric("size-bytes", bytes, Unit::Bytes);
            report.push(finding.because(&databases));
        }

        let title = match largest {
            None => "no database reports its size".to_owned(),
            Some((database, bytes)) => format!(
                "the databases are {} in total; the largest is {} with {}",
                text::bytes(total),
                database.name,
                text::bytes(bytes)
            ),
        };
        let severity = if hidden > 0 || largest.is_none() { Severity::Unknown } else { Severity::Ok };
        let finding = Finding::new(severity, "total", "", title).metric("total-bytes", total, Unit::Bytes);
        report.push(finding.metric("databases", databases.len(), Unit::Count).because(&databases));

        // Templates too: the oldest of all databases counts.
        for database in databases.iter() {
            let age = database.frozen_age;
            let severity = Severity::rising(age as f64, warn_age, critical_age);
            let title = format!("the oldest transaction in {} is {age} transactions old", database.name);
            let finding = Finding::new(severity, "transaction-age", &database.name, title);
            report.push(finding.metric("transaction-age", age, Unit::Count).because(&databases));
        }
        Ok(report)
    }
}

fn or_never(threshold: f64) -> f64 {
    if threshold > 0.0 { threshold } else { f64::INFINITY }
}

bailiwick_guest::export!(PostgresDatabases);
