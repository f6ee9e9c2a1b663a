//! `policy.toml`, as written: names are checked against fleet and manifests by `resolve`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;

use super::NeverRule;
use super::never::Idle;
use crate::manifest::nearest;
use crate::model::Verb;
use crate::source::{Place, Problem, Problems, Source};

/// What the operator wrote.
#[derive(Debug, Default)]
pub struct Policy {
    /// In the file's order.
    pub grants: Vec<Grant>,
    /// In the file's order.
    pub never: Vec<NeverRule>,
    /// What holds for components' signatures.
    pub signatures: Option<Signatures>,
}

/// `[signatures]`.
#[derive(Debug)]
pub struct Signatures {
    /// The file with those who may sign, relative to the ops directory.
    pub allowed_signers: Setting<String>,
    /// Where it says that every component is to be signed; none: it does not.
    pub require: Option<Place>,
}

/// One `[[grant]]`, names unchecked.
#[derive(Debug)]
pub struct Grant {
    /// Component ids.
    pub components: Vec<Setting<String>>,
    /// Targets, or `tag:` and a tag.
    pub on: Vec<Setting<String>>,
    /// Slot to literals.
    pub bind: Vec<(Setting<String>, Setting<Vec<String>>)>,
    /// Setting to value.
    pub param: Vec<(Setting<String>, Setting<toml::Value>)>,
    /// Principals, one of whom must have signed the components; empty: nobody has to.
    pub signers: Vec<Setting<String>>,
}

