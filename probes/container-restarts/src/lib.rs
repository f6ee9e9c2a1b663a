//! Containers that do not stay up: restarted repeatedly, given up by the runtime, or killed because memory ran out.

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit, clock,
    containers::{State, StatusInfo},
    text,
};
use shared::containers;

struct ContainerRestarts;

impl Probe for ContainerRestarts {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let limits = Limits {
            warn: params.number("warn-restarts")?,
            critical: params.number("critical-restarts")?,
            steady_seconds: params.number("steady-hours")? * 3_600.0,
        };
        containers::each(target, "restarts", |name, status| judge(name, status, &limits))
    }
}

struct Limits {
    warn: f64,
    critical: f64,
    steady_seconds: f64,
}

fn judge(name: &str, status: &StatusInfo, limits: &Limits) -> Vec<Finding> {
    let running = status.state == State::Running;
    let up = match status.started_ms {
        Some(started) if running => Some((clock::now_ms() as f64 - started as f64).max(0.0) / 1e3),
        _ => None,
    };
    let times = match status.restarts {
        0 => "was never restarted".to_owned(),
        1 => "was restarted once".to_owned(),
        many => format!("was restarted {many} times"),
    };
    let by_count = Severity::rising(f64::from(status.restarts), limits.warn, limits.critical);
    let (severity, title) = match (status.state, up) {
        (State::Running, Some(up)) if up >= limits.steady_seconds => {
            (Severity::Ok, format!("{name} {times} and has been up for {}", text::duration(up)))
        }
        (State::Running, Some(up)) => (by_count, format!("{name} {times}, the last time {} ago", text::duration(up))),
        (State::Running, None) => (by_count, format!("{name} {times}")),
        (State::Restarting, _) => {
            (Severity::Critical, format!("{name} {times} and waits for the next restart (status {})", status.exit_code))
        }
        // The runtime has given it up.
        (State::Exited, _) if status.restarts > 0 && status.exit_code != 0 => {
            (Severity::Critical, format!("{name} {times} and then stayed down (status {})", status.exit_code))
        }
        (State::Other, _) => (Severity::Unknown, format!("{name} {times} and is {}", status.state.word())),
        _ => (by_count, format!("{name} {times}; it is {}", status.state.word())),
    };
    // Only a running container without restarts has stayed up.
    let title = if status.restarts == 0 && running { format!("{name} {}", without_restart(up)) } else { title };
    let mut restarts = Finding::new(severity, "restarts", name, title).metric("restarts", status.restarts, Unit::Count);
    if let Some(up) = up {
        restarts = restarts.metric("uptime-seconds", up, Unit::Seconds);
    }
    let mut findings = vec![restarts];
    if status.oom_killed {
        let title = format!("{name} was killed: it exceeded its memory limit");
        findings.push(Finding::critical("out-of-memory", name, title));
    }
    if !status.error.is_empty() {
        findings.push(Finding::critical("error", name, format!("{name} could not be started: {}", status.error)));
    }
    findings
}

fn without_restart(up: Option<f64>) -> String {
    match up {
        Some(up) => format!("has been up for {} without a restart", text::duration(up)),
        None => "was never restarted".to_owned(),
    }
}

bailiwick_guest::export!(ContainerRestarts);
