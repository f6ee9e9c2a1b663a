//! Runs on several targets, and runs that get their past: through the program, to the journal and back.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bailiwick_core::model::VerbError;
use bailiwick_journal::history;
use bailiwick_journal::{Entry, Journal, Outcome, Reader, Record, RunEnd, RunStart};
use bailiwick_tests::ops::Ops;

use crate::PROGRAM;

/// Two targets that are this machine, and one where no process listens.
fn ops(policy: &str) -> Ops {
    let ops = Ops::new(PROGRAM, &[], &[], policy).unwrap();
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    let fleet = format!(
        "[targets.here]\nlocal = true\n[targets.there]\nlocal = true\n\
         [targets.gone]\naddress = \"127.0.0.1\"\nport = 1\nuser = \"nobody\"\nidentity = \"/nowhere\"\nhost-key = \"{key}\"\n"
    );
    ops.write("fleet.toml", fleet.as_bytes()).unwrap();
    ops
}

fn records(journal: &Path) -> Vec<Record> {
    Reader::open(journal).unwrap().map(Result::unwrap).collect()
}

#[test]
fn one_run_checks_all_its_targets_and_one_that_is_down_does_not_stop_it() {
    let ops = ops("[[grant]]\ncomponent = \"clock-skew\"\non = [\"here\", \"there\", \"gone\"]\n");
    let (code, sweep) = ops.check(&[]).unwrap();
    assert_eq!(code, 4, "a target could not be checked: {sweep:#}");
    let together = &sweep["together"][0];
    assert_eq!(together["targets"], serde_json::json!(["gone", "here", "there"]));
    assert_eq!(together["left_out"], serde_json::json!([]));
    let findings = together["run"]["outcome"]["findings"].as_array().unwrap();
    let severities: Vec<_> =
        findings.iter().map(|f| (f["subject"].as_str().unwrap(), f["severity"].as_str().unwrap())).collect();
    assert_eq!(severities, [("gone", "unknown"), ("here", "ok"), ("there", "ok"), ("", "ok")]);
    let calls = together["run"]["calls"].as_array().unwrap();
    let calls: Vec<_> = calls.iter().map(|call| (call["target"].as_str().unwrap(), call["error"].as_str())).collect();
    assert_eq!(calls, [("gone", Some("unreachable")), ("here", None), ("there", None)]);
    let standing = |at: usize| sweep["targets"][at]["standing"].as_str().unwrap();
    assert_eq!([standing(0), standing(1), standing(2)], ["unseen", "healthy", "healthy"]);
    assert_eq!(sweep["summary"]["runs"]["total"], 1);

    // The journal has everything: one run, a grant for each target, whose clock was asked and when.
    let records = records(&ops.journal());
    let starts: Vec<_> = records.iter().filter(|record| matches!(record.entry, Entry::RunStarted(_))).collect();
    let [Record { entry: Entry::RunStarted(RunStart { first, others, .. }), seq: run, .. }] = starts.as_slice() else {
        panic!("one run, not {starts:?}")
    };
    let names: Vec<_> = others.iter().map(|other| other.target.as_str()).collect();
    assert_eq!((first.target.as_str(), names), ("gone", vec!["here", "there"]));
    assert!(first.actions.len() == 1 && others.iter().all(|other| other.actions.len() == 1));
    let on: Vec<_> = records
        .iter()
        .filter_map(|record| match &record.entry {
            Entry::Intent { run: intent_run, on, .. } if intent_run == run => Some(on.as_ref().unwrap().as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(on, ["gone", "here", "there"]);
    for record in &records {
        if let Entry::Outcome { outcome, timing, .. } = &record.entry {
            match outcome {
                Outcome::Failed { error, cause } => {
                    assert_eq!(*error, VerbError::Unreachable);
                    assert!(cause.contains("/nowhere"), "why it was not reached: {cause}");
                }
                Outcome::Answer { .. } => assert!(timing.is_some(), "a clock's answer says when it was asked"),
            }
        }
    }
    let shown = ops.run(&["journal", "show", &run.to_string()]).unwrap().stdout;
    for part in ["on gone, here, there", "  on here", "call 2 on here sends system.clock"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let table = ops.run(&["check"]).unwrap().stdout;
    assert!(table.contains("3 targets") && table.contains("gone: system.clock: no connection"), "{table}");
    // Each of them has its own numbers.
    let trend = ops.run(&["trend", "there", "ahead-seconds"]).unwrap();
    assert!(trend.code == 0 && trend.stdout.contains("clock-skew/clock/ahead-seconds"), "{trend:?}");
}

#[test]
fn a_target_on_which_it_is_not_accepted_is_left_out_and_reported() {
    let granted = |on: &str| format!("[[grant]]\ncomponent = \"skew-of-ours\"\non = [{on}]\n");
    let ops = ops(&granted("\"here\""));
    let read = |name: &str| fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../probes").join(name)).unwrap();
    let manifest = String::from_utf8(read("clock-skew/manifest.toml")).unwrap().replace("clock-skew", "skew-of-ours");
    ops.install("skew-of-ours", &read("dist/clock-skew.wasm"), manifest.as_bytes()).unwrap();
    ops.accept().unwrap();
    ops.write("policy.toml", granted("\"here\", \"there\"").as_bytes()).unwrap();
    let (code, sweep) = ops.check(&[]).unwrap();
    assert_eq!(code, 3, "{sweep:#}");
    let together = &sweep["together"][0];
    assert_eq!(together["targets"], serde_json::json!(["here"]));
    assert_eq!(together["left_out"][0]["target"], "there");
    assert_eq!(sweep["targets"][1]["standing"], "in-part");
    let refused = records(&ops.journal())
        .into_iter()
        .any(|record| matches!(record.entry, Entry::LoadRefused { reason, .. } if reason.starts_with("on there: ")));
    assert!(refused, "the journal says so too");
}

/// With fewer targets it would have reported something else: all are in the case, also the one that is down.
#[test]
fn a_case_is_recorded_on_all_targets_and_the_review_names_them() {
    let ops = ops("[[grant]]\ncomponent = \"clock-skew\"\non = [\"here\", \"there\", \"gone\"]\n");
    let cases = tempfile::tempdir().unwrap();
    let probes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../probes");
    let (project, component) = (probes.join("clock-skew"), probes.join("dist/clock-skew.wasm"));
    let project = [project.to_str().unwrap(), "--component", component.to_str().unwrap()];
    let place = ["--case-dir", cases.path().to_str().unwrap()];
    let recorded =
        ops.run(&[&["test"], &project[..], &place, &["--record", "new", "--target", "there"]].concat()).unwrap();
    assert_eq!(recorded.code, 0, "{}{}", recorded.stdout, recorded.stderr);
    assert!(recorded.stderr.contains("recording clock-skew on gone, here, there"), "{}", recorded.stderr);
    let case = fs::read_to_string(cases.path().join("new.toml")).unwrap();
    assert!(case.contains("targets = [\"gone\", \"here\", \"there\"]"), "{case}");
    assert!(case.contains("error = \"unreachable\"") && case.matches("[[answer]]").count() == 3, "{case}");
    let again = ops.run(&[&["test"], &project[..], &place].concat()).unwrap();
    assert_eq!(again.code, 0, "it holds without them: {}{}", again.stdout, again.stderr);

    let review = ops.run(&["review"]).unwrap().stdout;
    let sentence = "clock-skew checks all its targets in one run";
    assert!(review.contains(sentence) && review.contains("    on      gone, here, there\n"), "{review}");
    let review: serde_json::Value =
        serde_json::from_str(&ops.run(&["review", "--format", "json"]).unwrap().stdout).unwrap();
    let together = serde_json::json!([{ "component": "clock-skew", "targets": ["gone", "here", "there"] }]);
    assert_eq!(review["together"], together);
}

#[test]
fn a_run_gets_its_own_past_and_the_journal_records_which() {
    let policy = "[[grant]]\ncomponent = [\"memory-trend\", \"memory\"]\non = [\"here\", \"there\"]\nparam.X = 0\n";
    let ops = ops(&policy.replace("param.X = 0\n", ""));
    for _ in 0..3 {
        ops.check(&[]).unwrap();
    }
    let mut runs = Vec::new();
    for record in records(&ops.journal()) {
        if let Entry::RunStarted(RunStart { component, first, now_ms, .. }) = record.entry
            && component.as_str() == "memory-trend"
            && first.target.as_str() == "here"
        {
            runs.push((record.seq, first.earlier, first.previous_ms, now_ms));
        }
    }
    let [(first, none, never, first_ms), (second, _, before, _), (third, Some(past), ..)] = runs.as_slice() else {
        panic!("{runs:?}")
    };
    assert_eq!((none, never, before), (&None, &None, &Some(*first_ms)));
    assert_eq!(past.runs, [*first, *second], "its own runs here, and no others");
    let numbers = history::past_numbers(&ops.journal(), &[*third].into()).unwrap().remove(third).unwrap().unwrap();
    let names: Vec<_> = numbers[0].iter().map(|point| (point.code.as_str(), point.metric.as_str())).collect();
    let each = [("available", "available-bytes"), ("available", "available-percent")];
    assert_eq!(names, [each, each].concat());
    // Rebuilt from the journal, it is the same.
    let trend = || {
        let text = ops.run(&["trend", "here", "--format", "json"]).unwrap().stdout;
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        value.as_object_mut().unwrap().remove("since"); // counted back from now
        value
    };
    let before = trend();
    let rebuilt = ops.run(&["history", "rebuild"]).unwrap();
    assert!(rebuilt.code == 0 && rebuilt.stdout.contains("values of 12 runs"), "{rebuilt:?}");
    assert_eq!(trend(), before);
}

#[test]
fn jr01_runs_on_several_targets_and_runs_that_got_their_past_are_replayed() {
    let ops = ops("[[grant]]\ncomponent = \"clock-skew\"\non = [\"here\", \"there\", \"gone\"]\n\
                   [[grant]]\ncomponent = \"memory-trend\"\non = [\"here\", \"there\"]\n");
    for _ in 0..3 {
        ops.check(&[]).unwrap();
    }
    let replayed = || {
        let output = ops.run(&["replay", "--last", "--format", "json"]).unwrap();
        let value: serde_json::Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        (output.code, value)
    };
    let (code, value) = replayed();
    assert_eq!((code, &value["summary"]["identical"]), (0, &serde_json::json!(3)), "{value:#}");
    let run = |value: &serde_json::Value, component: &str| {
        let runs = value["runs"].as_array().unwrap();
        runs.iter().find(|run| run["component"] == component).unwrap().clone()
    };
    let together = run(&value, "clock-skew");
    assert_eq!((&together["target"], &together["others"]), (&"gone".into(), &serde_json::json!(["here", "there"])));

    // An attacker who rewrites the journal with another number in an earlier run has changed the input of a later one.
    let (old, new) = (ops.journal(), ops.path().join("new"));
    let (journal, _) = Journal::open(&new, Duration::ZERO).unwrap();
    let mut changed = false;
    for record in records(&old).into_iter().skip(1) {
        let mut entry = record.entry;
        if let Entry::RunEnded { end: RunEnd::Report(report), .. } = &mut entry
            && let Some(finding) = report.findings.iter_mut().find(|finding| finding.code == "available")
            && !std::mem::replace(&mut changed, true)
        {
            finding.metrics[0].value += 4096.0;
        }
        journal.append(entry).unwrap();
    }
    drop(journal);
    for name in ["journal.jsonl", "head"] {
        fs::copy(new.join(name), old.join(name)).unwrap();
    }
    let (code, value) = replayed();
    assert_eq!((code, &value["summary"]["identical"]), (4, &serde_json::json!(2)), "{value:#}");
    let cause = &value["runs"].as_array().unwrap().iter().find(|run| run["result"]["kind"] == "not-replayed");
    let cause = cause.unwrap()["result"]["cause"].as_str().unwrap();
    assert!(cause.contains("do not match the journal's numbers"), "{cause}");
}

#[test]
fn a_past_that_cannot_be_read_does_not_pass_for_none() {
    let ops = ops("[[grant]]\ncomponent = [\"memory-trend\", \"memory\"]\non = [\"here\"]\n");
    ops.check(&[]).unwrap();
    let folder = ops.path().join("state/history");
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "in its place").unwrap();
    let (code, sweep) = ops.check(&[]).unwrap();
    let runs = &sweep["targets"][0]["result"]["runs"];
    let kind = |at: usize| runs[at]["outcome"]["kind"].as_str().unwrap();
    assert_eq!((code, kind(0), kind(1)), (4, "report", "could-not-look"), "{runs:#}");
    let reason = runs[1]["outcome"]["reason"].as_str().unwrap();
    assert!(reason.contains("its history cannot be read"), "{reason}");
}

#[test]
fn what_is_not_there_is_answered_with_what_there_is() {
    let ops = ops("[[grant]]\ncomponent = \"memory\"\non = [\"here\"]\n");
    let none = ops.run(&["trend", "here"]).unwrap();
    assert!(none.code == 2 && none.stderr.contains("`bailiwick check` creates one"), "{none:?}");
    ops.check(&[]).unwrap();
    let table = [
        (vec!["trend", "nosuch"], "the targets with metrics are: here"),
        (vec!["trend", "here", "no-such"], "the metrics are: available-bytes, available-percent"),
        (vec!["trend", "here", "--component", "load"], "the components are: memory"),
        (vec!["trend", "here", "--since", "yesterday"], "write 48h, 35d or 8w"),
        (vec!["trend", "here", "--since", "0h"], "there are no metrics of here since 0h"),
    ];
    for (args, hint) in table {
        let output = ops.run(&args).unwrap();
        assert!(output.code == 2 && output.stdout.is_empty() && output.stderr.contains(hint), "{args:?}: {output:?}");
    }
}
