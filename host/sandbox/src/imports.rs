//! Checks that a component imports what its manifest asks for, and nothing else.
//!
//! Knows: the worlds `probe` and `fix` of `bailiwick:ops@0.1.0`. Must not know: targets, policy. Attacks answered: an import that the
//! manifest does not name, a version that only seems to be compatible, WASI, and a second way in (LK10, LK13–LK15). Names are
//! compared as strings, before compiling; the engine's linker would match `0.1.5` with `0.1.0`.
//!
//! **Invariant:** [`Links`] are the component's own imports, each of them asked for: what is linked is no more than that.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::inspect::{Inspected, shown};
use super::wasi;
use bailiwick_core::model::{Verb, WasiGroup, World};
use bailiwick_core::rules::Rules;
use bailiwick_core::wit::interfaces;

/// The package that this host offers.
pub const PACKAGE: &str = "bailiwick:ops";
/// Its version, and the only one.
pub const VERSION: &str = "0.1.0";
/// Exports that the toolchains of interpreted languages leave in a component: the function that loaded the interpreter when the
/// component was built (componentize-qjs, componentize-py). The host never calls it.
const LEFT_OVER: &[(&str, &str)] = &[("function", "init"), ("interface", "exports")];

/// Functions that reach no target. Every component may import them; a manifest does not name them.
const LOCAL: &[(&str, &str)] = &[
    ("types", "[method]target.name"),
    ("clock", "now-ms"),
    ("log", "write"),
    ("params", "get"),
    ("slots", "entries"),
    ("calls", "last"),
];

/// The interface of a component's own past. It reaches no target, but a manifest has to ask for it.
const HISTORY: &str = "history";

/// The interpreter's own interface, which is not part of the contract.
pub const RULES: &str = "bailiwick:rules/rules@0.1.0";

/// What a component is linked with: what it imports, and its manifest asks for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Links {
    /// The world that it is built for, by its exports.
    pub world: World,
    /// Verbs.
    pub verbs: BTreeSet<Verb>,
    /// Interfaces of inert WASI, named as in the binary, and the functions of each.
    pub wasi: BTreeMap<String, BTreeSet<String>>,
    /// The checks of its manifest, for which the interpreter calls these verbs. None for any other component.
    pub rules: Option<Rules>,
    /// Its own past: functions of the interface `history`.
    pub history: BTreeSet<String>,
}

impl Links {
    /// Its imports, as the lock lists them. For the interpreter, which imports no verb, also the verbs of its checks: a
    /// version that asks for another verb is reported like one that imports it.
    #[must_use]
    pub fn names(&self, inspected: &Inspected) -> BTreeSet<String> {
        let asked = self.verbs.iter().filter(|_| self.rules.is_some());
        let asked = asked.map(|verb| format!("{} {}", interface_name(verb.interface()), verb.function()));
        inspected.import_names().into_iter().chain(asked).collect()
    }
}

impl From<Rules> for Links {
    fn from(rules: Rules) -> Self {
        Self { verbs: rules.verbs(), rules: Some(rules), ..Self::default() }
    }
}

impl<const N: usize> From<[Verb; N]> for Links {
    fn from(verbs: [Verb; N]) -> Self {
        Self { verbs: verbs.into(), ..Self::default() }
    }
}

