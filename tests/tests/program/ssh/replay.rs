//! A sweep of machines over SSH, replayed without them: every component gets the same answers, so it reports the same.

use bailiwick_tests::fleet::Entry as Target;
use bailiwick_tests::ops::{Ops, bailiwick, slotless};
use bailiwick_tests::sshd::Sshd;
use serde_json::Value;

use crate::PROGRAM;

#[test]
fn jr09_jr12_a_sweep_replays_without_its_targets() {
    let sshd = [Sshd::plain().unwrap(), Sshd::plain().unwrap()];
    let targets = [Target::for_sshd("db", &sshd[0]).unwrap(), Target::for_sshd("web", &sshd[1]).unwrap()];
    let policy = slotless(&["db", "web"])
        + "[[grant]]\ncomponent = [\"service\", \"log-errors\"]\non = [\"db\", \"web\"]\nbind.unit = \"ssh.service\"\n\
           [[grant]]\ncomponent = \"file-freshness\"\non = [\"web\"]\nbind.file = \"/etc/hostname\"\n\
           [[never]]\nfiles = [\"/etc/host*\"]\nwhy = \"to see something withheld\"\n\
           [[redact]]\nname = \"total\"\npattern = 'MemTotal: +([0-9]+)'\n";
    let ops = Ops::new(PROGRAM, &targets, &[], &policy).unwrap();
    let (_, sweep) = ops.check(&[]).unwrap();
    let connections: usize = sshd.iter().map(|sshd| sshd.connections().unwrap()).sum();

    let output = ops.run(&["replay", "--last", "--format", "json"]).unwrap();
    let again: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(output.code, 0, "{again:#}");
    let digests = |target: &Value| -> Vec<(String, String)> {
        let runs = target["result"]["runs"].as_array().unwrap().iter();
        runs.map(|run| (run["id"].as_str().unwrap().to_owned(), run["report_sha256"].as_str().unwrap().to_owned()))
            .collect()
    };
    let mut then: Vec<_> = sweep["targets"].as_array().unwrap().iter().flat_map(digests).collect();
    then.sort_by_key(|(id, _)| id.parse::<u64>().unwrap());
    let now: Vec<_> = again["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| (run["run"].to_string(), run["result"]["report"].as_str().unwrap_or_default().to_owned()))
        .collect();
    assert_eq!(then, now, "each report is the one that was printed");
    assert_eq!(now.len(), 21);
    let after: usize = sshd.iter().map(|sshd| sshd.connections().unwrap()).sum();
    assert_eq!(connections, after, "a replay makes no connection");

    // And without them, without fleet and policy, in another place.
    drop(sshd);
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = std::process::Command::new("cp").arg("-a").arg(ops.path().join("state")).arg(elsewhere.path()).status();
    assert!(copy.unwrap().success());
    let state = elsewhere.path().join("state");
    let empty = tempfile::tempdir().unwrap();
    let output = bailiwick(PROGRAM)
        .args(["replay", "--last", "--state", state.to_str().unwrap()])
        .env_clear()
        .current_dir(empty.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("21 runs: 21 identical"), "{text}");
}
