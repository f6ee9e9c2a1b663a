//! Long open transactions: vacuum cannot remove rows that the oldest might see, and an idle one keeps its locks without work.

use std::collections::BTreeMap;

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit,
    postgres::{self, Session},
    text,
};

/// Processes of the server itself: they yield to others or are meant to last.
const OF_THE_SERVER: &[&str] = &["autovacuum worker", "walsender", "parallel worker"];

struct LongTransactions;

struct Thresholds {
    age: (f64, f64),
    idle: (f64, f64),
    expected: Vec<String>,
}

impl Probe for LongTransactions {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let thresholds = Thresholds {
            age: (params.number("warn-seconds")?, params.number("critical-seconds")?),
            idle: (params.number("idle-warn-seconds")?, params.number("idle-critical-seconds")?),
            expected: params.texts("expected")?,
        };
        let activity = postgres::activity(target, &target.slot("database")?)?;

        let open = activity.sessions.iter().filter_map(|session| Some((session, session.transaction_s?)));
        let open: Vec<_> = open.filter(|(session, _)| !OF_THE_SERVER.contains(&session.kind.as_str())).collect();
        let oldest = open.iter().map(|(_, age)| *age).fold(0.0, f64::max);
        // Grouped by client, because process numbers change: the worst of each, and how many.
        let mut groups: BTreeMap<String, (Severity, String, f64, usize)> = BTreeMap::new();
        for (session, age) in &open {
            let (severity, title) = judged(session, *age, &thresholds);
            if severity == Severity::Ok {
                continue;
            }
            let (worst, line, longest, count) =
                groups.entry(subject(session)).or_insert((severity, title.clone(), *age, 0));
            *count += 1;
            if worst.worse(severity) != *worst || (*worst == severity && age > longest) {
                (*worst, *line) = (severity, title);
            }
            *longest = longest.max(*age);
        }

        let overall = match open.len() {
            0 => "no transaction is open".to_owned(),
            some => format!("{} open, the oldest for {}", text::count(some, "transaction"), text::duration(oldest)),
        };
        let mut report = Report::from(
            Finding::ok("open", "", overall)
                .metric("oldest-seconds", oldest, Unit::Seconds)
                .metric("open", open.len(), Unit::Count)
                .because(&activity),
        );
        for (subject, (severity, line, longest, count)) in groups {
            let title = if count > 1 { format!("{line}; {} more", count - 1) } else { line };
            report.push(
                Finding::new(severity, "transaction", subject, title)
                    .metric("oldest-seconds", longest, Unit::Seconds)
                    .metric("transactions", count, Unit::Count)
                    .because(&activity),
            );
        }
        Ok(report)
    }
}

fn judged(session: &Session, age: f64, thresholds: &Thresholds) -> (Severity, String) {
    let who = subject(session);
    let idle = session.state_s.filter(|_| session.state.starts_with("idle in transaction"));
    if let Some(idle) = idle {
        let severity = Severity::rising(idle, thresholds.idle.0, thresholds.idle.1);
        if severity != Severity::Ok {
            let begun = text::duration(age);
            return (
                severity,
                format!("{who} has a transaction that has been idle for {}, started {begun} ago", text::duration(idle)),
            );
        }
    }
    if thresholds.expected.contains(&session.application) {
        return (Severity::Ok, String::new());
    }
    let severity = Severity::rising(age, thresholds.age.0, thresholds.age.1);
    let waits = if session.waits_for == "Lock" { " and waits for a lock" } else { "" };
    (severity, format!("{who} has a transaction open for {}{waits}", text::duration(age)))
}

/// `user@database (application)`, which is stable.
fn subject(session: &Session) -> String {
    let who = if session.user.is_empty() { &session.kind } else { &session.user };
    let application =
        if session.application.is_empty() { String::new() } else { format!(" ({})", session.application) };
    format!("{who}@{}{application}", session.database)
}

bailiwick_guest::export!(LongTransactions);
