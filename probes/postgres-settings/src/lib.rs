//! The operator's rules, compared with the settings of a server.

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit,
    postgres::{self, Setting},
    text,
};

struct PostgresSettings;

impl Probe for PostgresSettings {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let lists = [(Severity::Critical, params.texts("critical")?), (Severity::Warning, params.texts("expected")?)];
        let restart = params.flag("pending-restart")?;
        // An invalid rule must not count as fulfilled, so rules are parsed before the server is asked.
        let mut rules = Vec::new();
        for (severity, list) in &lists {
            for rule in list {
                rules.push((*severity, Rule::read(rule)?));
            }
        }
        let settings = postgres::settings(target, &target.slot("database")?)?;

        let mut report = Report::default();
        for (severity, rule) in &rules {
            let finding = match settings.iter().find(|setting| setting.name == rule.name) {
                None => {
                    let title = format!("the probe does not read the setting {}", rule.name);
                    Finding::unknown("setting", rule.name, title)
                }
                Some(setting) => {
                    let is = format!("{} is {}{}", setting.name, setting.value, unit(setting));
                    match rule.holds(&setting.value) {
                        Some(true) => Finding::ok("setting", rule.name, is),
                        Some(false) => {
                            let title = format!(
                                "{is} but should be {}{} (source: {})",
                                rule.words(),
                                rule.value,
                                setting.source
                            );
                            Finding::new(*severity, "setting", rule.name, title)
                        }
                        None => Finding::unknown("setting", rule.name, format!("{is}, which is not a number")),
                    }
                }
            };
            report.push(finding.because(&settings));
        }
        let waiting: Vec<_> = settings.iter().filter(|setting| setting.pending_restart).collect();
        let (severity, title) = match waiting.len() {
            0 => (Severity::Ok, "no setting waits for a restart".to_owned()),
            some => {
                let names = text::list(waiting.iter().map(|setting| &setting.name), 5);
                let verb = if some == 1 { "waits" } else { "wait" };
                let severity = if restart { Severity::Warning } else { Severity::Ok };
                (severity, format!("{} {verb} for a restart: {names}", text::count(some, "setting")))
            }
        };
        let finding = Finding::new(severity, "pending-restart", "", title);
        report.push(finding.metric("pending", waiting.len(), Unit::Count).because(&settings));
        Ok(report)
    }
}

/// A unit such as `8kB` is shown as a factor, ` ms` is not.
fn unit(setting: &Setting) -> String {
    match setting.unit.as_str() {
        "" => String::new(),
        counted if counted.starts_with(|c: char| c.is_ascii_digit()) => [" x ", counted].concat(),
        plain => [" ", plain].concat(),
    }
}

#[derive(Clone, Copy)]
enum Relation {
    Is,
    IsNot,
    AtLeast,
    AtMost,
}

struct Rule<'a> {
    name: &'a str,
    relation: Relation,
    value: &'a str,
}

impl<'a> Rule<'a> {
    fn read(rule: &'a str) -> Result<Self, Failure> {
        // The longer operators first: each ends with `=`.
        let signs = [(">=", Relation::AtLeast), ("<=", Relation::AtMost), ("!=", Relation::IsNot), ("=", Relation::Is)];
        for (sign, relation) in signs {
            if let Some((name, value)) = rule.split_once(sign) {
                let (name, value) = (name.trim(), value.trim());
                let number = !matches!(relation, Relation::AtLeast | Relation::AtMost) || value.parse::<f64>().is_ok();
                if !name.is_empty() && number {
                    return Ok(Rule { name, relation, value });
                }
                break;
            }
        }
        Err(Failure::new(format!("`{rule}` is not a rule: use NAME=VALUE, NAME!=VALUE, NAME>=NUMBER or NAME<=NUMBER")))
    }

    /// None if the rule needs a number and the value is not one.
    fn holds(&self, is: &str) -> Option<bool> {
        let both = || Some((is.parse::<f64>().ok()?, self.value.parse::<f64>().ok()?));
        match self.relation {
            Relation::Is => Some(is == self.value),
            Relation::IsNot => Some(is != self.value),
            Relation::AtLeast => both().map(|(is, wanted)| is >= wanted),
            Relation::AtMost => both().map(|(is, wanted)| is <= wanted),
        }
    }

    fn words(&self) -> &'static str {
        match self.relation {
            Relation::Is => "",
            Relation::IsNot => "anything but ",
            Relation::AtLeast => "at least ",
            Relation::AtMost => "at most ",
        }
    }
}

bailiwick_guest::export!(PostgresSettings);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        for (rule, is, holds) in [
            ("fsync=on", "on", Some(true)),
            ("fsync != off", "off", Some(false)),
            ("max_connections>=100", "97", Some(false)),
            ("max_connections<=100", "97", Some(true)),
            ("max_connections<=100", "many", None),
        ] {
            assert_eq!(Rule::read(rule).map(|rule| rule.holds(is)), Ok(holds), "{rule}");
        }
        for bad in ["fsync", "=on", "max_connections>=many", ""] {
            assert!(Rule::read(bad).is_err(), "{bad}");
        }
    }
}
