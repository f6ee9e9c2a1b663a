//! The metrics of this probe's own earlier findings on a target, of the last 90 days. Touches no target.
//!
//! The manifest requests it:
//!
//! ```toml
//! [history]
//! why = "how fast it grows"
//! ```
//!
//! To read a number later, a probe must report it as a metric in each run, with the same code, subject and name.
//!
//! ```
//! use bailiwick_guest::{Failure, Finding, Probe, Report, Target, Unit, clock, fixture::Fixture, history, system, text};
//!
//! struct Growth;
//!
//! impl Probe for Growth {
//!     fn examine(target: &Target) -> Result<Report, Failure> {
//!         let memory = system::memory(target)?;
//!         let used = memory.total - memory.available;
//!         let now = clock::now_ms();
//!         let series = history::earlier(target).series("used", "", "used-bytes").and(now, used as f64);
//!         let title = match series.line().and_then(|line| line.reaches(memory.total as f64, now)) {
//!             Some(when) => format!("used up on {}", text::date(when)),
//!             None => "not growing, or not known yet".to_owned(),
//!         };
//!         Ok(Finding::ok("used", "", title).metric("used-bytes", used, Unit::Bytes).because(&memory).into())
//!     }
//! }
//! # bailiwick_guest::export!(Growth);
//! # let day = 86_400_000;
//! # let now = bailiwick_guest::fixture::NOW_MS;
//! # let memory = system::MemoryInfo { total: 1000, available: 400, free: 0, swap_total: 0, swap_free: 0 };
//! # let fixture = Fixture::new().memory(Ok(memory));
//! # let fixture = fixture.earlier("used", "", "used-bytes", Unit::Bytes, &[(now - 2 * day, 400.0), (now - day, 500.0)]);
//! # let report = fixture.examine::<Growth>().unwrap();
//! # assert_eq!(report.findings[0].title, "used up on 2026-11-25");
//! ```

use crate::Target;
pub use crate::bindings::bailiwick::ops::history::Point;

/// The furthest extrapolation of a line: a hundred years.
const FAR_MS: f64 = 100.0 * 365.25 * 86_400_000.0;

/// The metrics of this probe's earlier runs on the target, oldest first; empty on its first run there.
pub fn earlier(target: &Target) -> Earlier {
    #[cfg(target_arch = "wasm32")]
    let points = crate::bindings::bailiwick::ops::history::earlier(target.handle());
    #[cfg(not(target_arch = "wasm32"))]
    let points = target.fixture().points();
    Earlier { points }
}

/// When the latest successful run of this probe on the target started, in milliseconds since 1970-01-01T00:00Z; none if there is
/// none.
pub fn previous_ms(target: &Target) -> Option<u64> {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::bailiwick::ops::history::previous_ms(target.handle());
    #[cfg(not(target_arch = "wasm32"))]
    return target.fixture().points().last().map(|point| point.time_ms);
}

/// The metrics of this probe's earlier runs on a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Earlier {
    points: Vec<Point>,
}

impl Earlier {
    /// All points, oldest first.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// One metric of one subject over time; empty if it was never reported.
    pub fn series(&self, code: &str, subject: &str, metric: &str) -> Series {
        let of_it = |point: &&Point| point.code == code && point.subject == subject && point.metric == metric;
        Series { points: self.points.iter().filter(of_it).map(|point| (point.time_ms, point.value)).collect() }
    }
}

/// The values of one metric over time, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    points: Vec<(u64, f64)>,
}

impl Series {
    /// Adds a value, such as the present one. `time_ms` must not be earlier than the last point.
    #[must_use]
    pub fn and(mut self, time_ms: u64, value: f64) -> Self {
        self.points.push((time_ms, value));
        self
    }

    /// Keeps only the points from `time_ms` on.
    #[must_use]
    pub fn since(mut self, time_ms: u64) -> Self {
        self.points.retain(|(time, _)| *time >= time_ms);
        self
    }

    /// Pairs of time, in milliseconds since 1970-01-01T00:00Z, and value.
    pub fn points(&self) -> &[(u64, f64)] {
        &self.points
    }

    /// The newest point.
    pub fn last(&self) -> Option<(u64, f64)> {
        self.points.last().copied()
    }

    /// The time from the first to the last point, in milliseconds.
    pub fn span_ms(&self) -> u64 {
        match (self.points.first(), self.points.last()) {
            (Some((first, _)), Some((last, _))) => last.saturating_sub(*first),
            _ => 0,
        }
    }

    /// The least-squares line through the points. None for fewer than two points, and if all points have the same
    /// time.
    pub fn line(&self) -> Option<Line> {
        let (origin_ms, _) = *self.points.first()?;
        let count = self.points.len() as f64;
        // Hours since the first point: squared milliseconds since 1970 would lose the differences to rounding.
        let at = |time: u64| time.saturating_sub(origin_ms) as f64 / HOUR_MS;
        let mean_x = self.points.iter().map(|(time, _)| at(*time)).sum::<f64>() / count;
        let mean_y = self.points.iter().map(|(_, value)| value / count).sum::<f64>();
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for (time, value) in &self.points {
            let (x, y) = (at(*time) - mean_x, value - mean_y);
            xx += x * x;
            xy += x * y;
            yy += y * y;
        }
        let slope = xy / xx;
        let fit = if yy > 0.0 { (xy * xy / (xx * yy)).min(1.0) } else { 1.0 };
        (xx > 0.0 && slope.is_finite()).then_some(Line { origin_ms, at_origin: mean_y - slope * mean_x, slope, fit })
    }
}

