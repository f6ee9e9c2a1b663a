//! The theorems of a change against the real gate: the generated script on real files, a unit with a fake `systemctl`, and a
//! controller that is a process of its own where it is killed. Runs as root, as the gate does.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use bailiwick_change::log::Log;
use bailiwick_change::state::ChangeStatus as At;
use bailiwick_change::{ApplyOutcome, Plan, recover};
use bailiwick_journal::{Denial, End, verify};
use bailiwick_tests::change::controller::{Controller, run};
use bailiwick_tests::change::faulty::{Fault, Faulty};
use bailiwick_tests::change::script::{KINDS, Rig, apply, controller, names, only};
use bailiwick_tests::gate::until;

// The two theorems with the most combinations have a test for each of them, so that these run at the same time.
const _: () = assert!(KINDS.len() == 3, "a combination of changes without its tests");

type Tally = BTreeMap<String, u32>;

fn print_tally(tally: &Tally) {
    println!("{tally:#?}\n{} combinations", tally.values().sum::<u32>());
}

/// Every call of a plan without a fault, or of one that does not work and is rolled back; and the state at its end.
fn rehearsed(kind: &str, works: bool) -> (Vec<String>, bailiwick_tests::change::script::Snapshot) {
    let (controller, rig) = (controller(), Rig::new(kind).unwrap());
    let plan = rig.plan(&controller).unwrap();
    let mut gate = Faulty::new(rig.client(&controller), Fault::None);
    let outcome = apply(&controller, &mut controller.log(), &mut gate, &plan, works).unwrap();
    let end = if works { End::Applied } else { End::RolledBack };
    assert!(matches!(&outcome, ApplyOutcome::Ended { end: found, .. } if *found == end), "{kind}: {outcome:?}");
    assert_eq!(rig.is_before().unwrap(), !works, "{kind}");
    (names(&gate), rig.snapshot().unwrap())
}

