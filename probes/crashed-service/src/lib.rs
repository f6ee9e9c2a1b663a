//! Restarts a crashed service, unless the way it ended shows that it would crash again.

use bailiwick_guest::{
    Decision, Failure, Finding, Fix, Report, Severity, Target, VerbError,
    services::{self, ActiveState, StatusInfo},
    services_change,
};

/// `EX_CONFIG` of sysexits(3).
const CONFIG: i32 = 78;

struct CrashedService;

impl Fix for CrashedService {
    fn plan(target: &Target) -> Result<Decision, Failure> {
        let most = target.params().number("max-restarts")?;
        let unit = target.slot("unit")?;
        let name = unit.literal.as_str();
        let status = match services::status(target, &unit) {
            Err(gone) if gone.error() == VerbError::NotFound => {
                let reason = format!("{name} does not exist");
                return Ok(Decision::refuse(reason, "the administrator of this target").because(&gone));
            }
            answer => answer?,
        };
        let loops = status.active == ActiveState::Activating && status.sub_state.starts_with("auto-restart");
        if status.active != ActiveState::Failed && !loops {
            return Ok(Decision::nothing(match status.active {
                ActiveState::Active | ActiveState::Reloading => format!("{name} is up"),
                ActiveState::Inactive => format!("{name} was stopped and did not crash"),
                _ => format!("{name} is {}", status.sub_state),
            }));
        }
        if let Some((reason, owner)) = hopeless(&status, most) {
            return Ok(Decision::refuse(format!("{name} {reason}: a restart will not help"), owner).because(&status));
        }
        services_change::restart(target, &unit)?;
        Ok(Decision::propose(format!("{name} has failed ({})", status.outcome)).because(&status))
    }

    fn verify(target: &Target) -> Result<Report, Failure> {
        let unit = target.slot("unit")?;
        let status = services::status(target, &unit)?;
        let (severity, state) = match status.active {
            ActiveState::Active | ActiveState::Reloading if status.restarts == 0 => (Severity::Ok, "is up"),
            ActiveState::Active | ActiveState::Reloading => (Severity::Critical, "has exited again since"),
            ActiveState::Activating if !status.sub_state.starts_with("auto-restart") => {
                (Severity::Unknown, "is still starting")
            }
            _ => (Severity::Critical, "is not running"),
        };
        Ok(Finding::new(severity, "state", &unit.literal, format!("{} {state}", unit.literal)).because(&status).into())
    }
}

/// Why a restart would not help, and the owner of the problem.
fn hopeless(status: &StatusInfo, most: f64) -> Option<(String, &'static str)> {
    const AUTHOR: &str = "the owner of the service configuration";
    const PROGRAM: &str = "the owner of the service package";
    match status.outcome.as_str() {
        "start-limit-hit" => return Some(("was restarted until systemd gave up".to_owned(), AUTHOR)),
        "oom-kill" => {
            return Some(("was killed because memory ran out".to_owned(), "capacity planning for this target"));
        }
        "resources" | "exec-condition" => return Some((format!("could not be started ({})", status.outcome), AUTHOR)),
        _ => {}
    }
    if f64::from(status.restarts) > most {
        return Some((format!("was restarted {} times by systemd", status.restarts), AUTHOR));
    }
    match status.exit_status {
        Some(CONFIG) => Some(("rejects its configuration (status 78)".to_owned(), AUTHOR)),
        Some(126 | 127) => Some(("has no program to run (status 126 or 127)".to_owned(), PROGRAM)),
        // systemd's own statuses, for a failed setup before the program starts.
        Some(code @ 200..=243) => Some((format!("could not be set up by systemd (status {code})"), PROGRAM)),
        _ => None,
    }
}

bailiwick_guest::export_fix!(CrashedService);