/// A value and where it is written.
#[derive(Debug, Clone)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where.
    pub place: Place,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPolicy {
    #[serde(default, rename = "grant")]
    grants: Vec<RawGrant>,
    #[serde(default)]
    never: Vec<Spanned<RawNever>>,
    signatures: Option<RawSignatures>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawSignatures {
    allowed_signers: Spanned<String>,
    require: Option<Spanned<bool>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGrant {
    component: Spanned<toml::Value>,
    on: Vec<Spanned<String>>,
    #[serde(default)]
    bind: BTreeMap<Spanned<String>, Spanned<toml::Value>>,
    #[serde(default)]
    param: BTreeMap<Spanned<String>, Spanned<toml::Value>>,
    signers: Option<Spanned<Vec<Spanned<String>>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNever {
    #[serde(default)]
    verbs: Vec<Spanned<String>>,
    #[serde(default)]
    units: Vec<Spanned<String>>,
    #[serde(default)]
    files: Vec<Spanned<String>>,
    why: Spanned<String>,
}

/// Reads a policy.
///
/// # Errors
/// All mistakes that the file alone shows, each with its place.
pub fn parse(source: &Source) -> Result<Policy, Problems> {
    let raw: RawPolicy = source.parse()?;
    let mut problems = Problems::default();
    let grants = raw.grants.iter().filter_map(|raw| grant(source, raw, &mut problems)).collect();
    let never = raw.never.iter().filter_map(|raw| never(source, raw, &mut problems)).collect();
    let signatures = raw.signatures.as_ref().map(|raw| Signatures {
        allowed_signers: setting(source, &raw.allowed_signers),
        require: raw.require.as_ref().filter(|require| *require.get_ref()).map(|require| source.at(require.span())),
    });
    if signatures.is_none()
        && let Some(signers) = raw.grants.iter().find_map(|raw| raw.signers.as_ref())
    {
        let problem = Problem::at(source.at(signers.span()), "nothing says whose keys these are");
        problems.push(problem.hint("add [signatures] with allowed-signers = \"allowed_signers\""));
    }
    problems.or(Policy { grants, never, signatures })
}

/// Those who may sign: literal principals, at least one.
fn signers(
    source: &Source,
    raw: Option<&Spanned<Vec<Spanned<String>>>>,
    problems: &mut Problems,
) -> Vec<Setting<String>> {
    let Some(raw) = raw else { return Vec::new() };
    if raw.get_ref().is_empty() {
        let problem = Problem::at(source.at(raw.span()), "nobody could have signed this");
        problems.push(problem.hint("name those who may, or leave `signers` out"));
    }
    for signer in raw.get_ref() {
        let name = signer.get_ref();
        if name.is_empty() || name.contains(['*', '?', '!', ',', '"']) || name.contains(char::is_whitespace) {
            let problem = Problem::at(source.at(signer.span()), "a signer is one literal principal");
            problems.push(problem.hint("patterns stand in the allowed signers' file: \"alice@example.org\""));
        }
    }
    raw.get_ref().iter().map(|signer| setting(source, signer)).collect()
}

fn setting<T: Clone>(source: &Source, raw: &Spanned<T>) -> Setting<T> {
    Setting { value: raw.get_ref().clone(), place: source.at(raw.span()) }
}

/// One text, or a list of texts.
fn texts(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::String(text) => Some(vec![text.clone()]),
        toml::Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn grant(source: &Source, raw: &RawGrant, problems: &mut Problems) -> Option<Grant> {
    let mut wanted = |raw: &Spanned<toml::Value>, what: &str| {
        let found = texts(raw.get_ref());
        if found.is_none() {
            problems.push(Problem::at(source.at(raw.span()), format!("{what} is a text or a list of texts")));
        }
        found
    };
    let ids = wanted(&raw.component, "a component's id");
    let mut bind = Vec::new();
    for (slot, value) in &raw.bind {
        if let Some(found) = wanted(value, "a binding") {
            bind.push((setting(source, slot), Setting { value: found, place: source.at(value.span()) }));
        }
    }
    let place = source.at(raw.component.span());
    let signers = signers(source, raw.signers.as_ref(), problems);
    Some(Grant {
        signers,
        components: ids?.into_iter().map(|value| Setting { value, place: place.clone() }).collect(),
        on: raw.on.iter().map(|on| setting(source, on)).collect(),
        bind,
        param: raw.param.iter().map(|(name, value)| (setting(source, name), setting(source, value))).collect(),
    })
}

fn never(source: &Source, raw: &Spanned<RawNever>, problems: &mut Problems) -> Option<NeverRule> {
    let place = source.at(first_line(source, raw.span()));
    let raw = raw.get_ref();
    let mut verbs = BTreeSet::new();
    for at in &raw.verbs {
        let name = at.get_ref();
        let found: Vec<Verb> = match name.strip_suffix(".*") {
            Some(interface) => Verb::ALL.iter().copied().filter(|verb| verb.interface() == interface).collect(),
            None => Verb::from_name(name).into_iter().collect(),
        };
        if found.is_empty() {
            let problem =
                Problem::at(source.at(at.span()), format!("there is no verb `{name}`, so this forbids nothing"));
            problems.push(problem.hint(nearest(name)));
        }
        verbs.extend(found);
    }
    let patterns = |list: &[Spanned<String>]| list.iter().map(|p| p.get_ref().clone()).collect::<Vec<_>>();
    let rule = NeverRule {
        verbs,
        units: patterns(&raw.units),
        files: patterns(&raw.files),
        why: raw.why.get_ref().clone(),
        place: place.clone(),
    };
    if rule.why.trim().is_empty() {
        problems.push(Problem::at(source.at(raw.why.span()), "a never-rule says why"));
    }
    if rule.verbs.is_empty() && !raw.verbs.is_empty() {
        // Told already; without its verbs the rule would forbid something else.
        return None;
    }
    match rule.check() {
        Ok(()) => Some(rule),
        Err(idle) => {
            let at = match &idle {
                Idle::Unit(pattern) => raw.units.iter().find(|p| p.get_ref() == pattern),
                Idle::File(pattern) => raw.files.iter().find(|p| p.get_ref() == pattern),
                Idle::Mismatch(_) => raw.units.first().or(raw.files.first()),
                Idle::Empty => None,
            };
            let place = at.map_or(place, |at| source.at(at.span()));
            problems.push(Problem::at(place, format!("this rule forbids nothing: {idle}")).hint(match idle {
                Idle::Unit(_) => "write the unit in full, or with `*`: postgresql*",
                Idle::File(_) => "write an absolute path, or with `*`: /etc/ssh/*",
                Idle::Mismatch(_) => "name verbs that take such an object, or leave `verbs` out",
                Idle::Empty => "add verbs = [\"services.logs\"], units = [\"postgresql*\"] or files = [\"/etc/ssh/*\"]",
            }));
            None
        }
    }
}

/// The header line of a table, so that an error does not underline all of it.
fn first_line(source: &Source, span: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let text = source.text().get(span.clone()).unwrap_or_default();
    let length = text.find('\n').unwrap_or(text.len());
    span.start..span.start + length
}
