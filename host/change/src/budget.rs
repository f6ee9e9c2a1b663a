//! One change a day: how many there may be, and how far apart. Pure.
//!
//! Knows: the ledger's rows. Must not know: the gate, which counts for itself (what a lost journal forgets, it remembers).
//! Attacks answered: two changes on either side of midnight (CH11); a clock that makes a new day (CH12): the hours between are
//! counted on the clock that nobody sets too, where it is the same boot.

use jiff::civil::Date;

use super::ledger::Ledger;
use bailiwick_journal::Reading;
use bailiwick_policy::policy::ChangeRules;

/// Why there is no place left (E-BUDGET).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Spent {
    /// The day's are used up.
    #[error("{day} has had {had} of {most} changes (the day of {zone})")]
    Day {
        /// The day.
        day: Date,
        /// How many it has had.
        had: usize,
        /// How many it may have.
        most: u32,
        /// The zone of days.
        zone: String,
    },
    /// The last one is too fresh.
    #[error("the last change began {ago} ago, and {hours} h have to be between two")]
    Soon {
        /// How long ago.
        ago: String,
        /// How long it has to be.
        hours: u32,
    },
}

/// The day whose budget a change takes.
#[must_use]
pub fn day(rules: &ChangeRules, now: &Reading) -> Date {
    rules.zone.rules.to_datetime(now.wall).date()
}

/// Whether there is a place left.
///
/// # Errors
/// When there is none.
pub fn place(rules: &ChangeRules, ledger: &Ledger, now: &Reading) -> Result<Date, Spent> {
    let day = day(rules, now);
    let had = ledger.of_day(day);
    if u32::try_from(had).unwrap_or(u32::MAX) >= rules.per_day {
        return Err(Spent::Day { day, had, most: rules.per_day, zone: rules.zone.name.clone() });
    }
    if let Some(last) = ledger.latest() {
        let by_wall = now.wall.duration_since(last.wall).as_secs();
        let by_boot = match (&last.boot, &now.boot) {
            (Some(then), Some(now)) if then.id == now.id => {
                i64::try_from(now.up_ms.saturating_sub(then.up_ms) / 1000).ok()
            }
            _ => None,
        };
        let ago = by_boot.map_or(by_wall, |by_boot| by_boot.min(by_wall)).max(0);
        if ago < i64::from(rules.min_hours_between) * 3600 {
            let ago = if ago < 3600 { format!("{} min", ago / 60) } else { format!("{} h", ago / 3600) };
            return Err(Spent::Soon { ago, hours: rules.min_hours_between });
        }
    }
    Ok(day)
}
