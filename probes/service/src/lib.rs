//! One systemd unit: is it running, and does it stay up?

use bailiwick_guest::{
    Failure, Finding, Observed, Probe, Report, Severity, Target, Unit, VerbError,
    services::{self, ActiveState, StatusInfo},
};

struct Service;

impl Probe for Service {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let warn_restarts = params.number("warn-restarts")?;
        let critical_restarts = params.number("critical-restarts")?;
        let unit = target.slot("unit")?;

        let status = match services::status(target, &unit) {
            Err(gone) if gone.error() == VerbError::NotFound => {
                let title = format!("{} does not exist", unit.literal);
                return Ok(Finding::critical("state", &unit.literal, title).because(&gone).into());
            }
            answer => answer?,
        };

        let restarts = Severity::rising(f64::from(status.restarts), warn_restarts, critical_restarts);
        let title = match status.restarts {
            0 => format!("{} was never restarted automatically", unit.literal),
            1 => format!("{} was restarted automatically once", unit.literal),
            many => format!("{} was restarted automatically {many} times", unit.literal),
        };
        let restarts = Finding::new(restarts, "restarts", &unit.literal, title)
            .metric("restarts", status.restarts, Unit::Count)
            .because(&status);

        Ok([judge_state(&unit.literal, &status), restarts].into_iter().collect())
    }
}

fn judge_state(unit: &str, status: &Observed<StatusInfo>) -> Finding {
    let sub_state = &status.sub_state;
    let (severity, title) = match status.active {
        ActiveState::Active | ActiveState::Reloading => (Severity::Ok, format!("{unit} is up ({sub_state})")),
        // It waits for the next restart of a crash loop; it is not starting normally.
        ActiveState::Activating if sub_state.starts_with("auto-restart") => {
            (Severity::Critical, format!("{unit} keeps exiting{} and being restarted", how(status)))
        }
        ActiveState::Activating => (Severity::Warning, format!("{unit} is still starting ({sub_state})")),
        ActiveState::Deactivating => (Severity::Warning, format!("{unit} is stopping ({sub_state})")),
        ActiveState::Maintenance => (Severity::Warning, format!("{unit} is in maintenance ({sub_state})")),
        ActiveState::Failed => (Severity::Critical, format!("{unit} has failed{}", how(status))),
        ActiveState::Inactive if status.enablement == "masked" => {
            (Severity::Critical, format!("{unit} is not running: it is masked"))
        }
        ActiveState::Inactive => (Severity::Critical, format!("{unit} is not running ({sub_state})")),
        ActiveState::Other => (Severity::Unknown, format!("{unit} is in an unknown state ({sub_state})")),
    };
    let mut finding = Finding::new(severity, "state", unit, title).because(status);
    if let Some(bytes) = status.memory {
        finding = finding.metric("memory-bytes", bytes, Unit::Bytes);
    }
    finding
}

/// ` (exit-code, status 1)`, as far as it is known.
fn how(status: &StatusInfo) -> String {
    match (status.outcome.as_str(), status.exit_status) {
        ("" | "success", _) => String::new(),
        (outcome, Some(code)) => format!(" ({outcome}, status {code})"),
        (outcome, None) => format!(" ({outcome})"),
    }
}

bailiwick_guest::export!(Service);
