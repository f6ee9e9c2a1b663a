//! Base rules: adds four alerting rules, in a separate file, to a Prometheus that has none.
//!
//! The manifest declares what it writes, with one exception: if `rule_files` of prometheus.yml does not name that file, the fix
//! adds one line to it, and a person has to sign these bytes.

mod config;

use bailiwick_guest::{
    Decision, Evidence, Failure, Finding, Fix, Report, Severity, Target, VerbError, files, files_change, http,
    services_change, text,
};
use config::Include;
use serde::Deserialize;
use shared::prometheus;

/// The group of the declared rules.
const GROUP: &str = "bailiwick-base";
const OWNER: &str = "the owner of this Prometheus's rules";

#[derive(Deserialize)]
struct Data {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    name: String,
    rules: Vec<Rule>,
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

impl Data {
    fn alerting(&self) -> usize {
        self.groups.iter().flat_map(|group| &group.rules).filter(|rule| rule.kind == "alerting").count()
    }
}

struct BaseRules;

impl Fix for BaseRules {
    fn plan(target: &Target) -> Result<Decision, Failure> {
        let page = match http::get(target, &target.slot("loaded")?) {
            Err(gone) if gone.error() == VerbError::NotFound => {
                let reason =
                    "nothing listens on Prometheus's address: rules have no effect until Prometheus is running";
                return Ok(Decision::refuse(reason, "the owner of Prometheus").because(&gone));
            }
            answer => answer?,
        };
        let data: Data = match prometheus::read(&page) {
            Ok(data) => data,
            Err(reason) => return Err(Failure { call: Some(page.call()), ..Failure::new(reason) }),
        };
        let alerting = data.alerting();
        if alerting > 0 {
            return Ok(Decision::nothing(text::count(alerting, "alerting rule") + " already loaded"));
        }
        let (rules, config) = (target.slot("rules")?, target.slot("config")?);
        match files::stat(target, &rules) {
            Ok(there) => {
                let reason = format!("{} exists but Prometheus does not load it: this may be intended", rules.literal);
                return Ok(Decision::refuse(reason, OWNER).because(&page).because(&there));
            }
            Err(gone) if gone.error() == VerbError::NotFound => {}
            Err(failed) => return Err(failed.into()),
        }
        let read = files::read(target, &config)?;
        let included = match (read.truncated, std::str::from_utf8(&read.bytes)) {
            (false, Ok(yaml)) => config::include(yaml, &config.literal, &rules.literal),
            _ => Include::Strange,
        };
        let (addition, context) = match included {
            Include::There => (None, "no alerting rule is loaded; rule_files already names the file".to_owned()),
            Include::Add(yaml) => (
                Some(yaml),
                format!("no alerting rule is loaded, and rule_files in {} does not name the file", config.literal),
            ),
            Include::Strange => {
                let reason = format!("rule_files in {} has a form that this fix cannot edit", config.literal);
                return Ok(Decision::refuse(reason, OWNER).because(&page).because(&read));
            }
        };

        files_change::write(target, &rules, "base-rules")?;
        if let Some(yaml) = addition {
            files_change::write_computed(target, &config, yaml.as_bytes())?;
        }
        services_change::restart(target, &target.slot("check")?)?;
        services_change::reload(target, &target.slot("prometheus")?)?;
        Ok(Decision::propose(context).because(&page).because(&read))
    }

    fn verify(target: &Target) -> Result<Report, Failure> {
        let (page, data) = prometheus::ask::<Data>(target, "loaded")?;
        let groups = data.groups.iter().filter(|group| group.name == GROUP);
        let ours: Vec<_> = groups.flat_map(|group| &group.rules).filter(|rule| rule.kind == "alerting").collect();
        let loaded = match ours.len() {
            0 if data.alerting() > 0 => Finding::ok("loaded", "", "other alerting rules are loaded"),
            0 => Finding::critical("loaded", "", "the base rules are not loaded"),
            all => Finding::ok("loaded", "", text::count(all, "base rule") + " loaded"),
        };
        let rules = ours.iter().map(|rule| {
            let (severity, title) = match rule.health.as_str() {
                "ok" => (Severity::Ok, "can be evaluated".to_owned()),
                "err" => (Severity::Critical, format!("cannot be evaluated: {}", text::shorten(&rule.last_error, 100))),
                // Right after the reload: it is evaluated within one interval.
                _ => (Severity::Unknown, "has not been evaluated yet".to_owned()),
            };
            Finding::new(severity, "evaluation", &rule.name, title)
        });
        Ok([loaded].into_iter().chain(rules).map(|finding| finding.because(&page)).collect())
    }
}

bailiwick_guest::export_fix!(BaseRules);
