//! The contract documents itself: the author of a probe in another language has `wit/` and nothing else.
//!
//! Knows: how these files are written, one item per line. Must not know: what else WIT allows; the builds parse it.
//!
//! And `bailiwick wit`: the part that a manifest asks for, compared with another reader of WIT.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bailiwick_core::model::{ComponentId, Effect, Verb, World};
use bailiwick_core::verbs::spec;
use bailiwick_core::wit;
use bailiwick_core::wit::CONTRACT;
use bailiwick_engine::project;
use bailiwick_engine::project::Language;

/// The starts of items that need `@since` too.
const ITEMS: &[&str] = &["interface", "world", "record", "enum", "variant", "flags", "resource", "type", "export"];

/// What is wrong with a file: `name:line: …`.
fn mistakes(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut documented, mut since) = (false, false);
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(doc) = line.strip_prefix("///") {
            documented |= !doc.trim().is_empty();
            continue;
        }
        if line.starts_with("@since(version = ") {
            since = true;
            continue;
        }
        let plain =
            line.is_empty() || ["}", "//", "package ", "use ", "import "].iter().any(|start| line.starts_with(start));
        if !plain {
            let word = line.split([' ', ':', '(', ',']).next().unwrap_or_default();
            let item = ITEMS.contains(&word) && !line.starts_with(&format!("{word}:")) || line.contains(": func(");
            if !documented {
                found.push(format!("{name}:{}: no `///` above `{line}`", at + 1));
            }
            if item && !since {
                found.push(format!("{name}:{}: no `@since` above `{line}`", at + 1));
            }
        }
        (documented, since) = (false, false);
    }
    found
}

#[test]
fn every_item_says_what_it_is_and_since_when() {
    let folder = folder();
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "wit"));
    files.sort();
    assert!(!files.is_empty(), "{} has no contract", folder.display());
    let found: Vec<_> = files
        .iter()
        .flat_map(|path| {
            let name = format!("wit/{}", path.file_name().unwrap().to_string_lossy());
            mistakes(&name, &fs::read_to_string(path).unwrap())
        })
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn what_is_missing_is_named_with_its_line() {
    let text = "package a:b@0.1.0;\n\
        /// Text.\n@since(version = 0.1.0)\ninterface i {\n\
        use types.{target};\n\
        record r {\n/// Text.\nfield: u8,\nother: u8,\n}\n\
        ///\n@since(version = 0.1.0)\nenum e { x, y }\n\
        /// Text.\n@since(version = 0.1.0)\nvariant v {\none(string),\nenum: u8,\n}\n\
        /// Text.\n\nget: func() -> u8;\n}\n";
    assert_eq!(
        mistakes("i.wit", text),
        [
            "i.wit:6: no `///` above `record r {`",
            "i.wit:6: no `@since` above `record r {`",
            "i.wit:9: no `///` above `other: u8,`",
            "i.wit:13: no `///` above `enum e { x, y }`",
            "i.wit:17: no `///` above `one(string),`",
            "i.wit:18: no `///` above `enum: u8,`",
            "i.wit:22: no `///` above `get: func() -> u8;`",
            "i.wit:22: no `@since` above `get: func() -> u8;`",
        ]
    );
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("wit")
}

#[test]
fn the_program_carries_the_contract_whole() {
    let mut files: Vec<_> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let on_disk: Vec<_> = files
        .iter()
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap()))
        .collect();
    let carried: Vec<_> = CONTRACT.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    assert_eq!(carried, on_disk);
}

/// The verbs that observe.
fn observing() -> Vec<Verb> {
    Verb::ALL.iter().copied().filter(|verb| spec(*verb).effect == Effect::Observe).collect()
}

/// The contract that a manifest with these verbs asks for.
fn trimmed(kind: World, verbs: &[Verb], history: bool) -> Vec<(&'static str, String)> {
    wit::trimmed(kind, &verbs.iter().copied().collect(), history)
}

/// What the reader of `tests/contract` finds in a world of a contract: functions, types, exports.
fn world(kind: World, files: &[(&str, String)]) -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let output = reader().arg("world").arg(folder.path()).arg(kind.name()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn reader() -> Command {
    let program = folder().join("../target/contract/debug/contract");
    assert!(program.exists(), "{} is not there: tests/run builds it", program.display());
    Command::new(program)
}

/// The names behind a word: `function`, `type`.
fn named<'w>(world: &'w BTreeSet<String>, word: &str) -> BTreeSet<&'w str> {
    world.iter().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' ')).collect()
}

/// What every component may call.
const LOCAL: [&str; 6] =
    ["calls.last", "clock.now-ms", "log.write", "params.get", "slots.entries", "types.[method]target.name"];

