//! Sessions that wait for a lock: which, for what, how long, and which session is at the start of the queue.

use std::collections::BTreeMap;

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit,
    postgres::{self, Blocked, Holder},
    text,
};

struct PostgresLocks;

impl Probe for PostgresLocks {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let (warn, critical) = (params.number("warn-seconds")?, params.number("critical-seconds")?);
        let locks = postgres::locks(target, &target.slot("database")?)?;

        let longest = locks.iter().map(waiting).fold(0.0, f64::max);
        let title = match locks.len() {
            0 => "no session waits for a lock".to_owned(),
            1 => format!("1 session waits for a lock, for {}", text::duration(longest)),
            some => format!("{some} sessions wait for locks, the longest for {}", text::duration(longest)),
        };
        let mut report = Report::from(
            Finding::new(Severity::rising(longest, warn, critical), "waiting", "", title)
                .metric("waiting", locks.len(), Unit::Count)
                .metric("longest-seconds", longest, Unit::Seconds)
                .because(&locks),
        );
        // Grouped by locked object, because that is stable; the title shows the longest wait.
        let mut things: BTreeMap<String, Vec<&Blocked>> = BTreeMap::new();
        for blocked in locks.iter() {
            things.entry(thing(blocked)).or_default().push(blocked);
        }
        for (thing, mut queue) in things {
            queue.sort_by(|a, b| waiting(b).total_cmp(&waiting(a)).then(a.pid.cmp(&b.pid)));
            let Some(first) = queue.first() else { continue };
            let seconds = waiting(first);
            let root = root(first, &locks);
            let mut title = format!(
                "{} has waited {} for {} on {thing}, which {}",
                waiter(first),
                text::duration(seconds),
                first.mode,
                root.map_or("has just been released".to_owned(), holding),
            );
            if queue.len() > 1 {
                title.push_str(&format!("; {} more waiting", queue.len() - 1));
            }
            let held_s = root.and_then(|holder| holder.transaction_s).unwrap_or(0.0);
            report.push(
                Finding::new(Severity::rising(seconds, warn, critical), "blocked", &thing, title)
                    .metric("waiting", queue.len(), Unit::Count)
                    .metric("longest-seconds", seconds, Unit::Seconds)
                    .metric("held-seconds", held_s, Unit::Seconds)
                    .because(&locks),
            );
        }
        Ok(report)
    }
}

fn waiting(blocked: &Blocked) -> f64 {
    blocked.waiting_s.unwrap_or(0.0)
}

/// The locked object: a table, or a kind of lock without a name.
fn thing(blocked: &Blocked) -> String {
    match (blocked.relation.is_empty(), blocked.lock.as_str()) {
        (false, _) => blocked.relation.clone(),
        // A wait for a row is a wait for the transaction that changed it.
        (true, "transactionid") => format!("a row, in {}", blocked.database),
        (true, lock) => format!("{lock}, in {}", blocked.database),
    }
}

/// The start of the queue: a holder may itself wait. A cycle ends the walk; the server resolves it.
fn root<'a>(from: &'a Blocked, all: &'a [Blocked]) -> Option<&'a Holder> {
    let mut holder = from.holders.first()?;
    for _ in 0..all.len() {
        let next = all.iter().find(|blocked| blocked.pid == holder.pid && blocked.pid != from.pid);
        match next.and_then(|blocked| blocked.holders.first()) {
            Some(next) => holder = next,
            None => break,
        }
    }
    Some(holder)
}

fn waiter(blocked: &Blocked) -> String {
    named(&blocked.user, &blocked.application, &blocked.kind)
}

/// `psql (alice) holds, idle in transaction, started 12 min ago`
fn holding(holder: &Holder) -> String {
    if holder.pid == 0 {
        return "a prepared transaction holds: commit it or roll it back".to_owned();
    }
    if holder.kind.is_empty() {
        return "a session that has just ended held".to_owned();
    }
    let mut line = named(&holder.user, &holder.application, &holder.kind) + " holds";
    if holder.state.starts_with("idle in transaction") {
        line.push_str(", idle in transaction");
    }
    if let Some(seconds) = holder.transaction_s {
        line.push_str(", started ");
        line.push_str(&text::duration(seconds));
        line.push_str(" ago");
    }
    line
}

/// The name of a session: application and role, or the kind of a background worker.
fn named(user: &str, application: &str, kind: &str) -> String {
    match (application.is_empty(), user.is_empty()) {
        (false, false) => format!("{application} ({user})"),
        (false, true) => application.to_owned(),
        (true, false) => user.to_owned(),
        (true, true) => kind.to_owned(),
    }
}

bailiwick_guest::export!(PostgresLocks);

#[cfg(test)]
mod tests {
    use super::*;

    fn blocked(pid: u32, by: u32, waiting_s: f64) -> Blocked {
        let holder = Holder {
            pid: by,
            kind: "client backend".to_owned(),
            user: format!("user{by}"),
            application: String::new(),
            state: "active".to_owned(),
            transaction_s: None,
        };
        Blocked {
            pid,
            kind: "client backend".to_owned(),
            database: "market".to_owned(),
            user: format!("user{pid}"),
            application: String::new(),
            lock: "relation".to_owned(),
            mode: "AccessShareLock".to_owned(),
            relation: "public.ticks".to_owned(),
            waiting_s: Some(waiting_s),
            holders: vec![holder],
        }
    }

    #[test]
    fn the_root_of_a_queue_is_found_and_a_cycle_ends() {
        let chain = [blocked(3, 2, 5.0), blocked(2, 1, 9.0)];
        assert_eq!(root(&chain[0], &chain).unwrap().pid, 1);
        let circle = [blocked(1, 2, 1.0), blocked(2, 1, 1.0)];
        assert!(root(&circle[0], &circle).is_some());
    }
}
