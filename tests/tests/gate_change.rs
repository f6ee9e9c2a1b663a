//! The gate's script and changes: units, the operator's commands, the day's count, the kill switch, who is at work, and what a
//! kill, a full disk, a second session or a person does in the middle of one.

#![cfg(test)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bailiwick_core::gate_protocol::{ChangeFacts, Ended, GateFacts, Outcome, Request, Status, frame, lines};
use bailiwick_core::model::{Change, ChangeId, State, UnitAct, Way};
use bailiwick_policy::gate::Limits;
use bailiwick_tests::gate::{
    FINE, FREE, Gate, SHELLS, Session, begin, begin_for, change, is, may_run, named, place, shown, step, undo, unit,
    until, write,
};

fn state(text: &str) -> State {
    text.parse().unwrap()
}

fn outcome(gate: &Gate, request: Request) -> Outcome {
    Outcome::read(&gate.one("change-root", request).unwrap())
}

fn facts(gate: &Gate) -> GateFacts {
    let answer = gate.one("look", Request::Gate).unwrap();
    GateFacts::read(&answer.stdout).unwrap_or_else(|error| panic!("{error}: {}", shown(&answer)))
}

fn known(gate: &Gate, change: &str) -> ChangeFacts {
    let answer = gate.one("look", Request::Change(named(change))).unwrap();
    ChangeFacts::read(&answer.stdout).unwrap_or_else(|error| panic!("{error}: {}", shown(&answer)))
}

/// A unit's state, as the stand-in for systemd keeps it.
fn toy(gate: &Gate, active: &str, enabled: &str) {
    fs::write(gate.at("toy.active"), active).unwrap();
    fs::write(gate.at("toy.enabled"), enabled).unwrap();
}

#[test]
fn units_are_started_enabled_reloaded_restarted_and_taken_back() {
    if !may_run() {
        return;
    }
    let acts = [
        (UnitAct::Start, "inactive", "disabled", "unit:active:disabled", "unit:inactive:disabled"),
        (UnitAct::Start, "failed", "enabled", "unit:active:enabled", "unit:inactive:enabled"),
        (UnitAct::Start, "active", "enabled", "unit:active:enabled", "unit:active:enabled"),
        (UnitAct::Enable, "active", "disabled", "unit:active:enabled", "unit:active:disabled"),
        (UnitAct::Enable, "active", "enabled", "unit:active:enabled", "unit:active:enabled"),
        (UnitAct::Reload, "active", "enabled", "unit:active:enabled", "unit:active:enabled"),
        (UnitAct::Restart, "failed", "enabled", "unit:active:enabled", "unit:active:enabled"),
    ];
    for (shell, words) in SHELLS {
        let entries: Vec<_> = [UnitAct::Start, UnitAct::Enable, UnitAct::Reload, UnitAct::Restart]
            .map(|act| unit(&format!("{}:toy.service", act.word()), "toy.service", act).unwrap())
            .to_vec();
        let gate = Gate::new(&entries, &FREE, words).unwrap();
        for (number, (act, active, enabled, after, back)) in acts.into_iter().enumerate() {
            let (name, action) = (format!("c-{number}"), format!("{}:toy.service", act.word()));
            toy(&gate, active, enabled);
            let before = state(&format!("unit:{active}:{enabled}"));
            assert_eq!(gate.preview(&action).unwrap(), (before.clone(), state(after)), "{shell} {action}");
            let asked = [begin(&name), step(&name, 1, &action, &before, &state(after))];
            for _twice in 0..2 {
                let answers = gate.ask("change-root", &asked).unwrap();
                assert!(answers.iter().all(|answer| is(answer, FINE)), "{shell} {action}");
                assert_eq!(Outcome::read(&answers[1]).state, Some(state(after)));
            }
            for _twice in 0..2 {
                let undone = outcome(&gate, undo(&name, 1));
                assert_eq!(
                    (undone.status, undone.state),
                    (FINE, Some(state(back))),
                    "{shell} {action}: {:?}",
                    undone.said
                );
            }
            let again = outcome(&gate, Request::Again { change: named(&name), step: 1 });
            let repeats = matches!(act, UnitAct::Reload | UnitAct::Restart);
            assert_eq!(again.status, if repeats { FINE } else { Status::Refused }, "{shell} {action}");
            assert_eq!(outcome(&gate, Request::Close(named(&name))).status, FINE);
        }
        // Each was said to systemd once, however often it was asked for; a start with systemd's own count at nought.
        let said = fs::read_to_string(gate.at("systemctl.log")).unwrap();
        for (word, times) in [
            (" start ", 3),
            (" stop ", 2),
            (" enable ", 2),
            (" disable ", 1),
            (" reload ", 2),
            (" restart ", 2),
            (" reset-failed ", 5),
        ] {
            assert_eq!(said.matches(word).count(), times, "{shell}: {word} in {said}");
        }
    }
}