/// Why a component is not linked. Names from the component are escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It was built for another host, or for another world than the one in its manifest.
    #[error(
        "it was built for world `{built_for}`; a {wanted} must be built for `{}`\n\nhint: a {wanted} exports {}; build it against the contract that `bailiwick wit` writes", wanted.full_name(), exports(*wanted)
    )]
    OtherWorld {
        /// The world, by its exports.
        built_for: String,
        /// The world in its manifest.
        wanted: World,
    },
    /// It does not export the functions of its world.
    #[error(
        "it exports {found}; a component of `{}` must export {}\n\nhint: build it against the contract that `bailiwick wit` writes", wanted.full_name(), exports(*wanted)
    )]
    NoExports {
        /// What it exports instead.
        found: String,
        /// The world in its manifest.
        wanted: World,
    },
    /// It is a probe that names a changing verb.
    #[error(
        "it imports `{interface}`, but a probe cannot change anything\n\nhint: build a component that changes something for world `{}`", World::Fix.full_name()
    )]
    Changing {
        /// The interface.
        interface: String,
    },
    /// An interface of WASI that reaches something outside, or one of another host.
    #[error("it imports `{interface}`: {why}\n\nhint: {}", without(interface))]
    Foreign {
        /// The interface.
        interface: String,
        /// Why this host never provides it.
        why: &'static str,
    },
    /// WASI of another version.
    #[error(
        "it was built for `{interface}`, this host offers version 0.2.0 and those compatible with it\n\nhint: build it with a toolchain for WASI 0.2, or for one without WASI (Rust: the target wasm32-unknown-unknown)"
    )]
    WasiVersion {
        /// The interface.
        interface: String,
    },
    /// It imports inert WASI that its manifest does not ask for.
    #[error(
        "it imports {}, but its manifest does not ask for {}\n\nhint: add `[wasi]` with `interfaces = [{}]` and `why` to manifest.toml, or build it without WASI", wasis(.0), it(.0), quoted(.0)
    )]
    WasiNotAskedFor(Vec<WasiGroup>),
    /// Its manifest asks for inert WASI that it does not import.
    #[error("its manifest asks for {}, but the component never imports {}\n\nhint: remove it from [wasi] in manifest.toml", wasis(.0), it(.0))]
    WasiNotImported(Vec<WasiGroup>),
    /// It imports the right interface in another version.
    #[error(
        "it was built for `{interface}`, this host offers `{offered}`\n\nhint: build it again against the contract that `bailiwick wit` writes"
    )]
    OtherVersion {
        /// The interface with its version.
        interface: String,
        /// The version that this host has.
        offered: String,
    },
    /// No such interface in the package.
    #[error("it was built for `{interface}`, which this host does not have; a component can import {}", interfaces().join(", "))]
    UnknownInterface {
        /// The interface.
        interface: String,
    },
    /// No such function.
    #[error(
        "it calls `{function}` of `{interface}`, which this host does not have\n\nhint: build it again against the contract that `bailiwick wit` writes"
    )]
    UnknownFunction {
        /// The interface.
        interface: String,
        /// The function.
        function: String,
    },
    /// It calls verbs that its manifest does not ask for.
    #[error("it calls {}, but its manifest does not ask for {}\n\nhint: add it to a [[slot]] or [[use]] of manifest.toml, or do not call it", list(.0), it(.0))]
    NotAskedFor(Vec<Verb>),
    /// Its manifest asks for verbs that it does not call.
    #[error("its manifest asks for {}, but the component never calls {}\n\nhint: remove it from manifest.toml, or call it", list(.0), it(.0))]
    NotCalled(Vec<Verb>),
    /// The manifest has checks, but the component is not the interpreter.
    #[error(
        "its manifest has checks, but it is not the interpreter of this host\n\nhint: build the component with `bailiwick pack manifest.toml`; pack it again if another release packed it"
    )]
    OtherInterpreter,
    /// It imports the interpreter's interface, but is not the interpreter or has no checks.
    #[error(
        "it imports `{RULES}`, which only the interpreter may import\n\nhint: put [[check]] tables into manifest.toml and build the component with `bailiwick pack manifest.toml`"
    )]
    NoChecks,
    /// It imports its past, which its manifest does not ask for.
    #[error(
        "it reads its history, but its manifest does not ask for it\n\nhint: add `[history]` with `why` to manifest.toml, or do not call `history`"
    )]
    HistoryNotAskedFor,
    /// Its manifest asks for its past, which it does not import.
    #[error(
        "its manifest asks for [history], but the component never calls `history`\n\nhint: remove [history] from manifest.toml"
    )]
    HistoryNotCalled,
    /// It exports more than the functions of its world.
    #[error("it exports the {kind} `{name}` besides {}; the host never calls it", exports(*world))]
    OtherExport {
        /// The kind of export.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The world that it is built for.
        world: World,
    },
}

/// The functions that a world's components export, in a sentence.
fn exports(world: World) -> String {
    world.exports().iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
}

/// True for an interface that only fixes have.
fn is_changing(short: &str) -> bool {
    short == "changes" || short.ends_with("-change")
}

fn wasis(groups: &[WasiGroup]) -> String {
    groups.iter().map(|group| format!("`wasi:{group}`")).collect::<Vec<_>>().join(", ")
}

fn quoted(groups: &[WasiGroup]) -> String {
    groups.iter().map(|group| format!("\"{group}\"")).collect::<Vec<_>>().join(", ")
}

/// How to build without an interface.
fn without(interface: &str) -> &'static str {
    if interface.starts_with("wasi:") {
        "build it without WASI (Rust: the target wasm32-unknown-unknown; Python: componentize-py --stub-wasi; JavaScript: componentize-qjs --stub-wasi; C: no standard library); what a probe reads, it reads by verbs"
    } else {
        "build it against the contract that `bailiwick wit` writes"
    }
}

