//! Computes the grant: manifest x target x policy -> a finite list of literal actions, before anything runs. Pure.
//!
//! **Invariant:** a grant is a subset of what the manifest asks for and of what policy binds; a never-rule is subtracted
//! last; nothing is added afterwards. Review, broker and cases read this one value.

mod change;

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use self::change::{bodies, changing, exclusion};
use crate::policy::{Assignment, NeverRule, Policy, Stateless};
use bailiwick_core::fleet::Target;
use bailiwick_core::manifest::Manifest;
use bailiwick_core::model::{
    Action, ComponentId, ContentName, Effect, Literal, ParamName, ParamValue, SlotKey, SlotName, TargetName, Verb, Wire,
};
use bailiwick_core::source::Place;
use bailiwick_core::verbs;
use bailiwick_core::verbs::Tier;

/// What one component may do on one target.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The component.
    pub component: ComponentId,
    /// The target.
    pub target: TargetName,
    /// By verb, then by slot key, and by content where the verb needs one; the empty key for a verb that needs no object.
    actions: BTreeMap<Verb, BTreeMap<(String, String), Granted>>,
    /// Actions that a never-rule or another exclusion removed.
    pub withheld: Vec<Withheld>,
    /// Settings.
    pub params: BTreeMap<ParamName, ParamValue>,
    /// Whether policy allows the fix unattended, if everything that it does is declared.
    pub unattended: bool,
}

/// One entry of the list, and why it is there.
#[derive(Debug, Clone)]
pub struct Granted {
    /// The action.
    pub action: Arc<Action>,
    /// The key by which a guest names the object. None for a verb without an object.
    pub key: Option<SlotKey>,
    /// The slot the key belongs to.
    pub slot: Option<SlotName>,
    /// The name of the declared content that is written. None for a verb that writes no declared content.
    pub content: Option<ContentName>,
    /// The author's reason.
    pub why: String,
    /// The line of policy that allows it.
    pub place: Place,
    /// Where the author chose the literal, if policy did not.
    pub default: Option<Place>,
}

/// An action that was requested and bound, and that a never-rule or another exclusion removed.
#[derive(Debug, Clone)]
pub struct Withheld {
    /// The entry as it would have been granted.
    pub granted: Granted,
    /// The reason of the exclusion.
    pub why: String,
    /// The place of the exclusion: `policy.toml:31`.
    pub rule: String,
}

/// What is subtracted last, after manifest and policy.
#[derive(Debug, Clone, Copy, Default)]
pub struct Exclusions<'p> {
    /// The operator's never-rules.
    pub never: &'p [NeverRule],
    /// What a fix may restart. If none, it may restart nothing.
    pub stateless: Option<&'p Stateless>,
}

impl<'p> From<&'p Policy> for Exclusions<'p> {
    fn from(policy: &'p Policy) -> Self {
        Self { never: &policy.never, stateless: Some(&policy.stateless) }
    }
}

/// Computes a grant.
#[must_use]
pub fn compute(manifest: &Manifest, target: &Target, assignment: &Assignment, exclusions: Exclusions<'_>) -> Grant {
    let mut grant = Grant {
        component: manifest.id.clone(),
        target: target.name.clone(),
        actions: BTreeMap::new(),
        withheld: Vec::new(),
        params: assignment.params.clone(),
        unattended: assignment.unattended,
    };
    let tier = target.tier();
    for (&verb, why) in &manifest.uses {
        let action = Arc::new(verbs::action(verb, None, tier));
        let (why, place) = (why.clone(), assignment.place.clone());
        let granted = Granted { action, key: None, slot: None, content: None, why, place, default: None };
        grant.add(granted, exclusions.never);
    }
    for (name, slot) in &manifest.slots {
        let Some(bound) = assignment.slots.get(name) else {
            continue;
        };
        for (index, literal) in bound.literals.iter().enumerate() {
            let key = if slot.many { SlotKey::indexed(name, index) } else { SlotKey::single(name) };
            let granted = |action, content| Granted {
                action: Arc::new(action),
                key: Some(key.clone()),
                slot: Some(name.clone()),
                content,
                why: slot.why.clone(),
                place: bound.place.clone().unwrap_or_else(|| assignment.place.clone()),
                default: bound.place.is_none().then(|| slot.place.clone()),
            };
            for &verb in &slot.verbs {
                if verbs::spec(verb).effect == Effect::Observe {
                    grant.add(granted(verbs::action(verb, Some(literal.clone()), tier), None), exclusions.never);
                    continue;
                }
                for (content, body) in bodies(manifest, slot, assignment, verb) {
                    match changing(verb, literal, content, body) {
                        Ok(change) => {
                            let exclusion = exclusion(change.change(), target, assignment, exclusions);
                            let granted = granted(verbs::change_action(verb, change), content.cloned());
                            match exclusion {
                                Some((rule, why)) => grant.withheld.push(Withheld { granted, why, rule }),
                                None => grant.add(granted, exclusions.never),
                            }
                        }
                        // Files and bindings with such an object are refused earlier. This covers a manifest or an assignment
                        // that was built in code.
                        Err(error) => {
                            let none = verbs::action(verb, Some(literal.clone()), Tier::Plain);
                            let (rule, why) = ("this program".to_owned(), error.to_string());
                            grant.withheld.push(Withheld { granted: granted(none, content.cloned()), why, rule });
                        }
                    }
                }
            }
        }
    }
    grant
}

