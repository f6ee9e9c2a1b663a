//! An untrusted fix in the real sandbox: what it can put on its list, and what happens to one whose decision and list
//! disagree (docs/threats.md, PH, FS14, FS15).

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bailiwick_core::manifest;
use bailiwick_core::manifest::Manifest;
use bailiwick_core::model::{StageError, World};
use bailiwick_core::source::{Problems, Source};
use bailiwick_engine::cases::{Case, Runner, Verdict};
use bailiwick_journal::{Entry, Journal, Reader};
use bailiwick_sandbox::{ImportError, Limits, check_component, inspect};

use crate::PROGRAM;

fn read(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guests").join(name);
    std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error} (probes/build --workspace tests/guests --out target/guests)", path.display())
    })
}

fn meddler() -> (Manifest, Vec<u8>) {
    let text = String::from_utf8(read("meddler.toml")).unwrap();
    (manifest::parse(&Source::embedded("meddler.toml", &text)).map_err(rendered).unwrap(), read("meddler.wasm"))
}

fn rendered(Problems(found): Problems) -> String {
    found.iter().map(|problem| problem.render(false)).collect()
}

/// What the fix does, what it knows of its file, and what is expected of it.
fn case(manifest: &Manifest, what: &str, units: usize, expected: &str) -> Case {
    let units: Vec<_> = (0..units).map(|at| format!("\"u{at}.service\"")).collect();
    let answer = match what {
        "honest" => "[[answer]]\naction = \"files.read:/etc/meddled\"\nstdout = \"other\\n\"\n",
        "honest-done" => "[[answer]]\naction = \"files.read:/etc/meddled\"\nstdout = \"wanted = yes\\n\"\n",
        _ => "",
    };
    let what = what.trim_end_matches("-done");
    let (phase, expected) =
        expected.split_once('\n').filter(|(first, _)| first.starts_with("phase")).unwrap_or(("", expected));
    let text = format!(
        "about = \"x\"\nnow = \"2026-11-21T12:00:00Z\"\n{phase}\n[bind]\nfile = \"/etc/meddled\"\nlines = \"/etc/lines\"\n\
         units = [{}]\ncontainer = \"podman/quote-api\"\ncommand = \"role\"\n[param]\nwhat = \"{what}\"\n\
         [change-command.role]\ndoes = [\"/bin/do\"]\nundoes = [\"/bin/undo\"]\nchecks = [\"/bin/check\"]\nwhy = \"w\"\n\
         {answer}{expected}",
        units.join(", ")
    );
    Case::parse(&Source::embedded("case.toml", &text), manifest).map_err(rendered).unwrap()
}

/// Runs the cases one after the other in one worker; gives the result of each, and the journal.
fn run(cases: &[(&str, usize, &str)]) -> (Vec<Verdict>, Vec<Entry>) {
    let (manifest, bytes) = meddler();
    let scratch = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(scratch.path(), Duration::ZERO).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let verdicts = runtime.block_on(async {
        let program = Path::new(PROGRAM);
        let runner = Runner::new(Some(program), &manifest, &bytes, Arc::new(journal)).await.unwrap();
        let mut verdicts = Vec::new();
        for (what, units, expected) in cases {
            verdicts.push(runner.run(&case(&manifest, what, *units, expected)).await);
        }
        verdicts
    });
    let entries = Reader::open(scratch.path()).unwrap().map(|record| record.unwrap().entry).collect();
    (verdicts, entries)
}

/// The same, where each must end as expected.
fn passes(cases: &[(&str, usize, &str)]) -> Vec<Entry> {
    let (verdicts, entries) = run(cases);
    for ((what, _, _), verdict) in cases.iter().zip(verdicts) {
        assert!(verdict.passed(), "{what}: {:?} {:?}", verdict.notes, verdict.differences);
    }
    entries
}

fn refused(entries: &[Entry]) -> Vec<StageError> {
    let found = entries.iter().filter_map(|entry| match entry {
        Entry::StageRefused { error, .. } => Some(*error),
        _ => None,
    });
    found.collect()
}

fn staged(entries: &[Entry]) -> Vec<String> {
    let found = entries.iter().filter_map(|entry| match entry {
        Entry::Staged { action, .. } => Some(action.to_string()),
        _ => None,
    });
    found.collect()
}

const WRITE: &str = "stages = [\"files-change.write:/etc/meddled=wanted\"]\n";

#[test]
fn guest_a_fix_proposes_finds_nothing_to_do_and_refuses() {
    let entries = passes(&[
        ("honest", 1, &format!("[plan]\npropose = \"the file is not as it should be\"\n{WRITE}")),
        ("honest-done", 1, "[plan]\nnothing = \"it is as it should be\"\n"),
        ("refuse", 1, "[plan]\nrefuse = \"a change here would hide it\"\nowner = \"the team of the source\"\n"),
    ]);
    assert_eq!(staged(&entries).len(), 1);
    assert!(staged(&entries)[0].starts_with("files-change.write:/etc/meddled=wanted#"));
}

#[test]
fn ph01_in_verify_every_changing_verb_is_refused_and_each_refusal_is_written_down() {
    let entries = passes(&[(
        "everything",
        1,
        "phase = \"verify\"\n[[finding]]\ncode = \"stages\"\nseverity = \"ok\"\ntitle = \"wwwwwwwwwww\"\n",
    )]);
    assert_eq!(refused(&entries), [StageError::WrongPhase; 11]);
    assert_eq!(staged(&entries), Vec::<String>::new());
}

