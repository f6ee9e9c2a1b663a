//! How many connections of a server are in use, and which client has most of them.

use std::collections::BTreeMap;

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit, percent_of,
    postgres::{self, Session},
    text,
};

const CLIENT: &str = "client backend";

struct PostgresConnections;

impl Probe for PostgresConnections {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let (warn, critical) = (params.number("warn-percent")?, params.number("critical-percent")?);
        let activity = postgres::activity(target, &target.slot("database")?)?;

        let room = activity.connections_max.saturating_sub(activity.reserved);
        let Some(percent) = percent_of(u64::from(activity.connections), u64::from(room)) else {
            let title = "the server reserves all of its connections for superusers";
            return Ok(Finding::unknown("connections", "", title).because(&activity).into());
        };
        let mut title =
            format!("{} of {room} connections are in use ({})", activity.connections, text::percent(percent));
        if let Some((who, count)) = most(&activity.sessions) {
            title.push_str(&format!(", {count} of them by {who}"));
        }
        let of_state = |wanted: &str| {
            let clients = activity.sessions.iter().filter(|session| session.kind == CLIENT);
            clients.filter(|session| session.state.starts_with(wanted)).count()
        };
        let idle_in_transaction = of_state("idle in transaction");
        Ok(Finding::new(Severity::rising(percent, warn, critical), "connections", "", title)
            .metric("connections", activity.connections, Unit::Count)
            .metric("used-percent", percent, Unit::Percent)
            .metric("active", of_state("active"), Unit::Count)
            .metric("idle", of_state("idle") - idle_in_transaction, Unit::Count)
            .metric("idle-in-transaction", idle_in_transaction, Unit::Count)
            .because(&activity)
            .into())
    }
}

/// The client with most connections: its application name, or its role. Of equals, the first by name.
fn most(sessions: &[Session]) -> Option<(&str, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for session in sessions.iter().filter(|session| session.kind == CLIENT) {
        let who = if session.application.is_empty() { &session.user } else { &session.application };
        *counts.entry(who).or_insert(0) += 1;
    }
    counts.into_iter().rev().max_by_key(|(_, count)| *count)
}

bailiwick_guest::export!(PostgresConnections);
