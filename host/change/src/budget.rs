//! The budget of changes: how many a day, and how many hours between two. Pure.
//!
//! Knows: the ledger. Must not know: the gate, which counts for itself and so remembers what a lost journal forgets.
//! Attacks answered: two changes on either side of midnight (CH11); a clock that makes a new day (CH12): within one boot, the hours
//! between are counted by the uptime, too.

use jiff::civil::Date;

use super::ledger::Ledger;
use bailiwick_journal::Reading;
use bailiwick_policy::policy::ChangeRules;

/// Why the budget has no place left (E-BUDGET).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// The day's budget is used up.
    #[error("the budget of {day} is used up: {had} of {most} changes (`per-day`, in time zone {zone})")]
    Day {
        /// The day.
        day: Date,
        /// How many changes it has had.
        had: usize,
        /// How many it may have.
        most: u32,
        /// The time zone of days.
        zone: String,
    },
    /// The latest change is too recent.
    #[error(
        "the latest change began {ago} ago; at least {hours} h must pass between two changes (`min-hours-between`)"
    )]
    Soon {
        /// How long ago.
        ago: String,
        /// How long ago it must be.
        hours: u32,
    },
}

/// The day whose budget a change takes.
#[must_use]
pub fn day(rules: &ChangeRules, now: &Reading) -> Date {
    rules.zone.rules.to_datetime(now.wall).date()
}

/// Checks that the budget has a place left.
///
/// # Errors
/// When it has none.
pub fn check(rules: &ChangeRules, ledger: &Ledger, now: &Reading) -> Result<Date, BudgetError> {
    let day = day(rules, now);
    let had = ledger.count_on(day);
    if u32::try_from(had).unwrap_or(u32::MAX) >= rules.per_day {
        return Err(BudgetError::Day { day, had, most: rules.per_day, zone: rules.zone.name.clone() });
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
            return Err(BudgetError::Soon { ago, hours: rules.min_hours_between });
        }
    }
    Ok(day)
}