#[test]
fn ar09_ch19_a_unit_that_is_more_than_its_name_is_left_alone() {
    if !may_run() {
        return;
    }
    let entries = [
        unit("reload", "toy.service", UnitAct::Reload).unwrap(),
        unit("restart", "toy.service", UnitAct::Restart).unwrap(),
    ];
    let gate = Gate::free(&entries).unwrap();
    for (number, (action, file, value, why)) in (1..).zip([
        ("restart", "id", "ssh.service", "another name"),
        ("restart", "drags", "web.service", "stopped with it"),
        ("reload", "spreads", "web.service", "reloaded with it"),
        ("reload", "reload", "{ path=/usr/bin/systemctl ; argv[]=systemctl restart toy }", "is a restart"),
        ("reload", "stale", "yes", "changed since"),
        ("reload", "active", "failed", "does not run"),
    ]) {
        fs::write(gate.at(&format!("toy.{file}")), value).unwrap();
        let preview = gate.one("look", Request::Preview(action.to_owned())).unwrap();
        assert!(is(&preview, Status::Conflict) && shown(&preview).contains(why), "{file}: {}", shown(&preview));
        let name = format!("c-{number}");
        let now = if file == "active" { state("unit:failed:enabled") } else { state("unit:active:enabled") };
        let answers = gate.ask("change-root", &[begin(&name), step(&name, 1, action, &now, &now)]).unwrap();
        assert!(is(&answers[1], Status::Conflict), "{file}");
        assert!(is(
            &gate.one("change-root", undo(&name, 1)).unwrap(),
            if file == "id" { Status::Conflict } else { FINE }
        ));
        fs::remove_file(gate.at(&format!("toy.{file}"))).unwrap();
        assert!(is(&gate.one("change-root", undo(&name, 1)).unwrap(), FINE));
        assert!(is(&gate.one("change-root", Request::Close(named(&name))).unwrap(), FINE));
    }
    let said = fs::read_to_string(gate.at("systemctl.log")).unwrap();
    assert!(!said.contains(" restart ") && !said.contains(" reload "), "{said}");
}

#[test]
fn the_operators_command_is_done_and_undone_and_its_check_decides() {
    if !may_run() {
        return;
    }
    let dir = place("command");
    let made = dir.join("made it").display().to_string();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let entries = [change(
        "run:x",
        Change::Command {
            name: "x".into(),
            does: words(&["/usr/bin/touch", &made]),
            undoes: words(&["/usr/bin/rm", &made]),
            checks: words(&["/usr/bin/test", "-e", &made]),
        },
    )];
    let gate = Gate::free(&entries).unwrap();
    let (undone, done) = (state("command:undone"), state("command:done"));
    assert_eq!(gate.preview("run:x").unwrap(), (undone.clone(), done.clone()));
    let asked = [begin("c-1"), step("c-1", 1, "run:x", &undone, &done)];
    for _twice in 0..2 {
        assert!(gate.ask("change-root", &asked).unwrap().iter().all(|answer| is(answer, FINE)));
        assert!(Path::new(&made).exists());
        // Nothing of our own mask is on it.
        assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o644);
    }
    for _twice in 0..2 {
        assert!(is(&gate.one("change-root", undo("c-1", 1)).unwrap(), FINE));
        assert!(!Path::new(&made).exists());
    }
    fs::remove_dir_all(&dir).unwrap();
}

