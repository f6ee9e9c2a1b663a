//! `policy.toml` as written. `resolve` checks its names against fleet and manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::NeverRule;
use super::anchor::{self, Anchor, RawAnchor};
use super::change::{self, ChangeRules, Job, RawChange, RawJob, RawWindow, Window};
use super::limits::{self, Raise, RawLimits, Value};
use super::named::{Named, RawChangeCommand, RawCommand, RawStatement};
use super::never::NeverRuleError;
use super::retention::{self, RawRetention, Retention};
use super::signatures::{self, RawSignatures, RawSigners, Signatures};
use super::stateless::{RawStateless, Stateless};
use bailiwick_core::model::{ComponentId, Verb};
use bailiwick_core::read_toml::read_toml;
use bailiwick_core::redact;
use bailiwick_core::redact::{Redactor, RuleError};
use bailiwick_core::source::{Place, Problem, Problems, Source};

/// The operator's rules.
#[derive(Debug, Default)]
pub struct Policy {
    /// In the file's order.
    pub grants: Vec<Grant>,
    /// In the file's order.
    pub never: Vec<NeverRule>,
    /// What fixes may restart.
    pub stateless: Stateless,
    /// `[worker] require-lockdown`: no component runs in a worker whose lockdown is not complete.
    pub require_lockdown: bool,
    /// Rules for components' signatures.
    pub signatures: Option<Signatures>,
    /// Limits for every component, below the defaults.
    pub lowered: Vec<Value>,
    /// Limits for named components.
    pub raises: Vec<Raise>,
    /// Queries and programs that can be bound by name.
    pub named: Named,
    /// Where the journal's head is copied to.
    pub anchors: Vec<Anchor>,
    /// How long evidence is kept. None: for ever.
    pub retention: Option<Retention>,
    /// The redaction rules for answers: the built-in ones, and those of this file.
    pub redactor: Arc<Redactor>,
    /// Rules for all changes.
    pub change: ChangeRules,
    /// When changes may begin. Without windows, attended changes may begin at any time, and unattended ones never.
    pub windows: Vec<Window>,
    /// Jobs that changes must not overlap.
    pub calendar: Vec<Job>,
}

impl Policy {
    /// Leaves out components that do not exist yet.
    pub fn leave_out_unknown<M>(&mut self, library: &BTreeMap<ComponentId, M>) {
        let grants = self.grants.iter_mut().map(|grant| &mut grant.components);
        for names in grants.chain(self.raises.iter_mut().map(|raise| &mut raise.components)) {
            names.retain(|id| library.contains_key(id.value.as_str()));
        }
    }
}

/// One `[[grant]]`, names unchecked.
#[derive(Debug)]
pub struct Grant {
    /// Component ids.
    pub components: Vec<Setting<String>>,
    /// Targets, or `tag:` and a tag.
    pub on: Vec<Setting<String>>,
    /// Literals by slot.
    pub bind: Vec<(Setting<String>, Setting<Vec<String>>)>,
    /// Values by setting.
    pub param: Vec<(Setting<String>, Setting<toml::Value>)>,
    /// The operator's own bytes, by the name of a fix's content.
    pub content: Vec<(Setting<String>, Setting<String>)>,
    /// Whether a fix may be applied unattended, and the place in policy. None if this grant does not say.
    pub unattended: Option<Setting<bool>>,
    /// Principals, one of whom must have signed the components. Empty if the grant requires no signature.
    pub signers: Vec<Setting<String>>,
}

