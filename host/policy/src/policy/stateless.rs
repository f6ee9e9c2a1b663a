//! What a fix may restart: units and containers that policy calls stateless, by their full names. All other restarts are
//! withheld, as by a never-rule.
//!
//! ```toml
//! [stateless]
//! units = ["prometheus-postgres-exporter.service"]
//! containers = ["podman/quote-api"]
//! ```

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::Spanned;

use bailiwick_core::model::{Change, Container, LiteralError, UnitAct, UnitName, writable};
use bailiwick_core::source::{Place, Problem, Problems, Source};

/// Units and containers that lose nothing by a restart.
#[derive(Debug, Default)]
pub struct Stateless {
    units: BTreeSet<UnitName>,
    containers: BTreeSet<Container>,
    /// The place in policy, if the table exists.
    pub place: Option<Place>,
}

/// What may be restarted, as written in policy and in cases.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawStateless {
    #[serde(default)]
    units: Vec<Spanned<String>>,
    #[serde(default)]
    containers: Vec<Spanned<String>>,
}

impl Stateless {
    /// Reads the table, and adds mistakes to `problems`.
    pub fn read(source: &Source, raw: Option<&Spanned<RawStateless>>, problems: &mut Problems) -> Self {
        let Some(raw) = raw else { return Self::default() };
        let place = Some(source.at(super::parse::first_line(source, raw.span())));
        let raw = raw.get_ref();
        let mut stateless = Self { place, ..Self::default() };
        for text in &raw.units {
            match UnitName::new(text.get_ref()).and_then(|unit| writable::unit(&unit).map(|()| unit)) {
                Ok(unit) => drop(stateless.units.insert(unit)),
                Err(error) => {
                    let hint = match error {
                        LiteralError::Unchangeable { .. } => "no policy can allow it; remove the unit from `units`",
                        _ => "name a unit in full, without patterns: prometheus-postgres-exporter.service",
                    };
                    problems.push(Problem::at(source.at(text.span()), error).hint(hint));
                }
            }
        }
        for text in &raw.containers {
            match Container::new(text.get_ref()) {
                Ok(container) => drop(stateless.containers.insert(container)),
                Err(error) => {
                    problems.push(Problem::at(source.at(text.span()), error).hint("such as podman/quote-api"));
                }
            }
        }
        stateless
    }

    /// True if the change restarts nothing, or restarts something stateless.
    #[must_use]
    pub fn allows(&self, change: &Change) -> bool {
        match change {
            Change::Unit { unit, act: UnitAct::Restart } => self.units.contains(unit),
            Change::RestartContainer { container } => self.containers.contains(container),
            _ => true,
        }
    }
}