/// A gate with one file to write, the file, and its two states.
fn one_file(name: &str, limits: &Limits) -> (Gate, std::path::PathBuf, State, State) {
    let dir = place(name);
    let file = dir.join("file");
    fs::write(&file, "before\n").unwrap();
    let gate = Gate::new(&[write("w", &file, "after\n").unwrap()], limits, SHELLS[0].1).unwrap();
    let (before, after) = gate.preview("w").unwrap();
    (gate, file, before, after)
}

fn gone(file: &Path) {
    fs::remove_dir_all(file.parent().unwrap()).unwrap();
}

#[test]
fn ch09_ch11_nw21_a_second_change_of_the_day_is_refused_and_so_is_one_within_hours() {
    if !may_run() {
        return;
    }
    let (gate, file, before, after) = one_file("budget", &Limits { free_kib: 16, ..Limits::default() });
    let one = gate.ask("change-root", &[begin("c-1"), step("c-1", 1, "w", &before, &after)]).unwrap();
    assert!(one.iter().all(|answer| is(answer, FINE)));
    assert!(is(&gate.one("change-root", begin("c-2")).unwrap(), Status::Busy), "another is open");
    assert!(is(&gate.one("change-root", Request::Confirm(named("c-1"))).unwrap(), FINE));
    assert!(is(&gate.one("change-root", begin("c-2")).unwrap(), Status::Budget));
    assert_eq!(facts(&gate).begins_today, 1);
    let begins = gate.at("state/begins");
    let now: u64 = facts(&gate).clock;
    // Yesterday, but eleven hours ago; then longer ago; then tomorrow, which is a clock that was set back (CH12).
    for (moment, status) in [(now - 11 * 3600, Status::Budget), (now + 3600, Status::Budget), (now - 25 * 3600, FINE)] {
        fs::write(&begins, format!("{moment} c-1\n")).unwrap();
        assert!(is(&gate.one("change-root", begin("c-3")).unwrap(), status), "{moment}");
    }
    assert!(is(&gate.one("change-root", Request::Close(named("c-3"))).unwrap(), FINE));
    // What was applied is taken back at any time, and that is no new change.
    assert!(is(&gate.one("change-root", undo("c-1", 1)).unwrap(), FINE));
    assert!(is(&gate.one("change-root", begin("c-4")).unwrap(), Status::Busy), "it is open while it is taken back");
    assert!(is(&gate.one("change-root", Request::Close(named("c-1"))).unwrap(), FINE));
    assert_eq!(known(&gate, "c-1").ended.map(|(how, _)| how), Some(Ended::RolledBack));
    assert_eq!(fs::read(&file).unwrap(), b"before\n");
    gone(&file);
}

#[test]
fn ch09_of_many_who_begin_at_once_one_does() {
    if !may_run() {
        return;
    }
    let (gate, file, ..) = one_file("race", &Limits { per_day: 1, between_s: 0, free_kib: 16, dead_man_max_s: 600 });
    let sessions: Vec<Session> = (0..12)
        .map(|number| {
            let mut session = gate.start("change-root").unwrap();
            session.say(&frame(&[begin(&format!("c-{number}"))]).unwrap()).unwrap();
            session
        })
        .collect();
    let all: Vec<Status> = sessions.into_iter().map(|session| session.answers(1).unwrap()[0].status).collect();
    assert_eq!(all.iter().filter(|status| **status == FINE).count(), 1, "{all:?}");
    assert!(all.iter().all(|status| matches!(status, &FINE | Status::Busy | Status::Budget)), "{all:?}");
    gone(&file);
}

