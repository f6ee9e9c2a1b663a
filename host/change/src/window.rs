//! Whether a change may begin now: windows of policy, in policy's time zone, and the calendar of other jobs. Pure.
//!
//! Knows: windows, jobs, a time. Must not know: which clock that time is from. Attack answered: an hour that occurs twice or not at all,
//! and that opens a window a second time, or at another time than the operator meant (CH12): in doubt the window is closed.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use bailiwick_core::fleet::Target;
use bailiwick_policy::policy::{ChangeRules, Job, Window, includes_target};

/// Why a change may not begin now (E-WINDOW).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// The target has no window, and the change is unattended.
    #[error("policy.toml has no [[window]] for {target}, so changes there must be attended")]
    NoWindow {
        /// The target.
        target: String,
    },
    /// No window is open.
    #[error("no window of {target} is open: {windows}")]
    Shut {
        /// The target.
        target: String,
        /// Its windows, with their lines in policy.
        windows: String,
    },
    /// The open window closes too soon.
    #[error("the window at {place} closes in {left} s, but a change may need {needed} s")]
    Closing {
        /// Its line in policy.
        place: String,
        /// The time until it closes.
        left: u64,
        /// The time that a change may need.
        needed: u64,
    },
    /// The hour occurs twice.
    #[error("it is {local} in {zone}, in an hour that occurs twice tonight; no change begins in it")]
    Fold {
        /// The local time.
        local: String,
        /// The time zone.
        zone: String,
    },
    /// Another job.
    #[error("the job `{what}` is running or about to begin ({place}: {from} to {to})")]
    Job {
        /// The job.
        what: String,
        /// Its line in policy.
        place: String,
        /// When it begins.
        from: String,
        /// When it ends.
        to: String,
    },
}

/// Checks that a change may begin on a target now that may need this long.
///
/// # Errors
/// When it may not.
pub fn open(
    rules: &ChangeRules,
    windows: &[Window],
    calendar: &[Job],
    target: &Target,
    now: Timestamp,
    attended: bool,
    needed_seconds: u32,
) -> Result<(), WindowError> {
    let zone = &rules.zone.rules;
    let needed = SignedDuration::from_secs(i64::from(needed_seconds));
    busy(zone, calendar, target, now, needed)?;
    let mine: Vec<_> = windows.iter().filter(|window| includes_target(&window.on, target)).collect();
    if mine.is_empty() {
        // Without a window, only an attended change may begin.
        let target = target.name.to_string();
        return if attended { Ok(()) } else { Err(WindowError::NoWindow { target }) };
    }
    let local = zone.to_datetime(now);
    if !matches!(zone.to_ambiguous_timestamp(local).offset(), AmbiguousOffset::Unambiguous { .. }) {
        let local = local.strftime("%H:%M").to_string();
        return Err(WindowError::Fold { local, zone: rules.zone.name.clone() });
    }
    let mut closing = None;
    for window in &mine {
        for day in around(local.date()).filter(|day| window.days.contains(&day.weekday())) {
            let Some((from, to)) = interval(zone, day, window.from, window.to) else { continue };
            if from <= now && now < to {
                let left = to.duration_since(now);
                if left >= needed {
                    return Ok(());
                }
                let left = left.unsigned_abs().as_secs();
                let needed = needed.unsigned_abs().as_secs();
                closing = Some(WindowError::Closing { place: window.place.to_string(), left, needed });
            }
        }
    }
    let windows: Vec<_> = mine.iter().map(|window| shown(window)).collect();
    Err(closing.unwrap_or(WindowError::Shut { target: target.name.to_string(), windows: windows.join("; ") }))
}

/// As people read it: `mon tue 09:00-11:30 (policy.toml:31)`.
fn shown(window: &Window) -> String {
    let days: Vec<_> = window.days.iter().map(|day| format!("{day:?}").to_lowercase()).collect();
    let days: Vec<_> = days.iter().filter_map(|day| day.get(..3)).collect();
    let (from, to) = (window.from.strftime("%H:%M"), window.to.strftime("%H:%M"));
    format!("{} {from}-{to} ({})", days.join(" "), window.place)
}

/// Checks that no other job runs, or would begin before a change has ended.
fn busy(
    zone: &TimeZone,
    calendar: &[Job],
    target: &Target,
    now: Timestamp,
    needed: SignedDuration,
) -> Result<(), WindowError> {
    let today = zone.to_datetime(now).date();
    for job in calendar.iter().filter(|job| includes_target(&job.on, target)) {
        for day in around(today).filter(|day| job.days.contains(&day.weekday())) {
            // If the hour occurs twice, the job has both; if it is missing, the job has the hour after it.
            let at = day.to_datetime(job.at);
            let ambiguous = zone.to_ambiguous_timestamp(at);
            let (Ok(from), Ok(late)) = (ambiguous.earlier(), ambiguous.later()) else { continue };
            let length = SignedDuration::from_mins(i64::from(job.minutes));
            let (from, to) = (from.min(late), from.max(late) + length);
            if now < to && now + needed > from {
                let time = |at: Timestamp| zone.to_datetime(at).strftime("%a %H:%M").to_string();
                return Err(WindowError::Job {
                    what: job.what.clone(),
                    place: job.place.to_string(),
                    from: time(from),
                    to: time(to),
                });
            }
        }
    }
    Ok(())
}

/// The day before, the day and the day after: a window may have opened yesterday, and a job may begin tomorrow.
fn around(day: Date) -> impl Iterator<Item = Date> {
    [day.yesterday().ok(), Some(day), day.tomorrow().ok()].into_iter().flatten()
}

/// The time for which a window is open that opens on a day; none if one of its ends occurs twice, or not at all.
fn interval(zone: &TimeZone, day: Date, from: Time, to: Time) -> Option<(Timestamp, Timestamp)> {
    let end = if to > from { day } else { day.checked_add(1.day()).ok()? };
    let plain = |at: DateTime| zone.to_ambiguous_timestamp(at).unambiguous().ok();
    Some((plain(day.to_datetime(from))?, plain(end.to_datetime(to))?))
}
