//! Metrics over time, for people and for programs: the document `bailiwick.trend/1`.
//!
//! Knows: series, columns, units. Must not know: where they are kept. Attack answered: TX07, a subject that imitates a number
//! of the host: text of a guest is right of everything else, and is the last on its line.

use std::fmt::Write;

use jiff::Timestamp;
use serde::Serialize;

use super::humane;
use super::table::{Colour, WIDTH_MIN};
use bailiwick_core::encode;
use bailiwick_core::model::{Tainted, TargetName, Unit};
use bailiwick_journal::history::Series;

/// The format that a reader checks first.
pub const FORMAT: &str = "bailiwick.trend/1";

const DAY_MS: u64 = 24 * 3_600_000;
const WEEK_MS: u64 = 7 * DAY_MS;
/// The maximum and minimum width of a sparkline.
const SPARK_MAX: usize = 28;
const SPARK_MIN: usize = 8;
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The change of a number in the week before its newest value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Week {
    /// In the metric's unit.
    pub change: f64,
    /// In percent of the earlier value. None if that was 0.
    pub percent: Option<f64>,
}

/// The change of the last week: the newest value minus the newest one that is at least a week older, and at most eight days.
/// None if there is no such value.
#[must_use]
pub fn week(points: &[(u64, f64)]) -> Option<Week> {
    let &(now, last) = points.last()?;
    let then = now.checked_sub(WEEK_MS)?;
    let &(_, before) = points.iter().rev().find(|(time, _)| *time <= then).filter(|(time, _)| then - time <= DAY_MS)?;
    let percent = (before != 0.0).then(|| (last - before) * 100.0 / before.abs());
    Some(Week { change: last - before, percent: percent.filter(|percent| percent.is_finite()) })
}

/// A sparkline with this many columns, from the first point's time to the last one's. Each column shows the mean of its values,
/// or a space if it has none.
#[must_use]
pub fn sparkline(points: &[(u64, f64)], columns: usize) -> String {
    let (Some(&(from, _)), Some(&(to, _))) = (points.first(), points.last()) else { return String::new() };
    let columns = columns.max(1) as u64;
    let span = (to - from).max(1);
    let mut sums = vec![(0.0_f64, 0_u32); usize::try_from(columns).unwrap_or(1)];
    for (time, value) in points {
        let column = (u128::from(time - from) * u128::from(columns) / (u128::from(span) + 1)) as usize;
        if let Some((sum, count)) = sums.get_mut(column) {
            *sum += value;
            *count += 1;
        }
    }
    let means: Vec<_> = sums.iter().map(|(sum, count)| (*count > 0).then(|| sum / f64::from(*count))).collect();
    let (least, most) = (fold(&means, f64::min), fold(&means, f64::max));
    let level = |mean: f64| {
        // Halves, because the difference of two finite numbers need not be finite.
        let (range, above) = (most / 2.0 - least / 2.0, mean / 2.0 - least / 2.0);
        let share = if range > 0.0 { above / range } else { 0.0 };
        LEVELS.get((share * 7.0).round() as usize).copied().unwrap_or(' ')
    };
    means.into_iter().map(|mean| mean.map_or(' ', level)).collect()
}

fn fold(means: &[Option<f64>], pick: fn(f64, f64) -> f64) -> f64 {
    means.iter().flatten().copied().reduce(pick).unwrap_or(0.0)
}

/// The numbers of a series, as text.
struct Line {
    first: String,
    last: String,
    week: String,
}

/// A table of series. It fits the width unless its names are too long.
#[must_use]
pub fn table(target: &TargetName, series: &[Series], width: usize, colour: Colour) -> String {
    let width = width.max(WIDTH_MIN);
    let lines: Vec<_> = series.iter().map(line).collect();
    let widest = |head: &str, column: fn(&Line) -> &String| {
        lines.iter().map(|line| encode::width(column(line))).chain([head.len()]).max().unwrap_or(0)
    };
    let (first, last) = (widest("first", |line| &line.first), widest("last", |line| &line.last));
    let week = widest("7 days", |line| &line.week);
    let names = series.iter().map(|series| name(series).len()).max().unwrap_or(0);
    let subject = series.iter().map(|series| encode::width(&encode::terminal(&series.subject, 60))).max().unwrap_or(0);
    let taken = first + last + week + 2 * 4 + names + if subject > 0 { 2 + subject } else { 0 };
    let spark = width.saturating_sub(taken).clamp(SPARK_MIN, SPARK_MAX);
    let mut out = String::new();
    // Writing to a String does not fail.
    let span = series.iter().flat_map(|series| &series.points).map(|(time, _)| *time);
    if let (Some(from), Some(to)) = (span.clone().min(), span.max()) {
        let _ = writeln!(out, "{target}, from {} to {}\n", minute(from), minute(to));
    }
    let head = format!("{:>first$}  {:>last$}  {:>week$}  {:spark$}  metric", "first", "last", "7 days", "trend");
    let _ = writeln!(out, "{}", colour.dim(&head));
    for (series, line) in series.iter().zip(lines) {
        let pad = |text: &str, to: usize| " ".repeat(to.saturating_sub(encode::width(text))) + text;
        let _ = write!(
            out,
            "{}  {}  {}  {:spark$}  {}",
            pad(&line.first, first),
            pad(&line.last, last),
            pad(&line.week, week),
            sparkline(&series.points, spark),
            name(series)
        );
        let rest = width.saturating_sub(taken - subject - names + name(series).len() + spark).max(20);
        let subject = encode::terminal(&series.subject, rest);
        let _ = writeln!(out, "{}{subject}", if subject.is_empty() { "" } else { "  " });
    }
    out
}

