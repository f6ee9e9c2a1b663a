//! Mistakes in files: each folder of `tests/files` is one, with what a person is told beside it.

#![cfg(test)]

use std::path::{Path, PathBuf};

use bailiwick_core::source::{Problems, Source};
use bailiwick_core::{fleet, manifest};
use bailiwick_policy::library::Library;
use bailiwick_policy::policy;

/// What a person is told, plain.
fn told(folder: &Path) -> String {
    let read = |name: &str| {
        let own = folder.join(name);
        let path = if own.exists() { own } else { folder.parent().unwrap().join(name) };
        Source::embedded(name, &std::fs::read_to_string(path).unwrap_or_default())
    };
    let result = if folder.join("manifest.toml").exists() {
        manifest::parse(&read("manifest.toml")).map(drop)
    } else {
        check(&read("fleet.toml"), &read("policy.toml"))
    };
    match result {
        Ok(()) => "no mistake\n".to_owned(),
        Err(Problems(found)) => found.iter().map(|problem| problem.render(false) + "\n\n").collect(),
    }
}

fn check(fleet: &Source, policy: &Source) -> Result<(), Problems> {
    let fleet = fleet::parse(fleet, Path::new("/ops"), Some(Path::new("/home/op")))?;
    let policy = policy::parse(policy)?;
    let manifests = Library::built_in().unwrap().manifests;
    policy::resolve(&policy, &fleet, &manifests)?;
    policy::check_windows(&policy.change, &policy.windows, &policy.calendar, &fleet)?;
    policy::check_anchors(&policy.anchors, &fleet, &policy.never)?;
    policy::budgets(&policy, &manifests).map(drop)
}

#[test]
fn every_mistake_is_told_with_its_place_and_the_next_step() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/files").canonicalize().unwrap();
    let mut cases: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    cases.sort();
    assert!(cases.len() >= 20, "the folders are where they should be");
    for case in cases {
        let told = told(&case);
        assert_ne!(told, "no mistake\n", "{}", case.display());
        assert!(told.contains("-->") && told.contains('^'), "{}: no place in\n{told}", case.display());
        insta::with_settings!({
            snapshot_path => case.clone(), prepend_module_to_snapshot => false, omit_expression => true
        }, {
            insta::assert_snapshot!("told", told);
        });
    }
}
