//! Restarts a stuck collector and refuses in all other cases, because a restart does not help when the source rejects requests.
//!
//! The one case: the collector is running, nothing shows that its source rejects it, and it has stopped trying.

use bailiwick_guest::{
    Decision, Failure, Finding, Fix, Report, Severity, Target, clock, files,
    services::{self, ActiveState, LogEntry},
    services_change, text,
};
use shared::feeds::{
    state::{self, Feed, Fields},
    status,
};

const COLLECTOR_OWNER: &str = "the owner of the collector";

fn now() -> f64 {
    clock::now_ms() as f64 / 1_000.0
}

struct FeedsBlocked;

impl Fix for FeedsBlocked {
    fn plan(target: &Target) -> Result<Decision, Failure> {
        let params = target.params();
        let max_age = params.number("max-age-minutes")? * 60.0;
        let poll = params.number("poll-minutes")? * 60.0;
        let (slot, unit) = (target.slot("state")?, target.slot("collector")?);
        let file = files::read(target, &slot)?;
        let feeds =
            if file.truncated { Vec::new() } else { state::read(&file.bytes, &slot.literal, &Fields::new(params)?) };
        let Some(oldest) = oldest(&feeds) else {
            let reason = format!("{} does not record the last success", slot.literal);
            return Ok(Decision::refuse(reason, COLLECTOR_OWNER).because(&file));
        };
        if now() - oldest <= max_age {
            return Ok(Decision::nothing(format!("last success {} ago", text::duration((now() - oldest).max(0.0)))));
        }
        let running = services::status(target, &unit)?;
        if !matches!(running.active, ActiveState::Active | ActiveState::Reloading) {
            let reason = format!("{} is not running ({})", unit.literal, running.sub_state);
            return Ok(Decision::refuse(reason, "the fix crashed-service").because(&file).because(&running));
        }
        // Without the journal, a stuck collector looks like a rejected one: could not check.
        let journal = services::logs(target, &unit)?;
        let because = |decision: Decision| decision.because(&file).because(&running).because(&journal);
        if let Some(last) = last_error(&feeds, &journal, oldest) {
            let (reason, owner) = whose(last);
            return Ok(because(Decision::refuse(reason, owner)));
        }
        let silent = silent_for(&feeds, &journal);
        if silent <= poll {
            let reason = "the collector is running and tries, but the reason for its failures is not known: a restart would be a guess";
            return Ok(because(Decision::refuse(reason, COLLECTOR_OWNER)));
        }
        services_change::restart(target, &unit)?;
        let silent = text::duration(silent);
        Ok(because(Decision::propose(format!(
            "{} is running but has not tried for {silent}: it is stuck",
            unit.literal
        ))))
    }

    fn verify(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let max_age = params.number("max-age-minutes")? * 60.0;
        let slot = target.slot("state")?;
        let file = files::read(target, &slot)?;
        let feeds = state::read(&file.bytes, &slot.literal, &Fields::new(params)?);
        if feeds.is_empty() {
            let title = format!("{} records no success", slot.literal);
            return Ok(Finding::unknown("freshness", &slot.literal, title).because(&file).into());
        }
        let judged = feeds.iter().map(|feed| {
            let (severity, title) = match feed.success.map(|success| now() - success) {
                Some(age) if age <= max_age => {
                    (Severity::Ok, format!("last success {} ago", text::duration(age.max(0.0))))
                }
                Some(age) => (Severity::Critical, format!("last success {} ago", text::duration(age))),
                None => (Severity::Critical, "the feed has never succeeded".to_owned()),
            };
            Finding::new(severity, "freshness", &feed.name, title).because(&file)
        });
        Ok(judged.collect())
    }
}

/// The oldest last success of all feeds; a feed that has never succeeded counts as 1970. None if there is no feed.
fn oldest(feeds: &[Feed]) -> Option<f64> {
    feeds.iter().map(|feed| feed.success.unwrap_or(0.0)).reduce(f64::min)
}

/// The last HTTP error of the source since `since`: from the state file, else from the log.
fn last_error(feeds: &[Feed], journal: &[LogEntry], since: f64) -> Option<u16> {
    let noted = feeds.iter().filter_map(|feed| feed.status).find(|status| *status >= 400);
    let later = journal.iter().rev().filter(|entry| entry.time_ms as f64 / 1_000.0 > since);
    noted.or_else(|| later.map(|entry| entry.message.as_str()).find_map(status::of_message))
}

/// The time without a sign of a try, in seconds.
fn silent_for(feeds: &[Feed], journal: &[LogEntry]) -> f64 {
    let tries = feeds.iter().flat_map(|feed| [feed.attempt, feed.success]).flatten();
    let last_log = journal.last().map(|entry| entry.time_ms as f64 / 1_000.0);
    now() - tries.chain(last_log).fold(0.0, f64::max)
}

/// Why a restart would not help, and the owner of the problem.
fn whose(status: u16) -> (String, &'static str) {
    if !status::rejects(status) {
        let reason = format!("HTTP {status}: the source fails but rejects nothing: a restart will not help");
        return (reason, "the owner of the source");
    }
    let owner = match status {
        401..=403 | 407 => "operator (API credentials)",
        429 => "operator (the agreed request rate)",
        _ => "operator (the request to the source)",
    };
    (format!("HTTP {status}: server-side rejection: a restart will not help"), owner)
}

bailiwick_guest::export_fix!(FeedsBlocked);
