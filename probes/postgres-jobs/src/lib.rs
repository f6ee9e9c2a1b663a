//! Scheduled jobs of a database (TimescaleDB policies, pg_cron, pgAgent): failures, and the time since the last success.
//!
//! The operator's statement returns the columns `job` (text) and `failures` (a number) or `failed` (a boolean); it may return
//! `success_age_s` (seconds since the last success, null if never) and `message` (text).

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit,
    postgres::{self, Cell, Table},
    text,
};

struct PostgresJobs;

impl Probe for PostgresJobs {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let max_age = params.number("max-age-hours")? * 3_600.0;
        let (warn, critical) = (params.number("warn-failures")?, params.number("critical-failures")?);
        let none_is_ok = params.flag("none-is-ok")?;
        let statement = target.slot("statement")?;
        let name = statement.literal.split('#').next().unwrap_or_default();
        let table = postgres::query(target, &statement)?;

        if table.column("job").is_none() || (table.column("failures").is_none() && table.column("failed").is_none()) {
            return Err(Failure::new(format!("{name} must return the columns `job`, and `failures` or `failed`")));
        }
        if table.rows.is_empty() {
            let severity = if none_is_ok { Severity::Ok } else { Severity::Unknown };
            return Ok(Finding::new(severity, "jobs", "", format!("{name} returns no job")).because(&table).into());
        }
        let mut report: Report =
            (0..table.rows.len()).map(|row| job(&table, row, warn, critical, max_age).because(&table)).collect();
        let bad = report.findings.iter().filter(|finding| finding.severity != Severity::Ok).count();
        let title = match bad {
            0 => format!("{}, all healthy", text::count(table.rows.len(), "job")),
            bad => format!("{} of {} not healthy", bad, text::count(table.rows.len(), "job")),
        };
        let finding = Finding::ok("jobs", "", title).metric("jobs", table.rows.len(), Unit::Count);
        report.push(finding.metric("not-well", bad, Unit::Count).because(&table));
        Ok(report)
    }
}

fn job(table: &Table, row: usize, warn: f64, critical: f64, max_age: f64) -> Finding {
    let name = match table.cell(row, "job") {
        Some(Cell::Text(text)) => text.clone(),
        Some(Cell::Number(number)) => text::number(*number, 0),
        _ => "a job without a name".to_owned(),
    };
    let failures = table.number(row, "failures").or(match table.cell(row, "failed") {
        Some(Cell::Flag(failed)) => Some(if *failed { 1.0 } else { 0.0 }),
        _ => None,
    });
    let Some(failures) = failures else {
        return Finding::unknown("job", &name, format!("{name}: it is not known whether it failed"));
    };
    let by_failures = Severity::rising(failures, warn, critical);
    let age = table.cell(row, "success_age_s");
    let (by_age, success) = match (age, table.number(row, "success_age_s")) {
        (None, _) => (Severity::Ok, String::new()),
        (Some(Cell::Null), _) => (Severity::Warning, "; it has never succeeded".to_owned()),
        (_, Some(age)) => {
            let severity = if max_age > 0.0 && age > max_age { Severity::Critical } else { Severity::Ok };
            (severity, format!("; it last succeeded {} ago", text::duration(age)))
        }
        (Some(_), None) => (Severity::Unknown, "; success_age_s is not a number".to_owned()),
    };
    let how_often = if failures == 0.0 { "no failures".to_owned() } else { text::count(failures as usize, "failure") };
    let message = table.text(row, "message").filter(|_| failures > 0.0).map(|message| format!(": {message}"));
    let title = format!("{name}: {how_often}{success}{}", message.unwrap_or_default());
    let finding =
        Finding::new(by_failures.worse(by_age), "job", &name, title).metric("failures", failures, Unit::Count);
    table
        .number(row, "success_age_s")
        .into_iter()
        .fold(finding, |finding, age| finding.metric("success-age-seconds", age, Unit::Seconds))
}

bailiwick_guest::export!(PostgresJobs);