fn list(verbs: &[Verb]) -> String {
    verbs.iter().map(|verb| format!("`{verb}`")).collect::<Vec<_>>().join(", ")
}

fn it<T>(all: &[T]) -> &'static str {
    if all.len() == 1 { "it" } else { "them" }
}

/// A refusal and the author's next step on one line: for a table's cell.
#[must_use]
pub fn on_one_line(refusal: &dyn std::error::Error) -> String {
    refusal.to_string().replace("\n\nhint: ", "; ")
}

/// The full name of one of the package's interfaces.
#[must_use]
pub fn interface_name(interface: &str) -> String {
    format!("{PACKAGE}/{interface}@{VERSION}")
}

/// Checks that a component imports exactly what the manifest asks for, verbs, inert WASI and its own past, apart from what
/// every component may import, and exports exactly what its world does. Returns what to link.
///
/// # Errors
/// The first thing that is wrong: another world and foreign interfaces first, because they explain the rest.
pub fn check_imports(
    inspected: &Inspected,
    world: World,
    verbs: &BTreeSet<Verb>,
    wasi: &BTreeSet<WasiGroup>,
    history: bool,
) -> Result<Links, ImportError> {
    check_world(inspected, world)?;
    let links = links(inspected)?;
    check_observes(inspected, world)?;
    differ(&groups(&links), wasi).map_err(|(extra, missing)| match extra.is_empty() {
        false => ImportError::WasiNotAskedFor(extra),
        true => ImportError::WasiNotImported(missing),
    })?;
    differ(&links.verbs, verbs).map_err(|(extra, missing)| match extra.is_empty() {
        false => ImportError::NotAskedFor(extra),
        true => ImportError::NotCalled(missing),
    })?;
    match (links.history.is_empty(), history) {
        (false, false) => return Err(ImportError::HistoryNotAskedFor),
        (true, true) => return Err(ImportError::HistoryNotCalled),
        _ => {}
    }
    let is_left_over = |kind: &str, name: &str| LEFT_OVER.contains(&(kind, name));
    let own = |kind: &str, name: &str| is_export(world, kind, name);
    let other = inspected.exports.iter().find(|(kind, name)| !own(kind, name) && !is_left_over(kind, name));
    match other {
        Some((kind, name)) => Err(ImportError::OtherExport { kind, name: shown(name), world }),
        None => Ok(links),
    }
}

/// The same for a component with this manifest's requests, which may be checks for the interpreter. The interpreter imports no
/// verb. It names a check by its number, so its manifest limits what it can ask.
///
/// # Errors
/// As [`check_imports`]; and when the checks are for another interpreter, or the interpreter has none.
pub fn check_component(
    inspected: &Inspected,
    world: World,
    verbs: &BTreeSet<Verb>,
    wasi: &BTreeSet<WasiGroup>,
    history: bool,
    rules: Option<&Rules>,
) -> Result<Links, ImportError> {
    let Some(rules) = rules else { return check_imports(inspected, world, verbs, wasi, history) };
    if !inspected.interpreter {
        return Err(ImportError::OtherInterpreter);
    }
    // The interpreter calls only the verbs of the checks.
    differ(&rules.verbs(), verbs).map_err(|(extra, missing)| match extra.is_empty() {
        false => ImportError::NotAskedFor(extra),
        true => ImportError::NotCalled(missing),
    })?;
    if history {
        return Err(ImportError::HistoryNotCalled);
    }
    Ok(rules.clone().into())
}

/// True for an interpreter of any release, which asks through the checks of its manifest.
#[must_use]
pub fn asks_by_rules(inspected: &Inspected) -> bool {
    inspected.imports.iter().any(|(interface, _)| interface == RULES)
}

/// What a component imports, whatever a manifest asks for.
///
/// # Errors
/// When it imports what this host does not have.
pub fn links(inspected: &Inspected) -> Result<Links, ImportError> {
    let mut links = Links { world: world(inspected), ..Links::default() };
    let names = inspected.imports.iter().map(|(interface, _)| interface).chain(&inspected.type_imports);
    for name in names.clone() {
        if name == RULES {
            return Err(ImportError::NoChecks);
        }
        if wasi::interface(name)?.is_some() {
            links.wasi.entry(name.clone()).or_default();
        } else {
            check_package(name)?;
        }
    }
    for name in names.filter(|name| !links.wasi.contains_key(*name)) {
        check_interface(name)?;
    }
    for (interface, function) in &inspected.imports {
        let unknown = || ImportError::UnknownFunction { interface: shown(interface), function: shown(function) };
        if let Some(known) = wasi::interface(interface)? {
            if !known.functions.contains(&function.as_str()) {
                return Err(unknown());
            }
            links.wasi.entry(interface.clone()).or_default().insert(function.clone());
            continue;
        }
        let short = short_name(interface).unwrap_or_default();
        if LOCAL.contains(&(short, function)) {
            continue;
        }
        if short == HISTORY && matches!(function.as_str(), "earlier" | "previous-ms") {
            links.history.insert(function.clone());
            continue;
        }
        let verb = Verb::ALL.iter().find(|verb| verb.interface() == short && verb.function() == function);
        links.verbs.insert(*verb.ok_or_else(unknown)?);
    }
    Ok(links)
}

