//! One number of each row that an operator's statement returns, against two thresholds.

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit,
    postgres::{self, Cell},
    text,
};

struct PostgresQuery;

impl Probe for PostgresQuery {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let (column, about) = (params.text("column")?, params.text("subject-column")?);
        let (warn, critical) = (params.number("warn")?, params.number("critical")?);
        let (low, empty_is_ok) = (params.flag("low-is-bad")?, params.flag("empty-is-ok")?);
        let statement = target.slot("statement")?;
        // A digest of the text follows the name.
        let name = statement.literal.split('#').next().unwrap_or_default();
        let table = postgres::query(target, &statement)?;

        for wanted in [&column, &about].into_iter().filter(|wanted| !wanted.is_empty()) {
            if table.column(wanted).is_none() {
                let has = text::list(table.columns.iter().map(|column| &column.name), 8);
                return Err(Failure::new(format!("{name} returns no column `{wanted}` (columns: {has})")));
            }
        }
        if table.rows.is_empty() {
            let severity = if empty_is_ok { Severity::Ok } else { Severity::Unknown };
            let finding = Finding::new(severity, "value", name, format!("{name} returns no row"));
            return Ok(finding.metric("rows", 0_u32, Unit::Count).because(&table).into());
        }
        if about.is_empty() && table.rows.len() > 1 {
            let rows = table.rows.len();
            return Err(Failure::new(format!(
                "{name} returns {rows} rows: set the parameter subject-column to distinguish them"
            )));
        }
        let finding = |row: usize| {
            let subject = match table.cell(row, &about) {
                None => name.to_owned(),
                Some(Cell::Text(text)) => text.clone(),
                Some(Cell::Number(number)) => short(*number),
                Some(Cell::Flag(flag)) => flag.to_string(),
                Some(Cell::Null) => "null".to_owned(),
            };
            let kind = match table.cell(row, &column) {
                Some(Cell::Null) => "null",
                Some(Cell::Number(_)) => "not finite",
                _ => "not a number",
            };
            let Some(value) = table.number(row, &column) else {
                return Finding::unknown("value", &subject, format!("{subject}: {column} is {kind}")).because(&table);
            };
            let severity =
                if low { Severity::falling(value, warn, critical) } else { Severity::rising(value, warn, critical) };
            let limit = match severity {
                Severity::Critical => {
                    format!(" (critical {} {})", if low { "down from" } else { "from" }, short(critical))
                }
                Severity::Warning => format!(" (warn {} {})", if low { "down from" } else { "from" }, short(warn)),
                Severity::Ok | Severity::Unknown => String::new(),
            };
            let title = format!("{subject}: {column} is {}{limit}", short(value));
            Finding::new(severity, "value", &subject, title).metric("value", value, Unit::Count).because(&table)
        };
        Ok((0..table.rows.len()).map(finding).collect())
    }
}

/// Whole numbers without decimals.
fn short(value: f64) -> String {
    text::number(value, if value.fract() == 0.0 { 0 } else { 2 })
}

bailiwick_guest::export!(PostgresQuery);
