//! A kernel without some features: the sweep reports it once, records it, and refuses to run where lockdown is required.

use std::fs;

use bailiwick_tests::fleet::Entry;
use bailiwick_tests::kernel;
use bailiwick_tests::ops::{Completed, Ops, completed, component_run};
use serde_json::Value;

use crate::PROGRAM;

fn ops(policy: &str) -> Ops {
    let here = Entry { name: "here".to_owned(), fields: vec![("local", "true".to_owned())] };
    let grant = "[[grant]]\ncomponent = [\"load\", \"memory\", \"uptime\"]\non = [\"here\"]\n";
    Ops::new(PROGRAM, &[here], &[], &format!("{grant}{policy}")).unwrap()
}

/// Runs the program where these system calls do not exist.
fn run_without(ops: &Ops, calls: &[i64], args: &[&str]) -> Completed {
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            kernel::without(calls).unwrap();
            completed(ops.command(args).output().unwrap()).unwrap()
        });
        running.join().unwrap()
    })
}

fn warnings(output: &Completed) -> Vec<&str> {
    output.stderr.lines().filter(|line| line.starts_with("warning: ")).collect()
}

/// The lockdown of the workers in the sweep's last entry.
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
    let output = ops.run(CHECK).unwrap();
    assert_eq!((output.code, warnings(&output)), (0, vec![]), "{}", output.stderr);
    let lockdown = recorded(&ops);
    for measure in ["seccomp", "no-new-privs", "undumpable", "no-capabilities", "rlimits"] {
        assert_eq!(lockdown[measure], true, "{measure}: {lockdown}");
    }
    assert!(lockdown["landlock"].as_u64().unwrap() >= 1, "{lockdown}");
}

#[test]
fn what_a_kernel_lacks_is_reported_once_and_written_down() {
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
        let output = run_without(&ops, calls, CHECK);
        assert_eq!(output.code, 0, "{}", output.stderr);
        let warnings = warnings(&output);
        assert!(warnings.len() == 1 && warnings[0].contains(&format!("without {lacking},")), "{warnings:?}");
        let lockdown = recorded(&ops);
        assert_eq!(lockdown["landlock"].is_null(), lacking.contains("Landlock"), "{lockdown}");
        assert_eq!(lockdown["seccomp"], !lacking.contains("seccomp"), "{lockdown}");
        assert_eq!(lockdown["no-new-privs"], true, "{lockdown}");
    }
}

#[test]
fn where_lockdown_is_required_nothing_runs_without_it() {
    let by_flag = (ops(""), [CHECK, &["--require-lockdown"]].concat());
    let by_policy = (ops("[worker]\nrequire-lockdown = true\n"), CHECK.to_vec());
    for (ops, args) in [by_flag, by_policy] {
        let output = run_without(&ops, &[libc::SYS_landlock_create_ruleset], &args);
        assert_eq!(output.code, 3, "{}", output.stderr);
        let sweep: Value = serde_json::from_str(&output.stdout).unwrap();
        for probe in ["load", "memory", "uptime"] {
            let outcome = &component_run(&sweep, "here", probe).unwrap()["outcome"];
            assert_eq!(outcome["kind"], "refused", "{outcome}");
            assert_eq!(outcome["cause"], "its worker cannot be locked down on this machine: no Landlock", "{outcome}");
        }
        let journal = fs::read_to_string(ops.journal().join("journal.jsonl")).unwrap();
        assert!(!journal.contains("\"kind\":\"run-started\""), "{journal}");
        assert!(!journal.contains("\"kind\":\"intent\""), "{journal}");
    }
}
