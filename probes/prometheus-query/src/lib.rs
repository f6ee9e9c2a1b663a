//! The values of a PromQL query against two thresholds. The query is in policy; this component cannot change it.

use std::collections::BTreeMap;

use bailiwick_guest::{Failure, Finding, Probe, Report, Severity, Target, Unit, text};
use serde::Deserialize;
use shared::prometheus;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: serde_json::Value,
}

impl Data {
    /// The series of an instant query; a scalar is one series without labels. None for any other result.
    fn series(self) -> Option<Vec<Series>> {
        match self.result_type.as_str() {
            "vector" => serde_json::from_value(self.result).ok(),
            "scalar" => {
                let value = serde_json::from_value(self.result).ok()?;
                Some(vec![Series { metric: BTreeMap::new(), value }])
            }
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    value: Value,
}

/// A time, and a number as text.
#[derive(Deserialize)]
struct Value(#[expect(dead_code, reason = "the position in the tuple")] f64, String);

impl Value {
    fn number(&self) -> f64 {
        match self.1.as_str() {
            "+Inf" => f64::INFINITY,
            "-Inf" => f64::NEG_INFINITY,
            number => number.parse().unwrap_or(f64::NAN),
        }
    }
}

struct PrometheusQuery;

impl Probe for PrometheusQuery {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let (warn, critical, below) = (params.number("warn")?, params.number("critical")?, params.flag("below")?);
        let empty_is_ok = params.flag("empty-is-ok")?;
        let name = params.text("name")?;
        let (page, data) = prometheus::ask::<Data>(target, "query")?;
        let Some(series) = data.series() else {
            let title = "the query returns neither a vector nor a number: use an instant query, not a range query";
            return Ok(Finding::unknown("value", "", title).because(&page).into());
        };
        if series.is_empty() {
            let severity = if empty_is_ok { Severity::Ok } else { Severity::Unknown };
            return Ok(Finding::new(severity, "value", "", "the query returns no series")
                .metric("series", 0, Unit::Count)
                .because(&page)
                .into());
        }
        let judge = |series: &Series| {
            let value = series.value.number();
            let severity = match below {
                true => Severity::falling(value, warn, critical),
                false => Severity::rising(value, warn, critical),
            };
            let subject = labels(&series.metric);
            Finding::new(severity, "value", subject, format!("{name} is {}", text::number(value, 3)))
                .metric("value", value, Unit::Count)
                .because(&page)
        };
        Ok(series.iter().map(judge).collect())
    }
}

/// `job=node, instance=db01:9100`: the labels that identify the series.
fn labels(metric: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> =
        metric.iter().filter(|(name, _)| *name != "__name__").map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join(", ")
}

bailiwick_guest::export!(PrometheusQuery);
