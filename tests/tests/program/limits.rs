//! Limits as people use them: the table, what policy changes in it, and what a component requests without a grant.

use bailiwick_tests::fleet::Entry;
use bailiwick_tests::ops::{Ops, component_run};

use crate::PROGRAM;

const GRANT: &str = "[[grant]]\ncomponent = \"eater\"\non = [\"here\"]\n";

/// An ops directory with a component of its own: the built-in `memory` under another name, which asks for more than
/// every component has.
fn eater(policy: &str) -> Ops {
    let here = Entry { name: "here".to_owned(), fields: vec![("local", "true".to_owned())] };
    let ops = Ops::new(PROGRAM, &[here], &[], policy).unwrap();
    let manifest = include_str!("../../../probes/dist/memory.toml").replace("id = \"memory\"", "id = \"eater\"");
    let ask = "\n[[limit]]\nname = \"fuel\"\nvalue = 3000000000\nwhy = \"it counts every page\"\n";
    ops.write("components/eater.toml", (manifest + ask).as_bytes()).unwrap();
    ops.write("components/eater.wasm", include_bytes!("../../../probes/dist/memory.wasm")).unwrap();
    ops.accept_blindly().unwrap();
    ops
}

#[test]
fn the_table() {
    let output = eater(GRANT).run(&["limits"]).unwrap();
    assert_eq!(output.code, 0, "{}", output.stderr);
    insta::assert_snapshot!(output.stdout);
}

#[test]
fn what_policy_says_is_shown_with_its_line() {
    let ops = eater(&format!(
        "{GRANT}\n[limits]\ncalls = 50\nfuel = 1000000\n\n[[raise]]\ncomponent = \"eater\"\nfuel = 2500000000\n\
         why = \"it counts a lot\"\n"
    ));
    let all: serde_json::Value =
        serde_json::from_str(&ops.run(&["limits", "--format", "json"]).unwrap().stdout).unwrap();
    let one: serde_json::Value =
        serde_json::from_str(&ops.run(&["limits", "eater", "--format", "json"]).unwrap().stdout).unwrap();
    let row = |shown: &serde_json::Value, name: &str| {
        shown["limits"].as_array().unwrap().iter().find(|row| row["name"] == name).cloned().unwrap()
    };
    assert_eq!(
        (&row(&all, "fuel")["value"], &row(&all, "fuel")["policy"]),
        (&1_000_000.into(), &"policy.toml:7".into())
    );
    assert_eq!(row(&one, "fuel")["value"], 2_500_000_000_u64);
    assert_eq!(row(&one, "fuel")["policy"], "policy.toml:11");
    assert_eq!(row(&one, "fuel")["why"], "it counts a lot");
    assert_eq!(row(&one, "calls")["value"], 50, "what is lowered for all is lowered for those that are named");
    assert_eq!(row(&one, "wall-ms")["policy"], serde_json::Value::Null);
    assert_eq!(all["named"][0], "eater");

    let review = ops.run(&["review"]).unwrap().stdout;
    insta::assert_snapshot!(review.split_once("limits that policy sets").unwrap().1);
}

#[test]
fn what_is_requested_and_not_granted_is_shown_with_the_lines_to_paste() {
    let ops = eater(GRANT);
    let (review, check) = (ops.run(&["review", "eater"]).unwrap(), ops.run(&["check"]).unwrap());
    let paste = review.stdout.split_once("with your reason in `why`:\n\n").unwrap().1.trim();
    assert!(check.stderr.contains(paste), "{}", check.stderr);
    insta::assert_snapshot!(paste);
    // The pasted lines are right, except for the reason, which the operator writes.
    ops.write("policy.toml", format!("{GRANT}\n{paste}\n").as_bytes()).unwrap();
    let unreasoned = ops.run(&["review"]).unwrap();
    assert!(unreasoned.code == 2 && unreasoned.stderr.contains("a [[raise]] needs a reason"), "{}", unreasoned.stderr);
    let reasoned = paste.replace("why = \"\"", "why = \"we have many pages\"");
    ops.write("policy.toml", format!("{GRANT}\n{reasoned}\n").as_bytes()).unwrap();
    assert!(!ops.run(&["review"]).unwrap().stdout.contains("requested and not granted"));
    assert_eq!(ops.run(&["check"]).unwrap().stderr, "");
}

#[test]
fn a_lowered_limit_holds_and_a_raised_one_too() {
    let cause = |policy: &str| {
        let (code, sweep) = eater(&format!("{GRANT}\n{policy}")).check(&[]).unwrap();
        let outcome = component_run(&sweep, "here", "eater").unwrap()["outcome"].clone();
        (code, outcome["kind"].as_str().unwrap().to_owned(), outcome["cause"].as_str().unwrap_or_default().to_owned())
    };
    let (code, kind, cause_text) = cause("[limits]\nfuel = 1000\n");
    assert_eq!((code, kind.as_str(), cause_text.as_str()), (4, "fault", "used up its fuel (1000 instructions)"));
    let raise = "[[raise]]\ncomponent = \"eater\"\nfuel = 1000000000\nwhy = \"x\"\n";
    assert_eq!(cause(&format!("[limits]\nfuel = 1000\n{raise}")).1, "report");
    let (code, kind, cause_text) = cause("[limits]\ncomponent-bytes = 1000\n");
    assert_eq!((code, kind.as_str()), (3, "refused"));
    assert!(cause_text.contains("this component may have 1000 (limit `component-bytes`)"), "{cause_text}");
    let (code, kind, cause_text) = cause("[limits]\nfunctions = 2\n");
    assert_eq!((code, kind.as_str()), (3, "refused"));
    assert!(cause_text.contains("functions; this component may have 2 (limit `functions`)"), "{cause_text}");
}
