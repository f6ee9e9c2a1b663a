//! An exporter that answers but is not connected: Prometheus shows it as up, because the scrape succeeds.

use bailiwick_guest::{Failure, Finding, Probe, Report, Target, Unit, VerbError, http, text};
use shared::exposition::samples;

struct ExporterConnected;

impl Probe for ExporterConnected {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let metric = target.params().text("metric")?;
        let slot = target.slot("metrics")?;
        let subject = slot.literal.as_str();
        let page = match http::get(target, &slot) {
            Err(gone) if gone.error() == VerbError::NotFound => {
                let title = "nothing listens on this address: the exporter is not running";
                return Ok(Finding::critical("connected", subject, title).because(&gone).into());
            }
            answer => answer?,
        };
        let body = page.text();
        let (found, invalid) = samples(&body, &metric);
        let disconnected = found.iter().filter(|sample| sample.value != 1.0).count();
        let finding = if page.status != 200 {
            let title = format!("the exporter answers with status {}", page.status);
            Finding::critical("connected", subject, title)
        } else if disconnected > 0 {
            let title = match found.len() {
                1 => format!("{metric} is not 1: the exporter is running but is not connected"),
                all => {
                    format!(
                        "{metric} is not 1 for {disconnected} of {all}: the exporter is running but is not connected"
                    )
                }
            };
            Finding::critical("connected", subject, title)
        } else if found.is_empty() || invalid > 0 {
            Finding::unknown("connected", subject, format!("the exporter reports no readable {metric}"))
        } else {
            let title = format!("{metric} is 1 ({})", text::count(found.len(), "sample"));
            Finding::ok("connected", subject, title)
        };
        Ok(finding.metric("disconnected", disconnected, Unit::Count).because(&page).into())
    }
}

bailiwick_guest::export!(ExporterConnected);
