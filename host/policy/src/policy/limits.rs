//! `[limits]` and `[[raise]]`: limits that the operator lowers for every component, and sets for named ones.
//!
//! Attack answered: a component whose needs make an operator raise a limit for all components. `[limits]` cannot raise.
//! `[[raise]]` names a component and gives a reason.

use std::collections::BTreeMap;

use toml::Spanned;

use super::Policy;
use super::parse::{Setting, first_line, texts};
use super::resolve::unknown_component;
use bailiwick_core::limits;
use bailiwick_core::limits::{Budget, Budgets, LimitError, Origin, Row};
use bailiwick_core::model::ComponentId;
use bailiwick_core::source::{Place, Problem, Problems, Source};

/// One limit that is set.
#[derive(Debug, Clone)]
pub struct Value {
    /// The limit.
    pub row: &'static Row,
    /// Its value.
    pub value: u64,
    /// The place in policy.
    pub place: Place,
}

/// One `[[raise]]`, names unchecked.
#[derive(Debug)]
pub struct Raise {
    /// Component ids.
    pub components: Vec<Setting<String>>,
    /// The limits that it sets.
    pub values: Vec<Value>,
    /// The operator's reason.
    pub why: String,
}

/// A table of limits, with any key. The limits table says which keys exist.
pub(super) type RawLimits = BTreeMap<Spanned<String>, Spanned<toml::Value>>;

/// Reads `[limits]`.
pub(super) fn lowered(source: &Source, raw: &RawLimits, problems: &mut Problems) -> Vec<Value> {
    let values = values(source, raw.iter(), problems);
    let (lower, higher): (Vec<_>, Vec<_>) = values.into_iter().partition(|values| values.value <= values.row.default);
    for Value { row, value, place } in higher {
        let message = format!(
            "`[limits]` can only lower a limit, and the default of `{}` is {}",
            row.name,
            row.shown(row.default)
        );
        let raise = format!("for one component: [[raise]] component = \"…\", {} = {value}, why = \"…\"", row.name);
        problems.push(Problem::at(place, message).hint(raise));
    }
    lower
}

/// Reads a `[[raise]]`.
pub(super) fn raise(source: &Source, raw: &Spanned<RawLimits>, problems: &mut Problems) -> Option<Raise> {
    let place = source.at(first_line(source, raw.span()));
    let raw = raw.get_ref();
    let before = problems.0.len();
    let mut components = Vec::new();
    match raw.get("component") {
        None => {
            let problem = Problem::at(place.clone(), "a [[raise]] must name its components");
            problems.push(problem.hint("add component = \"…\", or a list"));
        }
        Some(value) => match texts(value.get_ref()) {
            Some(ids) => {
                let at = source.at(value.span());
                components.extend(ids.into_iter().map(|value| Setting { value, place: at.clone() }));
            }
            None => problems
                .push(Problem::at(source.at(value.span()), "a component's id must be a string or a list of strings")),
        },
    }
    let why = match raw.get("why").map(|why| (why, why.get_ref().as_str().unwrap_or_default().trim())) {
        Some((_, text)) if !text.is_empty() => text.to_owned(),
        why => {
            let at = why.map_or_else(|| place.clone(), |(why, _)| source.at(why.span()));
            problems.push(Problem::at(at, "a [[raise]] needs a reason").hint("add why = \"…\""));
            String::new()
        }
    };
    let limits = raw.iter().filter(|(name, _)| !["component", "why"].contains(&name.get_ref().as_str()));
    let values = values(source, limits, problems);
    if problems.0.len() > before {
        return None;
    }
    if values.is_empty() {
        problems.push(Problem::at(place, "this [[raise]] sets no limit").hint("`bailiwick limits` lists all limits"));
        return None;
    }
    Some(Raise { components, values, why })
}

fn values<'a>(
    source: &Source,
    raw: impl Iterator<Item = (&'a Spanned<String>, &'a Spanned<toml::Value>)>,
    problems: &mut Problems,
) -> Vec<Value> {
    let mut values = Vec::new();
    let mut raw: Vec<_> = raw.collect();
    raw.sort_by_key(|(name, _)| name.span().start);
    for (name, value) in raw {
        let wrong = |error: LimitError, at| Problem::at(source.at(at), &error).hint(error.hint());
        match limits::row(name.get_ref()) {
            Err(error) => problems.push(wrong(error, name.span())),
            Ok(row) => match row.value(value.get_ref()) {
                Err(error) => problems.push(wrong(error, value.span())),
                Ok(number) => values.push(Value { row, value: number, place: source.at(value.span()) }),
            },
        }
    }
    values
}

/// The limits of each component.
///
/// # Errors
/// All mistakes, each with its place: unknown component names, and two lines that disagree.
pub fn budgets<M>(policy: &Policy, library: &BTreeMap<ComponentId, M>) -> Result<Budgets, Problems> {
    let mut problems = Problems::default();
    let mut general = Budget::default();
    for Value { row, value, place } in &policy.lowered {
        general.set(row, *value, Origin { place: place.clone(), why: None });
    }
    let mut named: BTreeMap<ComponentId, Budget> = BTreeMap::new();
    let mut set: BTreeMap<(&ComponentId, &str), &Value> = BTreeMap::new();
    for raise in &policy.raises {
        for id in &raise.components {
            let Some((id, _)) = library.get_key_value(id.value.as_str()) else {
                let (message, hint) = unknown_component(&id.value, library.keys().map(ComponentId::as_str));
                problems.push(Problem::at(id.place.clone(), message).hint(hint));
                continue;
            };
            let budget = named.entry(id.clone()).or_insert_with(|| general.clone());
            for value in &raise.values {
                match set.get(&(id, value.row.name)) {
                    Some(other) if other.value != value.value => {
                        let message =
                            format!("`{}` of `{id}` has a different value at {}", value.row.name, other.place);
                        problems.push(Problem::at(value.place.clone(), message).hint("keep one of the two"));
                    }
                    Some(_) => {}
                    None => {
                        set.insert((id, value.row.name), value);
                        let origin = Origin { place: value.place.clone(), why: Some(raise.why.clone()) };
                        budget.set(value.row, value.value, origin);
                    }
                }
            }
        }
    }
    problems.or(Budgets::new(general, named))
}
