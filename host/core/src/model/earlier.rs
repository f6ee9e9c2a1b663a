//! Metrics of a component's earlier runs, and the target of each.

use serde::{Deserialize, Serialize};

use super::{Report, Tainted, TargetName, Unit};

/// One metric of an earlier run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// When that run began, in milliseconds since 1970-01-01T00:00Z, by the controller's clock.
    pub time_ms: u64,
    /// The finding's code.
    pub code: String,
    /// The finding's subject.
    pub subject: Tainted,
    /// The metric's name.
    pub metric: String,
    /// Its unit.
    pub unit: Unit,
    /// The value, which is finite.
    pub value: f64,
}

/// The numbers of a report in its order, each with its position and the target that it is filed under.
///
/// All numbers of a run on one target belong to that target. In a run on several, the finding's subject names the target, as
/// `db01` or `db01: /var`; a subject that names none of them is filed under none.
pub fn filed_under<'a>(
    report: &'a Report,
    targets: &'a [TargetName],
    time_ms: u64,
) -> impl Iterator<Item = (u32, &'a TargetName, Point)> {
    let findings = report.findings.iter().zip(0_u32..);
    findings.flat_map(move |(finding, at)| {
        let target = match targets {
            [only] => Some(only),
            several => several
                .iter()
                .filter(|target| finding.subject.is_about(target.as_str()))
                .max_by_key(|target| target.as_str().len()),
        };
        let metrics = finding.metrics.iter().zip(0_u32..);
        metrics.filter_map(move |(metric, index)| {
            let point = Point {
                time_ms,
                code: finding.code.clone(),
                subject: finding.subject.clone(),
                metric: metric.name.clone(),
                unit: metric.unit,
                value: metric.value,
            };
            Some((at << 8 | index, target?, point))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Finding, Metric, Severity};
    use super::*;

    #[test]
    fn a_run_on_several_targets_says_whose_number_it_is() {
        let finding = |subject: &str| Finding {
            code: "skew".to_owned(),
            severity: Severity::Ok,
            subject: Tainted::new(subject),
            title: Tainted::new(""),
            metrics: vec![Metric { name: "ahead".to_owned(), value: 1.0, unit: Unit::Seconds }],
            evidence: Vec::new(),
        };
        let report = Report { findings: ["db", "db-2: /var", "db-2", "all of them", "db2"].map(finding).to_vec() };
        let targets = ["db", "db-2"].map(|name| TargetName::new(name).unwrap());
        let filed: Vec<_> =
            filed_under(&report, &targets, 0).map(|(place, name, _)| (place >> 8, name.as_str())).collect();
        assert_eq!(filed, [(0, "db"), (1, "db-2"), (2, "db-2")]);
        assert_eq!(filed_under(&report, &targets[..1], 0).count(), 5);
    }
}
