//! Resolves policy against fleet and manifests: looks up every name, fills every slot, checks the type of every setting.
//!
//! When several grants apply to one component on one target, a grant that names the target beats one that names a tag. Two of
//! the same rank that disagree are an error, so that the order of lines never decides.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use super::{Grant, Policy, Setting};
use bailiwick_core::fleet::{Fleet, Target};
use bailiwick_core::manifest::{Body, Manifest, Slot};
use bailiwick_core::model::{
    ComponentId, ContentName, Literal, LiteralError, ParamName, ParamValue, SlotName, TargetName, World,
};
use bailiwick_core::nearest::{choices, did_you_mean};
use bailiwick_core::source::{Place, Problem, Problems, with_value};

/// The component assignments: by target, then by component.
pub type Assignments = BTreeMap<TargetName, BTreeMap<ComponentId, Assignment>>;

/// One component on one target.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The grant that assigns it; the most specific one, if there are several.
    pub place: Place,
    rank: Rank,
    /// Every slot of the manifest.
    pub slots: BTreeMap<SlotName, Binding>,
    /// Every setting of the manifest.
    pub params: BTreeMap<ParamName, ParamValue>,
    /// The place of each setting in policy.
    param_places: BTreeMap<ParamName, (Place, Rank)>,
    /// The operator's replacements for a fix's own contents.
    pub contents: BTreeMap<ContentName, ReplacedContent>,
    /// Whether a fix may be applied unattended.
    pub unattended: bool,
    /// The place in policy.
    unattended_place: Option<(Place, Rank)>,
}

/// An operator's own bytes, which replace an author's.
#[derive(Debug, Clone)]
pub struct ReplacedContent {
    /// The bytes.
    pub body: Body,
    /// The place in policy.
    pub place: Place,
    rank: Rank,
}

/// The literals of a slot.
#[derive(Debug, Clone)]
pub struct Binding {
    /// One literal, or any number in a slot declared `many`.
    pub literals: Vec<Literal>,
    /// The place in policy. None for the manifest's default.
    pub place: Option<Place>,
    rank: Rank,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Default,
    Tag,
    Name,
}

/// Looks up every name and fills every slot.
///
/// # Errors
/// All mistakes, each with its place.
pub fn resolve<M: Borrow<Manifest>>(
    policy: &Policy,
    fleet: &Fleet,
    library: &BTreeMap<ComponentId, M>,
) -> Result<Assignments, Problems> {
    let mut resolver = Resolver {
        policy,
        fleet,
        library: library.iter().map(|(id, manifest)| (id.as_str(), manifest.borrow())).collect(),
        out: BTreeMap::new(),
        mistaken: BTreeSet::new(),
        problems: Problems::default(),
    };
    for grant in &policy.grants {
        resolver.grant(grant);
    }
    resolver.unbound();
    resolver.problems.or(resolver.out)
}

struct Resolver<'a> {
    policy: &'a Policy,
    fleet: &'a Fleet,
    library: BTreeMap<&'a str, &'a Manifest>,
    out: Assignments,
    /// Slots with a binding that was already reported as wrong, so that they are not reported as unbound too.
    mistaken: BTreeSet<(ComponentId, SlotName)>,
    problems: Problems,
}

impl<'a> Resolver<'a> {
    fn wrong(&mut self, place: &Place, message: String, hint: String) {
        self.problems.push(Problem::at(place.clone(), message).hint(hint));
    }

    fn grant(&mut self, grant: &Grant) {
        let targets = self.targets(grant);
        for id in &grant.components {
            let Some(&manifest) = self.library.get(id.value.as_str()) else {
                let (message, hint) = unknown_component(&id.value, self.library.keys().copied());
                self.wrong(&id.place, message, hint);
                continue;
            };
            let values = self.values(grant, manifest);
            for &(target, rank) in &targets {
                self.merge(target, manifest, &id.place, rank, &values);
            }
        }
    }

