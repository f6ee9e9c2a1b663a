//! The fix that mostly refuses: a feed whose source says no is nobody's to repair from here, and a restart would only ask once more.
//!
//! It restarts a collector in one case alone: it runs, nothing says that its source turned it away, and it has stopped trying.

use bailiwick_guest::{
    Decision, Failure, Finding, Fix, Report, Severity, Target, clock, files,
    services::{self, ActiveState, LogEntry},
    services_change, text,
};
use shared::feeds::{
    state::{self, Feed, Fields},
    status,
};

const COLLECTOR_OWNER: &str = "whoever runs the collector";

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
            let reason = format!("{} does not say when something was last collected", slot.literal);
            return Ok(Decision::refuse(reason, COLLECTOR_OWNER).because(&file));
        };
        if now() - oldest <= max_age {
            return Ok(Decision::nothing(format!("last success {} ago", text::duration((now() - oldest).max(0.0)))));
        }
        let running = services::status(target, &unit)?;
        if !matches!(running.active, ActiveState::Active | ActiveState::Reloading) {
            let reason = format!("{} does not run ({})", unit.literal, running.sub_state);
            return Ok(Decision::refuse(reason, "the fix for crashed services").because(&file).because(&running));
        }
        // Without its journal nobody can tell a stuck collector from one that is turned away: could not look.
        let journal = services::logs(target, &unit)?;
        let because = |decision: Decision| decision.because(&file).because(&running).because(&journal);
        if let Some(last) = last_word(&feeds, &journal, oldest) {
            let (reason, owner) = whose(last);
            return Ok(because(Decision::refuse(reason, owner)));
        }
        let silent = silent_for(&feeds, &journal);
        if silent <= poll {
            let reason = "it runs and tries, and nothing says why it gets nothing: a restart would be a guess";
            return Ok(because(Decision::refuse(reason, COLLECTOR_OWNER)));
        }
        services_change::restart(target, &unit)?;
        let silent = text::duration(silent);
        Ok(because(Decision::propose(format!("{} runs, and has not tried for {silent}: it is stuck", unit.literal))))
    }

    fn verify(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let max_age = params.number("max-age-minutes")? * 60.0;
        let slot = target.slot("state")?;
        let file = files::read(target, &slot)?;
        let feeds = state::read(&file.bytes, &slot.literal, &Fields::new(params)?);
        if feeds.is_empty() {
            let title = format!("{} says nothing of a success", slot.literal);
            return Ok(Finding::unknown("freshness", &slot.literal, title).because(&file).into());
        }
        let judged = feeds.iter().map(|feed| {
            let (severity, title) = match feed.success.map(|success| now() - success) {
                Some(age) if age <= max_age => {
                    (Severity::Ok, format!("last success {} ago", text::duration(age.max(0.0))))
                }
                Some(age) => (Severity::Critical, format!("last success {} ago", text::duration(age))),
                None => (Severity::Critical, "it never succeeded".to_owned()),
            };
            Finding::new(severity, "freshness", &feed.name, title).because(&file)
        });
        Ok(judged.collect())
    }
}

/// The last success of the feed that waits longest; never is 1970. None if no feed is told.
fn oldest(feeds: &[Feed]) -> Option<f64> {
    feeds.iter().map(|feed| feed.success.unwrap_or(0.0)).reduce(f64::min)
}

/// The last HTTP error that the source has said since then: what the collector has noted, else what it has logged.
fn last_word(feeds: &[Feed], journal: &[LogEntry], since: f64) -> Option<u16> {
    let noted = feeds.iter().filter_map(|feed| feed.status).find(|status| *status >= 400);
    let later = journal.iter().rev().filter(|entry| entry.time_ms as f64 / 1_000.0 > since);
    noted.or_else(|| later.map(|entry| entry.message.as_str()).find_map(status::of_message))
}

/// For how long there was no sign of a try, in seconds.
fn silent_for(feeds: &[Feed], journal: &[LogEntry]) -> f64 {
    let tries = feeds.iter().flat_map(|feed| [feed.attempt, feed.success]).flatten();
    let said = journal.last().map(|entry| entry.time_ms as f64 / 1_000.0);
    now() - tries.chain(said).fold(0.0, f64::max)
}

/// Why nothing here helps, and whose it is.
fn whose(status: u16) -> (String, &'static str) {
    if !status::rejects(status) {
        let reason = format!("HTTP {status}: the source fails, and rejects nothing: a restart will not help");
        return (reason, "whoever runs the source");
    }
    let owner = match status {
        401..=403 | 407 => "operator (API credentials)",
        429 => "operator (the rate that was agreed on)",
        _ => "operator (what is asked of the source)",
    };
    (format!("HTTP {status}: server-side rejection: a restart will not help"), owner)
}

bailiwick_guest::export_fix!(FeedsBlocked);