impl Grant {
    /// A grant as a journal recorded it, for a replay, which has no target. Nothing in it can be sent: the wire form of each
    /// entry is replaced by one without words.
    #[must_use]
    pub fn recorded(
        component: ComponentId,
        target: TargetName,
        entries: impl IntoIterator<Item = Granted>,
        withheld: Vec<Withheld>,
        params: BTreeMap<ParamName, ParamValue>,
    ) -> Self {
        let mut grant = Self { component, target, actions: BTreeMap::new(), withheld, params, unattended: false };
        for granted in entries {
            let (id, verb) = (granted.action.id.clone(), granted.action.verb);
            let action = Arc::new(Action { id, verb, literal: None, wire: Wire::Exec(Vec::new()) });
            grant.add(Granted { action, ..granted }, &[]);
        }
        grant
    }

    fn add(&mut self, granted: Granted, never: &[NeverRule]) {
        match never.iter().find(|rule| rule.forbids(&granted.action)) {
            Some(rule) => {
                self.withheld.push(Withheld { granted, why: rule.why.clone(), rule: rule.place.to_string() });
            }
            None => {
                let key = granted.key.as_ref().map_or(String::new(), |key| key.as_str().to_owned());
                let content = granted.content.as_ref().map_or(String::new(), |name| name.as_str().to_owned());
                self.actions.entry(granted.action.verb).or_default().insert((key, content), granted);
            }
        }
    }

    /// The entry for a verb and the key that the guest gave. `None` is a refusal. An unknown slot, a slot without a binding, a
    /// never-rule and an object that the verb does not take all give the same refusal.
    #[must_use]
    pub fn lookup(&self, verb: Verb, key: Option<&str>) -> Option<&Granted> {
        self.lookup_with(verb, key, None)
    }

    /// The same for a verb that writes declared content, by the content's name.
    #[must_use]
    pub fn lookup_with(&self, verb: Verb, key: Option<&str>, content: Option<&str>) -> Option<&Granted> {
        let named = (key.unwrap_or_default().to_owned(), content.unwrap_or_default().to_owned());
        let granted = self.actions.get(&verb)?.get(&named)?;
        // An empty text is not a key. It would match the verbs without an object.
        (granted.key.is_some() == key.is_some() && granted.content.is_some() == content.is_some()).then_some(granted)
    }

    /// Why an entry was removed, for the operator: `never-rule policy.toml:31: …`. A change can be withheld for other reasons
    /// too: `withheld by policy.toml:31: …`.
    #[must_use]
    pub fn withheld_reason(&self, verb: Verb, key: Option<&str>) -> Option<String> {
        let withheld = self.withheld.iter().find(|withheld| {
            let granted = &withheld.granted;
            granted.action.verb == verb && granted.key.as_ref().map(SlotKey::as_str) == key
        })?;
        let bar = if verbs::spec(verb).effect == Effect::Change { "withheld by" } else { "never-rule" };
        Some(format!("{bar} {}: {}", withheld.rule, withheld.why))
    }

    /// Every entry, by verb and key.
    pub fn entries(&self) -> impl Iterator<Item = &Granted> {
        self.actions.values().flat_map(BTreeMap::values)
    }

    /// The slots that a guest can list: slot, then key and literal in policy's order. A slot whose actions are all withheld is
    /// left out.
    #[must_use]
    pub fn slots(&self) -> BTreeMap<String, Vec<(SlotKey, String)>> {
        let mut out: BTreeMap<String, Vec<(SlotKey, String)>> = BTreeMap::new();
        for granted in self.entries() {
            let literal = match &granted.action.literal {
                // The guest sees the object, and not which changes to it are granted.
                Some(Literal::Change(changing)) => Some(changing.subject()),
                _ => granted.action.id.object(),
            };
            let (Some(slot), Some(key), Some(literal)) = (&granted.slot, &granted.key, literal) else {
                continue;
            };
            let entries = out.entry(slot.as_str().to_owned()).or_default();
            if !entries.iter().any(|(known, _)| known == key) {
                entries.push((key.clone(), literal.to_owned()));
            }
        }
        for entries in out.values_mut() {
            entries.sort_by_key(|(key, _)| key.index());
        }
        out
    }

    /// SHA-256, in hex, over the list: ids, keys, wire forms and settings, each with its length before it.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut put = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        put("bailiwick-grant-v1");
        put(self.component.as_str());
        put(self.target.as_str());
        for granted in self.entries() {
            put(granted.key.as_ref().map_or("", SlotKey::as_str));
            put(granted.action.id.as_str());
            put(&granted.action.wire.text());
        }
        if self.unattended {
            put("unattended");
        }
        put("settings");
        for (name, value) in &self.params {
            put(name.as_str());
            put(&value.to_string());
        }
        data_encoding::HEXLOWER.encode(&hash.finalize())
    }
}