    /// The targets of a grant, each with the rank of the most specific name.
    fn targets(&mut self, grant: &Grant) -> Vec<(&'a Target, Rank)> {
        let mut targets: BTreeMap<&TargetName, (&'a Target, Rank)> = BTreeMap::new();
        for on in &grant.on {
            let (selected, rank): (Vec<&'a Target>, _) = match on.value.strip_prefix("tag:") {
                Some(tag) => {
                    (self.fleet.targets.values().filter(|target| target.tags.contains(tag)).collect(), Rank::Tag)
                }
                None => (self.fleet.targets.get(on.value.as_str()).into_iter().collect(), Rank::Name),
            };
            // A grant may name a never-host, which stays out of reach and is shown as refused.
            if selected.is_empty() && !self.fleet.never.contains_key(on.value.as_str()) {
                let (message, hint) = self.no_target(&on.value);
                self.wrong(&on.place, message, hint);
            }
            for target in selected {
                let entry = targets.entry(&target.name).or_insert((target, rank));
                entry.1 = entry.1.max(rank);
            }
        }
        targets.into_values().collect()
    }

    fn no_target(&self, name: &str) -> (String, String) {
        if let Some(tag) = name.strip_prefix("tag:") {
            let mut tags: Vec<_> =
                self.fleet.targets.values().flat_map(|target| &target.tags).map(|tag| tag.as_str()).collect();
            tags.sort_unstable();
            tags.dedup();
            let hint = if tags.is_empty() {
                "no target has tags; add tags = [\"linux\"] to one in fleet.toml".to_owned()
            } else {
                choices(tag, tags, "tags")
            };
            (format!("no target has the tag `{tag}`"), hint)
        } else {
            self.fleet.unknown(name)
        }
    }

    /// The values that a grant gives one component, checked against its manifest.
    fn values(&mut self, grant: &Grant, manifest: &'a Manifest) -> Values<'a> {
        let mut slots = Vec::new();
        for (name, value) in &grant.bind {
            match manifest.slots.get_key_value(name.value.as_str()) {
                Some((name, slot)) => match self.bind(slot, value) {
                    Some(literals) => slots.push((name, literals, value.place.clone())),
                    None => drop(self.mistaken.insert((manifest.id.clone(), name.clone()))),
                },
                None => {
                    let known: Vec<_> = manifest.slots.keys().map(SlotName::as_str).collect();
                    let hint = choices(&name.value, known, &format!("slots of `{}`", manifest.id));
                    self.wrong(&name.place, format!("`{}` has no slot `{}`", manifest.id, name.value), hint);
                }
            }
        }
        let mut params = Vec::new();
        for (name, value) in &grant.param {
            let Some((name, param)) = manifest.params.get_key_value(name.value.as_str()) else {
                let known: Vec<_> = manifest.params.keys().map(ParamName::as_str).collect();
                let hint = choices(&name.value, known, &format!("parameters of `{}`", manifest.id));
                self.wrong(&name.place, format!("`{}` has no parameter `{}`", manifest.id, name.value), hint);
                continue;
            };
            match ParamValue::from_toml(&value.value) {
                Some(parsed) if parsed.kind() == param.default.kind() => {
                    params.push((name, parsed, value.place.clone()));
                }
                _ => {
                    let message = format!("parameter `{name}` must be {}", param.default.kind());
                    self.wrong(&value.place, message, format!("its default is {}", param.default));
                }
            }
        }
        let contents = self.contents(grant, manifest);
        let unattended = grant.unattended.as_ref().filter(|unattended| {
            let is_fix = manifest.world == World::Fix;
            if !is_fix {
                let message = format!("`{}` is a probe and makes no changes", manifest.id);
                self.wrong(&unattended.place, message, "`unattended` is only for fixes; remove it".to_owned());
            }
            is_fix
        });
        let unattended = unattended.map(|unattended| (unattended.value, unattended.place.clone()));
        Values { slots, params, contents, unattended }
    }

    /// A grant's replacements for a fix's own contents.
    fn contents(&mut self, grant: &Grant, manifest: &'a Manifest) -> Vec<(&'a ContentName, Body, Place)> {
        let mut contents = Vec::new();
        for (name, text) in &grant.content {
            let Some((name, content)) = manifest.contents.get_key_value(name.value.as_str()) else {
                let known: Vec<_> = manifest.contents.keys().map(ContentName::as_str).collect();
                let hint = match manifest.world {
                    World::Probe => "only a fix has [[content]]; remove this line".to_owned(),
                    World::Fix => choices(&name.value, known, &format!("contents of `{}`", manifest.id)),
                };
                self.wrong(&name.place, format!("`{}` has no content `{}`", manifest.id, name.value), hint);
                continue;
            };
            match content.body.replaced(&text.value) {
                Ok(body) => contents.push((name, body, text.place.clone())),
                Err(error) => {
                    let hint = "use only plain text, spaces, tabs and line ends, so that a reviewer sees all of it";
                    self.wrong(&text.place, error.to_string(), hint.to_owned());
                }
            }
        }
        contents
    }

    fn bind(&mut self, slot: &Slot, value: &Setting<Vec<String>>) -> Option<Vec<Literal>> {
        if !slot.many && value.value.len() != 1 {
            let hint = "only a slot with `many = true` in the manifest takes a list".to_owned();
            self.wrong(&value.place, format!("this slot takes one value, not {}", value.value.len()), hint);
            return None;
        }
        let parsed = value.value.iter().map(|text| {
            let literal = self.policy.named.literal(slot.object, text);
            let literal = literal.and_then(|literal| slot.changeable(&literal).map(|()| literal));
            literal.map_err(|error| (text, error))
        });
        match parsed.collect::<Result<Vec<_>, _>>() {
            Ok(literals) => self.none_never(&literals, &value.place).then_some(literals),
            Err((text, error)) => {
                let hint = match error {
                    LiteralError::Character { .. } => {
                        format!("values are sent to targets without quoting; for example: {}", slot.object.example())
                    }
                    LiteralError::Forbidden { .. } => "no policy can grant it; bind another file".to_owned(),
                    LiteralError::Unchangeable { .. } => "no policy can grant it; bind another object".to_owned(),
                    LiteralError::Undefined { what, .. } => format!("define it in this file: [{what}.NAME]"),
                    _ => format!("for example: {}", slot.object.example()),
                };
                self.wrong(&value.place, with_value(text, error), hint);
                None
            }
        }
    }

    /// Refuses literals that reach a never-host through another machine. Returns false if it reported one.
    fn none_never(&mut self, literals: &[Literal], place: &Place) -> bool {
        let hit = literals.iter().find_map(|literal| {
            let ip = literal.address()?.ip();
            self.fleet.never.values().find(|never| never.has_address(ip)).map(|never| (literal, never))
        });
        let Some((literal, never)) = hit else { return true };
        let message = format!("`{literal}` is on never-host {} ({}: {})", never.name, never.place, never.why);
        self.wrong(place, message, "a never-host is never contacted, not even through another machine".to_owned());
        false
    }

    fn merge(&mut self, target: &Target, manifest: &'a Manifest, place: &Place, rank: Rank, values: &Values<'_>) {
        let Values { slots, params, contents, unattended } = values;
        let assignment = self
            .out
            .entry(target.name.clone())
            .or_default()
            .entry(manifest.id.clone())
            .or_insert_with(|| Assignment::from_defaults(manifest, place));
        if rank > assignment.rank {
            assignment.rank = rank;
            assignment.place = place.clone();
        }
        let mut clashes = Vec::new();
        for (name, literals, place) in slots {
            let same = |bound: &Binding| bound.literals == *literals;
            match assignment.slots.get(*name) {
                Some(bound) if bound.rank > rank => {}
                Some(bound) if bound.rank == rank && !same(bound) => {
                    clashes.push((place, name.as_str(), bound.place.clone()));
                }
                _ => {
                    let bound = Binding { literals: literals.clone(), place: Some(place.clone()), rank };
                    assignment.slots.insert((*name).clone(), bound);
                }
            }
        }
        for (name, value, place) in params {
            match assignment.param_places.get(*name) {
                Some((_, other)) if *other > rank => {}
                Some((other_place, other)) if *other == rank && assignment.params.get(*name) != Some(value) => {
                    clashes.push((place, name.as_str(), Some(other_place.clone())));
                }
                _ => {
                    assignment.params.insert((*name).clone(), value.clone());
                    assignment.param_places.insert((*name).clone(), (place.clone(), rank));
                }
            }
        }
        for (name, body, place) in contents {
            match assignment.contents.get(*name) {
                Some(replaced) if replaced.rank > rank => {}
                Some(replaced) if replaced.rank == rank && replaced.body != *body => {
                    clashes.push((place, name.as_str(), Some(replaced.place.clone())));
                }
                _ => {
                    let replaced = ReplacedContent { body: body.clone(), place: place.clone(), rank };
                    assignment.contents.insert((*name).clone(), replaced);
                }
            }
        }
        if let Some((value, place)) = unattended {
            match &assignment.unattended_place {
                Some((_, other)) if *other > rank => {}
                Some((other_place, other)) if *other == rank && assignment.unattended != *value => {
                    clashes.push((place, "unattended", Some(other_place.clone())));
                }
                _ => {
                    assignment.unattended = *value;
                    assignment.unattended_place = Some((place.clone(), rank));
                }
            }
        }
        for (place, name, other) in clashes {
            let other = other.map_or_else(String::new, |other| format!(" at {other}"));
            let message = format!("`{name}` of `{}` on `{}` has a different value{other}", manifest.id, target.name);
            self.wrong(
                place,
                message,
                "a grant that names the target overrides one that names a tag; two grants of one kind must agree"
                    .into(),
            );
        }
    }

    /// Reports slots without a literal. The component could not check there, and no line of policy would say so.
    fn unbound(&mut self) {
        let mut reported = BTreeSet::new();
        let mut unbound = Vec::new();
        for assignments in self.out.values() {
            for (id, assignment) in assignments {
                let Some(manifest) = self.library.get(id.as_str()) else {
                    continue;
                };
                for (name, slot) in &manifest.slots {
                    let place = &assignment.place;
                    if !slot.many
                        && !assignment.slots.contains_key(name)
                        && !self.mistaken.contains(&(id.clone(), name.clone()))
                        && reported.insert((id, name, place.source.name(), place.span.start))
                    {
                        unbound.push((place.clone(), id.clone(), name.clone(), slot.why.clone()));
                    }
                }
            }
        }
        for (place, id, name, why) in unbound {
            let message = format!("slot `{name}` of `{id}` has no binding ({why})");
            self.wrong(&place, message, format!("add bind.{name} = \"…\" to this grant"));
        }
    }
}

/// The values that a grant gives one component.
struct Values<'a> {
    slots: Slots<'a>,
    params: Params<'a>,
    contents: Vec<(&'a ContentName, Body, Place)>,
    unattended: Option<(bool, Place)>,
}

/// A grant's bindings for one component.
type Slots<'a> = Vec<(&'a SlotName, Vec<Literal>, Place)>;
/// A grant's settings for one component.
type Params<'a> = Vec<(&'a ParamName, ParamValue, Place)>;

