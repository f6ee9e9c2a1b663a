//! Whether the clock is synchronised.

use bailiwick_guest::{Failure, Finding, Probe, Report, Severity, Target, Unit, system};

struct TimeSync;

impl Probe for TimeSync {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let timezone = target.params().text("timezone")?;

        let sync = system::time_sync(target)?;
        // Synchronisation by another program (chrony, the hypervisor) is as good as by systemd.
        let (severity, title) = match (sync.synchronized, sync.enabled) {
            (true, true) => (Severity::Ok, "the clock is synchronised by its time service"),
            (true, false) => (Severity::Ok, "the clock is synchronised by a program that systemd does not manage"),
            (false, true) => (Severity::Warning, "a time service is enabled, but the clock is not synchronised"),
            (false, false) => (Severity::Critical, "no time service is enabled, and the clock is not synchronised"),
        };
        let mut report = Report::from(
            Finding::new(severity, "clock", "", title)
                .metric("synchronized", u32::from(sync.synchronized), Unit::Count)
                .metric("enabled", u32::from(sync.enabled), Unit::Count)
                .because(&sync),
        );
        if !timezone.is_empty() {
            let finding = if sync.timezone.is_empty() {
                Finding::unknown("timezone", "", "the target does not report its time zone")
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
