//! Whether a component asks for what its manifest says, and for nothing else.
//!
//! Knows: the world `bailiwick:ops/probe@0.1.0`. Must not know: targets, policy. Attacks answered: an import that the
//! manifest does not name, a version that merely looks compatible, WASI, and a second way in (LK10, LK13–LK15). Names are
//! compared as strings, before compiling; the engine's linker would match `0.1.5` with `0.1.0`.

use std::collections::BTreeSet;

use super::inspect::{Inspected, shown};
use crate::model::Verb;

/// The package that this host offers.
pub const PACKAGE: &str = "bailiwick:ops";
/// Its version, and the only one.
pub const VERSION: &str = "0.1.0";
/// The only export of a probe that is ever called.
pub const EXPORT: &str = "examine";

/// What the toolchains of interpreted languages leave behind: the function that loaded the interpreter when the component
/// was built (componentize-qjs, componentize-py). Nobody calls it here.
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

/// The interfaces of the package.
const INTERFACES: &[&str] =
    &["types", "reports", "system", "files", "services", "network", "clock", "log", "params", "slots", "calls"];

/// Why a component is not linked. Names in it are the component's, escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Some of WASI, or of another host's world.
    #[error(
        "it imports `{interface}`: {why}\n\nhint: build it for the world `{PACKAGE}/probe@{VERSION}`, which has no WASI (Rust: the target wasm32-unknown-unknown)"
    )]
    Foreign {
        /// The interface.
        interface: String,
        /// What a component of this host never gets.
        why: &'static str,
    },
    /// The right interface in another version.
    #[error(
        "it was built for `{interface}`, this host offers `{offered}`\n\nhint: build it again with this host's wit/ folder"
    )]
    OtherVersion {
        /// What it was built for.
        interface: String,
        /// What there is.
        offered: String,
    },
    /// No such interface in the package.
    #[error("it was built for `{interface}`, which this host does not have; a probe can import {}", INTERFACES.join(", "))]
    UnknownInterface {
        /// The interface.
        interface: String,
    },
    /// No such function.
    #[error(
        "it calls `{function}` of `{interface}`, which this host does not have\n\nhint: build it again with this host's wit/ folder"
    )]
    UnknownFunction {
        /// The interface.
        interface: String,
        /// The function.
        function: String,
    },
    /// Verbs that are called and not asked for.
    #[error("it calls {}, but its manifest does not ask for {}\n\nhint: add it to a [[slot]] or [[use]] of manifest.toml, or do not call it", list(.0), it(.0))]
    NotAskedFor(Vec<Verb>),
    /// Verbs that are asked for and not called.
    #[error("its manifest asks for {}, but the component never calls {}\n\nhint: a manifest says what a component does, no more; take it out of manifest.toml", list(.0), it(.0))]
    NotCalled(Vec<Verb>),
    /// It exports no `examine`.
    #[error("it exports {found}; a component of the world `{PACKAGE}/probe@{VERSION}` exports `{EXPORT}`")]
    NoExamine {
        /// What it exports instead.
        found: String,
    },
    /// It exports more than `examine`.
    #[error("it exports the {kind} `{name}` besides `{EXPORT}`; nobody would call it")]
    OtherExport {
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: String,
    },
}

fn list(verbs: &[Verb]) -> String {
    verbs.iter().map(|verb| format!("`{verb}`")).collect::<Vec<_>>().join(", ")
}

fn it(verbs: &[Verb]) -> &'static str {
    if verbs.len() == 1 { "it" } else { "them" }
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

