//! Phrases that must not return: each with its replacement. They are searched in the documents, in the goldens of help, errors
//! and reports, in the pages of reference, and in the sources of program, SDK, probes and tests, comments included. CONTRIBUTING.md,
//! "Words", has the rules.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use super::tree::files;

/// A phrase, and what to write instead. It counts as whole words, in any case.
const PHRASES: &[(&str, &str)] = &[
    ("looked at", "checked"),
    ("could not look", "could not check"),
    ("stand-in", "staging target"),
    ("take back", "roll back a change, undo a step"),
    ("takes back", "rolls back a change, undoes a step"),
    ("taken back", "rolled back, undone"),
    ("nobody", "name the actor: no operator, no other user"),
    ("somebody", "name the actor: the operator, another user"),
    ("whoever", "name the actor: the reviewer, the approver"),
    ("it is no", "is not a"),
    ("is another than", "differs from, does not match"),
    ("is there already", "already exists"),
    ("there already", "already exists"),
    ("believed", "say what is wrong: the system clock looks wrong"),
    ("attends", "unattended apply is not allowed"),
    ("are the most", "maximum"),
];

/// Lines that quote a phrase, or in which it is a name.
const EXCEPTIONS: &[&str] = &["nobody is logged in", "it is no longer", "\"nobody", "user nobody"];

/// Files that are not read: quotations, history, and this list.
const SKIPPED: &[&str] = &["docs/threats.md", "CHANGELOG.md", "tests/tests/pure/phrases.rs"];

/// Folders whose Rust files are read.
const SOURCES: &[&str] = &["host", "guest-sdk", "probes", "tests"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Whether a line holds a phrase as whole words.
fn holds(line: &str, phrase: &str) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(phrase)
        .any(|(at, _)| !is_word(line[..at].chars().next_back()) && !is_word(line[at + phrase.len()..].chars().next()))
}

/// Rows of the tables that say which words not to use.
fn is_a_list_of_words(name: &str, line: &str) -> bool {
    ["ARCHITECTURE.md", "CONTRIBUTING.md"].contains(&name) && line.starts_with('|')
}

#[test]
fn phrases_that_must_not_come_back() -> Result<()> {
    let root = root();
    let mut paths = files(&root, &[".md", ".snap"]);
    ensure!(paths.len() > 100, "{} documents and goldens were read", paths.len());
    for folder in SOURCES {
        paths.extend(files(&root.join(folder), &[".rs"]));
    }
    // What `probes/build` writes is made from what is read here.
    let in_dist = |path: &PathBuf| path.strip_prefix(&root).is_ok_and(|path| path.iter().any(|part| part == "dist"));
    paths.retain(|path| !in_dist(path));
    let mut wrong = Vec::new();
    for path in paths {
        let name = path.strip_prefix(&root)?.to_string_lossy().into_owned();
        if SKIPPED.iter().any(|skipped| name.ends_with(skipped)) {
            continue;
        }
        for (number, line) in fs::read_to_string(&path)?.lines().enumerate() {
            let lower = line.to_lowercase();
            if is_a_list_of_words(&name, line) || EXCEPTIONS.iter().any(|exception| lower.contains(exception)) {
                continue;
            }
            for (phrase, instead) in PHRASES.iter().filter(|(phrase, _)| holds(&lower, phrase)) {
                wrong.push(format!("{name}:{}: \"{phrase}\"; write: {instead}\n    {}", number + 1, line.trim()));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
