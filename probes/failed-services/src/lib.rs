//! systemd units in state `failed`: one finding that counts them, and one for each.

use bailiwick_guest::{Failure, Finding, Probe, Report, Severity, Target, Unit, services, text};

struct FailedServices;

impl Probe for FailedServices {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let ignored = target.params().texts("ignore")?;

        let all = services::failed(target)?;
        let failed: Vec<_> = all.iter().filter(|failed| !ignored.contains(&failed.unit)).collect();

        let (severity, title) = match failed.as_slice() {
            [] => (Severity::Ok, "no unit has failed".to_owned()),
            some => {
                let units = text::list(some.iter().map(|failed| &failed.unit), 3);
                let have = if some.len() == 1 { "has" } else { "have" };
                (Severity::Critical, format!("{} {have} failed: {units}", text::count(some.len(), "unit")))
            }
        };
        let mut report = Report::from(
            Finding::new(severity, "failed-units", "", title)
                .metric("failed", failed.len(), Unit::Count)
                .metric("ignored", all.len() - failed.len(), Unit::Count)
                .because(&all),
        );
        report.extend(failed.iter().map(|it| {
            let title = match it.description.as_str() {
                "" => format!("{} has failed", it.unit),
                description => format!("{} has failed ({description})", it.unit),
            };
            Finding::critical("failed", &it.unit, title).because(&all)
        }));
        Ok(report)
    }
}

bailiwick_guest::export!(FailedServices);
