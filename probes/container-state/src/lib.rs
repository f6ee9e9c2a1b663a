//! All containers of a runtime: one finding that counts them, and one for each container with a problem.

use bailiwick_guest::{
    Failure, Finding, Observed, Probe, Report, Severity, Target, Unit,
    containers::{self, Container, Health, State},
    text,
};

/// Exit statuses of a process that was stopped: by SIGKILL, by SIGTERM.
const STOPPED: [i32; 2] = [137, 143];

struct ContainerState;

impl Probe for ContainerState {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let (expected, ignored) = (params.texts("expected")?, params.texts("ignore")?);
        let runtime = target.slot("runtime")?;

        let all = containers::list(target, &runtime)?;
        let seen: Vec<_> = all.iter().filter(|it| !ignored.contains(&it.name)).collect();
        let mut report = Report::from(count(&runtime.literal, &all, &seen));
        report.extend(seen.iter().filter_map(|it| judge(it, expected.contains(&it.name))).map(|it| it.because(&all)));
        let missing = expected.iter().filter(|name| !all.iter().any(|it| it.name == **name));
        report.extend(missing.map(|name| {
            Finding::critical("state", name, [name, " should be running but does not exist"].concat()).because(&all)
        }));
        Ok(report)
    }
}

fn count(runtime: &str, all: &Observed<Vec<Container>>, seen: &[&Container]) -> Finding {
    let running = seen.iter().filter(|it| it.state == State::Running).count();
    // An account may see only its own containers, so an empty list proves nothing.
    let (severity, title) = match seen.len() {
        0 => (Severity::Unknown, format!("{runtime} shows this account no containers")),
        total => (Severity::Ok, format!("{running} of {} running", text::count(total, "container"))),
    };
    Finding::new(severity, "containers", runtime, title)
        .metric("running", running, Unit::Count)
        .metric("containers", seen.len(), Unit::Count)
        .because(all)
}

/// The severity and title for one container; none if it is running or has finished successfully.
fn judge(it: &Container, is_expected: bool) -> Option<Finding> {
    let name = &it.name;
    let (severity, title) = match (it.state, it.exit_code) {
        (State::Running, _) if it.health == Health::Unhealthy => {
            (Severity::Critical, format!("{name} is running but unhealthy"))
        }
        (State::Running, _) if is_expected => (Severity::Ok, format!("{name} is running")),
        (State::Running, _) => return None,
        (State::Restarting, code) => {
            (Severity::Critical, format!("{name} keeps exiting{} and being restarted", status(code)))
        }
        (State::Dead, _) => (Severity::Critical, format!("{name} is dead: it can be neither stopped nor removed")),
        (State::Exited, code) if is_expected => {
            (Severity::Critical, format!("{name} should be running but has exited{}", status(code)))
        }
        (State::Exited, Some(0)) => return None,
        (State::Exited, Some(code)) if STOPPED.contains(&code) => {
            (Severity::Warning, format!("{name} was stopped or killed (status {code})"))
        }
        (State::Exited, code) => (Severity::Critical, format!("{name} has failed{}", status(code))),
        (State::Other, _) => (Severity::Unknown, format!("{name} is in an unknown state")),
        (State::Created, _) if !is_expected => (Severity::Warning, format!("{name} was created but never started")),
        (state, _) => {
            let severity = if is_expected { Severity::Critical } else { Severity::Warning };
            (severity, format!("{name} is {}", state.word()))
        }
    };
    let mut finding = Finding::new(severity, "state", name, title);
    if let Some(code) = it.exit_code {
        finding = finding.metric("exit-status", code, Unit::Count);
    }
    Some(finding)
}

fn status(code: Option<i32>) -> String {
    code.map(|code| format!(" with status {code}")).unwrap_or_default()
}

bailiwick_guest::export!(ContainerState);
