//! Error rate of a log, and its most frequent error.

use std::collections::BTreeMap;

use bailiwick_guest::text;

/// The log verbs cover this many hours, or this many lines if there are more.
const HOURS: f64 = 24.0;
const LINES_MAX: usize = 1_000;

/// The errors in one answer.
pub struct Errors {
    /// The number of errors.
    pub count: usize,
    /// Errors per hour, over the time that the answer covers.
    pub per_hour: f64,
    hours: f64,
    frequent: Option<(String, usize)>,
}

impl Errors {
    /// Counts the errors in `all`, the lines of the answer, oldest first. `time_ms` gives the time of a line in milliseconds.
    pub fn among<T>(all: &[T], time_ms: fn(&T) -> u64, message: fn(&T) -> &str, is_error: impl Fn(&T) -> bool) -> Self {
        let hours = hours_covered(all, time_ms);
        let errors: Vec<&str> = all.iter().filter(|line| is_error(line)).map(message).collect();
        let count = errors.len();
        Self { count, per_hour: count as f64 / hours, hours, frequent: most_frequent(&errors) }
    }

    /// The time that the answer covers, as text.
    pub fn covered(&self) -> String {
        text::duration(self.hours * 3_600.0)
    }

    /// The title of the finding; none if there are no errors.
    pub fn title(&self, name: &str) -> Option<String> {
        let (message, count) = self.frequent.as_ref()?;
        Some(format!(
            "{name} logs {} errors per hour ({} in {}), {count} of them: {message}",
            text::number(self.per_hour, if self.per_hour < 0.1 { 2 } else { 1 }),
            self.count,
            self.covered(),
        ))
    }
}

/// A full answer does not reach back a day. Then the time between its first and last line counts: at least an hour, so that
/// one burst does not become a high rate, and at most a day, because the target's clock may jump.
fn hours_covered<T>(all: &[T], time_ms: fn(&T) -> u64) -> f64 {
    match (all.first(), all.last()) {
        (Some(oldest), Some(newest)) if all.len() >= LINES_MAX => {
            (time_ms(newest).saturating_sub(time_ms(oldest)) as f64 / 3_600_000.0).clamp(1.0, HOURS)
        }
        _ => HOURS,
    }
}

/// The most frequent message, with numbers ignored, and its count. Of equals, the first one.
fn most_frequent(errors: &[&str]) -> Option<(String, usize)> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (position, message) in errors.iter().enumerate() {
        counts.entry(text::pattern(message)).or_insert((0, position)).0 += 1;
    }
    let (message, (count, _)) =
        counts.into_iter().max_by_key(|(_, (count, position))| (*count, usize::MAX - position))?;
    Some((message, count))
}