#[test]
fn ch15_the_kill_switch_and_whatever_hides_it_stop_every_change() {
    if !may_run() {
        return;
    }
    let (gate, file, before, after) = one_file("switch", &FREE);
    assert!(is(&gate.one("change-root", begin("c-1")).unwrap(), FINE));
    let config = gate.at("config");
    let everything = [
        begin("c-2"),
        step("c-1", 1, "w", &before, &after),
        undo("c-1", 1),
        Request::Confirm(named("c-1")),
        Request::Close(named("c-1")),
    ];
    let stopped = |what: &str| {
        for answer in gate.ask("change-root", &everything).unwrap() {
            assert!(is(&answer, Status::Disabled), "{what}");
        }
        assert!(facts(&gate).disabled.is_some(), "{what}");
    };
    fs::write(config.join("disabled"), "").unwrap();
    stopped("the file");
    fs::remove_file(config.join("disabled")).unwrap();
    std::os::unix::fs::symlink("/nowhere", config.join("disabled")).unwrap();
    stopped("a link that leads nowhere");
    fs::remove_file(config.join("disabled")).unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o777)).unwrap();
    stopped("anybody may write there");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::chown(&config, Some(12), None).unwrap();
    stopped("it is somebody's");
    std::os::unix::fs::chown(&config, Some(0), None).unwrap();
    fs::rename(&config, gate.at("elsewhere")).unwrap();
    stopped("it is gone");
    std::os::unix::fs::symlink(gate.at("elsewhere"), &config).unwrap();
    stopped("it is a link");
    fs::remove_file(&config).unwrap();
    fs::rename(gate.at("elsewhere"), &config).unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"before\n");
    assert!(is(&gate.one("change-root", step("c-1", 1, "w", &before, &after)).unwrap(), FINE));
    gone(&file);
}

#[test]
fn ch08_a_step_that_is_asked_again_is_not_done_again_and_never_becomes_another() {
    if !may_run() {
        return;
    }
    let (gate, file, before, after) = one_file("again", &FREE);
    let asked = [begin("c-1"), step("c-1", 1, "w", &before, &after)];
    assert!(gate.ask("change-root", &asked).unwrap().iter().all(|answer| is(answer, FINE)));
    // Somebody changes it; the old answer stands, and the file is left alone.
    fs::write(&file, "a person's\n").unwrap();
    assert!(is(&gate.one("change-root", step("c-1", 1, "w", &before, &after)).unwrap(), FINE));
    assert_eq!(fs::read(&file).unwrap(), b"a person's\n");
    assert!(is(&gate.one("change-root", step("c-1", 1, "w", &after, &before)).unwrap(), Status::Conflict));
    assert!(is(&gate.one("change-root", step("c-1", 2, "other", &before, &after)).unwrap(), Status::Unknown));
    assert!(is(&gate.one("change-root", step("c-9", 1, "w", &before, &after)).unwrap(), Status::Conflict), "not open");
    // CH04: and it is not taken back over what the person did; the difference is shown.
    let conflict = gate.one("change-root", undo("c-1", 1)).unwrap();
    assert!(
        is(&conflict, Status::Conflict) && shown(&conflict).contains("-after\n+a person's"),
        "{}",
        shown(&conflict)
    );
    assert!(is(&gate.one("change-root", Request::Close(named("c-1"))).unwrap(), Status::Conflict));
    assert_eq!(fs::read(&file).unwrap(), b"a person's\n");
    // A person puts it right, and it goes on.
    fs::write(&file, "after\n").unwrap();
    assert!(is(&gate.one("change-root", undo("c-1", 1)).unwrap(), FINE));
    assert_eq!(fs::read(&file).unwrap(), b"before\n");
    // CH17: a person before the step.
    assert!(is(&gate.one("change-root", Request::Close(named("c-1"))).unwrap(), FINE));
    fs::write(&file, "a person's\n").unwrap();
    let late = gate.ask("change-root", &[begin("c-2"), step("c-2", 1, "w", &before, &after)]).unwrap();
    assert!(is(&late[1], Status::Conflict));
    assert!(is(&gate.one("change-root", undo("c-2", 1)).unwrap(), FINE), "nothing of ours is in it");
    assert_eq!(fs::read(&file).unwrap(), b"a person's\n");
    gone(&file);
}

