//! The limits of each component and where each value comes from: the table's defaults, what policy lowers for all, what it sets for some. Pure.

use std::collections::BTreeMap;

use super::{LimitRequest, Limits, Row};
use crate::model::ComponentId;
use crate::source::Place;

/// Where a value comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The line of policy.
    pub place: Place,
    /// The operator's reason. A lower limit needs none.
    pub why: Option<String>,
}

/// The limits of one component.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    limits: Limits,
    from: BTreeMap<&'static str, Origin>,
}

/// The limits of every component.
#[derive(Debug, Clone, Default)]
pub struct Budgets {
    general: Budget,
    named: BTreeMap<ComponentId, Budget>,
}

impl Budget {
    /// The numbers.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The value of a limit.
    #[must_use]
    pub fn value(&self, row: &Row) -> u64 {
        self.limits.get(row.name).unwrap_or(row.default)
    }

    /// The line of policy that sets it; none for a default.
    #[must_use]
    pub fn from(&self, row: &Row) -> Option<&Origin> {
        self.from.get(row.name)
    }

    /// The limits that policy changes: row, value, and the line of policy.
    pub fn changed(&self) -> impl Iterator<Item = (&'static Row, u64, &Origin)> {
        super::SETTABLE.iter().filter_map(|row| Some((row, self.value(row), self.from(row)?)))
    }

    /// The limits above the default.
    pub fn raised(&self) -> impl Iterator<Item = (&'static Row, u64, &Origin)> {
        self.changed().filter(|(row, value, _)| *value > row.default)
    }

    /// The limits that an author asks for and policy does not give.
    pub fn unmet<'a>(&'a self, asks: &'a [LimitRequest]) -> impl Iterator<Item = &'a LimitRequest> {
        asks.iter().filter(|ask| ask.value > self.value(ask.row))
    }

    /// Sets a limit.
    pub fn set(&mut self, row: &'static Row, value: u64, from: Origin) {
        self.limits.set(row, value);
        self.from.insert(row.name, from);
    }
}

impl Budgets {
    /// Combines the limits for all components with those for named ones.
    #[must_use]
    pub const fn new(general: Budget, named: BTreeMap<ComponentId, Budget>) -> Self {
        Self { general, named }
    }

    /// The limits of a component.
    #[must_use]
    pub fn for_component(&self, component: &ComponentId) -> &Budget {
        self.named.get(component).unwrap_or(&self.general)
    }

    /// The limits of a component that policy does not name.
    #[must_use]
    pub const fn general(&self) -> &Budget {
        &self.general
    }

    /// The components that policy names.
    pub fn named(&self) -> impl Iterator<Item = (&ComponentId, &Budget)> {
        self.named.iter()
    }
}

impl Limits {
    /// The defaults, overridden by what an author asks for: for the author's own commands, never for a sweep.
    #[must_use]
    pub fn asked(asks: &[LimitRequest]) -> Self {
        let mut limits = Self::default();
        for ask in asks {
            limits.set(ask.row, ask.value);
        }
        limits
    }

    /// The limits of a run in a journal. A limit that is not recorded was the default. Names of another version are ignored,
    /// and no value exceeds the hard maximum.
    #[must_use]
    pub fn recorded(set: &BTreeMap<String, u64>) -> Self {
        let mut limits = Self::default();
        for (row, value) in set.iter().filter_map(|(name, value)| Some((super::row(name).ok()?, *value))) {
            limits.set(row, value.min(row.max));
        }
        limits
    }
}
