//! Numbers over time, for people: `bailiwick trend`.

use rusqlite::params;

use super::update::sql;
use super::{History, HistoryError};
use bailiwick_core::model::{Tainted, TargetName, Unit};

/// Which numbers are requested. None: all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this component.
    pub component: Option<String>,
    /// Of findings with this code.
    pub code: Option<String>,
    /// Of findings about this subject.
    pub subject: Option<String>,
    /// Of metrics with this name.
    pub metric: Option<String>,
    /// Of runs since then, in milliseconds since 1970.
    pub since_ms: u64,
}

/// One metric of one subject over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The component.
    pub component: String,
    /// The findings' code.
    pub code: String,
    /// The subject of the findings.
    pub subject: Tainted,
    /// The metric.
    pub metric: String,
    /// Its unit.
    pub unit: Unit,
    /// The severity of the newest finding.
    pub severity: String,
    /// Time, in milliseconds since 1970, and value. Oldest first, at least one.
    pub points: Vec<(u64, f64)>,
}

impl History {
    /// The targets with numbers, in order.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn targets(&self) -> Result<Vec<String>, HistoryError> {
        let read = || -> rusqlite::Result<Vec<String>> {
            let mut select = self.store.db.prepare("SELECT DISTINCT target FROM run ORDER BY target")?;
            let names = select.query_map([], |row| row.get(0))?;
            names.collect()
        };
        read().map_err(|source| self.store.error(source))
    }

    /// The series of a target, by component, code, subject and metric.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn series(&self, target: &TargetName, filter: &Filter) -> Result<Vec<Series>, HistoryError> {
        self.read_series(target, filter).map_err(|source| self.store.error(source))
    }

    fn read_series(&self, target: &TargetName, filter: &Filter) -> rusqlite::Result<Vec<Series>> {
        let mut select = self.store.db.prepare(
            "SELECT component, code, subject, metric, unit, severity, time_ms, value FROM point
             WHERE target = ?1 AND time_ms >= ?2 AND (?3 IS NULL OR component = ?3) AND (?4 IS NULL OR code = ?4)
               AND (?5 IS NULL OR subject = ?5) AND (?6 IS NULL OR metric = ?6)
             ORDER BY component, code, subject, metric, unit, time_ms, run, place",
        )?;
        let Filter { component, code, subject, metric, since_ms } = filter;
        let mut rows = select.query(params![target.as_str(), sql(*since_ms), component, code, subject, metric])?;
        let mut all: Vec<Series> = Vec::new();
        while let Some(row) = rows.next()? {
            let unit: String = row.get(4)?;
            let time: i64 = row.get(6)?;
            let series = Series {
                component: row.get(0)?,
                code: row.get(1)?,
                subject: Tainted::new(row.get::<_, String>(2)?),
                metric: row.get(3)?,
                unit: Unit::from_name(&unit).ok_or_else(|| rusqlite::Error::InvalidColumnName("unit".to_owned()))?,
                severity: row.get(5)?,
                points: vec![(u64::try_from(time).unwrap_or(0), row.get(7)?)],
            };
            match all.last_mut() {
                Some(last) if last.is_same(&series) => {
                    last.severity = series.severity;
                    last.points.extend(series.points);
                }
                _ => all.push(series),
            }
        }
        Ok(all)
    }
}

impl Series {
    fn is_same(&self, other: &Self) -> bool {
        let key = |series: &Self| (series.component.clone(), series.code.clone(), series.metric.clone(), series.unit);
        key(self) == key(other) && self.subject == other.subject
    }
}