/// A value and its place in policy.
#[derive(Debug, Clone)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// The place.
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
    #[serde(default)]
    worker: RawWorker,
    #[serde(default)]
    limits: RawLimits,
    #[serde(default, rename = "raise")]
    raises: Vec<Spanned<RawLimits>>,
    #[serde(default, rename = "anchor")]
    anchors: Vec<Spanned<RawAnchor>>,
    retention: Option<Spanned<RawRetention>>,
    #[serde(default)]
    redact: Vec<RawRedact>,
    #[serde(default, rename = "statement")]
    statements: BTreeMap<Spanned<String>, RawStatement>,
    #[serde(default, rename = "command")]
    commands: BTreeMap<Spanned<String>, RawCommand>,
    change: Option<RawChange>,
    #[serde(default, rename = "window")]
    windows: Vec<Spanned<RawWindow>>,
    #[serde(default)]
    calendar: Vec<Spanned<RawJob>>,
    #[serde(default, rename = "change-command")]
    change_commands: BTreeMap<Spanned<String>, RawChangeCommand>,
    stateless: Option<Spanned<RawStateless>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawWorker {
    #[serde(default)]
    require_lockdown: bool,
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
    #[serde(default)]
    content: BTreeMap<Spanned<String>, Spanned<String>>,
    unattended: Option<Spanned<bool>>,
    signers: Option<RawSigners>,
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
    #[serde(default)]
    objects: Vec<Spanned<String>>,
    why: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRedact {
    name: Spanned<String>,
    pattern: Spanned<String>,
    /// For readers of the file. The program does not use it.
    #[serde(default, rename = "why")]
    _why: String,
}

/// Reads a policy.
///
/// # Errors
/// All mistakes that the file alone shows, each with its place.
pub fn parse(source: &Source) -> Result<Policy, Problems> {
    let raw: RawPolicy = read_toml(source, Some(super::reference))?;
    let mut problems = Problems::default();
    let grants = raw.grants.iter().filter_map(|raw| grant(source, raw, &mut problems)).collect();
    let never = raw.never.iter().filter_map(|raw| never(source, raw, &mut problems)).collect();
    let lowered = limits::lowered(source, &raw.limits, &mut problems);
    let raises = raw.raises.iter().filter_map(|raw| limits::raise(source, raw, &mut problems)).collect();
    let named = Named::read(source, &raw.statements, &raw.commands, &raw.change_commands, &mut problems);
    let stateless = Stateless::read(source, raw.stateless.as_ref(), &mut problems);
    let anchors = anchor::anchors(source, &raw.anchors, &mut problems);
    let retention = retention::retention(source, raw.retention.as_ref(), &mut problems);
    let redactor = redactor(source, &raw.redact, &mut problems);
    let change = change::rules(source, raw.change.as_ref(), &mut problems);
    let windows = raw.windows.iter().filter_map(|raw| change::window(source, raw, &mut problems)).collect();
    let calendar = raw.calendar.iter().filter_map(|raw| change::job(source, raw, &mut problems)).collect();
    let require_lockdown = raw.worker.require_lockdown;
    let signatures = signatures::signatures(source, raw.signatures.as_ref());
    let signers = raw.grants.iter().find_map(|raw| raw.signers.as_ref());
    signatures::check(source, signatures.as_ref(), signers, &mut problems);
    problems.or(Policy {
        grants,
        never,
        stateless,
        require_lockdown,
        signatures,
        lowered,
        raises,
        named,
        anchors,
        retention,
        redactor,
        change,
        windows,
        calendar,
    })
}

/// The rules of this file, added to the built-in ones.
fn redactor(source: &Source, raw: &[RawRedact], problems: &mut Problems) -> Arc<Redactor> {
    if let Some(one_more) = raw.get(redact::RULES_MAX) {
        let message = format!("there are {} [[redact]] rules (maximum {})", raw.len(), redact::RULES_MAX);
        let problem = Problem::at(source.at(one_more.name.span()), message);
        problems.push(problem.hint("join patterns with `|`: one rule can match several forms"));
    }
    let mut rules: Vec<redact::Rule> = Vec::new();
    for raw in raw.iter().take(redact::RULES_MAX) {
        let error = match redact::Rule::new(raw.name.get_ref(), raw.pattern.get_ref()) {
            Ok(rule) if rules.iter().all(|other| other.name() != rule.name()) => {
                rules.push(rule);
                continue;
            }
            Ok(rule) => RuleError::Taken { name: rule.name().clone() },
            Err(error) => error,
        };
        let (at, hint) = match &error {
            RuleError::Name(_) => (&raw.name, "such as name = \"pg-url\""),
            RuleError::Taken { .. } => (&raw.name, "choose another name; the journal counts redactions by name"),
            RuleError::Syntax(_) => (&raw.pattern, "the syntax is that of https://docs.rs/regex; write it between '…'"),
            RuleError::TooLarge(_) => (&raw.pattern, "write several smaller patterns, or fewer repetitions"),
            RuleError::Empty => (&raw.pattern, "let it begin or end with something that must match"),
        };
        problems.push(Problem::at(source.at(at.span()), error).hint(hint));
    }
    // Duplicate names were reported above.
    Arc::new(Redactor::new(rules).unwrap_or_default())
}

pub(super) fn setting<T: Clone>(source: &Source, raw: &Spanned<T>) -> Setting<T> {
    Setting { value: raw.get_ref().clone(), place: source.at(raw.span()) }
}

/// One text, or a list of texts.
pub(super) fn texts(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::String(text) => Some(vec![text.clone()]),
        toml::Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn grant(source: &Source, raw: &RawGrant, problems: &mut Problems) -> Option<Grant> {
    let mut wanted = |raw: &Spanned<toml::Value>, what: &str| {
        let list = texts(raw.get_ref());
        if list.is_none() {
            let problem = Problem::at(source.at(raw.span()), format!("{what} must be a string or a list of strings"));
            problems.push(problem.hint("`bailiwick help policy grant` describes the keys"));
        }
        list
    };
    let ids = wanted(&raw.component, "`component`");
    let mut bind = Vec::new();
    for (slot, value) in &raw.bind {
        if let Some(literals) = wanted(value, "a binding") {
            bind.push((setting(source, slot), Setting { value: literals, place: source.at(value.span()) }));
        }
    }
    let place = source.at(raw.component.span());
    let signers = signatures::signers(source, raw.signers.as_ref(), problems);
    Some(Grant {
        signers,
        components: ids?.into_iter().map(|value| Setting { value, place: place.clone() }).collect(),
        on: raw.on.iter().map(|on| setting(source, on)).collect(),
        bind,
        param: raw.param.iter().map(|(name, value)| (setting(source, name), setting(source, value))).collect(),
        content: raw.content.iter().map(|(name, text)| (setting(source, name), setting(source, text))).collect(),
        unattended: raw.unattended.as_ref().map(|unattended| setting(source, unattended)),
    })
}

fn never(source: &Source, raw: &Spanned<RawNever>, problems: &mut Problems) -> Option<NeverRule> {
    let place = source.at(first_line(source, raw.span()));
    let raw = raw.get_ref();
    let mut verbs = BTreeSet::new();
    for at in &raw.verbs {
        let name = at.get_ref();
        let named: Vec<Verb> = match name.strip_suffix(".*") {
            Some(interface) => Verb::ALL.iter().copied().filter(|verb| verb.interface() == interface).collect(),
            None => Verb::from_name(name).into_iter().collect(),
        };
        if named.is_empty() {
            let problem =
                Problem::at(source.at(at.span()), format!("there is no verb `{name}`, so this forbids nothing"));
            problems.push(problem.hint(bailiwick_core::verbs::nearest(name)));
        }
        verbs.extend(named);
    }
    let patterns = |list: &[Spanned<String>]| list.iter().map(|p| p.get_ref().clone()).collect::<Vec<_>>();
    let rule = NeverRule {
        verbs,
        units: patterns(&raw.units),
        files: patterns(&raw.files),
        objects: patterns(&raw.objects),
        why: raw.why.get_ref().clone(),
        place: place.clone(),
    };
    if rule.why.trim().is_empty() {
        problems.push(Problem::at(source.at(raw.why.span()), "a never-rule needs a reason"));
    }
    if rule.verbs.is_empty() && !raw.verbs.is_empty() {
        // The mistake is already in `problems`. Without its verbs the rule would forbid something else.
        return None;
    }
    match rule.check() {
        Ok(()) => Some(rule),
        Err(idle) => {
            let at = match &idle {
                NeverRuleError::Unit { pattern } => raw.units.iter().find(|p| p.get_ref() == pattern),
                NeverRuleError::File(pattern) => raw.files.iter().find(|p| p.get_ref() == pattern),
                NeverRuleError::Object(pattern) => raw.objects.iter().find(|p| p.get_ref() == pattern),
                NeverRuleError::Mismatch(_) => raw.units.first().or(raw.files.first()).or(raw.objects.first()),
                NeverRuleError::Empty => None,
            };
            let place = at.map_or(place, |at| source.at(at.span()));
            problems.push(Problem::at(place, format!("this rule forbids nothing: {idle}")).hint(match idle {
                NeverRuleError::Unit { .. } => {
                    "write the unit with its suffix, or with `*`: postgresql.service, postgresql*"
                }
                NeverRuleError::File(_) => "write an absolute path, or with `*`: /etc/ssh/*",
                NeverRuleError::Object(_) => {
                    "write it as in a binding, or with `*`: podman/trading-*, http://10.0.0.5:*"
                }
                NeverRuleError::Mismatch(_) => "name verbs that take such an object, or leave `verbs` out",
                NeverRuleError::Empty => {
                    "add verbs = [\"services.logs\"], units = [\"postgresql*\"] or files = [\"/etc/ssh/*\"]"
                }
            }));
            None
        }
    }
}

/// The header line of a table, so that an error does not underline the whole table.
pub(super) fn first_line(source: &Source, span: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let text = source.text().get(span.clone()).unwrap_or_default();
    let length = text.find('\n').unwrap_or(text.len());
    span.start..span.start + length
}
