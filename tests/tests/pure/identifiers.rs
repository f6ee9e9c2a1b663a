//! Names of types that must not come back: each with the name to use instead. They were words of this project alone.
//! CONTRIBUTING.md, "Words", has the rules; `phrases` does the same for text.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use super::tree::files;

/// A name, and what to call such a type instead.
const NAMES: &[(&str, &str)] = &[
    ("Course", "ChangeState"),
    ("Stage", "Status"),
    ("Track", "StepState"),
    ("Mark", "StepStatus"),
    ("Came", "ApplyOutcome"),
    ("Halt", "Abort"),
    ("Running", "Execution"),
    ("Hands", "GateClient"),
    ("Eyes", "Verifier"),
    ("Talk", "GateTransport"),
    ("Desk", "Admission"),
    ("Today", "CurrentState"),
    ("Ground", "Constraints"),
    ("Yes", "Approval"),
    ("Ask", "ApplyRequest, LimitRequest"),
    ("Meetings", "FleetRuns"),
    ("Arrival", "TargetStatus"),
    ("Pasts", "PastRuns"),
    ("Kept", "ModuleCache"),
    ("Borrowed", "WorkerHandle"),
    ("Ran", "RunResult"),
    ("Link", "TargetSession"),
    ("Told", "SharedAnswer"),
    ("Shelf", "ComponentStore"),
    ("Bench", "Runner"),
    ("Tape", "RecordedAnswers"),
    ("Take", "RecordedAnswer"),
    ("Doorman", "ClientHandler"),
    ("Misfit", "ComponentError"),
    ("Fate", "CharClass"),
    ("Look", "RunStanding"),
    ("Shown", "what is shown: Document"),
    ("Said", "what it is: Statement, Output"),
    ("Held", "what it is: Lockdown, Pending"),
    ("Found", "what it is: Finding, Report"),
];

/// What comes before the name of a type where it is defined.
const KEYWORDS: &[&str] = &["struct", "enum", "trait", "type", "union"];

/// The name of the type that a line of formatted code defines, if it defines one.
fn defined(line: &str) -> Option<&str> {
    let visibility = |word: &&str| word.starts_with("pub") || word.starts_with("crate::") && word.ends_with(')');
    let mut words = line.split_whitespace().skip_while(visibility);
    words.next().filter(|word| KEYWORDS.contains(word))?;
    words.next()?.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

#[test]
fn names_of_types_that_must_not_come_back() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut paths = Vec::new();
    for folder in ["host", "guest-sdk", "tests"] {
        paths.extend(files(&root.join(folder), &[".rs"]));
    }
    ensure!(paths.len() > 300, "{} files were read", paths.len());
    let mut wrong = Vec::new();
    for path in paths {
        for (number, line) in fs::read_to_string(&path)?.lines().enumerate() {
            let Some(name) = defined(line) else { continue };
            if let Some((_, instead)) = NAMES.iter().find(|(known, _)| *known == name) {
                wrong.push(format!("{}:{}: {name}; use: {instead}", path.strip_prefix(&root)?.display(), number + 1));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn the_reader_of_definitions_reads() {
    assert_eq!(defined("pub(crate) struct Course<'a> {"), Some("Course"));
    assert_eq!(defined("    type Item = Section;"), Some("Item"));
    assert_eq!(defined("pub(in crate::report) enum Said {"), Some("Said"));
    assert_eq!(defined("//! struct Running;"), None);
    assert_eq!(defined("let state = State::Running;"), None);
}
