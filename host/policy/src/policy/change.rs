//! `[change]`, `[[window]]`, `[[calendar]]`: how many changes, when, and which other jobs they must not overlap.
//!
//! Knows: the tables and their bounds. Must not know: the current time. Attack answered: a restricting rule that a typo makes
//! ineffective (AG10). Names, zones, days and times are all checked when policy loads.

use std::ops::RangeInclusive;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use serde::Deserialize;
use toml::Spanned;

use super::Setting;
use super::parse::{first_line, setting};
use bailiwick_core::fleet::{Fleet, Target};
use bailiwick_core::source::{Place, Problem, Problems, Source};

/// Rules for all changes.
#[derive(Debug, Clone)]
pub struct ChangeRules {
    /// The time zone of days and windows.
    pub zone: Zone,
    /// Maximum number of changes of the whole fleet in a day of that zone.
    pub per_day: u32,
    /// Minimum hours between two changes, on any days.
    pub min_hours_between: u32,
    /// Maximum seconds for a change to verify.
    pub verify_seconds: u32,
    /// Seconds without confirmation after which the target rolls the change back.
    pub dead_man_seconds: u32,
    /// Maximum age in days of the rehearsal that an unattended change needs.
    pub rehearsal_days: u32,
    /// The file with the approvers' keys, relative to the ops directory.
    pub approvers: Option<Setting<String>>,
    /// What happens to an open change when the kill switch is set.
    pub on_stop: OnStop,
    /// Staging targets, on which fixes are rehearsed and changes do not count: targets, or `tag:` and a tag.
    pub staging: Vec<Setting<String>>,
}

impl ChangeRules {
    /// True for a target on which fixes are rehearsed.
    #[must_use]
    pub fn is_staging(&self, target: &Target) -> bool {
        includes_target(&self.staging, target)
    }

    /// The limits that a target's gate enforces by its own count: changes in a UTC day, and hours between two. A staging target
    /// has no budget.
    #[must_use]
    pub fn counted_by_gate(&self, target: &Target) -> (u32, u32) {
        if self.is_staging(target) { (STAGING_PER_DAY, 0) } else { (self.per_day, self.min_hours_between) }
    }
}

/// Maximum number of changes of a staging target in a day: enough for rehearsals, and still finite.
const STAGING_PER_DAY: u32 = 200;

/// A time zone and its name.
#[derive(Debug, Clone)]
pub struct Zone {
    /// Its name, such as `Europe/Berlin`.
    pub name: String,
    /// Its rules, from the time zone database of this machine.
    pub rules: TimeZone,
}

/// What happens to an open change when the kill switch is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnStop {
    /// It stays as it is until the target's dead-man timer rolls it back, or a person acts.
    Hold,
    /// It is rolled back at once.
    RollBack,
}

impl Default for ChangeRules {
    fn default() -> Self {
        Self {
            zone: Zone { name: "UTC".to_owned(), rules: TimeZone::UTC },
            per_day: 1,
            min_hours_between: 12,
            verify_seconds: 120,
            dead_man_seconds: 600,
            rehearsal_days: 30,
            approvers: None,
            on_stop: OnStop::Hold,
            staging: Vec::new(),
        }
    }
}

/// When changes may begin.
#[derive(Debug, Clone)]
pub struct Window {
    /// Targets, or `tag:` and a tag.
    pub on: Vec<Setting<String>>,
    /// The days on which it opens.
    pub days: Vec<Weekday>,
    /// When it opens.
    pub from: Time,
    /// When it closes. A time that is not after `from` is on the next day.
    pub to: Time,
    /// The place in policy.
    pub place: Place,
}

/// A job of the operator, such as a backup, that changes must not overlap.
#[derive(Debug, Clone)]
pub struct Job {
    /// What it is.
    pub what: String,
    /// Targets, or `tag:` and a tag.
    pub on: Vec<Setting<String>>,
    /// The days on which it runs.
    pub days: Vec<Weekday>,
    /// When it begins.
    pub at: Time,
    /// How long it may take.
    pub minutes: u32,
    /// The place in policy.
    pub place: Place,
}