fn line(series: &Series) -> Line {
    let value =
        |point: Option<&(u64, f64)>| point.map_or("-".to_owned(), |(_, value)| humane::value(*value, series.unit));
    let week = week(&series.points).map_or("-".to_owned(), |week| {
        let sign = if week.change > 0.0 { "+" } else { "" };
        let change = format!("{sign}{}", humane::value(week.change, series.unit));
        match week.percent.filter(|percent| series.unit != Unit::Percent && percent.abs() >= 0.05) {
            Some(percent) => format!("{change} ({sign}{percent:.1} %)"),
            None => change,
        }
    });
    Line { first: value(series.points.first()), last: value(series.points.last()), week }
}

/// The component, the finding and the metric: `filesystems/space/used-percent`.
fn name(series: &Series) -> String {
    encode::harmless(&format!("{}/{}/{}", series.component, series.code, series.metric), 200)
}

fn minute(ms: u64) -> String {
    time(ms).strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn time(ms: u64) -> Timestamp {
    i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX)
}

#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    /// Fields whose text comes from a component or a target.
    untrusted: &'static [&'static str],
    target: &'a str,
    since: String,
    series: Vec<One<'a>>,
}

#[derive(Serialize)]
struct One<'a> {
    component: &'a str,
    code: &'a str,
    subject: &'a Tainted,
    metric: &'a str,
    unit: Unit,
    /// The severity of the newest finding.
    severity: &'a str,
    /// None if there is no value a week before the newest.
    week: Option<Week>,
    points: Vec<At>,
}

#[derive(Serialize)]
struct At {
    time: String,
    value: f64,
}

fn one(series: &Series) -> One<'_> {
    let Series { component, code, subject, metric, unit, severity, points } = series;
    One {
        component,
        code,
        subject,
        metric,
        unit: *unit,
        severity,
        week: week(points),
        points: points.iter().map(|(ms, value)| At { time: time(*ms).to_string(), value: *value }).collect(),
    }
}

/// The series for programs, with all points. Ends in a newline.
///
/// # Errors
/// Only if a value cannot be JSON, which is a bug.
pub fn json(target: &TargetName, since_ms: u64, series: &[Series]) -> Result<String, serde_json::Error> {
    encode::to_json(&Document {
        format: FORMAT,
        untrusted: &["subject", "code", "metric"],
        target: target.as_str(),
        since: time(since_ms).to_string(),
        series: series.iter().map(one).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_262_400_000;

    fn series(subject: &str, unit: Unit, values: impl IntoIterator<Item = f64>) -> Series {
        let values: Vec<f64> = values.into_iter().collect();
        let at = |index: usize| NOW - (values.len() - 1 - index) as u64 * DAY_MS;
        Series {
            component: "filesystems".to_owned(),
            code: "space".to_owned(),
            subject: Tainted::new(subject),
            metric: "used".to_owned(),
            unit,
            severity: "ok".to_owned(),
            points: values.iter().enumerate().map(|(index, value)| (at(index), *value)).collect(),
        }
    }

    #[test]
    fn a_week_is_held_against_the_day_before_it_began() {
        let at = |days: f64, value| (NOW - (days * DAY_MS as f64) as u64, value);
        assert_eq!(week(&[at(7.0, 50.0), at(0.0, 60.0)]), Some(Week { change: 10.0, percent: Some(20.0) }));
        assert_eq!(week(&[at(7.9, 50.0), at(6.9, 1.0), at(0.0, 60.0)]).unwrap().change, 10.0);
        assert_eq!(week(&[at(8.1, 50.0), at(0.0, 60.0)]), None, "too old");
        assert_eq!(week(&[at(6.9, 50.0), at(0.0, 60.0)]), None, "too new");
        assert_eq!(week(&[at(7.0, 0.0), at(0.0, 60.0)]), Some(Week { change: 60.0, percent: None }));
        assert_eq!(week(&[]), None);
    }

    #[test]
    fn a_line_rises_stays_and_has_gaps() {
        let line =
            |values: &[f64], columns| sparkline(&series("", Unit::Count, values.iter().copied()).points, columns);
        assert_eq!(line(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 8), "▁▂▃▄▅▆▇█");
        assert_eq!(line(&[5.0, 5.0], 4), "▁  ▁");
        assert_eq!(line(&[3.0], 4), "▁   ");
        assert_eq!(line(&[f64::MAX, f64::MIN, f64::MAX], 3), "█▁█");
        assert_eq!(sparkline(&[], 5), "");
    }

    #[test]
    fn a_table_within_its_width() {
        let all = [
            series("/", Unit::Percent, (0..20).map(|day| 70.0 + f64::from(day) / 3.0)),
            series("/var/lib/postgresql", Unit::Bytes, (0..12).map(|day| 4e9 + f64::from(day * day) * 1e8)),
            series("\u{1b}[2J\u{202e}", Unit::PerHour, [0.0]),
        ];
        let target = TargetName::new("db01").unwrap();
        for width in [60, 100, 160] {
            let text = table(&target, &all, width, Colour::Never);
            assert!(width < 100 || text.lines().all(|line| line.chars().count() <= width), "{text}");
        }
        insta::assert_snapshot!(table(&target, &all, 100, Colour::Never));
        insta::assert_snapshot!(json(&target, NOW - 30 * DAY_MS, &all[2..]).unwrap());
    }
}