#[test]
fn ph01_in_plan_each_file_once_and_nothing_that_policy_does_not_call_stateless() {
    let staged = "[\"files-change.write:/etc/meddled=wanted\", \"files-change.ensure-line:/etc/lines=line\", \
                  \"services-change.reload:u0.service\", \"services-change.enable:u0.service\", \
                  \"services-change.start:u0.service\", \"commands-change.run:role\"]";
    let entries = passes(&[
        ("everything", 1, &format!("[plan]\npropose = \"trrtrtrttrt\"\nstages = {staged}\n")),
        ("one-file-twice", 1, &format!("[plan]\npropose = \"rrr\"\n{WRITE}")),
    ]);
    assert_eq!(refused(&entries), [StageError::Refused; 8]);
}

#[test]
fn ph02_a_fix_is_not_a_probe_and_a_probe_is_not_a_fix() {
    let (manifest, bytes) = meddler();
    let (fix, verbs) = (inspect(&bytes, &Limits::default()).unwrap(), manifest.verbs());
    assert!(check_component(&fix, World::Fix, &verbs, &BTreeSet::new(), false, None).is_ok());
    let as_probe = check_component(&fix, World::Probe, &verbs, &BTreeSet::new(), false, None);
    assert!(matches!(as_probe, Err(ImportError::OtherWorld { .. })), "{as_probe:?}");
    // One that has the right export, and the wrong import.
    let mut disguised = fix.clone();
    disguised.exports = vec![("function", "examine".to_owned())];
    let as_probe = check_component(&disguised, World::Probe, &verbs, &BTreeSet::new(), false, None);
    assert!(matches!(as_probe, Err(ImportError::Changing { .. })), "{as_probe:?}");
    let probe = inspect(&read("witness.wasm"), &Limits::default()).unwrap();
    let as_fix = check_component(&probe, World::Fix, &verbs, &BTreeSet::new(), false, None);
    assert!(matches!(as_fix, Err(ImportError::OtherWorld { .. })), "{as_fix:?}");
}

#[test]
fn ph05_nothing_of_a_plan_is_left_for_its_verification_or_the_next_plan() {
    let never = format!("[plan]\npropose = \"entered 0 times before\"\n{WRITE}");
    let verify = "phase = \"verify\"\n[[finding]]\ncode = \"applied\"\nseverity = \"ok\"\ntitle = \"all is well, trust me\"\nmetrics = { before = 0 }\n";
    passes(&[("remember", 1, &never), ("remember", 1, verify), ("remember", 1, &never), ("remember", 1, verify)]);
}

#[test]
fn ph11_a_fix_that_proposes_nothing_or_hides_a_change_has_no_plan() {
    let (verdicts, entries) = run(&[
        ("propose-nothing", 1, "[plan]\npropose = \"trust me\"\n"),
        ("stage-and-refuse", 1, "[plan]\nrefuse = \"not mine\"\nowner = \"another team\"\n"),
        ("stage-and-nothing", 1, "[plan]\nnothing = \"all is well\"\n"),
        ("trap", 1, "[plan]\nnothing = \"all is well\"\n"),
    ]);
    let notes: Vec<_> = verdicts.iter().flat_map(|verdict| &verdict.notes).map(String::as_str).collect();
    assert_eq!(notes[0], "it broke: it proposes a change, and its list has no change");
    assert_eq!(notes[1], "it broke: its list has changes that it does not propose");
    assert_eq!(notes[2], notes[1]);
    assert!(notes[3].starts_with("it broke: "), "{notes:?}");
    // What it put there is in the journal all the same.
    assert_eq!(staged(&entries).len(), 3);
}

#[test]
fn fs14_a_name_that_is_not_its_own_stages_nothing() {
    let entries = passes(&[("other-names", 1, &format!("[plan]\npropose = \"rrrrrrrrr\"\n{WRITE}"))]);
    assert_eq!((refused(&entries).len(), staged(&entries).len()), (9, 1));
}

#[test]
fn fs15_what_a_fix_makes_is_text_that_a_person_sees_as_it_is() {
    let made = "[plan]\npropose = \"t\"\nstages = [\"files-change.write-computed:/etc/meddled=computed\"]\n\
                computed = [\"made = here\\n\"]\n";
    let not = |letter: &str| format!("[plan]\npropose = \"{letter}\"\n{WRITE}");
    passes(&[
        ("computed", 1, made),
        ("computed-hidden", 1, &not("r")),
        ("computed-bytes", 1, &not("r")),
        ("computed-empty", 1, &not("r")),
        ("computed-large", 1, &not("x")),
    ]);
}

#[test]
fn guest_a_list_has_sixteen_changes() {
    let mut staged = String::new();
    for at in 0..16 {
        let _ = write!(staged, "\"services-change.reload:u{at}.service\", ");
    }
    let proposal = "t".repeat(16) + "xxx";
    let entries = passes(&[("many", 19, &format!("[plan]\npropose = \"{proposal}\"\nstages = [{staged}]\n"))]);
    assert_eq!(refused(&entries), [StageError::Exhausted; 3]);
}
