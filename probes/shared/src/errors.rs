//! How often something logs errors, and which one it logs most.

use std::collections::BTreeMap;

use bailiwick_guest::text;

/// What the verbs for logs cover: so many hours, or so many lines if there are more.
const HOURS: f64 = 24.0;
const LINES_MAX: usize = 1_000;

/// The errors of an answer.
pub struct Errors {
    /// How many.
    pub count: usize,
    /// How many in each hour that the answer covers.
    pub per_hour: f64,
    hours: f64,
    frequent: Option<(String, usize)>,
}

impl Errors {
    /// Counts them. `all` are the lines of the answer, oldest first, with the time of each in milliseconds.
    pub fn among<T>(all: &[T], time_ms: fn(&T) -> u64, message: fn(&T) -> &str, is_error: impl Fn(&T) -> bool) -> Self {
        let hours = hours_covered(all, time_ms);
        let errors: Vec<&str> = all.iter().filter(|line| is_error(line)).map(message).collect();
        let count = errors.len();
        Self { count, per_hour: count as f64 / hours, hours, frequent: most_frequent(&errors) }
    }

    /// The time that the answer covers, for people.
    pub fn covered(&self) -> String {
        text::duration(self.hours * 3_600.0)
    }

    /// One line for people; none if there are no errors.
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

/// A full answer does not reach back a day: then the time between its ends counts, at least an hour, so that one burst
/// is not taken for a rate. Both ends are by the target's clock, which may jump: never more than the day, either.
fn hours_covered<T>(all: &[T], time_ms: fn(&T) -> u64) -> f64 {
    match (all.first(), all.last()) {
        (Some(oldest), Some(newest)) if all.len() >= LINES_MAX => {
            (time_ms(newest).saturating_sub(time_ms(oldest)) as f64 / 3_600_000.0).clamp(1.0, HOURS)
        }
        _ => HOURS,
    }
}

/// The message that comes most often when numbers do not count, and how often. Of equals, the one that comes first.
fn most_frequent(errors: &[&str]) -> Option<(String, usize)> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (position, message) in errors.iter().enumerate() {
        counts.entry(text::pattern(message)).or_insert((0, position)).0 += 1;
    }
    let (message, (count, _)) =
        counts.into_iter().max_by_key(|(_, (count, position))| (*count, usize::MAX - position))?;
    Some((message, count))
}
