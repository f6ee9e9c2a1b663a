//! Mistakes in files: each folder of `tests/files` is one mistake, with the message that a person reads beside it.

use std::path::Path;

use bailiwick_core::source::{Problems, Source};
use bailiwick_core::{fleet, manifest};
use bailiwick_policy::library::Library;
use bailiwick_policy::policy;

/// The messages that a person reads, without colours.
fn rendered(folder: &Path) -> String {
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
    let library = Library::built_in().unwrap();
    policy::resolve(&policy, &fleet, library.components())?;
    policy::check_windows(&policy.change, &policy.windows, &policy.calendar, &fleet)?;
    policy::check_anchors(&policy.anchors, &fleet, &policy.never)?;
    policy::budgets(&policy, library.components()).map(drop)
}

/// One folder: its mistake is shown with its place and the next step.
fn is_shown_with_its_place(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("files").join(name);
    let rendered = rendered(&folder);
    assert_ne!(rendered, "no mistake\n", "{name}");
    assert!(rendered.contains("-->") && rendered.contains('^'), "{name}: no place in\n{rendered}");
    insta::with_settings!({
        snapshot_path => folder, prepend_module_to_snapshot => false, omit_expression => true
    }, {
        insta::assert_snapshot!("errors", rendered);
    });
}

// A test for each folder of `tests/files`, and their number.
include!(concat!(env!("OUT_DIR"), "/files.rs"));

#[test]
fn the_folders_are_where_they_should_be() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("files");
    let there = std::fs::read_dir(folder).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count();
    assert_eq!(there, FOLDERS, "each has its test");
    assert!(there >= 20, "{there} folders");
}
