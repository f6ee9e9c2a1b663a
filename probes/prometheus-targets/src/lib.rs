//! The scrape targets of Prometheus: which are down, and whether there are any.

use std::collections::BTreeMap;

use bailiwick_guest::{Failure, Finding, Probe, Report, Severity, Target, Unit, percent_of, text};
use serde::Deserialize;
use shared::prometheus;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    active_targets: Vec<Active>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Active {
    labels: Labels,
    health: String,
    #[serde(default)]
    last_error: String,
}

#[derive(Deserialize)]
struct Labels {
    #[serde(default)]
    job: String,
    #[serde(default)]
    instance: String,
}

/// One job's targets.
#[derive(Default)]
struct Job<'a> {
    up: u64,
    down: Vec<&'a Active>,
    /// Not scraped yet, or an unknown state.
    unknown: u64,
}

struct PrometheusTargets;

impl Probe for PrometheusTargets {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let critical = target.params().number("critical-percent")?;
        let ignored = target.params().texts("ignore-jobs")?;
        let (page, data) = prometheus::ask::<Data>(target, "targets")?;

        let mut jobs: BTreeMap<&str, Job<'_>> = BTreeMap::new();
        for active in data.active_targets.iter().filter(|active| !ignored.contains(&active.labels.job)) {
            let job = jobs.entry(&active.labels.job).or_default();
            match active.health.as_str() {
                "up" => job.up += 1,
                "down" => job.down.push(active),
                _ => job.unknown += 1,
            }
        }
        let scrapes = match data.active_targets.len() {
            0 => Finding::critical("scrapes", "", "this Prometheus scrapes nothing"),
            some => Finding::ok("scrapes", "", "this Prometheus scrapes ".to_owned() + &text::count(some, "target")),
        };
        let scrapes = scrapes.metric("targets", data.active_targets.len(), Unit::Count).because(&page);
        let jobs = jobs.iter().map(|(name, job)| judge(name, job, critical).because(&page));
        Ok([scrapes].into_iter().chain(jobs).collect())
    }
}

fn judge(name: &str, job: &Job<'_>, critical: f64) -> Finding {
    let down = job.down.len() as u64;
    let all = job.up + down + job.unknown;
    let share = percent_of(down, all).unwrap_or(0.0);
    let severity = match down {
        0 if job.unknown > 0 => Severity::Unknown,
        0 => Severity::Ok,
        _ if share >= critical => Severity::Critical,
        _ => Severity::Warning,
    };
    let title = match job.down.first() {
        None if job.unknown > 0 => format!("job {name}: {} of {all} not scraped yet", job.unknown),
        None => format!("job {name}: {all} of {all} up"),
        Some(first) => {
            let names = text::list(job.down.iter().map(|down| &down.labels.instance), 3);
            format!("job {name}: {down} of {all} down: {names}: {}", text::shorten(&first.last_error, 100))
        }
    };
    Finding::new(severity, "scrape", name, title).metric("up", job.up, Unit::Count).metric("down", down, Unit::Count)
}

bailiwick_guest::export!(PrometheusTargets);
