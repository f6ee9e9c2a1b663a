//! Health checks of containers: the state of each, and the last output.

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit, clock,
    containers::{Health, State, StatusInfo},
    text,
};
use shared::containers;

struct ContainerHealth;

impl Probe for ContainerHealth {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let patience = params.number("starting-minutes")? * 60.0;
        let check_required = params.flag("check-required")?;
        containers::each(target, "health", |name, status| {
            let (severity, title) = judge(name, status, patience, check_required);
            let finding = Finding::new(severity, "health", name, title);
            vec![finding.metric("failing-streak", status.failing_streak, Unit::Count)]
        })
    }
}

fn judge(name: &str, status: &StatusInfo, patience: f64, check_required: bool) -> (Severity, String) {
    if status.state != State::Running {
        return (Severity::Critical, format!("{name} is not running: it is {}", status.state.word()));
    }
    match status.health {
        Health::Healthy => (Severity::Ok, format!("{name} is healthy")),
        Health::Unhealthy => {
            let last_output = match status.health_output.as_str() {
                "" => String::new(),
                output => [": ", output].concat(),
            };
            let streak = text::count(status.failing_streak as usize, "check");
            (Severity::Critical, format!("{name} is unhealthy, {streak} failed in a row{last_output}"))
        }
        Health::Starting => {
            let age = status.started_ms.map(|started| clock::now_ms() as f64 / 1e3 - started as f64 / 1e3);
            match age {
                Some(age) if age <= patience => (
                    Severity::Ok,
                    format!("{name} started {} ago and is not healthy yet", text::duration(age.max(0.0))),
                ),
                Some(age) => (
                    Severity::Warning,
                    format!("{name} started {} ago and has not passed a check", text::duration(age)),
                ),
                None => (Severity::Unknown, format!("{name} has not passed a check, and its start time is unknown")),
            }
        }
        Health::None if check_required => (Severity::Unknown, format!("{name} is running but has no health check")),
        Health::None => (Severity::Ok, format!("{name} is running and has no health check")),
        Health::Other => (Severity::Unknown, format!("the health check of {name} reports an unknown state")),
    }
}

bailiwick_guest::export!(ContainerHealth);
