//! What an author asks for: verbs, slots and settings, each with a reason.
//!
//! Knows: `manifest.toml`. Must not know: any fleet or policy. A manifest grants nothing; it bounds what policy can grant.

use std::collections::{BTreeMap, BTreeSet};

mod fix;
mod keys;

use serde::Deserialize;
use toml::Spanned;

pub use self::fix::{Answers, Body, BodyError, Content, Contract};
use self::fix::{RawAnswers, RawContent, RawContract, RawFix};
pub use self::keys::reference;
use crate::encode;
use crate::limits;
use crate::limits::LimitRequest;
use crate::model::{
    ComponentId, ContentName, Literal, Object, ParamName, ParamValue, SlotName, Verb, WasiGroup, World,
};
use crate::read_toml::read_toml;
use crate::rules;
use crate::rules::{Asked, RawCheck, Rules};
use crate::source::{Place, Problem, Problems, Source, with_value};

/// Packages of WASI that are always refused, because their functions reach files or the network.
const WASI_NEVER: &[&str] = &["filesystem", "sockets", "http", "tls"];

/// What a component asks for.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Its id.
    pub id: ComponentId,
    /// Its version: `1.2.3`.
    pub version: String,
    /// The world that it is built for.
    pub world: World,
    /// One line for people.
    pub title: String,
    /// Whether one run checks one target or all.
    pub scope: Scope,
    /// Verbs that need no object, each with the author's reason.
    pub uses: BTreeMap<Verb, String>,
    /// Named places for objects, which policy fills.
    pub slots: BTreeMap<SlotName, Slot>,
    /// Settings and their defaults.
    pub params: BTreeMap<ParamName, Param>,
    /// The parts of inert WASI that its language runtime needs.
    pub wasi: Option<Wasi>,
    /// Why it needs its own earlier results. None if it does not ask for them.
    pub history: Option<String>,
    /// Limits that it needs raised. Policy decides.
    pub limits: Vec<LimitRequest>,
    /// The checks that the built-in interpreter runs. None for a component with code of its own.
    pub rules: Option<Rules>,
    /// The contract of a fix: why it makes its changes. None for a probe.
    pub contract: Option<Contract>,
    /// The findings that a fix answers.
    pub answers: BTreeSet<Answers>,
    /// The contents that a fix may write into files.
    pub contents: BTreeMap<ContentName, Content>,
}

/// How many targets a component checks in one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// One: a run for each of its targets.
    #[default]
    Target,
    /// All targets that policy assigns to it: one run, to compare them.
    Fleet,
}

/// A request for inert WASI.
#[derive(Debug, Clone)]
pub struct Wasi {
    /// Its packages.
    pub interfaces: BTreeSet<WasiGroup>,
    /// The author's reason.
    pub why: String,
}

/// A named place for an object, which policy fills.
#[derive(Debug, Clone)]
pub struct Slot {
    /// The verbs on the object.
    pub verbs: BTreeSet<Verb>,
    /// The kind of object that the verbs take.
    pub object: Object,
    /// Whether policy binds a list.
    pub many: bool,
    /// The contents that the verbs may write there, for verbs that write declared content.
    pub content: BTreeSet<ContentName>,
    /// The literal if policy binds none.
    pub default: Option<Literal>,
    /// The author's reason.
    pub why: String,
    /// The place in the manifest.
    pub place: Place,
}

/// A setting.
#[derive(Debug, Clone)]
pub struct Param {
    /// The value if policy sets none. Policy may set another value of the same type.
    pub default: ParamValue,
    /// One line for people.
    pub about: String,
}

impl Manifest {
    /// Every verb that is asked for, with or without an object.
    #[must_use]
    pub fn verbs(&self) -> BTreeSet<Verb> {
        self.uses.keys().copied().chain(self.slots.values().flat_map(|slot| slot.verbs.iter().copied())).collect()
    }

