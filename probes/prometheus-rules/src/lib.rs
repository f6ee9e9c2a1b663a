//! Rules: does this Prometheus have alerting rules, and can they be evaluated? Without them it collects data but never alerts.

use bailiwick_guest::{Failure, Finding, Probe, Report, Severity, Target, Unit, clock, text, time};
use serde::Deserialize;
use shared::prometheus;

#[derive(Deserialize)]
struct Data {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    name: String,
    rules: Vec<Rule>,
    interval: f64,
    #[serde(default)]
    last_evaluation: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    name: String,
    health: String,
    #[serde(default)]
    last_error: String,
    #[serde(rename = "type")]
    kind: String,
}

struct PrometheusRules;

impl Probe for PrometheusRules {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let late = target.params().number("late-seconds")?;
        let (page, data) = prometheus::ask::<Data>(target, "rules")?;

        let rules = || data.groups.iter().flat_map(|group| &group.rules);
        let alerting = rules().filter(|rule| rule.kind == "alerting").count();
        let recording = rules().count() - alerting;
        let loaded = match alerting {
            0 => Finding::critical("loaded", "", "no alerting rule is loaded: this Prometheus cannot raise an alert"),
            _ => Finding::ok("loaded", "", text::count(alerting, "alerting rule") + " loaded"),
        };
        let loaded = loaded
            .metric("groups", data.groups.len(), Unit::Count)
            .metric("alerting-rules", alerting, Unit::Count)
            .metric("recording-rules", recording, Unit::Count);
        let now = clock::now_ms();
        let groups = data.groups.iter().flat_map(|group| [health(group), age(group, now, late)]);
        Ok([loaded].into_iter().chain(groups).map(|finding| finding.because(&page)).collect())
    }
}

/// A rule that cannot be evaluated does not fire, and its firing alerts do not end.
fn health(group: &Group) -> Finding {
    let with_health = |health: &'static str| group.rules.iter().filter(move |rule| rule.health == health);
    let (failing, fine, all) = (with_health("err").count(), with_health("ok").count(), group.rules.len());
    let (severity, title) = match with_health("err").next() {
        Some(first) => {
            let names = text::list(with_health("err").map(|rule| &rule.name), 3);
            let error = text::shorten(&first.last_error, 100);
            (
                Severity::Critical,
                format!("{failing} of {} cannot be evaluated: {names}: {error}", text::count(all, "rule")),
            )
        }
        // `unknown` is a rule that has not been evaluated yet.
        None if fine < all => {
            (Severity::Unknown, format!("{} of {} not evaluated yet", all - fine, text::count(all, "rule")))
        }
        None => (Severity::Ok, format!("{} of {} can be evaluated", all, all)),
    };
    Finding::new(severity, "evaluation", &group.name, title).metric("failing", failing, Unit::Count)
}

fn age(group: &Group, now_ms: u64, late: f64) -> Finding {
    let Some(last) = time::rfc3339(&group.last_evaluation) else {
        return Finding::unknown("evaluated", &group.name, "this group was never evaluated");
    };
    // This compares two clocks: an evaluation in the controller's future counts as fresh.
    let age = now_ms.saturating_sub(last) as f64 / 1_000.0;
    let severity = if age > late.max(3.0 * group.interval) { Severity::Warning } else { Severity::Ok };
    let title = format!("last evaluated {} ago", text::duration(age));
    Finding::new(severity, "evaluated", &group.name, title).metric("age-seconds", age, Unit::Seconds)
}

bailiwick_guest::export!(PrometheusRules);