/// What is wrong with a component's name that no component has, and the next step.
#[must_use]
pub fn unknown_component<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> (String, String) {
    let hint = did_you_mean(name, known) + "`bailiwick add FILE` adds a component";
    (format!("there is no component `{}`", name.escape_debug()), hint)
}

impl Assignment {
    /// A component's default settings, and the values that override them.
    #[must_use]
    pub fn new(
        manifest: &Manifest,
        place: &Place,
        slots: BTreeMap<SlotName, Vec<Literal>>,
        params: BTreeMap<ParamName, ParamValue>,
    ) -> Self {
        let mut assignment = Self::from_defaults(manifest, place);
        let bound = |literals| Binding { literals, place: Some(place.clone()), rank: Rank::Name };
        assignment.slots.extend(slots.into_iter().map(|(name, literals)| (name, bound(literals))));
        assignment.params.extend(params);
        assignment
    }

    fn from_defaults(manifest: &Manifest, place: &Place) -> Self {
        let slots = manifest.slots.iter().filter_map(|(name, slot)| {
            let literals = vec![slot.default.clone()?];
            Some((name.clone(), Binding { literals, place: None, rank: Rank::Default }))
        });
        let params = manifest.params.iter().map(|(name, param)| (name.clone(), param.default.clone()));
        Self {
            place: place.clone(),
            rank: Rank::Default,
            slots: slots.collect(),
            params: params.collect(),
            param_places: BTreeMap::new(),
            contents: BTreeMap::new(),
            unattended: false,
            unattended_place: None,
        }
    }
}