/// Checks that a component imports exactly the manifest's verbs, apart from what reaches no target, and exports
/// exactly `examine`.
///
/// # Errors
/// The first thing that is wrong, foreign interfaces first: they explain the rest.
pub fn check_imports(inspected: &Inspected, verbs: &BTreeSet<Verb>) -> Result<(), ImportError> {
    let names = inspected.imports.iter().map(|(interface, _)| interface).chain(&inspected.type_imports);
    for name in names.clone() {
        check_package(name)?;
    }
    for name in names {
        check_interface(name)?;
    }
    let mut called = BTreeSet::new();
    for (interface, function) in &inspected.imports {
        let short = short_name(interface).unwrap_or_default();
        if LOCAL.contains(&(short, function)) {
            continue;
        }
        let verb = Verb::ALL.iter().find(|verb| verb.interface() == short && verb.function() == function);
        match verb {
            Some(verb) => called.insert(*verb),
            None => {
                let (interface, function) = (shown(interface), shown(function));
                return Err(ImportError::UnknownFunction { interface, function });
            }
        };
    }
    let extra: Vec<_> = called.difference(verbs).copied().collect();
    if !extra.is_empty() {
        return Err(ImportError::NotAskedFor(extra));
    }
    let missing: Vec<_> = verbs.difference(&called).copied().collect();
    if !missing.is_empty() {
        return Err(ImportError::NotCalled(missing));
    }
    check_exports(inspected)
}

fn check_exports(inspected: &Inspected) -> Result<(), ImportError> {
    let is_examine = |export: &&(&str, String)| export.0 == "function" && export.1 == EXPORT;
    if !inspected.exports.iter().any(|export| is_examine(&export)) {
        let found = match inspected.exports.first() {
            Some((kind, name)) => format!("the {kind} `{}`", shown(name)),
            None => "nothing".to_owned(),
        };
        return Err(ImportError::NoExamine { found });
    }
    let is_left_over = |export: &(&str, String)| LEFT_OVER.contains(&(export.0, &export.1));
    match inspected.exports.iter().find(|export| !is_examine(export) && !is_left_over(export)) {
        Some((kind, name)) => Err(ImportError::OtherExport { kind, name: shown(name) }),
        None => Ok(()),
    }
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
    let wasi = |part: &str| interface.strip_prefix("wasi:").is_some_and(|rest| rest.starts_with(part));
    let why = if wasi("filesystem") {
        "no probe gets files"
    } else if wasi("sockets") || wasi("http") || wasi("tls") {
        "no probe gets the network"
    } else if wasi("cli") {
        "no probe gets an environment, arguments or standard streams"
    } else if wasi("random") {
        "no probe gets random numbers: a replay would differ"
    } else if wasi("clocks") {
        "no probe gets a clock but its run's own (`clock.now-ms`)"
    } else if wasi("") {
        "this host has no WASI"
    } else {
        "this host does not have it"
    };
    Err(ImportError::Foreign { interface: shown(interface), why })
}

fn check_interface(interface: &str) -> Result<(), ImportError> {
    let (path, version) = interface.rsplit_once('@').unwrap_or((interface, ""));
    let short = path.strip_prefix(PACKAGE).and_then(|rest| rest.strip_prefix('/')).unwrap_or_default();
    if !INTERFACES.contains(&short) {
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
        }
    }

    fn check(imports: &[(&str, &str)], verbs: &[Verb]) -> Result<(), String> {
        check_imports(&inspected(imports), &verbs.iter().copied().collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn exactly_what_the_manifest_says() {
        let local = ("bailiwick:ops/log@0.1.0", "write");
        let load = ("bailiwick:ops/system@0.1.0", "load");
        assert_eq!(check(&[local, load], &[Verb::SystemLoad]), Ok(()));
        let texts: Vec<String> = [
            check(&[load], &[]),
            check(&[], &[Verb::SystemLoad, Verb::FilesRead]),
            check(&[("wasi:filesystem/types@0.2.6", "x"), load], &[]),
            check(&[("wasi:sockets/tcp@0.2.6", "x")], &[]),
            check(&[("acme:host/x", "x")], &[]),
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
        let extra = check_imports(&component, &BTreeSet::new()).unwrap_err();
        assert_eq!(
            extra.to_string(),
            "it exports the interface `wasi:cli/run@0.2.0` besides `examine`; nobody would call it"
        );
        component.exports.remove(0);
        assert!(matches!(check_imports(&component, &BTreeSet::new()), Err(ImportError::NoExamine { .. })));
    }
}