const HOUR_MS: f64 = 3_600_000.0;

/// A straight line through the values of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    origin_ms: u64,
    at_origin: f64,
    /// Per hour.
    slope: f64,
    fit: f64,
}

impl Line {
    /// The growth per hour; negative if the value falls.
    pub fn per_hour(&self) -> f64 {
        self.slope
    }

    /// The growth per day; negative if the value falls.
    pub fn per_day(&self) -> f64 {
        self.slope * 24.0
    }

    /// The coefficient of determination: 1 if the line explains all of the variation, 0 if it explains none
    /// of it.
    pub fn fit(&self) -> f64 {
        self.fit
    }

    /// The value of the line at a time, in milliseconds since 1970-01-01T00:00Z.
    pub fn at(&self, time_ms: u64) -> f64 {
        self.at_origin + self.slope * ((time_ms as f64 - self.origin_ms as f64) / HOUR_MS)
    }

    /// When the line reaches `value`, at `now_ms` or later, in milliseconds since 1970-01-01T00:00Z. None if the line leads away
    /// from the value, or does not reach it within a hundred years. The probe must first check whether the present value has
    /// already passed it.
    pub fn reaches(&self, value: f64, now_ms: u64) -> Option<u64> {
        self.from(self.at(now_ms), value, now_ms)
    }

    /// Like [`reaches`](Self::reaches), but starts from the present value and uses only the slope of the line.
    pub fn from(&self, present: f64, value: f64, now_ms: u64) -> Option<u64> {
        if self.slope == 0.0 {
            return None;
        }
        let ms = (value - present) / self.slope * HOUR_MS;
        (0.0..=FAR_MS).contains(&ms).then(|| now_ms + ms as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_262_400_000;
    const HOUR: u64 = 3_600_000;

    fn series(values: impl IntoIterator<Item = (u64, f64)>) -> Series {
        values.into_iter().fold(Series::default(), |series, (time, value)| series.and(time, value))
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * b.abs().max(1.0)
    }

    #[test]
    fn a_straight_line_is_found_again() {
        // 1 TB that grows by 1 MB an hour, five minutes apart, a month long: six digits are in the differences.
        let points = (0..8640).map(|n| (NOW + n * HOUR / 12, 1e12 + n as f64 * 1e6 / 12.0));
        let line = series(points).line().unwrap();
        assert!(near(line.per_hour(), 1e6), "{line:?}");
        assert!(near(line.per_day(), 24e6) && line.fit() > 0.999_999);
        let now = NOW + 720 * HOUR;
        assert!(near(line.at(now), 1e12 + 720e6));
        let full = line.reaches(1e12 + 1000e6, now).unwrap();
        assert!(full.abs_diff(NOW + 1000 * HOUR) < 1000, "{full}");
    }

    #[test]
    fn least_squares_by_hand() {
        // x: 0, 1, 2, 3; y: 1, 3, 2, 5. Mean 1.5 and 2.75; xy 5.5, xx 5, yy 8.75.
        let line = series([1.0, 3.0, 2.0, 5.0].into_iter().zip(0..).map(|(y, n)| (NOW + n * HOUR, y))).line().unwrap();
        assert!(near(line.per_hour(), 1.1) && near(line.at(NOW), 1.1), "{line:?}");
        assert!(near(line.fit(), 5.5 * 5.5 / (5.0 * 8.75)));
    }

    #[test]
    fn noise_moves_it_little() {
        // A generator of noise that is the same everywhere.
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as f64 / f64::from(1_u32 << 31) - 0.5
        };
        let line = series((0..500).map(|n| (NOW + n * HOUR, 50.0 + n as f64 * 0.1 + 10.0 * noise()))).line().unwrap();
        assert!((line.per_hour() - 0.1).abs() < 0.005, "{line:?}");
        assert!(line.fit() > 0.9);
    }

    #[test]
    fn where_there_is_no_line() {
        assert_eq!(Series::default().line(), None);
        assert_eq!(series([(NOW, 1.0)]).line(), None);
        assert_eq!(series([(NOW, 1.0), (NOW, 2.0)]).line(), None);
        let flat = series([(NOW, 5.0), (NOW + HOUR, 5.0), (NOW + 9 * HOUR, 5.0)]).line().unwrap();
        assert_eq!((flat.per_hour(), flat.fit(), flat.reaches(6.0, NOW)), (0.0, 1.0, None));
        assert_eq!(series([(NOW, f64::MAX), (NOW + HOUR, f64::MIN)]).line(), None, "not a number");
    }

    #[test]
    fn the_time_to_a_threshold() {
        let up = series([(NOW - HOUR, 70.0), (NOW, 80.0)]).line().unwrap();
        assert_eq!(up.reaches(90.0, NOW), Some(NOW + HOUR));
        assert_eq!(up.from(85.0, 90.0, NOW), Some(NOW + HOUR / 2), "from what it is now");
        assert_eq!(up.reaches(80.0, NOW), Some(NOW));
        assert_eq!(up.reaches(75.0, NOW), None, "it leads away from the value");
        let down = series([(NOW - HOUR, 20.0), (NOW, 15.0)]).line().unwrap();
        assert_eq!(down.reaches(10.0, NOW), Some(NOW + HOUR));
        assert_eq!(down.reaches(17.0, NOW), None);
        let slow = series([(NOW - HOUR, 0.0), (NOW, 1e-6)]).line().unwrap();
        assert_eq!(slow.reaches(100.0, NOW), None, "in more than a hundred years");
    }
}