/// True if a list of names and tags includes a target.
#[must_use]
pub fn includes_target(on: &[Setting<String>], target: &Target) -> bool {
    on.iter().any(|on| match on.value.strip_prefix("tag:") {
        Some(tag) => target.tags.contains(tag),
        None => target.name.as_str() == on.value,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawChange {
    zone: Option<Spanned<String>>,
    per_day: Option<Spanned<u32>>,
    min_hours_between: Option<Spanned<u32>>,
    verify_seconds: Option<Spanned<u32>>,
    dead_man_seconds: Option<Spanned<u32>>,
    rehearsal_days: Option<Spanned<u32>>,
    approvers: Option<Spanned<String>>,
    hold_on_stop: Option<bool>,
    #[serde(default)]
    staging: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWindow {
    on: Vec<Spanned<String>>,
    days: Option<Spanned<Vec<Spanned<String>>>>,
    from: Spanned<String>,
    to: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawJob {
    what: Spanned<String>,
    on: Vec<Spanned<String>>,
    days: Option<Spanned<Vec<Spanned<String>>>>,
    at: Spanned<String>,
    minutes: Spanned<u32>,
}

/// Bounds of each number. Below, it makes no sense; above, the rule would have no effect.
pub(super) const PER_DAY: RangeInclusive<u32> = 1..=24;
pub(super) const HOURS: RangeInclusive<u32> = 0..=168;
pub(super) const VERIFY: RangeInclusive<u32> = 5..=1800;
pub(super) const DEAD_MAN: RangeInclusive<u32> = 60..=7200;
pub(super) const REHEARSAL: RangeInclusive<u32> = 1..=400;
pub(super) const MINUTES: RangeInclusive<u32> = 1..=1440;

/// Seconds that the dead-man timer leaves for a rollback after a failed verification.
pub(super) const MARGIN: u32 = 30;

pub(super) fn rules(source: &Source, raw: Option<&RawChange>, problems: &mut Problems) -> ChangeRules {
    let mut rules = ChangeRules::default();
    let Some(raw) = raw else { return rules };
    let mut number = |key: &str, raw: &Option<Spanned<u32>>, bounds: RangeInclusive<u32>, into: &mut u32| {
        let Some(raw) = raw else { return };
        *into = within(source, ("change", key), raw, bounds, problems);
    };
    number("per-day", &raw.per_day, PER_DAY, &mut rules.per_day);
    number("min-hours-between", &raw.min_hours_between, HOURS, &mut rules.min_hours_between);
    number("verify-seconds", &raw.verify_seconds, VERIFY, &mut rules.verify_seconds);
    number("dead-man-seconds", &raw.dead_man_seconds, DEAD_MAN, &mut rules.dead_man_seconds);
    number("rehearsal-days", &raw.rehearsal_days, REHEARSAL, &mut rules.rehearsal_days);
    if let Some(raw) = &raw.zone {
        match TimeZone::get(raw.get_ref()) {
            Ok(zone) => rules.zone = Zone { name: raw.get_ref().clone(), rules: zone },
            Err(_) => {
                let message = format!("time zone `{}` is not known on this machine", raw.get_ref().escape_debug());
                let hint = "name one of /usr/share/zoneinfo, such as \"Europe/Berlin\" (Debian: the package tzdata)";
                problems.push(Problem::at(source.at(raw.span()), message).hint(hint));
            }
        }
    }
    if rules.dead_man_seconds < rules.verify_seconds.saturating_add(MARGIN) {
        let at = raw.dead_man_seconds.as_ref().or(raw.verify_seconds.as_ref());
        let message = format!(
            "the target would roll back a change after {} s, while it is still being verified ({} s)",
            rules.dead_man_seconds, rules.verify_seconds
        );
        if let Some(at) = at {
            let hint = format!("dead-man-seconds must be at least verify-seconds + {MARGIN}");
            problems.push(Problem::at(source.at(at.span()), message).hint(hint));
        }
    }
    rules.approvers = raw.approvers.as_ref().map(|raw| setting(source, raw));
    rules.staging = raw.staging.iter().map(|raw| setting(source, raw)).collect();
    if raw.hold_on_stop == Some(false) {
        rules.on_stop = OnStop::RollBack;
    }
    rules
}

pub(super) fn window(source: &Source, raw: &Spanned<RawWindow>, problems: &mut Problems) -> Option<Window> {
    let place = source.at(first_line(source, raw.span()));
    let raw = raw.get_ref();
    let days = days(source, raw.days.as_ref(), problems);
    let on = on(source, &raw.on, &place, problems);
    let (from, to) = (time(source, &raw.from, problems), time(source, &raw.to, problems));
    let (from, to) = (from?, to?);
    if from == to {
        let problem = Problem::at(source.at(raw.to.span()), "the window closes at the time at which it opens");
        problems.push(problem.hint("for a whole day write from = \"00:00\", to = \"23:59\""));
    }
    Some(Window { on, days, from, to, place })
}

pub(super) fn job(source: &Source, raw: &Spanned<RawJob>, problems: &mut Problems) -> Option<Job> {
    let place = source.at(first_line(source, raw.span()));
    let raw = raw.get_ref();
    if raw.what.get_ref().trim().is_empty() {
        problems
            .push(Problem::at(source.at(raw.what.span()), "a calendar entry needs a description of the job in `what`"));
    }
    let days = days(source, raw.days.as_ref(), problems);
    let on = on(source, &raw.on, &place, problems);
    let minutes = within(source, ("calendar", "minutes"), &raw.minutes, MINUTES, problems);
    let at = time(source, &raw.at, problems)?;
    Some(Job { what: raw.what.get_ref().clone(), on, days, at, minutes, place })
}

fn within(
    source: &Source,
    (table, key): (&str, &str),
    raw: &Spanned<u32>,
    bounds: RangeInclusive<u32>,
    problems: &mut Problems,
) -> u32 {
    let value = *raw.get_ref();
    if !bounds.contains(&value) {
        let message = format!("`{key}` must be between {} and {}, not {value}", bounds.start(), bounds.end());
        let hint = format!("`bailiwick help policy {table}` describes the keys");
        problems.push(Problem::at(source.at(raw.span()), message).hint(hint));
    }
    value
}

fn on(source: &Source, raw: &[Spanned<String>], place: &Place, problems: &mut Problems) -> Vec<Setting<String>> {
    if raw.is_empty() {
        let problem = Problem::at(place.clone(), "`on` must name at least one target or tag");
        problems.push(problem.hint("add on = [\"db01\"], or a tag: on = [\"tag:linux\"]"));
    }
    raw.iter().map(|raw| setting(source, raw)).collect()
}

/// The default is every day.
const WEEK: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

fn days(source: &Source, raw: Option<&Spanned<Vec<Spanned<String>>>>, problems: &mut Problems) -> Vec<Weekday> {
    let Some(raw) = raw else { return WEEK.map(|(_, day)| day).to_vec() };
    if raw.get_ref().is_empty() {
        let problem = Problem::at(source.at(raw.span()), "`days` must name at least one day");
        problems.push(problem.hint("leave `days` out for every day"));
    }
    let mut days = Vec::new();
    for raw in raw.get_ref() {
        match WEEK.iter().find(|(name, _)| name == raw.get_ref()) {
            Some((_, day)) if days.contains(day) => {
                problems
                    .push(Problem::at(source.at(raw.span()), "this day is listed twice").hint("keep one of the two"));
            }
            Some((_, day)) => days.push(*day),
            None => {
                let message = format!("`{}` is not a day", raw.get_ref().escape_debug());
                problems.push(
                    Problem::at(source.at(raw.span()), message).hint("days are mon, tue, wed, thu, fri, sat, sun"),
                );
            }
        }
    }
    days
}

/// Parses `HH:MM`.
fn time(source: &Source, raw: &Spanned<String>, problems: &mut Problems) -> Option<Time> {
    let time = raw.get_ref().split_once(':').and_then(|(hour, minute)| {
        let two = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        if !(two(hour) && two(minute)) {
            return None;
        }
        Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
    });
    if time.is_none() {
        let message = format!("`{}` is not a time of day", raw.get_ref().escape_debug());
        problems.push(Problem::at(source.at(raw.span()), message).hint("write it as \"09:00\"; the last is \"23:59\""));
    }
    time
}

/// Checks windows and calendar against the fleet. A rule about an unknown machine is a typo.
///
/// # Errors
/// Every unknown name, with its place.
pub fn check_windows(rules: &ChangeRules, windows: &[Window], calendar: &[Job], fleet: &Fleet) -> Result<(), Problems> {
    let mut problems = Problems::default();
    let windows = rules.staging.iter().chain(windows.iter().flat_map(|window| &window.on));
    for on in windows.chain(calendar.iter().flat_map(|job| &job.on)) {
        let one = std::slice::from_ref(on);
        if fleet.targets.values().any(|target| includes_target(one, target)) {
            continue;
        }
        let (message, hint) = match on.value.strip_prefix("tag:") {
            Some(tag) => {
                (format!("no target has the tag `{}`", tag.escape_debug()), "tags are set in fleet.toml".to_owned())
            }
            None => fleet.unknown(&on.value),
        };
        problems.push(Problem::at(on.place.clone(), message).hint(hint));
    }
    problems.or(())
}
