//! The earlier numbers of a component on a target, as the component gets them.
//!
//! Knows: the tables. Must not know: what a number means. Attack answered: numbers of another component, or of another target: each
//! query names both.

use rusqlite::params;
use sha2::{Digest, Sha256};

use super::update::sql;
use super::{History, HistoryError};
use bailiwick_core::model::{ComponentId, Point, Tainted, TargetName, Unit};

/// The age of the oldest numbers that a component gets, in days.
pub const EARLIER_DAYS: u64 = 90;
/// Maximum number of numbers that it gets for one target. A run on several targets gets at most four times as many in total.
pub const EARLIER_POINTS: usize = 1_000;

/// The intervals that runs are thinned to, until few enough numbers remain.
const THINNED_MS: &[u64] = {
    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;
    &[1, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR, 48 * HOUR, 96 * HOUR, 240 * HOUR]
};

/// A component's past on a target.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Earlier {
    /// When its latest run there that could check began.
    pub previous_ms: Option<u64>,
    /// The runs whose numbers follow, oldest first.
    pub runs: Vec<u64>,
    /// The numbers, oldest first.
    pub points: Vec<Point>,
}

impl Earlier {
    /// When the newest of the numbers was reported.
    #[must_use]
    pub fn newest_ms(&self) -> Option<u64> {
        self.points.last().map(|point| point.time_ms)
    }

    /// SHA-256, in hex, over the numbers, each text with its length before it.
    #[must_use]
    pub fn digest(points: &[Point]) -> String {
        let mut hash = Sha256::new();
        hash.update(b"bailiwick-earlier-v1");
        for point in points {
            hash.update(point.time_ms.to_be_bytes());
            for text in [point.code.as_str(), point.subject.for_encoder(), &point.metric, point.unit.name()] {
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text);
            }
            hash.update(point.value.to_bits().to_be_bytes());
        }
        data_encoding::HEXLOWER.encode(&hash.finalize())
    }
}

/// Maximum number of numbers for each target of a run on this many targets.
#[must_use]
pub(super) fn share(targets: usize) -> usize {
    (4 * EARLIER_POINTS / targets.max(1)).clamp(1, EARLIER_POINTS)
}

impl History {
    /// The earlier numbers on this target for a run on `targets` targets that begins at `now_ms`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn earlier(
        &self,
        component: &ComponentId,
        target: &TargetName,
        now_ms: u64,
        targets: usize,
    ) -> Result<Earlier, HistoryError> {
        self.past(component, target, now_ms, share(targets)).map_err(|source| self.store.error(source))
    }

    /// When the component's latest run on this target that could check began.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn previous_ms(
        &self,
        component: &ComponentId,
        target: &TargetName,
        now_ms: u64,
    ) -> Result<Option<u64>, HistoryError> {
        let latest = || -> rusqlite::Result<Option<i64>> {
            self.store.db.query_row(
                "SELECT max(time_ms) FROM run WHERE target = ? AND component = ? AND looked = 1 AND time_ms < ?",
                params![target.as_str(), component.as_str(), sql(now_ms)],
                |row| row.get(0),
            )
        };
        let latest = latest().map_err(|source| self.store.error(source))?;
        Ok(latest.and_then(|time| u64::try_from(time).ok()))
    }

    fn past(
        &self,
        component: &ComponentId,
        target: &TargetName,
        now_ms: u64,
        points_max: usize,
    ) -> rusqlite::Result<Earlier> {
        let db = &self.store.db;
        let from = now_ms.saturating_sub(EARLIER_DAYS * 24 * 3_600_000);
        let (who, on) = (component.as_str(), target.as_str());
        let mut select = db.prepare(
            "SELECT time_ms, number, numbers FROM run
             WHERE target = ? AND component = ? AND looked = 1 AND time_ms >= ? AND time_ms < ?
             ORDER BY time_ms DESC, number DESC",
        )?;
        let runs = select.query_map(params![on, who, sql(from), sql(now_ms)], |row| {
            let numbers: i64 = row.get(2)?;
            Ok(PastRun { time_ms: row.get(0)?, number: row.get(1)?, numbers: usize::try_from(numbers).unwrap_or(0) })
        })?;
        let runs = runs.collect::<rusqlite::Result<Vec<PastRun>>>()?;
        let previous_ms = runs.first().and_then(|run| u64::try_from(run.time_ms).ok());
        let chosen = chosen(&runs, points_max);
        let mut earlier = Earlier { previous_ms, ..Earlier::default() };
        let mut select = db.prepare(
            "SELECT code, subject, metric, unit, value FROM point
             WHERE target = ? AND component = ? AND time_ms = ? AND run = ? ORDER BY place",
        )?;
        for run in chosen.iter().rev() {
            let time_ms = u64::try_from(run.time_ms).unwrap_or(0);
            let points = select.query_map(params![on, who, run.time_ms, run.number], |row| {
                let unit: String = row.get(3)?;
                Ok(Point {
                    time_ms,
                    code: row.get(0)?,
                    subject: Tainted::new(row.get::<_, String>(1)?),
                    metric: row.get(2)?,
                    unit: Unit::from_name(&unit)
                        .ok_or_else(|| rusqlite::Error::InvalidColumnName("unit".to_owned()))?,
                    value: row.get(4)?,
                })
            })?;
            for point in points {
                earlier.points.push(point?);
            }
            earlier.runs.push(u64::try_from(run.number).unwrap_or(0));
        }
        earlier.points.truncate(points_max);
        Ok(earlier)
    }
}

