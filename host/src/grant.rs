//! The heart: manifest x target x policy -> a finite list of literal actions, computed before anything runs. Pure.
//!
//! **Invariant:** a grant is a subset of what the manifest asks for and of what policy binds; a never-rule is subtracted
//! last; nothing is added afterwards. Review, broker and cases read this one value.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::fleet::Target;
use crate::manifest::Manifest;
use crate::model::{Action, ComponentId, ParamName, ParamValue, SlotKey, SlotName, TargetName, Verb};
use crate::policy::{Assignment, NeverRule};
use crate::source::Place;
use crate::verbs;

/// What one component may do on one target.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The component.
    pub component: ComponentId,
    /// The target.
    pub target: TargetName,
    /// By verb, then by slot key; the empty key for a verb that needs no object.
    actions: BTreeMap<Verb, BTreeMap<String, Granted>>,
    /// What a never-rule took away.
    pub withheld: Vec<Withheld>,
    /// Settings.
    pub params: BTreeMap<ParamName, ParamValue>,
}

/// One entry of the list, and why it is there.
#[derive(Debug, Clone)]
pub struct Granted {
    /// What is done.
    pub action: Arc<Action>,
    /// What a guest says to name the object; none for a verb that needs no object.
    pub key: Option<SlotKey>,
    /// The slot the key belongs to.
    pub slot: Option<SlotName>,
    /// The author's reason.
    pub why: String,
    /// The line of policy that allows it.
    pub place: Place,
    /// Where the author chose the literal, if policy did not.
    pub default: Option<Place>,
}

/// An action that was asked for and bound, and that a never-rule took away.
#[derive(Debug, Clone)]
pub struct Withheld {
    /// What it would have been.
    pub granted: Granted,
    /// The rule's reason.
    pub why: String,
    /// The rule's place: `policy.toml:31`.
    pub rule: String,
}

/// Computes a grant.
#[must_use]
pub fn compute(manifest: &Manifest, target: &Target, assignment: &Assignment, never: &[NeverRule]) -> Grant {
    let mut grant = Grant {
        component: manifest.id.clone(),
        target: target.name.clone(),
        actions: BTreeMap::new(),
        withheld: Vec::new(),
        params: assignment.params.clone(),
    };
    let tier = target.tier();
    for (&verb, why) in &manifest.uses {
        let action = Arc::new(verbs::action(verb, None, tier));
        let place = assignment.place.clone();
        grant.add(Granted { action, key: None, slot: None, why: why.clone(), place, default: None }, never);
    }
    for (name, slot) in &manifest.slots {
        let Some(bound) = assignment.slots.get(name) else {
            continue;
        };
        for (index, literal) in bound.literals.iter().enumerate() {
            let key = if slot.many { SlotKey::indexed(name, index) } else { SlotKey::single(name) };
            for &verb in &slot.verbs {
                let granted = Granted {
                    action: Arc::new(verbs::action(verb, Some(literal.clone()), tier)),
                    key: Some(key.clone()),
                    slot: Some(name.clone()),
                    why: slot.why.clone(),
                    place: bound.place.clone().unwrap_or_else(|| assignment.place.clone()),
                    default: bound.place.is_none().then(|| slot.place.clone()),
                };
                grant.add(granted, never);
            }
        }
    }
    grant
}

impl Grant {
    /// A grant out of what a journal says that it was: for replay, which has no target. What is in it cannot be sent.
    #[must_use]
    pub(crate) fn recorded(
        component: ComponentId,
        target: TargetName,
        entries: impl IntoIterator<Item = Granted>,
        withheld: Vec<Withheld>,
        params: BTreeMap<ParamName, ParamValue>,
    ) -> Self {
        let mut grant = Self { component, target, actions: BTreeMap::new(), withheld, params };
        for granted in entries {
            grant.add(granted, &[]);
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
                self.actions.entry(granted.action.verb).or_default().insert(key, granted);
            }
        }
    }

    /// The entry for a verb and what the guest said to name its object. `None` is a refusal: no such slot, nothing
    /// bound, a never-rule, an object where none is due; all look the same.
    #[must_use]
    pub fn lookup(&self, verb: Verb, key: Option<&str>) -> Option<&Granted> {
        let granted = self.actions.get(&verb)?.get(key.unwrap_or_default())?;
        // An empty text is no key: it would name the verbs without object.
        (granted.key.is_some() == key.is_some()).then_some(granted)
    }

    /// The never-rule that took an entry away, for the operator: `never-rule policy.toml:31: …`.
    #[must_use]
    pub fn withheld_by(&self, verb: Verb, key: Option<&str>) -> Option<String> {
        let withheld = self.withheld.iter().find(|withheld| {
            let granted = &withheld.granted;
            granted.action.verb == verb && granted.key.as_ref().map(SlotKey::as_str) == key
        })?;
        Some(format!("never-rule {}: {}", withheld.rule, withheld.why))
    }

    /// Every entry, by verb and key.
    pub fn entries(&self) -> impl Iterator<Item = &Granted> {
        self.actions.values().flat_map(BTreeMap::values)
    }

    /// What a guest may ask of its slots: slot, then key and literal in policy's order. A slot whose every action is
    /// withheld is not there.
    #[must_use]
    pub fn slots(&self) -> BTreeMap<String, Vec<(SlotKey, String)>> {
        let mut out: BTreeMap<String, Vec<(SlotKey, String)>> = BTreeMap::new();
        for granted in self.entries() {
            let (Some(slot), Some(key), Some(literal)) = (&granted.slot, &granted.key, granted.action.id.object())
            else {
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
        put("settings");
        for (name, value) in &self.params {
            put(name.as_str());
            put(&value.to_string());
        }
        data_encoding::HEXLOWER.encode(&hash.finalize())
    }
}
