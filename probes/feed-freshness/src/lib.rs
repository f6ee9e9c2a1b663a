//! Feeds: does a collector still receive data, and if not, is the collector or its source at fault?
//!
//! A collector that is running, asks on schedule and is rejected works correctly: a restart would only send the same request
//! again, and the operator owns the credentials. The finding `server-side-rejection` says so.

use bailiwick_guest::{
    Failure, Finding, Observed, Params, Probe, Report, Severity, Target, Unit, VerbError, VerbFailure, clock, files,
    services::{self, ActiveState, LogEntry, StatusInfo},
    text,
};

use shared::feeds::{
    state::{self, Feed, Fields},
    status,
};

/// A time further in the future than this means that a clock is wrong.
const CLOCK_SKEW_SECONDS: f64 = 300.0;

struct Rules {
    warn: f64,
    critical: f64,
    poll: f64,
    fields: Fields,
}

impl Rules {
    fn new(params: Params<'_>) -> Result<Self, Failure> {
        Ok(Self {
            warn: params.number("warn-minutes")? * 60.0,
            critical: params.number("critical-minutes")? * 60.0,
            poll: params.number("poll-minutes")? * 60.0,
            fields: Fields::new(params)?,
        })
    }
}

struct FeedFreshness;

impl Probe for FeedFreshness {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let rules = Rules::new(target.params())?;
        let (state, unit) = (target.slot("state")?, target.slot("collector")?);
        let file = match files::read(target, &state) {
            Err(gone) if gone.error() == VerbError::NotFound => {
                let title = format!("{} does not exist: no success was ever recorded", state.literal);
                return Ok(Finding::critical("freshness", &state.literal, title).because(&gone).into());
            }
            answer => answer?,
        };
        let feeds = if file.truncated { Vec::new() } else { state::read(&file.bytes, &state.literal, &rules.fields) };
        if feeds.is_empty() {
            let title = format!("{} contains no {}", state.literal, rules.fields.success);
            return Ok(Finding::unknown("freshness", &state.literal, title).because(&file).into());
        }
        let collector = services::status(target, &unit)?;
        let journal = services::logs(target, &unit);

        let freshness: Vec<Finding> = feeds.iter().map(|feed| freshness(feed, &rules).because(&file)).collect();
        let stale = freshness.iter().any(|finding| finding.severity != Severity::Ok);
        let view = View { unit: &unit.literal, feeds: &feeds, journal: &journal, rules: &rules, stale };
        let evidence = |finding: Finding| match &journal {
            Ok(entries) => finding.because(&file).because(&collector).because(entries),
            Err(failed) => finding.because(&file).because(&collector).because(failed),
        };
        let alive = view.collector(&collector);
        let polls = alive.severity == Severity::Ok;
        let rejection = view.rejection(polls);
        Ok(freshness.into_iter().chain([evidence(alive), evidence(rejection)]).collect())
    }
}

fn now() -> f64 {
    clock::now_ms() as f64 / 1_000.0
}

fn freshness(feed: &Feed, rules: &Rules) -> Finding {
    let Some(success) = feed.success else {
        return Finding::critical("freshness", &feed.name, "the feed has never succeeded");
    };
    let age = now() - success;
    let (severity, title) = if age < -CLOCK_SKEW_SECONDS {
        (Severity::Unknown, format!("the last success is {} in the future: a clock is wrong", text::duration(-age)))
    } else {
        let title = format!("last success {} ago", text::duration(age.max(0.0)));
        (Severity::rising(age, rules.warn, rules.critical), title)
    };
    Finding::new(severity, "freshness", &feed.name, title).metric("age-seconds", age, Unit::Seconds)
}

/// The data for the findings `collector` and `server-side-rejection`.
struct View<'a> {
    unit: &'a str,
    feeds: &'a [Feed],
    journal: &'a Result<Observed<Vec<LogEntry>>, VerbFailure>,
    rules: &'a Rules,
    stale: bool,
}

