//! Prometheus itself: did the last reload succeed, and is its storage intact?

use bailiwick_guest::{Failure, Finding, Probe, Report, Severity, Target, Unit, VerbError, clock, text, time};
use serde::Deserialize;
use shared::prometheus;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    reload_config_success: bool,
    last_config_time: String,
    corruption_count: u64,
    #[serde(default)]
    storage_retention: String,
}

struct PrometheusHealth;

impl Probe for PrometheusHealth {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let (page, data) = match prometheus::ask::<Data>(target, "runtime") {
            // The other Prometheus probes could not check; this one reports that Prometheus is not running.
            Err(Failure { error: Some(VerbError::NotFound), call, .. }) => {
                let mut finding =
                    Finding::critical("reload", "", "nothing listens on this address: Prometheus is not running");
                finding.evidence.extend(call);
                return Ok(finding.into());
            }
            answer => answer?,
        };
        let age = time::rfc3339(&data.last_config_time).map(|at| clock::now_ms().saturating_sub(at) as f64 / 1_000.0);
        let ago = age.map_or_else(|| "at an unknown time".to_owned(), |age| text::duration(age) + " ago");
        let mut reload = if data.reload_config_success {
            Finding::ok("reload", "", format!("Prometheus runs with the configuration that it loaded {ago}"))
        } else {
            let title =
                format!("the last reload failed: Prometheus still runs with the configuration that it loaded {ago}");
            Finding::warning("reload", "", title)
        };
        if let Some(age) = age {
            reload = reload.metric("config-age-seconds", age, Unit::Seconds);
        }
        let severity = if data.corruption_count > 0 { Severity::Critical } else { Severity::Ok };
        let title = match data.corruption_count {
            0 => format!("the storage is intact (retention {})", data.storage_retention),
            some => format!("{} in the storage since Prometheus started", text::count(some as usize, "corruption")),
        };
        let storage =
            Finding::new(severity, "storage", "", title).metric("corruptions", data.corruption_count, Unit::Count);
        Ok([reload, storage].map(|finding| finding.because(&page)).into_iter().collect())
    }
}

bailiwick_guest::export!(PrometheusHealth);
