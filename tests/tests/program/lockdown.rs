//! A kernel that lacks something: the sweep says so once, writes it down, and refuses where it was told to.

use std::fs;

use bailiwick_tests::fleet::Entry;
use bailiwick_tests::kernel;
use bailiwick_tests::ops::{Ops, Said, ran, said};
use serde_json::Value;

use crate::PROGRAM;

fn ops(policy: &str) -> Ops {
    let here = Entry { name: "here".to_owned(), fields: vec![("local", "true".to_owned())] };
    let grant = "[[grant]]\ncomponent = [\"load\", \"memory\", \"uptime\"]\non = [\"here\"]\n";
    Ops::new(PROGRAM, &[here], &[], &format!("{grant}{policy}")).unwrap()
}

/// Runs the program where these system calls do not exist.
fn run_without(ops: &Ops, calls: &[i64], args: &[&str]) -> Said {
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            kernel::without(calls).unwrap();
            said(ops.command(args).output().unwrap()).unwrap()
        });
        running.join().unwrap()
    })
}

fn warnings(said: &Said) -> Vec<&str> {
    said.stderr.lines().filter(|line| line.starts_with("warning: ")).collect()
}

/// What the sweep's last entry says of its workers.
fn recorded(ops: &Ops) -> Value {
    let journal = fs::read_to_string(ops.journal().join("journal.jsonl")).unwrap();
    let ended = journal.lines().rfind(|line| line.contains("\"kind\":\"sweep-ended\"")).unwrap();
    let record: Value = serde_json::from_str(&ended[ended.find('{').unwrap()..]).unwrap();
    record["entry"]["lockdown"].clone()
}

const CHECK: &[&str] = &["check", "--format", "json", "--fail-on", "never"];

#[test]
fn everything_holds_here_and_is_written_down() {
    let ops = ops("[worker]\nrequire-lockdown = true\n");
    let said = ops.run(CHECK).unwrap();
    assert_eq!((said.code, warnings(&said)), (0, vec![]), "{}", said.stderr);
    let held = recorded(&ops);
    for measure in ["seccomp", "no-new-privs", "undumpable", "no-capabilities", "rlimits"] {
        assert_eq!(held[measure], true, "{measure}: {held}");
    }
    assert!(held["landlock"].as_u64().unwrap() >= 1, "{held}");
}

#[test]
fn what_a_kernel_lacks_is_told_once_and_written_down() {
    let kernels: [(&[i64], &str); 3] = [
        (&[libc::SYS_landlock_create_ruleset], "Landlock"),
        (&[libc::SYS_seccomp], "seccomp"),
        (
            &[libc::SYS_landlock_restrict_self, libc::SYS_seccomp, libc::SYS_capset],
            "Landlock, seccomp, dropped capabilities",
        ),
    ];
    for (calls, lacking) in kernels {
        let ops = ops("");
        let said = run_without(&ops, calls, CHECK);
        assert_eq!(said.code, 0, "{}", said.stderr);
        let warnings = warnings(&said);
        assert!(warnings.len() == 1 && warnings[0].contains(&format!("without {lacking},")), "{warnings:?}");
        let held = recorded(&ops);
        assert_eq!(held["landlock"].is_null(), lacking.contains("Landlock"), "{held}");
        assert_eq!(held["seccomp"], !lacking.contains("seccomp"), "{held}");
        assert_eq!(held["no-new-privs"], true, "{held}");
    }
}

#[test]
fn where_lockdown_is_required_nothing_runs_without_it() {
    let by_flag = (ops(""), [CHECK, &["--require-lockdown"]].concat());
    let by_policy = (ops("[worker]\nrequire-lockdown = true\n"), CHECK.to_vec());
    for (ops, args) in [by_flag, by_policy] {
        let said = run_without(&ops, &[libc::SYS_landlock_create_ruleset], &args);
        assert_eq!(said.code, 3, "{}", said.stderr);
        let sweep: Value = serde_json::from_str(&said.stdout).unwrap();
        for probe in ["load", "memory", "uptime"] {
            let outcome = &ran(&sweep, "here", probe).unwrap()["outcome"];
            assert_eq!(outcome["kind"], "refused", "{outcome}");
            assert_eq!(outcome["cause"], "its worker cannot be locked down on this machine: no Landlock", "{outcome}");
        }
        let journal = fs::read_to_string(ops.journal().join("journal.jsonl")).unwrap();
        assert!(!journal.contains("\"kind\":\"run-started\""), "{journal}");
        assert!(!journal.contains("\"kind\":\"intent\""), "{journal}");
    }
}
