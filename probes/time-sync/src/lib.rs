//! Whether the clock is kept in step.

use bailiwick_guest::{Failure, Finding, Probe, Report, Severity, Target, Unit, system};

struct TimeSync;

impl Probe for TimeSync {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let timezone = target.params().text("timezone")?;

        let sync = system::time_sync(target)?;
        // A clock that another program keeps in step (chrony, the hypervisor) is as good as one that systemd does.
        let (severity, title) = match (sync.synchronized, sync.enabled) {
            (true, true) => (Severity::Ok, "the clock is synchronised by its time service"),
            (true, false) => (Severity::Ok, "the clock is synchronised, by something systemd does not manage"),
            (false, true) => (Severity::Warning, "a time service is on, but the clock is not synchronised"),
            (false, false) => (Severity::Critical, "no time service is on, and the clock is not synchronised"),
        };
        let mut report = Report::from(
            Finding::new(severity, "clock", "", title)
                .metric("synchronized", u32::from(sync.synchronized), Unit::Count)
                .metric("enabled", u32::from(sync.enabled), Unit::Count)
                .because(&sync),
        );
        if !timezone.is_empty() {
            let finding = if sync.timezone.is_empty() {
                Finding::unknown("timezone", "", "the target does not say which time zone it is in")
            } else if sync.timezone == timezone {
                Finding::ok("timezone", "", format!("the time zone is {timezone}"))
            } else {
                Finding::warning("timezone", "", format!("the time zone is {}, not {timezone}", sync.timezone))
            };
            report.push(finding.because(&sync));
        }
        Ok(report)
    }
}

bailiwick_guest::export!(TimeSync);