#[test]
fn a_change_that_nobody_confirms_is_taken_back_by_the_target() {
    if !may_run() {
        return;
    }
    let (gate, file, before, after) = one_file("deadman", &FREE);
    assert!(
        is(&gate.one("change-root", begin_for("c-0", 601)).unwrap(), Status::Refused),
        "longer than the gate allows"
    );
    assert!(is(&gate.one("change-root", begin_for("c-0", 0)).unwrap(), Status::Refused));
    let asked = [begin_for("c-1", 2), step("c-1", 1, "w", &before, &after)];
    assert!(gate.ask("change-root", &asked).unwrap().iter().all(|answer| is(answer, FINE)));
    // CH15: the kill switch holds a change; it does not hold what takes it back.
    fs::write(gate.at("config/disabled"), "").unwrap();
    until("the dead man", || fs::read(&file).unwrap() == b"before\n").unwrap();
    until("it is closed", || facts(&gate).open.is_none()).unwrap();
    fs::remove_file(gate.at("config/disabled")).unwrap();
    assert_eq!(known(&gate, "c-1").ended.map(|(how, _)| how), Some(Ended::RolledBack));
    assert!(is(&gate.one("change-root", Request::Confirm(named("c-1"))).unwrap(), Status::Conflict), "too late");
    // One that is confirmed stays.
    let asked = [begin_for("c-2", 2), step("c-2", 1, "w", &before, &after), Request::Confirm(named("c-2"))];
    assert!(gate.ask("change-root", &asked).unwrap().iter().all(|answer| is(answer, FINE)));
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(fs::read(&file).unwrap(), b"after\n");
    assert!(gate.log().unwrap().contains("not confirmed in time"));
    gone(&file);
}

#[test]
fn a_person_takes_all_of_it_back_with_one_command_or_is_told_why_not() {
    if !may_run() {
        return;
    }
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
    let (code, said) = rollback("c-1");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("NOT taken back") && said.contains("-22\n    +mine"), "{said}");
    assert!(known(&gate, "c-1").failed.is_some());
    fs::write(&two, "22\n").unwrap();
    let (code, said) = rollback("c-1");
    assert_eq!(code, Some(0), "{said}");
    assert!(!two.exists() && fs::read(&one).unwrap() == b"1\n");
    assert_eq!(rollback("c-1").0, Some(0), "twice is once");
    let facts = known(&gate, "c-1");
    assert_eq!(facts.ended.map(|(how, _)| how), Some(Ended::RolledBack));
    assert!(facts.steps[2].results.iter().any(|(way, status, _)| (*way, *status) == (Way::Again, FINE)), "{facts:?}");
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_change_that_was_open_when_the_machine_went_down_is_taken_back_when_it_boots() {
    if !may_run() {
        return;
    }
    let (gate, file, before, after) = one_file("boot", &FREE);
    let boot = || Command::new(gate.at("gate")).arg("boot").output().unwrap().status.code();
    assert_eq!(boot(), Some(0), "nothing was open");
    let was = fs::read(&file).unwrap();
    gate.ask("change-root", &[begin("c-1"), step("c-1", 1, "w", &before, &after)]).unwrap();
    assert_ne!(fs::read(&file).unwrap(), was);
    assert_eq!(boot(), Some(0));
    assert_eq!(fs::read(&file).unwrap(), was);
    assert_eq!(known(&gate, "c-1").ended.map(|(how, _)| how), Some(Ended::RolledBack));
    // One that is kept is nobody's to take back.
    let answers = gate
        .ask("change-root", &[begin("c-2"), step("c-2", 1, "w", &before, &after), Request::Confirm(named("c-2"))])
        .unwrap();
    assert!(answers.iter().all(|answer| is(answer, FINE)));
    assert_eq!(boot(), Some(0));
    assert_ne!(fs::read(&file).unwrap(), was);
    gone(&file);
}