/// The packages of WASI among the imports.
#[must_use]
pub fn groups(links: &Links) -> BTreeSet<WasiGroup> {
    links.wasi.keys().filter_map(|name| wasi::interface(name).ok().flatten()).map(|known| known.group).collect()
}

/// What each set has and the other lacks, if they differ.
fn differ<T: Ord + Copy>(has: &BTreeSet<T>, asked: &BTreeSet<T>) -> Result<(), (Vec<T>, Vec<T>)> {
    if has == asked {
        return Ok(());
    }
    Err((has.difference(asked).copied().collect(), asked.difference(has).copied().collect()))
}

fn is_export(world: World, kind: &str, name: &str) -> bool {
    kind == "function" && world.exports().contains(&name)
}

/// The world that a component is built for, by its exports: only a fix exports `plan`.
fn world(inspected: &Inspected) -> World {
    let plans = inspected.exports.iter().any(|(kind, name)| is_export(World::Fix, kind, name));
    if plans { World::Fix } else { World::Probe }
}

/// Refuses a probe that names an interface for changes, even if it calls none of its functions.
fn check_observes(inspected: &Inspected, world: World) -> Result<(), ImportError> {
    let mut names = inspected.imports.iter().map(|(interface, _)| interface).chain(&inspected.type_imports);
    let changing = names.find(|name| short_name(name).is_some_and(is_changing));
    match changing {
        Some(interface) if world == World::Probe => Err(ImportError::Changing { interface: shown(interface) }),
        _ => Ok(()),
    }
}

/// Refuses a component that does not export the functions of its world. It was built for another host or another world, and its
/// exports show which.
fn check_world(inspected: &Inspected, wanted: World) -> Result<(), ImportError> {
    let has = |name: &&str| inspected.exports.iter().any(|(kind, exported)| *kind == "function" && exported == *name);
    if wanted.exports().iter().all(has) {
        return Ok(());
    }
    let known = inspected.exports.iter().find_map(|(kind, name)| {
        let (path, version) = name.rsplit_once('@').unwrap_or((name, ""));
        match (*kind, path) {
            ("interface", "wasi:cli/run") => Some(format!("wasi:cli/command@{}", shown(version))),
            ("interface", "wasi:http/incoming-handler") => Some(format!("wasi:http/proxy@{}", shown(version))),
            ("function", "plan") => Some(World::Fix.full_name().to_owned()),
            ("function", "examine") => Some(World::Probe.full_name().to_owned()),
            _ => None,
        }
    });
    Err(match (known, inspected.exports.first()) {
        (Some(built_for), _) if built_for != wanted.full_name() => ImportError::OtherWorld { built_for, wanted },
        (_, Some((kind, name))) => ImportError::NoExports { found: format!("the {kind} `{}`", shown(name)), wanted },
        (_, None) => ImportError::NoExports { found: "nothing".to_owned(), wanted },
    })
}

/// `system` for `bailiwick:ops/system@0.1.0`.
fn short_name(interface: &str) -> Option<&str> {
    let (path, version) = interface.rsplit_once('@')?;
    let short = path.strip_prefix(PACKAGE)?.strip_prefix('/')?;
    (version == VERSION).then_some(short)
}

fn check_package(interface: &str) -> Result<(), ImportError> {
    let ours = interface.strip_prefix(PACKAGE).is_some_and(|rest| rest.starts_with('/'));
    if ours {
        return Ok(());
    }
    Err(ImportError::Foreign { interface: shown(interface), why: "this host does not have it" })
}

