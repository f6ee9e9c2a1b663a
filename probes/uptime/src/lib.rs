//! Whether the machine has just been booted, and whether its distribution requires a reboot.

use bailiwick_guest::{Failure, Finding, Probe, Report, Severity, Target, Unit, system, text};

struct Uptime;

impl Probe for Uptime {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let recent = params.number("recent-hours")? * 3_600.0;
        let reboot_warns = params.flag("reboot-warns")?;

        let uptime = system::uptime(target)?;

        let severity = if uptime.seconds < recent { Severity::Warning } else { Severity::Ok };
        let title = match severity {
            Severity::Ok => format!("up for {}", text::duration(uptime.seconds)),
            _ => format!("booted only {} ago", text::duration(uptime.seconds)),
        };
        let booted =
            Finding::new(severity, "booted", "", title).metric("uptime-seconds", uptime.seconds, Unit::Seconds);

        let packages = &uptime.reboot_packages;
        let reboot = match (uptime.reboot_required, packages.as_slice()) {
            (false, _) => Finding::ok("reboot-required", "", "no reboot is required"),
            (true, packages) => {
                let severity = if reboot_warns { Severity::Warning } else { Severity::Ok };
                let title = match packages {
                    [] => "a reboot is required".to_owned(),
                    some => format!("{} a reboot: {}", requiring(some.len()), text::list(some, 5)),
                };
                Finding::new(severity, "reboot-required", "", title)
            }
        }
        .metric("packages", packages.len(), Unit::Count);

        Ok([booted, reboot].map(|finding| finding.because(&uptime)).into_iter().collect())
    }
}

fn requiring(packages: usize) -> String {
    text::count(packages, "package") + if packages == 1 { " requires" } else { " require" }
}

bailiwick_guest::export!(Uptime);