/// An earlier run, for the choice of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PastRun {
    time_ms: i64,
    number: i64,
    numbers: usize,
}

/// The runs whose numbers a component gets: all of them if they are few, otherwise the newest of each hour, of each three hours,
/// …, of each ten days. `runs` and the result are newest first. The newest run is always chosen.
fn chosen(runs: &[PastRun], points_max: usize) -> Vec<PastRun> {
    let mut chosen: Vec<PastRun> = Vec::new();
    for &apart in THINNED_MS {
        chosen.clear();
        for run in runs.iter().filter(|run| run.numbers > 0) {
            let bucket = |run: &PastRun| run.time_ms.checked_div(sql(apart));
            if chosen.last().is_none_or(|last| apart == 1 || bucket(last) != bucket(run)) {
                chosen.push(*run);
            }
        }
        if chosen.iter().map(|run| run.numbers).sum::<usize>() <= points_max {
            return chosen;
        }
    }
    // Runs with very many numbers each: as many of the newest as fit.
    let mut room = points_max;
    let mut first = true;
    chosen.retain(|run| {
        let fits = first || run.numbers <= room;
        room = if fits { room.saturating_sub(run.numbers) } else { 0 };
        first = false;
        fits
    });
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn every(apart: i64, count: i64, numbers: usize) -> Vec<PastRun> {
        (0..count).map(|n| PastRun { time_ms: (count - n) * apart, number: count - n, numbers }).collect()
    }

    #[test]
    fn few_runs_are_all_chosen() {
        let runs = every(60_000, 100, 10);
        assert_eq!(chosen(&runs, 1_000), runs);
    }

    #[test]
    fn many_runs_are_thinned_evenly_and_the_newest_stays() {
        // A month of runs, each five minutes, with ten numbers each.
        let runs = every(HOUR / 12, 30 * 24 * 12, 10);
        let kept = chosen(&runs, 1_000);
        assert_eq!(kept[0], runs[0]);
        assert!((60..=100).contains(&kept.len()), "{}", kept.len());
        let apart: Vec<_> = kept.windows(2).map(|pair| (pair[0].time_ms - pair[1].time_ms) / HOUR).collect();
        assert!(apart[1..].iter().all(|hours| *hours == 12), "{apart:?}");
    }

    #[test]
    fn runs_with_more_numbers_than_there_is_room_for() {
        let runs = every(HOUR, 50, 6_400);
        assert_eq!(chosen(&runs, 1_000), runs[..1]);
        let runs = every(300 * HOUR, 9, 400);
        assert_eq!(chosen(&runs, 1_000), runs[..2]);
        assert_eq!(chosen(&[], 1_000), []);
        assert_eq!(chosen(&every(HOUR, 3, 0), 1_000), []);
    }
}
