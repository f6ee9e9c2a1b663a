//! The gate's script as it is generated: the same for the same list. `program::gate` tests what it does.

use std::path::Path;

use bailiwick_core::model::ChangeId;
use bailiwick_tests::gate::{FREE, read, write};

#[test]
fn the_script_is_the_same_for_the_same_list() {
    let entries = [
        read("system.load", &["/usr/bin/cat", "/proc/loadavg"], 10, 100),
        write("w", Path::new("/var/tmp/bailiwick/file"), "after\n").unwrap(),
    ];
    let paths = bailiwick_policy::gate::Paths::default();
    let made = |entries: &[_]| {
        bailiwick_policy::gate::script("web1", ["bw-read", "bw-change"], entries, &paths, &FREE).unwrap()
    };
    let script = made(&entries);
    let mut other = entries.clone();
    other.reverse();
    assert_eq!(script, made(&other), "the order of a list has no meaning");
    assert_ne!(script.list, made(&entries[..1]).list);
    // The shell would take the last of two.
    let mut functions: Vec<_> = script.text.lines().filter_map(|line| line.split_once("() {")).map(|it| it.0).collect();
    functions.sort_unstable();
    let all = functions.len();
    functions.dedup();
    assert_eq!(functions.len(), all, "two functions of one name");
}

#[test]
fn names_of_changes_are_names() {
    for bad in ["", "-c", "C", "a/b", "..", "a b", &"a".repeat(41)] {
        assert!(ChangeId::new(bad).is_err(), "{bad}");
    }
}
