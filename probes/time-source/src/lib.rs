//! Configures time servers for a clock that is not synchronised, if systemd's own time service is installed.

use bailiwick_guest::{
    Decision, Failure, Finding, Fix, Report, Target, VerbError, files_change, services, services_change, system,
};

struct TimeSource;

impl Fix for TimeSource {
    fn plan(target: &Target) -> Result<Decision, Failure> {
        let sync = system::time_sync(target)?;
        if sync.synchronized {
            return Ok(Decision::nothing("the clock is synchronised"));
        }
        let service = target.slot("service")?;
        let status = match services::status(target, &service) {
            Err(gone) if gone.error() == VerbError::NotFound => {
                let reason =
                    format!("{} is not installed: another program must synchronise this clock", service.literal);
                return Ok(Decision::refuse(reason, "the administrator of this target").because(&sync).because(&gone));
            }
            answer => answer?,
        };
        if status.enablement == "masked" {
            let reason = format!("{} is masked: an administrator has disabled it", service.literal);
            return Ok(Decision::refuse(reason, "the administrator who masked it").because(&sync).because(&status));
        }
        files_change::ensure_line(target, &target.slot("config")?, "servers")?;
        let context = if status.enablement == "enabled" {
            "a time service is enabled, but the clock is not synchronised"
        } else {
            services_change::enable(target, &service)?;
            "no time service is enabled, and the clock is not synchronised"
        };
        services_change::restart(target, &service)?;
        Ok(Decision::propose(context).because(&sync).because(&status))
    }

    fn verify(target: &Target) -> Result<Report, Failure> {
        let sync = system::time_sync(target)?;
        let finding = if sync.synchronized {
            Finding::ok("clock", "", "the clock is synchronised")
        } else {
            // The first answer of a server takes a moment; the host calls again until the verification time is over.
            Finding::critical("clock", "", "the clock is not synchronised")
        };
        Ok(finding.because(&sync).into())
    }
}

bailiwick_guest::export_fix!(TimeSource);
