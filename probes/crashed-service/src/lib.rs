//! A crashed service is started again, unless how it ended says that it would only crash again.

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
                return Ok(Decision::refuse(reason, "whoever installs packages here").because(&gone));
            }
            answer => answer?,
        };
        let loops = status.active == ActiveState::Activating && status.sub_state.starts_with("auto-restart");
        if status.active != ActiveState::Failed && !loops {
            return Ok(Decision::nothing(match status.active {
                ActiveState::Active | ActiveState::Reloading => format!("{name} is up"),
                ActiveState::Inactive => format!("{name} was stopped, and did not crash"),
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
        let (severity, said) = match status.active {
            ActiveState::Active | ActiveState::Reloading if status.restarts == 0 => (Severity::Ok, "is up"),
            ActiveState::Active | ActiveState::Reloading => (Severity::Critical, "has ended again since"),
            ActiveState::Activating if !status.sub_state.starts_with("auto-restart") => {
                (Severity::Unknown, "is still starting")
            }
            _ => (Severity::Critical, "does not run"),
        };
        Ok(Finding::new(severity, "state", &unit.literal, format!("{} {said}", unit.literal)).because(&status).into())
    }
}

/// Why one more start is not what it needs, and whose it is.
fn hopeless(status: &StatusInfo, most: f64) -> Option<(String, &'static str)> {
    const AUTHOR: &str = "whoever configures the service";
    const PROGRAM: &str = "whoever installs the service";
    match status.outcome.as_str() {
        "start-limit-hit" => return Some(("was restarted until systemd gave up".to_owned(), AUTHOR)),
        "oom-kill" => return Some(("was killed for want of memory".to_owned(), "whoever sizes this machine")),
        "resources" | "exec-condition" => return Some((format!("could not be started ({})", status.outcome), AUTHOR)),
        _ => {}
    }
    if f64::from(status.restarts) > most {
        return Some((format!("was restarted {} times by systemd", status.restarts), AUTHOR));
    }
    match status.exit_status {
        Some(CONFIG) => Some(("does not accept its configuration (status 78)".to_owned(), AUTHOR)),
        Some(126 | 127) => Some(("has no program to run (status 126 or 127)".to_owned(), PROGRAM)),
        // systemd's own, for what it could not set up before the program began.
        Some(code @ 200..=243) => Some((format!("could not be set up by systemd (status {code})"), PROGRAM)),
        _ => None,
    }
}

bailiwick_guest::export_fix!(CrashedService);
