//! Files that people write, or that come with a component.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bailiwick_core::fleet;
use bailiwick_core::fleet::Fleet;
use bailiwick_core::fleet::import::{Openssh, import as import_from};
use bailiwick_core::model::{Tainted, Wire};
use bailiwick_core::source::{Problems, Source};
use bailiwick_core::{encode, verbs};
use bailiwick_engine::cases::Case;
use bailiwick_policy::library::Library;
use bailiwick_policy::{grant, policy};

fn source(name: &str, data: &[u8]) -> Option<Source> {
    Some(Source::embedded(name, std::str::from_utf8(data).ok()?))
}

/// Every mistake can be shown, with its place.
fn accepted<T>(result: Result<T, Problems>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(Problems(found)) => {
            assert!(!found.is_empty(), "refused without a word");
            for problem in &found {
                assert!(!problem.render(false).is_empty());
                if let Some(place) = &problem.place {
                    assert!(place.line() >= 1);
                }
            }
            None
        }
    }
}

fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| Library::built_in().expect("the built-in components"))
}

fn parse_fleet(source: &Source) -> Result<Fleet, Problems> {
    fleet::parse(source, Path::new("/ops"), Some(Path::new("/home/op")))
}

/// `fleet.toml`.
pub(crate) fn fleet(data: &[u8]) {
    let Some(source) = source("fleet.toml", data) else { return };
    let Some(fleet) = accepted(parse_fleet(&source)) else { return };
    for (name, target) in &fleet.targets {
        assert_eq!(name, &target.name);
        // A name is a target or a never-host.
        assert!(!fleet.never.contains_key(name));
        let _ = fleet.forbidden(target).map(|hit| hit.to_string());
    }
}

/// `policy.toml`, against the fleet of the tests and the built-in components: whatever it grants can be rendered in plain words.
pub(crate) fn policy(data: &[u8]) {
    static FLEET: OnceLock<Fleet> = OnceLock::new();
    let fleet = FLEET.get_or_init(|| {
        let source = Source::embedded("fleet.toml", include_str!("../../files/fleet.toml"));
        parse_fleet(&source).expect("the fleet of the tests")
    });
    let Some(source) = source("policy.toml", data) else { return };
    let Some(policy) = accepted(policy::parse(&source)) else { return };
    let Some(assignments) = accepted(policy::resolve(&policy, fleet, library().components())) else { return };
    for (name, components) in &assignments {
        for (id, assignment) in components {
            let (manifest, target) = (&library().components()[id].manifest, &fleet.targets[name]);
            let grant = grant::compute(manifest, target, assignment, grant::Exclusions::from(&policy));
            for granted in grant.entries() {
                assert!(manifest.verbs().contains(&granted.action.verb));
                if let Wire::Exec(words) | Wire::Fed { words, .. } = &granted.action.wire {
                    assert!(words.starts_with(&verbs::PREFIX.map_owned()));
                    assert!(words.iter().all(|word| is_word(word)), "{words:?}");
                }
            }
            let _ = grant.digest();
        }
    }
}

trait Owned {
    fn map_owned(&self) -> Vec<String>;
}

impl Owned for [&str] {
    fn map_owned(&self) -> Vec<String> {
        self.iter().map(|word| (*word).to_owned()).collect()
    }
}

/// Characters that every shell passes on unchanged; options begin with a dash.
fn is_word(word: &str) -> bool {
    let mut bytes = word.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'/' | b'.' | b'-'))
        && bytes.all(|b| b.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&b))
}

/// A component's manifest.
pub(crate) fn manifest(data: &[u8]) {
    let Some(source) = source("manifest.toml", data) else { return };
    let Some(manifest) = accepted(bailiwick_core::manifest::parse(&source)) else { return };
    for slot in manifest.slots.values() {
        assert!(!slot.verbs.is_empty() && slot.verbs.iter().all(|verb| manifest.verbs().contains(verb)));
    }
}

/// A case of the built-in component that uses the most.
pub(crate) fn case(data: &[u8]) {
    let Some(source) = source("case.toml", data) else { return };
    for id in ["service", "file-freshness", "log-errors"] {
        accepted(Case::parse(&source, &library().components()[id].manifest));
    }
}

/// `ssh -G`, `ssh-keygen -F` and the configuration itself, each a part of the data.
struct FuzzedOpenssh<'a> {
    config: &'a str,
    effective: &'a str,
    known: &'a str,
}

impl Openssh for FuzzedOpenssh<'_> {
    fn effective(&self, _: &Path, _: &str) -> io::Result<String> {
        Ok(self.effective.to_owned())
    }

    fn known(&self, _: &Path, _: &str) -> io::Result<String> {
        Ok(self.known.to_owned())
    }

    fn read(&self, _: &Path) -> io::Result<String> {
        Ok(self.config.to_owned())
    }

    fn include(&self, _: &str) -> Vec<PathBuf> {
        Vec::new()
    }
}

/// What stands between the parts.
pub(crate) const CUT: &str = "\n%%\n";

/// What is written for a person to read is harmless to their terminal, and a fleet if they change nothing.
pub(crate) fn import(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut parts = text.splitn(3, CUT);
    let mut part = || parts.next().unwrap_or_default();
    let openssh = FuzzedOpenssh { config: part(), effective: part(), known: part() };
    let Ok(entries) = import_from(Path::new("config"), &[], &[], &openssh) else { return };
    for line in entries.lines() {
        assert_eq!(encode::terminal(&Tainted::new(line), usize::MAX), line, "nothing in it is hidden");
    }
    if let Err(Problems(found)) = parse_fleet(&Source::embedded("fleet.toml", &entries)) {
        let messages: String = found.iter().map(|problem| problem.render(false)).collect();
        panic!("{entries}\n{messages}");
    }
}
