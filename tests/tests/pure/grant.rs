//! Grants, by property and by matrix: for all manifests and policies, a grant holds no more than both allow.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use bailiwick_core::manifest;
use bailiwick_core::manifest::Manifest;
use bailiwick_core::model::{ComponentId, Effect, Object, Verb};
use bailiwick_core::source::Source;
use bailiwick_core::{fleet, verbs};
use bailiwick_policy::grant::Grant;
use bailiwick_policy::library::Library;
use bailiwick_policy::{grant, policy};
use proptest::prelude::*;

const FLEET: &str = "[targets.here]\nlocal = true\ntags = [\"linux\"]\n";

fn grants(policy: &str, manifests: &[Manifest]) -> Vec<Grant> {
    let fleet = fleet::parse(&Source::embedded("fleet.toml", FLEET), Path::new("/"), None).unwrap();
    let library = manifests.iter().map(|manifest| (manifest.id.clone(), manifest.clone())).collect();
    let source = Source::embedded("policy.toml", policy);
    let rendered = |problems: bailiwick_core::source::Problems| -> String {
        problems.0.iter().map(|problem| problem.render(false)).collect()
    };
    let policy = policy::parse(&source).map_err(rendered).unwrap();
    let assignments = policy::resolve(&policy, &fleet, &library).map_err(rendered).unwrap();
    let mut out = Vec::new();
    for (target, components) in &assignments {
        for (id, assignment) in components {
            out.push(grant::compute(
                &library[id],
                &fleet.targets[target],
                assignment,
                grant::Exclusions::from(&policy),
            ));
        }
    }
    out
}

/// A component that asks for some of all verbs: those without object, and one `many` slot for each kind of object.
fn asking(verbs: &[Verb]) -> Manifest {
    let mut text =
        "[component]\nid = \"p\"\nversion = \"1.0.0\"\nworld = \"bailiwick:ops/probe@0.1.0\"\ntitle = \"p\"\n"
            .to_owned();
    let verbs_on = |object| {
        verbs.iter().filter(move |verb| verbs::spec(**verb).object == object).map(|verb| format!("{:?}", verb.name()))
    };
    let whole: Vec<_> = verbs_on(Object::None).collect();
    if !whole.is_empty() {
        write!(text, "[[use]]\nverb = [{}]\nwhy = \"w\"\n", whole.join(", ")).unwrap();
    }
    for (object, slot) in SLOTS {
        let verbs: Vec<_> = verbs_on(object).collect();
        if !verbs.is_empty() {
            write!(text, "[[slot]]\nname = \"{slot}\"\nverb = [{}]\nmany = true\nwhy = \"w\"\n", verbs.join(", "))
                .unwrap();
        }
    }
    manifest::parse(&Source::embedded("p.toml", &text)).unwrap()
}

/// A slot for each kind of object.
const SLOTS: [(Object, &str); 4] = [
    (Object::Unit, "units"),
    (Object::Path, "files"),
    (Object::Database, "databases"),
    (Object::Statement, "statements"),
];
const DATABASES: &[&str] = &["market", "market:5433"];
const STATEMENT: &str = "[statement.jobs]\ndatabase = \"market\"\nsql = \"select 1\"\nwhy = \"w\"\n";
const UNITS: &[&str] = &["postgresql.service", "nginx.service", "trading-core.service", "postgresql@15-main.service"];
const FILES: &[&str] = &["/etc/hosts", "/etc/ssh/sshd_config", "/var/log/x", "/etc/ssh/keys/a"];
const NEVER: &[&str] = &[
    "units = [\"postgresql*\"]",
    "verbs = [\"services.logs\"]\nunits = [\"trading-*\"]",
    "files = [\"/etc/ssh/*\"]",
    "verbs = [\"files.*\"]",
    "verbs = [\"system.logins\", \"network.listeners\"]",
    "verbs = [\"services.*\"]",
];

fn list(items: &[&str]) -> String {
    let quoted: Vec<_> = items.iter().map(|item| format!("{item:?}")).collect();
    format!("[{}]", quoted.join(", "))
}

fn policy_text(verbs: &[Verb], units: &[&str], files: &[&str], never: &[&str]) -> String {
    let mut text = "[[grant]]\ncomponent = \"p\"\non = [\"tag:linux\"]\n".to_owned();
    let any = |object| verbs.iter().any(|verb| verbs::spec(*verb).object == object);
    if any(Object::Unit) {
        writeln!(text, "bind.units = {}", list(units)).unwrap();
    }
    if any(Object::Path) {
        writeln!(text, "bind.files = {}", list(files)).unwrap();
    }
    if any(Object::Database) {
        writeln!(text, "bind.databases = {}", list(DATABASES)).unwrap();
    }
    if any(Object::Statement) {
        writeln!(text, "bind.statements = [\"jobs\"]").unwrap();
    }
    text += STATEMENT;
    for rule in never {
        write!(text, "[[never]]\n{rule}\nwhy = \"w\"\n").unwrap();
    }
    text
}