#[test]
fn a_trimmed_contract_has_exactly_the_verbs_of_the_manifest() {
    let alone = |all: &[Verb]| all.iter().map(|verb| vec![*verb]).collect::<Vec<_>>();
    let probes = alone(&observing()).into_iter().chain([observing(), Vec::new()]).map(|verbs| (World::Probe, verbs));
    let fixes = alone(Verb::ALL).into_iter().chain([Verb::ALL.to_vec()]).map(|verbs| (World::Fix, verbs));
    for (kind, verbs) in probes.chain(fixes) {
        let world = world(kind, &trimmed(kind, &verbs, false));
        let wanted: BTreeSet<_> = verbs.iter().map(|verb| verb.name()).chain(LOCAL).collect();
        assert_eq!(named(&world, "function"), wanted);
        assert_eq!(named(&world, "export"), kind.exports().iter().copied().collect());
    }
}

#[test]
fn ph02_the_world_of_probes_has_no_verb_that_changes_anything() {
    let whole: Vec<_> = CONTRACT.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
    let functions = |kind| {
        let world = world(kind, &whole);
        named(&world, "function").into_iter().map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let (probe, fix) = (functions(World::Probe), functions(World::Fix));
    assert!(probe.is_subset(&fix));
    let more: BTreeSet<_> = fix.difference(&probe).map(String::as_str).collect();
    let changing = Verb::ALL.iter().filter(|verb| spec(**verb).effect == Effect::Change);
    assert_eq!(more, changing.map(|verb| verb.name()).collect());
}

#[test]
fn with_every_verb_nothing_is_left_out() {
    let whole: Vec<_> = CONTRACT.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
    assert_eq!(world(World::Probe, &trimmed(World::Probe, &observing(), true)), world(World::Probe, &whole));
    assert_eq!(world(World::Fix, &trimmed(World::Fix, Verb::ALL, true)), world(World::Fix, &whole));
}

#[test]
fn a_components_past_is_there_only_if_its_manifest_asks_for_it() {
    let has = |history| {
        let world = world(World::Probe, &trimmed(World::Probe, &[], history));
        named(&world, "function").contains("history.earlier")
    };
    assert!(!has(false));
    assert!(has(true));
}

#[test]
fn types_that_no_kept_verb_needs_are_left_out() {
    let asked = trimmed(World::Probe, &[Verb::FilesStat, Verb::SystemFilesystems], false);
    let world = world(World::Probe, &asked);
    let names_of = |interface: &str| -> Vec<_> {
        named(&world, "type").iter().filter_map(|name| name.strip_prefix(interface)?.strip_prefix('.')).collect()
    };
    assert_eq!(names_of("files"), ["kind", "stat-info", "target", "verb-error"]);
    assert_eq!(names_of("system"), ["filesystem", "inodes", "target", "verb-error"]);
}

/// `bailiwick new --lang c` writes them; every verb is in them, and what is not called gets into no component.
#[test]
fn the_bindings_for_c_are_what_the_contract_makes_them() {
    let fresh = tempfile::tempdir().unwrap();
    let output = reader().arg("c-bindings").arg(folder()).arg(fresh.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for name in ["probe.c", "probe.h", "probe_component_type.o"] {
        let committed = fs::read(folder().join("../probes/languages/c/bindings").join(name)).unwrap();
        assert!(
            committed == fs::read(fresh.path().join(name)).unwrap(),
            "{name} is stale: target/contract/debug/contract c-bindings wit probes/languages/c/bindings"
        );
    }
}

/// The SDK's own package file, as a project outside of this workspace has it.
#[test]
fn the_sdk_of_a_new_project_is_this_one() {
    let read =
        |path: &str| -> toml::Table { fs::read_to_string(folder().join("..").join(path)).unwrap().parse().unwrap() };
    let (workspace, vendored) = (read("Cargo.toml"), read("probes/languages/rust/sdk-Cargo.toml"));
    for key in ["version", "edition", "rust-version", "license", "publish"] {
        assert_eq!(vendored["package"][key], workspace["workspace"]["package"][key], "{key}");
    }
    let dependencies = read("guest-sdk/Cargo.toml")["dependencies"].as_table().unwrap().clone();
    let ours = dependencies.keys().map(|name| (name, &workspace["workspace"]["dependencies"][name]));
    assert!(ours.eq(vendored["dependencies"].as_table().unwrap()), "dependencies");
    let files = |folder: PathBuf| -> BTreeSet<_> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let id = ComponentId::new("x").unwrap();
    let project = project::project(Language::Rust, &id).unwrap();
    let written: BTreeSet<_> = project
        .iter()
        .filter_map(|file| file.path.strip_prefix("sdk/bailiwick-guest/src/").map(str::to_owned))
        .collect();
    assert_eq!(written, files(folder().join("../guest-sdk/src")));
}