impl View<'_> {
    fn entries(&self) -> &[LogEntry] {
        self.journal.as_ref().map_or(&[], |entries| entries.as_slice())
    }

    /// Is the collector running, and does it try?
    fn collector(&self, status: &StatusInfo) -> Finding {
        let unit = self.unit;
        if !matches!(status.active, ActiveState::Active | ActiveState::Reloading) {
            let title = format!("{unit} is not running ({}): nothing is collected", status.sub_state);
            return Finding::critical("collector", unit, title);
        }
        let tries = self.feeds.iter().flat_map(|feed| [feed.attempt, feed.success]).flatten();
        let last_log = self.entries().last().map(|entry| entry.time_ms as f64 / 1_000.0);
        let age = tries.chain(last_log).map(|time| now() - time).reduce(f64::min);
        let (severity, title) = match age {
            Some(age) if age < -CLOCK_SKEW_SECONDS => {
                (Severity::Unknown, format!("{unit} is running, but its last try is in the future: a clock is wrong"))
            }
            Some(age) if age <= self.rules.poll => {
                (Severity::Ok, format!("{unit} is running and last tried {} ago", text::duration(age.max(0.0))))
            }
            _ if self.journal.is_err() => {
                (Severity::Unknown, format!("{unit} is running; without its journal it is not known whether it tries"))
            }
            _ => (Severity::Critical, format!("{unit} is running but shows no sign of trying: is it stuck?")),
        };
        let finding = Finding::new(severity, "collector", unit, title).metric("restarts", status.restarts, Unit::Count);
        match age {
            Some(age) => finding.metric("last-try-seconds", age, Unit::Seconds),
            None => finding,
        }
    }

    /// Does the source reject it?
    fn rejection(&self, polls: bool) -> Finding {
        const CODE: &str = "server-side-rejection";
        let unit = self.unit;
        // Only errors since the oldest success of a feed: earlier ones are resolved.
        let since = self.feeds.iter().filter_map(|feed| feed.success).fold(f64::INFINITY, f64::min);
        let since = if since.is_finite() { since } else { 0.0 };
        let later = self.entries().iter().filter(|entry| entry.time_ms as f64 / 1_000.0 > since);
        let logged: Vec<u16> = later.filter_map(|entry| status::of_message(&entry.message)).collect();
        let noted: Vec<u16> =
            self.feeds.iter().filter_map(|feed| feed.status).filter(|status| *status >= 400).collect();
        let refusals = logged.iter().chain(&noted).filter(|status| status::rejects(**status)).count();
        let latest = noted.first().or(logged.last()).copied();
        let finding = match latest {
            Some(latest) if status::rejects(latest) && self.stale && polls => {
                let title = format!(
                    "HTTP {latest} ({} since the last success): server-side rejection: a restart will not help; {}",
                    times(refusals),
                    status::whose(latest)
                );
                Finding::critical(CODE, unit, title)
            }
            Some(latest) if status::rejects(latest) && self.stale => {
                // Both have a problem: the collector has to run first.
                Finding::warning(
                    CODE,
                    unit,
                    format!("HTTP {latest} was the source's last answer while {unit} was still trying"),
                )
            }
            Some(latest) if status::rejects(latest) => Finding::warning(
                CODE,
                unit,
                format!("the source sometimes answers HTTP {latest} ({})", times(refusals)),
            ),
            _ if self.journal.is_err() && self.stale => {
                Finding::unknown(CODE, unit, "the journal is not readable, so the cause is not known")
            }
            Some(latest) => Finding::ok(
                CODE,
                unit,
                format!("the source fails (HTTP {latest}) but rejects nothing: wait, or contact its owner"),
            ),
            None if self.stale => Finding::ok(CODE, unit, "no sign that the source rejects anything"),
            None => Finding::ok(CODE, unit, "the source rejects nothing"),
        };
        let finding = finding.metric("rejections", refusals, Unit::Count);
        match latest {
            Some(latest) => finding.metric("http-status", u32::from(latest), Unit::Count),
            None => finding,
        }
    }
}

fn times(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

bailiwick_guest::export!(FeedFreshness);