/// Those of probes; what fixes ask for has tests of its own.
fn observing() -> Vec<Verb> {
    verbs::with(Effect::Observe).collect()
}

fn ids(grants: &[Grant]) -> BTreeSet<String> {
    grants.iter().flat_map(Grant::entries).map(|granted| granted.action.id.to_string()).collect()
}

proptest! {
    #[test]
    fn a_grant_is_within_manifest_and_policy_and_outside_every_never_rule(
        verbs in proptest::sample::subsequence(observing(), 1..=observing().len()),
        units in proptest::sample::subsequence(UNITS, 0..=UNITS.len()),
        files in proptest::sample::subsequence(FILES, 0..=FILES.len()),
        never in proptest::sample::subsequence(NEVER, 0..=NEVER.len()),
        wild in "\\PC{0,20}",
    ) {
        let manifest = asking(&verbs);
        let all = grants(&policy_text(&verbs, &units, &files, &[]), std::slice::from_ref(&manifest));
        let some = grants(&policy_text(&verbs, &units, &files, &never), std::slice::from_ref(&manifest));
        let [grant] = some.as_slice() else { panic!("one component on one target") };
        for granted in grant.entries() {
            let action = &granted.action;
            prop_assert!(verbs.contains(&action.verb), "{} is not asked for", action.id);
            if let Some(literal) = &action.literal {
                let literal = literal.as_str();
                let bound = [&units[..], &files, DATABASES].concat();
                prop_assert!(bound.contains(&literal) || literal.starts_with("jobs#"), "{literal}");
            }
            // The rules again, written by hand.
            let (verb, literal) = (action.verb.name(), action.literal.as_ref().map_or("", |literal| literal.as_str()));
            for rule in &never {
                let forbids = match *rule {
                    rule if rule.starts_with("units") => literal.starts_with("postgresql"),
                    rule if rule.contains("trading") => verb == "services.logs" && literal.starts_with("trading-"),
                    rule if rule.starts_with("files") => literal.starts_with("/etc/ssh/"),
                    rule if rule.contains("files.*") => verb.starts_with("files."),
                    rule if rule.contains("system.logins") => verb == "system.logins" || verb == "network.listeners",
                    _ => verb.starts_with("services."),
                };
                prop_assert!(!forbids, "{} in spite of {rule}", action.id);
            }
        }
        // A never-rule only removes, and what it removes is reported.
        let (all, left) = (ids(&all), ids(&some));
        prop_assert!(left.is_subset(&all));
        let withheld: BTreeSet<_> = grant.withheld.iter().map(|w| w.granted.action.id.to_string()).collect();
        prop_assert_eq!(&all - &left, withheld);
        // Only keys name objects: no literal, no wild text.
        for verb in Verb::ALL {
            for text in units.iter().chain(&files).copied().chain([wild.as_str(), "units", "files", "", "units/-1"]) {
                let key = SLOTS.iter().any(|(_, slot)| text.strip_prefix(slot).is_some_and(|rest| rest.starts_with('/')));
                prop_assert!(grant.lookup(*verb, Some(text)).is_none() || key);
            }
            prop_assert_eq!(grant.lookup(*verb, None).is_some(), left.contains(verb.name()));
        }
    }

    #[test]
    fn fewer_lines_of_policy_never_grant_more(
        units in proptest::sample::subsequence(UNITS, 1..=UNITS.len()),
        drop_at in 0usize..4,
    ) {
        let manifest = asking(&[Verb::ServicesStatus]);
        let mut fewer = units.clone();
        fewer.remove(drop_at % units.len());
        let ids_of = |units: &[&str]| ids(&grants(&policy_text(&[Verb::ServicesStatus], units, &[], &[]), std::slice::from_ref(&manifest)));
        prop_assert!(ids_of(&fewer).is_subset(&ids_of(&units)));
    }
}

#[test]
fn the_default_policy_by_component_and_verb() {
    let library = Library::built_in().unwrap();
    let ops = bailiwick_policy::ops::Ops::load(None, None).unwrap();
    let target = bailiwick_core::model::TargetName::new("localhost").unwrap();
    let mut text = String::new();
    let mut covered = BTreeSet::new();
    for id in library.components().keys() {
        let Some(grant) = ops.grant(id, &target) else {
            writeln!(text, "{id:<16} -").unwrap();
            continue;
        };
        for granted in grant.entries() {
            covered.insert(granted.action.verb);
            writeln!(text, "{id:<16} {}", granted.action.id).unwrap();
        }
    }
    for verb in Verb::ALL.iter().filter(|verb| !covered.contains(verb)) {
        writeln!(text, "{:<16} {verb}", "(uncovered)").unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn an_id_is_one_component() {
    assert!(ComponentId::new("pоstgres-health").is_err(), "LK18: a look-alike is not a name");
}
