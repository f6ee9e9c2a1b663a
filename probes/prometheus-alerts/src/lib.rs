//! Firing alerts, and whether the alerts that must always fire do.

use std::collections::BTreeMap;

use bailiwick_guest::{Failure, Finding, Probe, Report, Severity, Target, Unit, clock, text, time};
use serde::Deserialize;
use shared::prometheus;

#[derive(Deserialize)]
struct Data {
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    labels: BTreeMap<String, String>,
    state: String,
    #[serde(default)]
    active_at: String,
}

impl Alert {
    fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

struct PrometheusAlerts;

impl Probe for PrometheusAlerts {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let critical = target.params().texts("critical-labels")?;
        let always = target.params().texts("always-firing")?;
        let ignore = target.params().texts("ignore")?;
        let (page, data) = prometheus::ask::<Data>(target, "alerts")?;

        let mut firing: BTreeMap<&str, Vec<&Alert>> = BTreeMap::new();
        let in_state = |state: &'static str| data.alerts.iter().filter(move |alert| alert.state == state);
        for alert in in_state("firing") {
            firing.entry(alert.label("alertname")).or_default().push(alert);
        }
        let mut findings: Vec<Finding> = always.iter().map(|name| must_fire(name, &firing)).collect();
        let known = |name: &str| always.iter().chain(&ignore).any(|other| other == name);
        let sick: Vec<_> = firing.iter().filter(|(name, _)| !known(name)).collect();
        let pending = in_state("pending").count();
        let title = match sick.len() {
            0 => "no alert is firing".to_owned(),
            some => format!("{} firing", text::count(some, "alert")),
        };
        // Always ok: each alert has its own finding with a severity.
        let summary = Finding::ok("firing", "", title)
            .metric("firing", sick.iter().map(|(_, alerts)| alerts.len()).sum::<usize>(), Unit::Count)
            .metric("pending", pending, Unit::Count);
        findings.insert(0, summary);
        findings.extend(sick.iter().map(|(name, alerts)| judge(name, alerts, &critical)));
        Ok(findings.into_iter().map(|finding| finding.because(&page)).collect())
    }
}

fn must_fire(name: &str, firing: &BTreeMap<&str, Vec<&Alert>>) -> Finding {
    if firing.contains_key(name) {
        Finding::ok("always-firing", name, format!("{name} is firing, as it must"))
    } else {
        Finding::critical(
            "always-firing",
            name,
            format!("{name} is not firing: this Prometheus does not deliver alerts"),
        )
    }
}

fn judge(name: &str, alerts: &[&Alert], critical: &[String]) -> Finding {
    let worst = alerts.iter().any(|alert| critical.iter().any(|label| label == alert.label("severity")));
    let oldest = alerts.iter().filter_map(|alert| time::rfc3339(&alert.active_at)).min();
    let since = oldest.map(|at| clock::now_ms().saturating_sub(at) as f64 / 1_000.0);
    let places = text::list(alerts.iter().map(|alert| alert.label("instance")).filter(|place| !place.is_empty()), 3);
    let mut title = match since {
        Some(since) => format!("{name} has been firing for {}", text::duration(since)),
        None => format!("{name} is firing"),
    };
    if !places.is_empty() {
        title += &format!(": {places}");
    }
    let severity = if worst { Severity::Critical } else { Severity::Warning };
    let mut finding = Finding::new(severity, "alert", name, title).metric("firing", alerts.len(), Unit::Count);
    if let Some(since) = since {
        finding = finding.metric("since-seconds", since, Unit::Seconds);
    }
    finding
}

bailiwick_guest::export!(PrometheusAlerts);