fn check_interface(interface: &str) -> Result<(), ImportError> {
    let (path, version) = interface.rsplit_once('@').unwrap_or((interface, ""));
    let short = path.strip_prefix(PACKAGE).and_then(|rest| rest.strip_prefix('/')).unwrap_or_default();
    if !interfaces().contains(&short) {
        return Err(ImportError::UnknownInterface { interface: shown(interface) });
    }
    if version != VERSION {
        return Err(ImportError::OtherVersion { interface: shown(interface), offered: interface_name(short) });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspected(imports: &[(&str, &str)]) -> Inspected {
        Inspected {
            digest: String::new(),
            size: 0,
            imports: imports.iter().map(|(i, f)| ((*i).to_owned(), (*f).to_owned())).collect(),
            type_imports: vec!["bailiwick:ops/reports@0.1.0".to_owned()],
            exports: vec![("function", "examine".to_owned())],
            custom: Vec::new(),
            interpreter: false,
        }
    }

    fn check(imports: &[(&str, &str)], verbs: &[Verb]) -> Result<(), String> {
        check_with(imports, verbs, &[])
    }

    fn check_with(imports: &[(&str, &str)], verbs: &[Verb], wasi: &[WasiGroup]) -> Result<(), String> {
        let (verbs, wasi) = (verbs.iter().copied().collect(), wasi.iter().copied().collect());
        check_imports(&inspected(imports), World::Probe, &verbs, &wasi, false)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn exactly_what_the_manifest_says() {
        let local = ("bailiwick:ops/log@0.1.0", "write");
        let load = ("bailiwick:ops/system@0.1.0", "load");
        let clock = ("wasi:clocks/wall-clock@0.2.3", "now");
        assert_eq!(check(&[local, load], &[Verb::SystemLoad]), Ok(()));
        assert_eq!(check_with(&[load, clock], &[Verb::SystemLoad], &[WasiGroup::Clocks]), Ok(()));
        let texts: Vec<String> = [
            check(&[load], &[]),
            check(&[], &[Verb::SystemLoad, Verb::FilesRead]),
            check(&[("wasi:filesystem/types@0.2.6", "x"), load], &[]),
            check(&[("wasi:sockets/tcp@0.2.6", "x")], &[]),
            check(&[("acme:host/x", "x")], &[]),
            check(&[clock], &[]),
            check_with(&[clock], &[], &[WasiGroup::Cli, WasiGroup::Clocks, WasiGroup::Io]),
            check_with(&[("wasi:clocks/wall-clock@0.3.0", "now")], &[], &[WasiGroup::Clocks]),
            check_with(&[("wasi:clocks/wall-clock@0.2.0", "set")], &[], &[WasiGroup::Clocks]),
            check_with(&[("wasi:clocks/timezone@0.2.0", "display")], &[], &[WasiGroup::Clocks]),
            check(&[("bailiwick:opsx/system@0.1.0", "load")], &[]),
            check(&[("bailiwick:ops/system@0.1.1", "load")], &[]),
            check(&[("bailiwick:ops/system", "load")], &[]),
            check(&[("bailiwick:ops/services-change@0.1.0", "restart")], &[]),
            check(&[("bailiwick:ops/system@0.1.0", "reboot")], &[]),
            check(&[("bailiwick:ops/types@0.1.0", "[method]target.address")], &[]),
        ]
        .into_iter()
        .map(|outcome| outcome.unwrap_err())
        .collect();
        insta::assert_snapshot!(texts.join("\n---\n"));
    }

    #[test]
    fn exactly_one_export() {
        let mut component = inspected(&[]);
        component.exports.push(("interface", "wasi:cli/run@0.2.0".to_owned()));
        let none = BTreeSet::new();
        let extra = check_imports(&component, World::Probe, &none, &BTreeSet::new(), false).unwrap_err();
        assert_eq!(
            extra.to_string(),
            "it exports the interface `wasi:cli/run@0.2.0` besides `examine`; the host never calls it"
        );
        component.exports.pop();
        component.exports.extend([("function", "init".to_owned()), ("interface", "exports".to_owned())]);
        let left_over = check_imports(&component, World::Probe, &none, &BTreeSet::new(), false).map(drop);
        assert_eq!(left_over, Ok(()), "the left-over exports of interpreters are ignored");
    }

    #[test]
    fn another_world_is_named() {
        let exports = [
            Some(("interface", "wasi:cli/run@0.2.0")),
            Some(("interface", "wasi:http/incoming-handler@0.2.4")),
            Some(("function", "plan")),
            Some(("interface", "examine")),
            None,
        ];
        let texts = exports.map(|export| {
            // Its imports are foreign, too; the world explains more.
            let mut component = inspected(&[("wasi:filesystem/types@0.2.0", "x")]);
            component.exports = export.into_iter().map(|(kind, name)| (kind, name.to_owned())).collect();
            check_imports(&component, World::Probe, &BTreeSet::new(), &BTreeSet::new(), false).unwrap_err().to_string()
        });
        insta::assert_snapshot!(texts.join("\n---\n"));
    }
}
