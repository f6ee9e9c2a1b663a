//! How far a standby is behind, seen from either end, and slots that retain WAL for an absent reader.

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit,
    postgres::{self, ReplicationInfo, ReplicationSlot, Role},
    target::Params,
    text,
};

struct PostgresReplication;

struct Limits {
    bytes: (f64, f64),
    seconds: (f64, f64),
    retained: (f64, f64),
}

impl Probe for PostgresReplication {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let pair = |params: &Params<'_>, name: &str| -> Result<_, Failure> {
            Ok((params.number(&format!("warn-{name}"))?, params.number(&format!("critical-{name}"))?))
        };
        let limits = Limits {
            bytes: pair(&params, "bytes")?,
            seconds: pair(&params, "seconds")?,
            retained: pair(&params, "retained-bytes")?,
        };
        let (wanted, min_standbys) = (params.text("role")?, params.number("min-standbys")?);
        let info = postgres::replication(target, &target.slot("database")?)?;

        let mut findings = vec![role(&info, &wanted)];
        if info.role == Role::Standby {
            findings.push(standby(&info, &limits));
        }
        let streaming = info.standbys.iter().filter(|standby| standby.state == "streaming").count();
        if min_standbys > 0.0 || !info.standbys.is_empty() {
            let enough = streaming as f64 >= min_standbys;
            let severity = if enough { Severity::Ok } else { Severity::Critical };
            let streams = if streaming == 1 { "streams" } else { "stream" };
            let mut title = format!("{} {streams} from this server", text::count(streaming, "standby"));
            if !enough {
                title.push_str(&format!(" (minimum {min_standbys})"));
            }
            findings.push(Finding::new(severity, "standbys", "", title).metric("streaming", streaming, Unit::Count));
        }
        for standby in &info.standbys {
            let (lag, line) = lag(standby.bytes_behind, standby.seconds_behind, &limits);
            let severity = if standby.state == "streaming" { lag } else { lag.worse(Severity::Warning) };
            let title = format!("standby {} is {}, {line}", standby.name, standby.state);
            findings.push(measured(
                Finding::new(severity, "standby", &standby.name, title),
                standby.bytes_behind,
                standby.seconds_behind,
            ));
        }
        findings.extend(info.slots.iter().map(|one| slot(one, &limits)));
        Ok(findings.into_iter().map(|finding| finding.because(&info)).collect())
    }
}

fn role(info: &ReplicationInfo, wanted: &str) -> Finding {
    let is = match info.role {
        Role::Primary => "primary",
        Role::Standby => "standby",
    };
    if wanted.is_empty() || wanted == is {
        Finding::ok("role", "", format!("the server is a {is}"))
    } else {
        Finding::critical("role", "", format!("the server is a {is} but should be a {wanted}"))
    }
}

/// The server's own view as a standby. Without a receiver it gets no more WAL: it has replayed all that it has, and would
/// seem to be up to date.
fn standby(info: &ReplicationInfo, limits: &Limits) -> Finding {
    let (severity, line) = lag(info.bytes_behind, info.seconds_behind, limits);
    let finding = if info.receiver == "streaming" {
        Finding::new(severity, "replay", "", format!("the standby receives WAL and is {line}"))
    } else {
        let state = if info.receiver.is_empty() { "there is no WAL receiver" } else { info.receiver.as_str() };
        let last =
            info.seconds_behind.map(|age| format!("; the last transaction replayed is {} old", text::duration(age)));
        Finding::critical("replay", "", format!("the standby receives no WAL: {state}{}", last.unwrap_or_default()))
    };
    measured(finding, info.bytes_behind, info.seconds_behind)
}

/// Seconds count only while there is something to replay: they also grow while the primary writes nothing.
fn lag(bytes: Option<u64>, seconds: Option<f64>, limits: &Limits) -> (Severity, String) {
    match (bytes, seconds) {
        (None, _) => (Severity::Unknown, "behind by an unknown amount".to_owned()),
        (Some(0), _) => (Severity::Ok, "not behind".to_owned()),
        (Some(bytes), seconds) => {
            let by_bytes = Severity::rising(bytes as f64, limits.bytes.0, limits.bytes.1);
            let by_seconds =
                seconds.map_or(Severity::Ok, |seconds| Severity::rising(seconds, limits.seconds.0, limits.seconds.1));
            let time = seconds.map(|seconds| format!(" and {}", text::duration(seconds))).unwrap_or_default();
            (by_bytes.worse(by_seconds), format!("{}{time} behind", text::bytes(bytes)))
        }
    }
}

fn slot(slot: &ReplicationSlot, limits: &Limits) -> Finding {
    let name = &slot.name;
    let used = if slot.active { "in use" } else { "not in use" };
    let kept = slot.retained_bytes.map_or("nothing".to_owned(), text::bytes);
    let by_size = slot
        .retained_bytes
        .map_or(Severity::Ok, |bytes| Severity::rising(bytes as f64, limits.retained.0, limits.retained.1));
    let severity = match slot.wal_status.as_str() {
        "lost" => Severity::Critical,
        "unreserved" => by_size.worse(Severity::Warning),
        _ if !slot.active => by_size.worse(Severity::Warning),
        _ => by_size,
    };
    let title = match slot.wal_status.as_str() {
        "lost" => format!("slot {name} has lost WAL that its reader needs: rebuild the standby"),
        _ => format!("slot {name} is {used} and keeps {kept}"),
    };
    let finding = Finding::new(severity, "slot", name, title);
    slot.retained_bytes.into_iter().fold(finding, |finding, bytes| finding.metric("retained-bytes", bytes, Unit::Bytes))
}

fn measured(finding: Finding, bytes: Option<u64>, seconds: Option<f64>) -> Finding {
    let finding = bytes.into_iter().fold(finding, |finding, bytes| finding.metric("behind-bytes", bytes, Unit::Bytes));
    seconds.into_iter().fold(finding, |finding, seconds| finding.metric("behind-seconds", seconds, Unit::Seconds))
}

bailiwick_guest::export!(PostgresReplication);
