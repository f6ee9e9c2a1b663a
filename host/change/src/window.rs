//! Whether a change may begin now: windows of policy, in policy's zone, and the calendar of other people's jobs. Pure.
//!
//! Knows: windows, jobs, a time. Must not know: what clock that time is from. Attacks answered: an hour that is there twice or not
//! at all, and that opens a window a second time, or at another time than somebody meant (CH12): in doubt it is closed.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use bailiwick_core::fleet::Target;
use bailiwick_policy::policy::{ChangeRules, Job, Window, includes_target};

/// Why it may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// No window speaks of the target, and nobody attends.
    #[error("no [[window]] speaks of {target}, so that nothing changes there unattended")]
    NoWindow {
        /// The target.
        target: String,
    },
    /// None is open.
    #[error("no window of {target} is open: {windows}")]
    Shut {
        /// The target.
        target: String,
        /// Those that there are, with their places.
        windows: String,
    },
    /// One is open, and not for long enough.
    #[error("the window at {place} closes in {left} s, and a change may need {needed} s")]
    Closing {
        /// Its line.
        place: String,
        /// What is left.
        left: u64,
        /// What is needed.
        needed: u64,
    },
    /// The hour is there twice.
    #[error("it is {local} in {zone}, an hour that is there twice tonight; nothing changes in it")]
    Fold {
        /// The time there.
        local: String,
        /// The zone.
        zone: String,
    },
    /// Somebody else's job.
    #[error("{what} is at work, or about to begin ({place}: {from} to {to})")]
    Job {
        /// What it is.
        what: String,
        /// Its line.
        place: String,
        /// When it begins.
        from: String,
        /// When it has ended.
        to: String,
    },
}

/// Whether a change may begin on a target that may go on for so long.
///
/// # Errors
/// Why not.
pub fn open(
    rules: &ChangeRules,
    windows: &[Window],
    calendar: &[Job],
    target: &Target,
    now: Timestamp,
    attended: bool,
    needed_seconds: u32,
) -> Result<(), Closed> {
    let zone = &rules.zone.rules;
    let needed = SignedDuration::from_secs(i64::from(needed_seconds));
    busy(zone, calendar, target, now, needed)?;
    let mine: Vec<_> = windows.iter().filter(|window| includes_target(&window.on, target)).collect();
    if mine.is_empty() {
        // A person who types the plan's digest may do that at any time; nobody else may.
        let target = target.name.to_string();
        return if attended { Ok(()) } else { Err(Closed::NoWindow { target }) };
    }
    let local = zone.to_datetime(now);
    if !matches!(zone.to_ambiguous_timestamp(local).offset(), AmbiguousOffset::Unambiguous { .. }) {
        let local = local.strftime("%H:%M").to_string();
        return Err(Closed::Fold { local, zone: rules.zone.name.clone() });
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
                closing = Some(Closed::Closing { place: window.place.to_string(), left, needed });
            }
        }
    }
    let windows: Vec<_> = mine.iter().map(|window| shown(window)).collect();
    Err(closing.unwrap_or(Closed::Shut { target: target.name.to_string(), windows: windows.join("; ") }))
}

/// As people read it: `mon tue 09:00-11:30 (policy.toml:31)`.
fn shown(window: &Window) -> String {
    let days: Vec<_> = window.days.iter().map(|day| format!("{day:?}").to_lowercase()).collect();
    let days: Vec<_> = days.iter().filter_map(|day| day.get(..3)).collect();
    let (from, to) = (window.from.strftime("%H:%M"), window.to.strftime("%H:%M"));
    format!("{} {from}-{to} ({})", days.join(" "), window.place)
}

/// Keeps away from other people's jobs: while they run, and so long before that a change would still be under way.
fn busy(
    zone: &TimeZone,
    calendar: &[Job],
    target: &Target,
    now: Timestamp,
    needed: SignedDuration,
) -> Result<(), Closed> {
    let today = zone.to_datetime(now).date();
    for job in calendar.iter().filter(|job| includes_target(&job.on, target)) {
        for day in around(today).filter(|day| job.days.contains(&day.weekday())) {
            // An hour that is there twice belongs to the job both times; one that is not there, to the hour after it.
            let at = day.to_datetime(job.at);
            let ambiguous = zone.to_ambiguous_timestamp(at);
            let (Ok(from), Ok(late)) = (ambiguous.earlier(), ambiguous.later()) else { continue };
            let length = SignedDuration::from_mins(i64::from(job.minutes));
            let (from, to) = (from.min(late), from.max(late) + length);
            if now < to && now + needed > from {
                let time = |at: Timestamp| zone.to_datetime(at).strftime("%a %H:%M").to_string();
                return Err(Closed::Job {
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

/// A day, and those beside it: a window may have opened yesterday, and a job may begin tomorrow.
fn around(day: Date) -> impl Iterator<Item = Date> {
    [day.yesterday().ok(), Some(day), day.tomorrow().ok()].into_iter().flatten()
}

/// From when to when a window is open that opens on a day; none if one of its ends is there twice, or not at all.
fn interval(zone: &TimeZone, day: Date, from: Time, to: Time) -> Option<(Timestamp, Timestamp)> {
    let end = if to > from { day } else { day.checked_add(1.day()).ok()? };
    let plain = |at: DateTime| zone.to_ambiguous_timestamp(at).unambiguous().ok();
    Some((plain(day.to_datetime(from))?, plain(end.to_datetime(to))?))
}
