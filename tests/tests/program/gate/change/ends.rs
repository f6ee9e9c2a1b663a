//! How a change ends when a client, a session, the machine or the disk fails.

use std::fs;
use std::process::Command;
use std::time::Duration;

use bailiwick_core::gate_protocol::{Ended, Request, Status, frame};
use bailiwick_core::model::{State, UnitAct, Way};
use bailiwick_policy::gate::Limits;
use bailiwick_tests::gate::{
    FINE, FREE, Gate, SHELLS, Session, begin, begin_for, is, named, place, step, undo, unit, until, write,
};

use super::{facts, gone, known, one_file, outcome};

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn an_unconfirmed_change_is_rolled_back_by_the_target() {
    let (gate, file, before, after) = one_file("deadman", &FREE);
    assert!(
        is(&gate.one("change-root", begin_for("c-0", 601)).unwrap(), Status::Refused),
        "longer than the gate allows"
    );
    assert!(is(&gate.one("change-root", begin_for("c-0", 0)).unwrap(), Status::Refused));
    let asked = [begin_for("c-1", 2), step("c-1", 1, "w", &before, &after)];
    assert!(gate.ask("change-root", &asked).unwrap().iter().all(|answer| is(answer, FINE)));
    // CH15: the kill switch stops a change; it does not stop its rollback.
    fs::write(gate.at("config/disabled"), "").unwrap();
    until("the dead man", || fs::read(&file).unwrap() == b"before\n").unwrap();
    until("it is closed", || facts(&gate).open.is_none()).unwrap();
    fs::remove_file(gate.at("config/disabled")).unwrap();
    assert_eq!(known(&gate, "c-1").ended.map(|(how, _)| how), Some(Ended::RolledBack));
    assert!(is(&gate.one("change-root", Request::Confirm(named("c-1"))).unwrap(), Status::Conflict), "too late");
    // A confirmed change stays.
    let asked = [begin_for("c-2", 2), step("c-2", 1, "w", &before, &after), Request::Confirm(named("c-2"))];
    assert!(gate.ask("change-root", &asked).unwrap().iter().all(|answer| is(answer, FINE)));
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(fs::read(&file).unwrap(), b"after\n");
    assert!(gate.log().unwrap().contains("not confirmed in time"));
    gone(&file);
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn a_person_rolls_all_of_it_back_with_one_command_or_is_shown_why_not() {
    let dir = place("person");
    let (one, two) = (dir.join("one"), dir.join("two"));
    fs::write(&one, "1\n").unwrap();
    let entries = [
        write("one", &one, "11\n").unwrap(),
        write("two", &two, "22\n").unwrap(),
        unit("reload", "toy.service", UnitAct::Reload).unwrap(),
    ];
    let gate = Gate::free(&entries).unwrap();
    let mut asked = vec![begin("c-1")];
    for (number, action) in (1..).zip(["one", "two", "reload"]) {
        let (before, after) = gate.preview(action).unwrap();
        asked.push(step("c-1", number, action, &before, &after));
    }
    asked.push(Request::Confirm(named("c-1")));
    assert!(gate.ask("change-root", &asked).unwrap().iter().all(|answer| is(answer, FINE)));
    let rollback = |change: &str| {
        let output = Command::new(gate.at("gate")).args(["rollback", change]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr))
    };
    assert_eq!(rollback("c-2").0, Some(1));
    assert_eq!(rollback("../c-1").0, Some(126));
    fs::write(&two, "mine\n").unwrap();
    let (code, text) = rollback("c-1");
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("NOT rolled back") && text.contains("-22\n    +mine"), "{text}");
    assert!(known(&gate, "c-1").failed.is_some());
    fs::write(&two, "22\n").unwrap();
    let (code, text) = rollback("c-1");
    assert_eq!(code, Some(0), "{text}");
    assert!(!two.exists() && fs::read(&one).unwrap() == b"1\n");
    assert_eq!(rollback("c-1").0, Some(0), "twice is once");
    let facts = known(&gate, "c-1");
    assert_eq!(facts.ended.map(|(how, _)| how), Some(Ended::RolledBack));
    assert!(facts.steps[2].results.iter().any(|(way, status, _)| (*way, *status) == (Way::Again, FINE)), "{facts:?}");
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn a_change_that_was_open_when_the_machine_went_down_is_rolled_back_when_it_boots() {
    let (gate, file, before, after) = one_file("boot", &FREE);
    let boot = || Command::new(gate.at("gate")).arg("boot").output().unwrap().status.code();
    assert_eq!(boot(), Some(0), "nothing was open");
    let was = fs::read(&file).unwrap();
    gate.ask("change-root", &[begin("c-1"), step("c-1", 1, "w", &before, &after)]).unwrap();
    assert_ne!(fs::read(&file).unwrap(), was);
    assert_eq!(boot(), Some(0));
    assert_eq!(fs::read(&file).unwrap(), was);
    assert_eq!(known(&gate, "c-1").ended.map(|(how, _)| how), Some(Ended::RolledBack));
    // A confirmed change is not rolled back.
    let answers = gate
        .ask("change-root", &[begin("c-2"), step("c-2", 1, "w", &before, &after), Request::Confirm(named("c-2"))])
        .unwrap();
    assert!(answers.iter().all(|answer| is(answer, FINE)));
    assert_eq!(boot(), Some(0));
    assert_ne!(fs::read(&file).unwrap(), was);
    gone(&file);
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn a_session_that_is_killed_anywhere_leaves_the_file_before_or_after_and_can_be_rolled_back() {
    let (gate, file, before, after) = one_file("kill", &FREE);
    let mut found = [0_u32; 2];
    for number in 0..40_u64 {
        let name = format!("c-{number}");
        let mut session = gate.start("change-root").unwrap();
        session.say(&frame(&[begin(&name), step(&name, 1, "w", &before, &after)]).unwrap()).unwrap();
        std::thread::sleep(Duration::from_millis(number * 9));
        session.kill();
        drop(session);
        // Its children may live on for a moment; the next request waits for the lock.
        let now = fs::read(&file).unwrap();
        assert!(matches!(now.as_slice(), b"before\n" | b"after\n"), "{now:?}");
        if gate.one("look", Request::Change(named(&name))).unwrap().status == Status::Unknown {
            continue;
        }
        let begun = gate.one("change-root", begin(&name)).unwrap();
        if begun.status == Status::Conflict {
            continue;
        }
        assert!(is(&begun, FINE));
        let done = outcome(&gate, step(&name, 1, "w", &before, &after));
        assert!(matches!(done.status, Status::Exit(0 | 1)), "{done:?}");
        let expected: &[u8] = if done.status == FINE { b"after\n" } else { b"before\n" };
        found[usize::from(done.status == FINE)] += 1;
        assert_eq!(fs::read(&file).unwrap(), expected, "{number}");
        assert!(is(&gate.one("change-root", undo(&name, 1)).unwrap(), FINE));
        assert_eq!(fs::read(&file).unwrap(), b"before\n");
        assert!(is(&gate.one("change-root", Request::Close(named(&name))).unwrap(), FINE));
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing of ours lies beside it");
    }
    assert!(found[1] > 0, "{found:?}");
    gone(&file);
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ch01_a_full_disk_leaves_everything_as_it_was() {
    let dir = place("full");
    let (small, file) = (dir.join("small"), dir.join("small/file"));
    fs::create_dir(&small).unwrap();
    let big = "0123456789abcde\n".repeat(4096);
    let limits = Limits { free_kib: 4096, ..FREE };
    let gate = Gate::new(&[write("w", &file, &big).unwrap()], &limits, SHELLS[0].1).unwrap();
    // In a mount namespace of its own: one disk is full, or the other, and the session is asked all at once.
    let session = |script: &str, requests: &[Request]| {
        let mut command = Command::new("unshare");
        command.args(["-m", "--propagation", "private", "sh", "-c", script, "sh"]);
        command.arg(&gate.paths.state).arg(&small).arg(&gate.paths.gate);
        let mut session = Session::start(command).unwrap();
        session.say(&frame(requests).unwrap()).unwrap();
        session.answers(requests.len()).unwrap()
    };
    let (_, after) = gate.preview("w").unwrap();
    let asked =
        [begin("c-1"), step("c-1", 1, "w", &State::Absent, &after), undo("c-1", 1), Request::Close(named("c-1"))];
    // The copies' disk: the change does not even begin, and the day is not spent.
    let full_state = "set -e; mkdir -p -m 0700 \"$1\"; mount -t tmpfs -o size=1m,mode=700 tmpfs \"$1\"; mkdir -m 700 \"$1/changes\"; exec \"$3\" change-root";
    let answers = session(full_state, &asked);
    assert!(is(&answers[0], Status::Refused) && is(&answers[1], Status::Conflict));
    // The object's disk.
    let full_disk = "set -e; mount -t tmpfs -o size=16k,mode=755 tmpfs \"$2\"; \"$3\" change-root; ls -A \"$2\" >&2";
    let mut command = Command::new("unshare");
    command.args(["-m", "--propagation", "private", "sh", "-c", full_disk, "sh"]);
    command.arg(&gate.paths.state).arg(&small).arg(&gate.paths.gate);
    let mut full = Session::start(command).unwrap();
    full.say(&frame(&asked).unwrap()).unwrap();
    let (_, out, err) = full.end().unwrap();
    let statuses: Vec<_> = String::from_utf8_lossy(&out)
        .lines()
        .filter_map(|line| line.strip_prefix("answer ").map(|rest| rest.split(' ').nth(1).unwrap().to_owned()))
        .collect();
    assert_eq!(statuses, ["0", "conflict", "0", "0"], "{}\n{err}", String::from_utf8_lossy(&out));
    assert!(err.lines().all(|line| !line.contains("file") || line.contains("space")), "something is left there: {err}");
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn a_client_that_does_not_read_does_not_prevent_a_rollback() {
    let dir = place("deaf");
    let file = dir.join("file");
    let big: String = (0..4000).map(|number| format!("line {number}\n")).collect();
    let gate = Gate::free(&[write("w", &file, &big).unwrap()]).unwrap();
    let (before, after) = gate.preview("w").unwrap();
    let asked = [begin_for("c-1", 4), step("c-1", 1, "w", &before, &after)];
    assert!(gate.ask("change-root", &asked).unwrap().iter().all(|answer| is(answer, FINE)));
    // Its own conflicts, with 64 KiB of difference each, more than any pipe holds; and it reads none of it.
    fs::write(&file, "a person's\n").unwrap();
    let mut deaf = gate.start("change-root").unwrap();
    deaf.say(&frame(&vec![undo("c-1", 1); 8]).unwrap()).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    fs::write(&file, &big).unwrap();
    until("the dead man", || !file.exists()).unwrap();
    deaf.kill();
    fs::remove_dir_all(&dir).unwrap();
}
