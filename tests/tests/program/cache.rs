//! The compile cache as a sweep uses it (docs/threats.md, LK06). `sandbox::cache` tests what counts as an entry.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use bailiwick_tests::fleet::Entry;
use bailiwick_tests::ops::{Ops, component_run};

use crate::PROGRAM;

#[test]
fn lk06_a_sweep_keeps_what_it_compiled_and_rejects_what_was_changed() {
    let policy = "[[grant]]\ncomponent = [\"uptime\", \"memory\"]\non = [\"here\"]\n";
    let here = Entry { name: "here".to_owned(), fields: vec![("local", "true".to_owned())] };
    let ops = Ops::new(PROGRAM, &[here], &[], policy).unwrap();
    let cache = ops.path().join("state/cache");
    let journal = || fs::read_to_string(ops.journal().join("journal.jsonl")).unwrap();
    let sweep = || {
        let (_, sweep) = ops.check(&[]).unwrap();
        for id in ["uptime", "memory"] {
            assert_eq!(component_run(&sweep, "here", id).unwrap()["outcome"]["kind"], "report", "{id}");
        }
    };
    let entries = || -> Vec<(PathBuf, u64)> {
        let files = fs::read_dir(&cache).unwrap().map(|file| file.unwrap());
        let mut found: Vec<_> = files
            .filter(|file| file.file_name() != "key")
            .map(|file| (file.path(), file.metadata().unwrap().ino()))
            .collect();
        found.sort();
        found
    };
    sweep();
    let first = entries();
    assert_eq!(first.len(), 2);
    sweep();
    assert_eq!(entries(), first, "the second sweep compiles nothing");
    assert!(!journal().contains("cache-rejected"));

    let (changed, _) = &first[0];
    let mut bytes = fs::read(changed).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(changed, &bytes).unwrap();
    fs::copy(&first[0].0, &first[1].0).unwrap();
    sweep();
    assert_eq!(journal().matches("\"kind\":\"cache-rejected\"").count(), 2, "{}", journal());
    sweep();
    assert_eq!(journal().matches("\"kind\":\"cache-rejected\"").count(), 2, "they were compiled again, and kept");

    // Without a usable cache, everything is compiled.
    fs::set_permissions(&cache, Permissions::from_mode(0o777)).unwrap();
    let output = ops.run(&["check"]).unwrap();
    assert!(output.stderr.contains("compiled code is not cached"), "{}", output.stderr);
    sweep();
    assert_eq!(ops.run(&["journal", "verify"]).unwrap().code, 0);
}
