//! The commands about changes, as people use them: the output of each when there is nothing, when something is wrong, and when all
//! changes are stopped.

use std::fs;
use std::time::Duration;

use bailiwick_change::store::Store;
use bailiwick_journal::{Entry, Event, Journal, Reader};
use bailiwick_tests::change::plans::{plan, write};
use bailiwick_tests::fleet::Entry as Target;
use bailiwick_tests::ops::{Completed, Ops};

use crate::PROGRAM;

/// Whenever this machine was booted, all is well.
const POLICY: &str = "[[grant]]\ncomponent = \"uptime\"\non = [\"here\"]\nparam.recent-hours = 0\n";

fn ops() -> Ops {
    let here = Target { name: "here".to_owned(), fields: vec![("local", "true".to_owned())] };
    let web = Target {
        name: "web01".to_owned(),
        fields: [("address", "192.0.2.1"), ("user", "bw-read"), ("identity", "~/.ssh/id")]
            .map(|(key, value)| (key, format!("\"{value}\"")))
            .to_vec(),
    };
    Ops::new(PROGRAM, &[here, web], &[], POLICY).unwrap()
}

fn shown(output: &Completed, ops: &Ops) -> String {
    let text = format!("exit code {}\n--- stdout\n{}--- stderr\n{}", output.code, output.stdout, output.stderr);
    text.replace(&ops.path().display().to_string(), "DIR")
}

fn events(ops: &Ops) -> Vec<Event> {
    let events = Reader::open(&ops.journal()).unwrap().map(|record| record.unwrap().entry);
    events.filter_map(|entry| if let Entry::Change(event) = entry { Some(event) } else { None }).collect()
}

#[test]
fn what_is_printed_when_there_is_nothing_or_something_is_wrong() {
    let ops = ops();
    let mut all = String::new();
    let store = Store::at(&ops.path().join("state"));
    let kept = store.keep(&plan("log-rotation", vec![write("/etc/logrotate.d/app", None, "weekly")])).unwrap();
    let asked: [&[&str]; 16] = [
        &["changes"],
        &["changes", "--format", "json"],
        &["recover"],
        &["apply", "0123456789"],
        &["apply", "../../etc/passwd"],
        &["apply", &kept[..8]],
        &["apply", &kept[..8], "--approval", "yes"],
        &["rollback", "c-20300101-00000000"],
        &["rollback", "../x"],
        &["plan", "no-such-fix", "--target", "web01"],
        &["plan", "uptime", "--target", "web01"],
        &["plan", "stale-file", "--target", "here"],
        &["plan", "show", "00000000"],
        &["plan", "show", &kept[..8], "--statement"],
        &["plan", "show", &kept[..8], "--statement", "--for", "1y"],
        &["rehearse", "stale-file", "--staging", "web01"],
    ];
    for words in asked {
        let output = ops.run(words).unwrap();
        let words = words.join(" ").replace(&kept[..8], "PLAN");
        all.push_str(&format!("$ bailiwick {words}\n{}\n", shown(&output, &ops).replace(&kept[..8], "PLAN")));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_plan_as_a_person_reads_it() {
    let ops = ops();
    let mut shown = plan("prometheus-base-rules", vec![write("/etc/prometheus/base-rules.yml", None, "groups: []\n")]);
    shown.steps[0].shown = bailiwick_core::model::Tainted::new(
        "--- /etc/prometheus/base-rules.yml\n+++ /etc/prometheus/base-rules.yml\n@@ -0,0 +1 @@\n+groups: []\u{1b}[2J\n\tand a tab\n",
    );
    let digest = Store::at(&ops.path().join("state")).keep(&shown).unwrap();
    let output = ops.run(&["plan", "show", &digest[..8]]).unwrap();
    assert!(!output.stdout.contains('\u{1b}'));
    insta::assert_snapshot!(output.stdout);
    let statement = ops.run(&["plan", "show", &digest, "--statement", "--for", "8h"]).unwrap();
    let without_time: Vec<_> = statement.stdout.lines().filter(|line| !line.starts_with("not-after ")).collect();
    insta::assert_snapshot!(without_time.join("\n"));
}

#[test]
fn ch15_every_user_can_stop_and_only_a_person_at_a_terminal_can_resume() {
    let ops = ops();
    let output = ops.run(&["stop", "the", "disk", "is", "on", "fire"]).unwrap();
    assert_eq!(output.code, 0, "{}", output.stderr);
    let switch = ops.path().join("state/stop");
    assert_eq!(fs::read_to_string(&switch).unwrap(), "on 1 the disk is on fire\n");
    assert!(matches!(events(&ops).as_slice(), [Event::Stopped { epoch: 1, .. }]));
    // Without a terminal nothing resumes, with any arguments.
    for words in [&["resume"][..], &["resume", "--why", "it is out"]] {
        let output = ops.run(words).unwrap();
        assert_eq!(output.code, 2, "{words:?}");
        assert!(output.stderr.contains("a person at a terminal"), "{}", output.stderr);
    }
    assert!(switch.exists());
    // It works while another program has the journal, and without a journal at all.
    let open = Journal::open(&ops.journal(), Duration::ZERO).unwrap();
    fs::remove_file(&switch).unwrap();
    drop(open);
    let output = ops.run(&["stop"]).unwrap();
    assert_eq!((output.code, switch.exists()), (0, true), "{}", output.stderr);
}

#[test]
fn jr13_the_healthy_day_is_an_entry_that_names_its_evidence() {
    let ops = ops();
    let output = ops.run(&["rounds"]).unwrap();
    assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
    assert!(output.stdout.contains("no changes were made; everything is healthy"), "{}", output.stdout);
    let found = events(&ops);
    let [Event::Round { sweep, holds: true, verified, .. }] = found.as_slice() else { panic!("{found:?}") };
    assert!(verified.is_empty(), "nothing was ever changed");
    let named = Reader::open(&ops.journal()).unwrap().map(Result::unwrap).find(|record| record.seq == *sweep).unwrap();
    assert!(matches!(named.entry, Entry::SweepStarted { .. }), "{named:?}");
}

#[test]
fn ag13_no_flag_changes_anything() {
    // Every flag of `plan` and `apply`: none of them approves.
    let ops = ops();
    for command in ["plan", "apply", "rollback", "rehearse"] {
        let help = ops.run(&[command, "--help"]).unwrap().stdout;
        for word in ["--yes", "--force", "--dry-run", "--no-", "--skip", "--unattended", "--auto"] {
            assert!(!help.contains(word), "{command} knows {word}");
        }
    }
}