/// In every case: there is an end, it is true, and there is no second change that day.
fn truth(controller: &Controller, mut log: Log, rig: &Rig, plan: &Plan, label: &str) -> At {
    let Some((change, mut at)) = only(&log).unwrap() else {
        assert!(rig.is_before().unwrap(), "{label}");
        return At::NotBegun;
    };
    let mut gate = rig.client(controller);
    if at.is_open() {
        let there = rig.snapshot().unwrap();
        run(recover(&mut log, &mut gate, Some(plan), &change)).unwrap();
        let now = rig.snapshot().unwrap();
        let differs: Vec<_> = now.iter().filter(|(name, is)| there.get(*name) != Some(is)).collect();
        let gone: Vec<_> = there.keys().filter(|name| !now.contains_key(*name)).collect();
        assert!(differs.is_empty() && gone.is_empty(), "{label}: recovery changed {differs:?}, {gone:?}");
        at = only(&log).unwrap().unwrap().1;
    }
    if at.is_open() {
        // The target's own clock; it counts to 0.
        let (_, text) = rig.person(&["dead-man", change.as_str(), "0"]).unwrap();
        let found = run(recover(&mut log, &mut gate, Some(plan), &change)).unwrap();
        at = only(&log).unwrap().unwrap().1;
        assert!(!at.is_open(), "{label}: {at:?} is not an end\n{text}\n{found:?}");
    }
    let there = rig.snapshot().unwrap();
    match at {
        At::Applied => assert!(there == rig.after, "{label}: it is reported as applied"),
        At::RolledBack | At::NotBegun => {
            assert!(there == rig.before, "{label}: it is reported as rolled back ({at:?})")
        }
        other => panic!("{label}: {other:?}: {:?}", log.change(&change)),
    }
    controller.clock.pass(60);
    let mut second = Faulty::new(rig.client(controller), Fault::None);
    let again = apply(controller, &mut log, &mut second, plan, true).unwrap();
    if at != At::NotBegun {
        assert!(
            matches!(again, ApplyOutcome::Denied { code: Denial::Budget, .. }),
            "{label}: a second change: {again:?}"
        );
    }
    drop(log);
    let verdict = verify(&controller.journal()).unwrap();
    assert!(verdict.breaks.iter().all(|found| !found.is_serious()), "{label}: {:?}", verdict.breaks);
    at
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ch07_gate_fail_at_each_request_and_cut_the_network_there_everything() {
    fail_at_each_request("everything");
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ch07_gate_fail_at_each_request_and_cut_the_network_there_new_file_and_restart() {
    fail_at_each_request("new file and restart");
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ch07_gate_fail_at_each_request_and_cut_the_network_there_line_away_and_reload() {
    fail_at_each_request("line away and reload");
}

fn fail_at_each_request(kind: &str) {
    type Make = fn(u32) -> Fault;
    let kinds: [(&str, Make); 5] = [
        ("refused", Fault::Refuse),
        ("cut before", Fault::CutBefore),
        ("cut behind", Fault::CutAfter),
        ("down from before", Fault::DownFrom),
        ("down from behind", Fault::DownAfter),
    ];
    let mut tally = Tally::new();
    let (_, after) = rehearsed(kind, true);
    for works in [true, false] {
        let (calls, _) = rehearsed(kind, works);
        for (number, name) in (1_u32..).zip(&calls) {
            let changes = ["begin", "do ", "undo ", "again ", "close"].iter().any(|word| name.starts_with(word));
            for (word, make) in kinds {
                let in_rollback = name.starts_with("undo") || name.starts_with("again");
                // A query changes nothing, however it is cut off; the other test has refusals during a rollback.
                if (!changes && word != "cut before") || (word == "refused" && in_rollback) || (!works && !in_rollback)
                {
                    continue;
                }
                // The longest plan takes the two hardest kinds; the short ones take all.
                if kind == "everything" && !(changes && word.ends_with("behind")) {
                    continue;
                }
                let label = format!("{kind}, works {works}: {name} ({number}) {word}");
                let (controller, mut rig) = (controller(), Rig::new(kind).unwrap());
                rig.after = after.clone();
                let plan = rig.plan(&controller).unwrap();
                let mut gate = Faulty::new(rig.client(&controller), make(number));
                let mut log = controller.log();
                let outcome = apply(&controller, &mut log, &mut gate, &plan, works).unwrap();
                let at = truth(&controller, log, &rig, &plan, &format!("{label} -> {outcome:?}"));
                *tally.entry(format!("{word}: {at:?}")).or_default() += 1;
            }
        }
    }
    print_tally(&tally);
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ch06_gate_kill_the_controller_at_each_request_everything() {
    kill_at_each_request("everything");
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ch06_gate_kill_the_controller_at_each_request_new_file_and_restart() {
    kill_at_each_request("new file and restart");
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ch06_gate_kill_the_controller_at_each_request_line_away_and_reload() {
    kill_at_each_request("line away and reload");
}

fn kill_at_each_request(kind: &str) {
    let mut tally = Tally::new();
    let (_, after) = rehearsed(kind, true);
    for works in [true, false] {
        let (calls, _) = rehearsed(kind, works);
        let requests: Vec<_> = calls.iter().filter(|name| *name != "renew").collect();
        let first_change = requests.iter().position(|name| *name == "begin").unwrap();
        for (number, name) in (1_u32..).zip(&requests).skip(first_change) {
            let in_rollback = name.starts_with("undo") || name.starts_with("again") || name.starts_with("close false");
            if !works && !in_rollback {
                continue;
            }
            for moment in ["before", "during"] {
                let label = format!("{kind}, works {works}: killed {moment} {name} ({number})");
                let (controller, mut rig) = (controller(), Rig::new(kind).unwrap());
                rig.after = after.clone();
                let plan = rig.plan(&controller).unwrap();
                let file = controller.folder().join("a-plan");
                fs::write(&file, plan.bytes().unwrap()).unwrap();
                let words = [
                    controller.folder().display().to_string(),
                    rig.gate.paths.gate.clone(),
                    file.display().to_string(),
                    works.to_string(),
                    number.to_string(),
                    moment.to_owned(),
                ];
                let mut child = Command::new(env!("CARGO_BIN_EXE_killed-controller"));
                let output = child.args(words).stdin(Stdio::null()).output().unwrap();
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                assert_eq!(output.status.signal(), Some(9), "{label}: it was not killed: {text}");
                // Its last request may still be running; the next query waits for that.
                let log = controller.log();
                settled(&rig);
                let at = truth(&controller, log, &rig, &plan, &label);
                *tally.entry(format!("killed {moment}: {at:?}")).or_default() += 1;
            }
        }
    }
    print_tally(&tally);
}

/// Waits until no session of the gate is at work that the killed controller had begun.
fn settled(rig: &Rig) {
    let ours = |path: std::path::PathBuf| {
        let words = fs::read(path.join("cmdline")).unwrap_or_default();
        if words.is_empty() {
            // A kernel thread, a process that has ended, or one that is becoming another program: a session does that twice.
            return fs::read_link(path.join("exe")).is_ok();
        }
        let words: Vec<_> = words.split(|b| *b == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        words.contains(&rig.gate.paths.gate) && words.iter().any(|word| word.ends_with("change-root"))
    };
    let at_work = || fs::read_dir("/proc").unwrap().any(|entry| ours(entry.unwrap().path()));
    until("the last session of the gate ends", || !at_work()).unwrap();
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ch08_gate_each_step_and_its_undo_twice() {
    use bailiwick_change::gate_client::GateClient;
    use bailiwick_core::model::Way;
    use bailiwick_core::model::{ChangeId, Inverse};
    let mut asked = 0;
    for kind in KINDS {
        let (controller, rig) = (controller(), Rig::new(kind).unwrap());
        let plan = rig.plan(&controller).unwrap();
        let mut gate = rig.client(&controller);
        let change = ChangeId::new("c-twice").unwrap();
        run(gate.begin(&change, &"b".repeat(64), 60)).unwrap();
        run(gate.begin(&change, &"b".repeat(64), 60)).unwrap();
        let steps = || (1_u32..).zip(&plan.steps).collect::<Vec<_>>();
        let mut twice = |number, way, step| {
            let first = run(gate.act(&change, number, way, step)).unwrap();
            let there = rig.snapshot().unwrap();
            let second = run(gate.act(&change, number, way, step)).unwrap();
            assert_eq!((first, there), (second, rig.snapshot().unwrap()), "{kind}: {way:?} {number}");
            asked += 1;
        };
        steps().into_iter().for_each(|(number, step)| twice(number, Way::Do, step));
        steps().into_iter().rev().for_each(|(number, step)| twice(number, Way::Undo, step));
        let again = steps().into_iter().filter(|(_, step)| step.inverse == Inverse::Again);
        again.for_each(|(number, step)| twice(number, Way::Again, step));
        run(gate.close(&change, false)).unwrap();
        run(gate.close(&change, false)).unwrap();
        assert!(rig.is_before().unwrap(), "{kind}");
    }
    println!("{asked} combinations");
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ch03_gate_undo_fails_and_a_person_finishes() {
    let (controller, rig) = (controller(), Rig::new("everything").unwrap());
    let plan = rig.plan(&controller).unwrap();
    let mut gate = Faulty::new(rig.client(&controller), Fault::None);
    // A person edits what the change has written, while it is running.
    let edited = rig.gate.at("objects-folder").join("objects/rules.yml");
    let there = edited.clone();
    gate.before = Some(Box::new(move |_, name| {
        if name == "undo 6" {
            fs::write(&there, "a person's work\n").unwrap();
        }
    }));
    let mut log = controller.log();
    let outcome = apply(&controller, &mut log, &mut gate, &plan, false).unwrap();
    let ApplyOutcome::Ended { change, end: End::Stuck, why: Some(why), .. } = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("step 3 could not be undone"), "{why}");
    assert_eq!(fs::read_to_string(&edited).unwrap(), "a person's work\n", "theirs is theirs");
    // The person restores what the change had left, and types the receipt's command.
    fs::write(&edited, "new\n").unwrap();
    let (fine, text) = rig.person(&["rollback", change.as_str()]).unwrap();
    assert!(fine, "{text}");
    assert!(rig.is_before().unwrap(), "{text}");
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ch04_gate_rollback_by_the_receipts_command_is_byte_identical() {
    for kind in KINDS {
        let (controller, rig) = (controller(), Rig::new(kind).unwrap());
        let plan = rig.plan(&controller).unwrap();
        let mut gate = Faulty::new(rig.client(&controller), Fault::None);
        let mut log = controller.log();
        let outcome = apply(&controller, &mut log, &mut gate, &plan, true).unwrap();
        let ApplyOutcome::Ended { change, end: End::Applied, .. } = outcome else { panic!("{kind}: {outcome:?}") };
        assert!(!rig.is_before().unwrap() || *kind == "nothing");
        let (fine, text) = rig.person(&["rollback", change.as_str()]).unwrap();
        assert!(fine && rig.is_before().unwrap(), "{kind}: {text}");
    }
}