    /// The packages of inert WASI that are asked for.
    #[must_use]
    pub fn wasi(&self) -> BTreeSet<WasiGroup> {
        self.wasi.iter().flat_map(|wasi| wasi.interfaces.iter().copied()).collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawManifest {
    component: RawComponent,
    #[serde(default, rename = "use")]
    uses: Vec<RawUse>,
    #[serde(default, rename = "slot")]
    slots: Vec<RawSlot>,
    #[serde(default, rename = "param")]
    params: BTreeMap<Spanned<String>, RawParam>,
    wasi: Option<RawWasi>,
    history: Option<RawHistory>,
    #[serde(default, rename = "limit")]
    limits: Vec<RawLimit>,
    #[serde(default, rename = "check")]
    checks: Vec<RawCheck>,
    contract: Option<RawContract>,
    #[serde(default)]
    answers: Vec<RawAnswers>,
    #[serde(default, rename = "content")]
    contents: Vec<RawContent>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawComponent {
    id: Spanned<String>,
    version: Spanned<String>,
    world: Spanned<String>,
    title: Spanned<String>,
    scope: Option<Spanned<Scope>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUse {
    verb: Vec<Spanned<String>>,
    why: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSlot {
    name: Spanned<String>,
    verb: Vec<Spanned<String>>,
    default: Option<Spanned<String>>,
    #[serde(default)]
    many: bool,
    #[serde(default)]
    content: Vec<Spanned<String>>,
    why: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawParam {
    default: Spanned<toml::Value>,
    about: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWasi {
    interfaces: Spanned<Vec<Spanned<String>>>,
    why: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHistory {
    why: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimit {
    name: Spanned<String>,
    value: Spanned<toml::Value>,
    why: Spanned<String>,
}

/// Reads a manifest.
///
/// # Errors
/// All mistakes in it, each with its place.
pub fn parse(source: &Source) -> Result<Manifest, Problems> {
    let raw: RawManifest = read_toml(source, Some(reference))?;
    let mut reader = Reader { source, problems: Problems::default() };
    let manifest = reader.manifest(&raw);
    match manifest {
        Some(manifest) => reader.problems.or(manifest),
        None => Err(reader.problems),
    }
}

struct Reader<'a> {
    source: &'a Source,
    problems: Problems,
}

impl Reader<'_> {
    fn wrong<T>(&mut self, at: &Spanned<T>, message: impl std::fmt::Display, hint: &str) {
        let problem = Problem::at(self.source.at(at.span()), message);
        self.problems.push(if hint.is_empty() { problem } else { problem.hint(hint) });
    }

    /// Adds the mistake in a text to the problems, if there is one.
    fn take<T, E: std::fmt::Display>(
        &mut self,
        text: &Spanned<String>,
        parse: impl FnOnce(&str) -> Result<T, E>,
        hint: &str,
    ) -> Option<T> {
        parse(text.get_ref()).map_err(|error| self.wrong(text, with_value(text.get_ref(), error), hint)).ok()
    }

    fn manifest(&mut self, raw: &RawManifest) -> Option<Manifest> {
        let component = &raw.component;
        let id = self.take(&component.id, ComponentId::new, "");
        self.take(&component.version, check_version, "write it as `1.2.3`");
        let world = self.take(
            &component.world,
            world,
            "write world = \"bailiwick:ops/probe@0.1.0\", or \"bailiwick:ops/fix@0.1.0\" for a fix",
        );
        self.line(&component.title, "`title` is empty");
        let mut uses = BTreeMap::new();
        for raw in &raw.uses {
            self.line(&raw.why, "every request needs a `why`");
            for (verb, at) in self.verbs(&raw.verb) {
                if crate::verbs::spec(verb).object != Object::None {
                    self.wrong(at, format!("`{verb}` needs an object"), "ask for it in a [[slot]]");
                } else if uses.insert(verb, raw.why.get_ref().clone()).is_some() {
                    self.wrong(at, format!("`{verb}` is requested twice"), "keep one of the two");
                }
            }
        }
        let mut contents: Vec<(ContentName, Content)> = Vec::new();
        for raw in &raw.contents {
            let Some((name, content)) = self.content(raw) else { continue };
            if contents.iter().any(|(known, _)| *known == name) {
                self.wrong(&raw.name, format!("there are two contents `{name}`"), "");
            }
            contents.push((name, content));
        }
        let mut slots = BTreeMap::new();
        for raw in &raw.slots {
            let Some((name, slot)) = self.slot(raw, &contents) else {
                continue;
            };
            if slots.insert(name, slot).is_some() {
                self.wrong(&raw.name, format!("there are two slots `{}`", raw.name.get_ref()), "");
            }
        }
        let mut params = BTreeMap::new();
        for (name, raw) in &raw.params {
            self.line(&raw.about, "every parameter needs an `about`");
            let value = ParamValue::from_toml(raw.default.get_ref());
            if value.is_none() {
                self.wrong(
                    &raw.default,
                    "a default must be a number, a string, true or false, or a list of strings",
                    "such as default = 90.0",
                );
            }
            if let (Some(name), Some(default)) = (self.take(name, ParamName::new, ""), value) {
                params.insert(name, Param { default, about: raw.about.get_ref().clone() });
            }
        }
        let wasi = raw.wasi.as_ref().map(|raw| self.wasi(raw));
        let history = raw.history.as_ref().map(|raw| {
            self.line(&raw.why, "every request needs a `why`");
            raw.why.get_ref().clone()
        });
        let limits = self.limits(&raw.limits);
        let asked = Asked {
            uses: uses.keys().copied().collect(),
            slots: slots.iter().map(|(name, slot): (&SlotName, &Slot)| (name.clone(), slot.verbs.clone())).collect(),
            params: params
                .iter()
                .map(|(name, param): (&ParamName, &Param)| (name.clone(), param.default.clone()))
                .collect(),
        };
        let rules = rules::read(self.source, &raw.checks, &asked, &mut self.problems);
        if let (Some(wasi), Some(_)) = (&raw.wasi, &rules) {
            self.wrong(&wasi.interfaces, "checks need no WASI", "remove [wasi]");
        }
        let scope = component.scope.as_ref().map_or_else(Scope::default, |scope| *scope.get_ref());
        if let (Some(at), Scope::Fleet, Some(_)) = (&component.scope, scope, &rules) {
            self.wrong(at, "a check runs on one target at a time", "remove `scope`");
        }
        if let (Some(history), Some(_)) = (&raw.history, &rules) {
            self.wrong(&history.why, "a check cannot read earlier findings", "remove [history]");
        }
        let contract = raw.contract.as_ref().map(|raw| self.contract(raw));
        let answers = self.answers(&raw.answers);
        self.unused(&raw.contents, &slots);
        if let Some(world) = world {
            let asked = raw.uses.iter().flat_map(|raw| &raw.verb).chain(raw.slots.iter().flat_map(|raw| &raw.verb));
            let asked: Vec<_> = asked.filter_map(|at| Some((Verb::from_name(at.get_ref())?, at))).collect();
            let fix = RawFix { contract: raw.contract.as_ref(), answers: &raw.answers, contents: &raw.contents };
            self.fits_world(world, &component.id, &fix, &asked);
            if world == World::Fix {
                self.is_code_for_one(scope, &raw.checks, &component.id);
            }
        }
        Some(Manifest {
            id: id?,
            version: component.version.get_ref().clone(),
            world: world?,
            title: component.title.get_ref().clone(),
            scope,
            uses,
            slots,
            params,
            wasi,
            history,
            limits,
            rules,
            contract,
            answers,
            contents: contents.into_iter().collect(),
        })
    }

    /// Checks that a fix has the scope of one target and has code of its own.
    fn is_code_for_one(&mut self, scope: Scope, checks: &[RawCheck], id: &Spanned<String>) {
        if scope == Scope::Fleet {
            self.wrong(id, "a fix cannot have scope = \"fleet\"", "remove `scope`");
        }
        if !checks.is_empty() {
            self.wrong(id, "a [[check]] plans nothing", "put the checks into a probe of their own");
        }
    }

    fn wasi(&mut self, raw: &RawWasi) -> Wasi {
        self.line(&raw.why, "every request needs a `why`");
        if raw.interfaces.get_ref().is_empty() {
            self.wrong(&raw.interfaces, "[wasi] names no interface", "name one, or remove [wasi]");
        }
        let mut interfaces = BTreeSet::new();
        for at in raw.interfaces.get_ref() {
            match WasiGroup::from_name(at.get_ref()) {
                Some(group) if interfaces.insert(group) => {}
                Some(group) => self.wrong(at, format!("`{group}` is requested twice"), "keep one of the two"),
                None if WASI_NEVER.contains(&at.get_ref().as_str()) => {
                    let name = at.get_ref();
                    self.wrong(at, format!("no component gets `wasi:{name}`"), "what a probe reads, it reads by verbs");
                }
                None => self.wrong(
                    at,
                    format!("`wasi:{}` is not offered", at.get_ref().escape_default()),
                    "the interfaces are: cli, clocks, io, random",
                ),
            }
        }
        Wasi { interfaces, why: raw.why.get_ref().clone() }
    }

    fn limits(&mut self, raw: &[RawLimit]) -> Vec<LimitRequest> {
        let mut asks: Vec<LimitRequest> = Vec::new();
        for raw in raw {
            self.line(&raw.why, "every request needs a `why`");
            let row = match limits::row(raw.name.get_ref()) {
                Ok(row) => row,
                Err(error) => {
                    self.wrong(&raw.name, &error, &error.hint());
                    continue;
                }
            };
            match row.value(raw.value.get_ref()) {
                Err(error) => self.wrong(&raw.value, &error, &error.hint()),
                Ok(_) if asks.iter().any(|ask| ask.row.name == row.name) => {
                    self.wrong(&raw.name, format!("`{}` is requested twice", row.name), "keep one of the two");
                }
                Ok(value) if value <= row.default => {
                    let has = format!("`{}` = {value} is not above the default, {}", row.name, row.shown(row.default));
                    self.wrong(&raw.value, has, "ask only for what is above the default; `bailiwick limits` lists it");
                }
                Ok(value) => asks.push(LimitRequest { row, value, why: raw.why.get_ref().clone() }),
            }
        }
        asks
    }

    fn slot(&mut self, raw: &RawSlot, contents: &[(ContentName, Content)]) -> Option<(SlotName, Slot)> {
        self.line(&raw.why, "every request needs a `why`");
        let name = self.take(&raw.name, SlotName::new, "");
        let mut verbs = BTreeSet::new();
        let mut object = None;
        for (verb, at) in self.verbs(&raw.verb) {
            match (crate::verbs::spec(verb).object, object) {
                (Object::None, _) => self.wrong(at, format!("`{verb}` takes no object"), "ask for it in a [[use]]"),
                (needs, Some(has)) if needs != has => {
                    self.wrong(
                        at,
                        format!("`{verb}` takes another kind of object than the verbs before it"),
                        "make two slots",
                    );
                }
                (needs, _) => {
                    object = Some(needs);
                    verbs.insert(verb);
                }
            }
        }
        if raw.verb.is_empty() {
            self.wrong(&raw.name, "a slot names at least one verb", "");
        }
        let object = object?;
        let default = match &raw.default {
            Some(text) => Some(self.default(text, object)?),
            None => None,
        };
        let content = self.slot_content(&raw.content, &raw.name, &verbs, contents);
        let place = self.source.at(raw.name.span());
        let slot = Slot { verbs, object, many: raw.many, content, default, why: raw.why.get_ref().clone(), place };
        self.changeable(raw.default.as_ref().unwrap_or(&raw.name), &slot);
        Some((name?, slot))
    }

    /// Parses a literal that the author may choose: not one that only an operator can know, and not one of another machine.
    fn default(&mut self, text: &Spanned<String>, object: Object) -> Option<Literal> {
        let hint = match object {
            Object::Statement => "remove `default`; policy.toml defines the name as [statement.NAME] and binds it",
            Object::Command => "remove `default`; policy.toml defines the name as [command.NAME] and binds it",
            Object::ChangeCommand => {
                "remove `default`; policy.toml defines the name as [change-command.NAME] and binds it"
            }
            _ => "",
        };
        let literal = self.take(text, |text| Literal::parse(object, text), hint)?;
        if literal.address().is_some_and(|address| !address.ip().is_loopback()) {
            self.wrong(text, "a default reaches the target itself, and no other machine", "bind it in policy.toml");
            return None;
        }
        Some(literal)
    }

    fn verbs<'b>(&mut self, names: &'b [Spanned<String>]) -> Vec<(Verb, &'b Spanned<String>)> {
        names
            .iter()
            .filter_map(|at| {
                let verb = Verb::from_name(at.get_ref());
                if verb.is_none() {
                    self.wrong(at, format!("unknown verb `{}`", at.get_ref()), &crate::verbs::nearest(at.get_ref()));
                }
                Some((verb?, at))
            })
            .collect()
    }

    /// Checks a text for a review: one line, not empty.
    fn line(&mut self, text: &Spanned<String>, need: &str) {
        let line = text.get_ref();
        if line.trim().is_empty() {
            self.wrong(text, need, "write one sentence for the reviewer");
        } else if line.len() > 200 {
            self.wrong(text, format!("{} bytes long; at most 200", line.len()), "write one line");
        } else if line.trim() != line || !encode::is_plain(line) {
            // An author's text on the page that an operator approves. No character in it may move or hide other text.
            self.wrong(
                text,
                "holds spaces at its start or end, or characters that cannot be shown",
                "write plain text",
            );
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum ShapeError {
    #[error("a version must be three numbers")]
    Version,
    #[error(
        "built for world `{found}`; this host offers `{}` and `{}`",
        World::Probe.full_name(),
        World::Fix.full_name()
    )]
    World { found: String },
}

fn check_version(text: &str) -> Result<(), ShapeError> {
    let number = |part: &str| {
        (1..=9).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    let parts: Vec<_> = text.split('.').collect();
    if parts.len() == 3 && parts.into_iter().all(number) { Ok(()) } else { Err(ShapeError::Version) }
}

fn world(text: &str) -> Result<World, ShapeError> {
    let known = World::ALL.iter().find(|world| world.full_name() == text);
    known.copied().ok_or_else(|| ShapeError::World { found: text.to_owned() })
}