#[test]
fn whoever_is_at_work_is_seen() {
    if !may_run() {
        return;
    }
    let (gate, file, ..) = one_file("people", &FREE);
    let beside = file.parent().unwrap();
    let signs = || -> Vec<String> {
        let answer = gate.one("look", Request::People(vec!["w".to_owned()])).unwrap();
        let all = lines(&answer.stdout);
        all.iter().map(|line| line.for_encoder().to_owned()).filter(|line| !line.starts_with("session")).collect()
    };
    assert_eq!(signs(), Vec::<String>::new());
    for name in [".file.swp", "#file#"] {
        fs::write(beside.join(name), "").unwrap();
        assert!(signs()[0].contains("an editor has"), "{name}");
        fs::remove_file(beside.join(name)).unwrap();
    }
    std::os::unix::fs::symlink("somebody@there:1", beside.join(".#file")).unwrap();
    assert!(signs()[0].contains(".#file"));
    fs::remove_file(beside.join(".#file")).unwrap();
    let held = fs::File::create(gate.at("package-lock")).unwrap();
    assert_eq!(signs(), Vec::<String>::new(), "a lock file that nobody holds");
    rustix::fs::fcntl_lock(&held, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    assert!(signs()[0].contains("a package manager"), "{:?}", signs());
    gone(&file);
}

#[test]
fn a_session_that_is_killed_anywhere_leaves_the_file_before_or_after_and_the_way_back_open() {
    if !may_run() {
        return;
    }
    let (gate, file, before, after) = one_file("kill", &FREE);
    let mut found = [0_u32; 2];
    for number in 0..40_u64 {
        let name = format!("c-{number}");
        let mut session = gate.start("change-root").unwrap();
        session.say(&frame(&[begin(&name), step(&name, 1, "w", &before, &after)]).unwrap()).unwrap();
        std::thread::sleep(Duration::from_millis(number * 9));
        session.kill();
        drop(session);
        // Its children may live on for a moment; whoever comes next waits for the lock.
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
fn ch01_a_full_disk_leaves_everything_as_it_was() {
    if !may_run() {
        return;
    }
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
        let mut session = Session::of(command).unwrap();
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
    let mut full = Session::of(command).unwrap();
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

/// `ssh-keygen -Y sign`, with a key of this folder.
fn signed(dir: &Path, key: &str, namespace: &str, statement: &str) -> Vec<u8> {
    let file = dir.join("statement");
    fs::write(&file, statement).unwrap();
    let _ = fs::remove_file(dir.join("statement.sig"));
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-Y", "sign", "-n", namespace, "-f"]).arg(dir.join(key)).arg(&file);
    assert!(keygen.stderr(std::process::Stdio::null()).status().unwrap().success());
    fs::read(dir.join("statement.sig")).unwrap()
}

#[test]
fn nw21_bytes_that_a_component_made_are_written_only_with_an_approvers_signature_over_them() {
    if !may_run() {
        return;
    }
    let dir = place("computed");
    let file = dir.join("file");
    fs::write(&file, "before\n").unwrap();
    let entries = [change(
        "computed",
        Change::WriteComputed { path: bailiwick_tests::gate::absolute(&file).unwrap(), bytes_max: 100 },
    )];
    let gate = Gate::free(&entries).unwrap();
    let (mine, other) = (
        bailiwick_tests::sshd::keygen("ed25519", &dir.join("mine")).unwrap(),
        bailiwick_tests::sshd::keygen("ed25519", &dir.join("other")).unwrap(),
    );
    drop(other);
    let bytes = b"computed \0 bytes\n".to_vec();
    let preview = |bytes: &[u8]| gate.one("look", Request::PreviewComputed("computed".into(), bytes.to_vec())).unwrap();
    let seen = preview(&bytes);
    assert!(is(&seen, FINE));
    let seen = bailiwick_core::gate_protocol::Preview::read(&seen.stdout).unwrap();
    assert!(is(&preview(b""), FINE));
    assert!(is(&preview(&[b'x'; 101]), Status::Refused), "more than the grant says");
    assert!(is(&gate.one("look", Request::Preview("computed".into())).unwrap(), Status::Refused));

    let sha = match &seen.after {
        State::File { sha256, .. } => sha256.clone(),
        other => panic!("{other:?}"),
    };
    let plan = bailiwick_tests::gate::PLAN;
    let statement = format!(
        "bailiwick.approval/1\nplan {plan}\ntarget test\nhost-key x\ncomponent y\npolicy z\ncomputed {sha}\n\
         not-after 2099-01-01T00:00:00Z\n"
    );
    assert!(is(&gate.one("change-root", begin("c-1")).unwrap(), FINE));
    let number = std::cell::Cell::new(0);
    let asked = |statement: &str, signature: Vec<u8>, bytes: &[u8]| {
        number.set(number.get() + 1);
        let computed = bailiwick_core::gate_protocol::Signed {
            bytes: bytes.to_vec(),
            statement: statement.as_bytes().to_vec(),
            signature,
        };
        let request = Request::Do {
            change: named("c-1"),
            step: number.get(),
            action: "computed".into(),
            before: seen.before.clone(),
            after: seen.after.clone(),
            computed: Some(computed),
        };
        gate.one("change-root", request).unwrap()
    };
    let good = || signed(&dir, "mine", "bailiwick-plan", &statement);
    assert!(is(&asked(&statement, good(), &bytes), Status::Refused), "nobody may approve yet");
    let approvers = gate.at("config/approvers");
    fs::write(&approvers, format!("approver@example namespaces=\"bailiwick-plan\" {mine}\n")).unwrap();
    fs::set_permissions(&approvers, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(is(&asked(&statement, good(), &bytes), Status::Refused), "anybody may write that file");
    fs::set_permissions(&approvers, fs::Permissions::from_mode(0o644)).unwrap();
    for (what, statement, key, namespace) in [
        ("another's key", statement.clone(), "other", "bailiwick-plan"),
        ("another purpose", statement.clone(), "mine", "bailiwick-component"),
        ("another plan", statement.replace(plan, &"b".repeat(64)), "mine", "bailiwick-plan"),
        ("another target", statement.replace("target test", "target prod"), "mine", "bailiwick-plan"),
        ("other bytes", statement.replace(&sha, &"c".repeat(64)), "mine", "bailiwick-plan"),
        ("too late", statement.replace("2099", "2020"), "mine", "bailiwick-plan"),
        ("for ever", statement.replace("not-after 2099-01-01T00:00:00Z\n", ""), "mine", "bailiwick-plan"),
        ("a line in a line", statement.replace("computed ", "x computed "), "mine", "bailiwick-plan"),
    ] {
        let signature = signed(&dir, key, namespace, &statement);
        assert!(is(&asked(&statement, signature, &bytes), Status::Refused), "{what}");
    }
    assert!(
        is(&asked(&statement.replace("test", "best"), good(), &bytes), Status::Refused),
        "changed after it was signed"
    );
    assert!(is(&asked(&statement, good(), b"other bytes"), Status::Refused));
    assert!(is(&asked(&statement, b"rubbish".to_vec(), &bytes), Status::Refused));
    assert!(is(
        &gate.one("change-root", step("c-1", 50, "computed", &seen.before, &seen.after)).unwrap(),
        Status::Refused
    ));
    assert_eq!(fs::read(&file).unwrap(), b"before\n");
    assert!(is(&asked(&statement, good(), &bytes), FINE));
    assert_eq!(fs::read(&file).unwrap(), bytes);
    assert!(is(&gate.one("change-root", undo("c-1", number.get())).unwrap(), FINE));
    assert_eq!(fs::read(&file).unwrap(), b"before\n");
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn what_a_step_makes_of_its_object_is_the_lists_word_and_not_the_clients() {
    if !may_run() {
        return;
    }
    let dir = place("foreseen");
    let (file, made) = (dir.join("file"), dir.join("made").display().to_string());
    fs::write(&file, "before\n").unwrap();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let entries = [
        write("w", &file, "after\n").unwrap(),
        change("aside", Change::SetAside { path: bailiwick_tests::gate::absolute(&file).unwrap() }),
        unit("start", "toy.service", UnitAct::Start).unwrap(),
        change(
            "run",
            Change::Command {
                name: "x".into(),
                does: words(&["/usr/bin/touch", &made]),
                undoes: words(&["/usr/bin/rm", &made]),
                checks: words(&["/usr/bin/test", "-e", &made]),
            },
        ),
    ];
    let gate = Gate::free(&entries).unwrap();
    toy(&gate, "inactive", "enabled");
    let (before, after) = gate.preview("w").unwrap();
    assert!(is(&gate.one("change-root", begin("c-1")).unwrap(), FINE));
    for (number, (action, before, after)) in (1..).zip([
        // A write that would take the file away, and a taking away that would write.
        ("w", before.clone(), State::Absent),
        ("w", before.clone(), before.clone()),
        ("w", before.clone(), state(&after.to_string().replace(":644:", ":666:"))),
        ("aside", before.clone(), after.clone()),
        ("start", state("unit:inactive:enabled"), state("unit:inactive:enabled")),
        ("run", state("command:undone"), state("command:undone")),
        ("run", state("command:done"), state("command:undone")),
    ]) {
        let answer = gate.one("change-root", step("c-1", number, action, &before, &after)).unwrap();
        assert!(is(&answer, Status::Conflict), "{action} {before} {after}");
        assert!(is(&gate.one("change-root", undo("c-1", number)).unwrap(), FINE));
    }
    assert_eq!(fs::read(&file).unwrap(), b"before\n");
    assert!(!Path::new(&made).exists());
    // What was found in another state is not "taken back" into one that it never had.
    toy(&gate, "active", "enabled");
    fs::write(&made, "").unwrap();
    for (number, action, before, after) in
        [(20, "start", "unit:inactive:enabled", "unit:active:enabled"), (21, "run", "command:undone", "command:done")]
    {
        let answer = gate.one("change-root", step("c-1", number, action, &state(before), &state(after))).unwrap();
        assert!(is(&answer, Status::Conflict), "{action}");
        assert!(is(&gate.one("change-root", undo("c-1", number)).unwrap(), FINE), "{action}");
    }
    assert!(Path::new(&made).exists(), "it was somebody else's");
    assert!(fs::read_to_string(gate.at("toy.active")).unwrap().contains("active"));
    let said = fs::read_to_string(gate.at("systemctl.log")).unwrap();
    assert!(!said.contains(" start ") && !said.contains(" stop "), "{said}");
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_client_that_does_not_listen_keeps_nobody_from_taking_a_change_back() {
    if !may_run() {
        return;
    }
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

#[test]
fn fs07_whoever_owns_the_folder_gains_nothing_by_moving_things_about() {
    if !may_run() {
        return;
    }
    let dir = place("owned");
    let (folder, secret) = (dir.join("conf"), dir.join("secret"));
    fs::write(&secret, "the secret\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    fs::create_dir(&folder).unwrap();
    let file = folder.join("file");
    fs::write(&file, "before\n").unwrap();
    let nobody = 65534;
    for path in [&folder, &file] {
        std::os::unix::fs::chown(path, Some(nobody), Some(nobody)).unwrap();
    }
    let entries = [bailiwick_tests::gate::ensure_line("line", &file, "ours", bailiwick_core::model::At::End).unwrap()];
    let gate = Gate::free(&entries).unwrap();
    let (before, after) = gate.preview("line").unwrap();
    // The account that owns the folder swaps the file for links and back, and renames whatever else turns up there.
    let swapper = format!(
        "cd {} || exit 1\nwhile :; do\n mv file kept; ln -s {secret} file; mv -f kept file 2>/dev/null || \
         {{ rm -f file; mv kept file; }}\n for x in .bailiwick-gate-*; do [ -e \"$x\" ] && mv \"$x\" moved-$$ && \
         ln -s {} \"$x\" && rm -f \"$x\"; done\ndone\n",
        folder.display(),
        dir.display(),
        secret = secret.display(),
    );
    let mut enemy = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "sh", "-c", &swapper])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    for number in 0..25 {
        let name = format!("c-{number}");
        let asked = [begin(&name), step(&name, 1, "line", &before, &after), undo(&name, 1)];
        for answer in gate.ask("change-root", &asked).unwrap() {
            assert!(!shown(&answer).contains("the secret"));
        }
        let _ = gate.one("look", Request::Preview("line".into())).map(|answer| {
            assert!(!shown(&answer).contains("the secret"));
        });
        let left = Command::new(gate.at("gate")).args(["rollback", &name]).output().unwrap();
        drop(left);
        // Whatever became of it, the next one may begin.
        let _ = fs::remove_file(gate.at("state/open"));
    }
    enemy.kill().unwrap();
    enemy.wait().unwrap();
    // What it had just started may live a moment longer.
    std::thread::sleep(Duration::from_secs(1));
    use std::os::unix::fs::MetadataExt;
    let about = fs::metadata(&secret).unwrap();
    assert_eq!((about.mode() & 0o7777, about.uid(), fs::read(&secret).unwrap()), (0o600, 0, b"the secret\n".to_vec()));
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        // The last link that it made may still be there: its own doing, and nothing that we wrote.
        if fs::symlink_metadata(&path).unwrap().is_file() {
            assert!(!fs::read_to_string(&path).unwrap_or_default().contains("the secret"), "{path:?}");
        }
    }
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn names_of_changes_are_names() {
    for bad in ["", "-c", "C", "a/b", "..", "a b", &"a".repeat(41)] {
        assert!(ChangeId::new(bad).is_err(), "{bad}");
    }
}
