//! What stops a change: the day's count, the kill switch, people at work, a missing signature of an approver.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use bailiwick_core::gate_protocol::{Ended, Request, Status, frame, lines};
use bailiwick_core::model::{Change, State};
use bailiwick_policy::gate::Limits;
use bailiwick_tests::gate::{FINE, FREE, Gate, Session, begin, change, is, named, place, step, undo};

use super::{facts, gone, known, one_file};

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ch09_ch11_nw21_a_second_change_of_the_day_is_refused_and_so_is_one_within_hours() {
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
    // What was applied can be rolled back at any time, and that is not a new change.
    assert!(is(&gate.one("change-root", undo("c-1", 1)).unwrap(), FINE));
    assert!(is(&gate.one("change-root", begin("c-4")).unwrap(), Status::Busy), "it is open while it is rolled back");
    assert!(is(&gate.one("change-root", Request::Close(named("c-1"))).unwrap(), FINE));
    assert_eq!(known(&gate, "c-1").ended.map(|(how, _)| how), Some(Ended::RolledBack));
    assert_eq!(fs::read(&file).unwrap(), b"before\n");
    gone(&file);
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ch09_of_many_who_begin_at_once_one_does() {
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
#[ignore = "needs root, sudo, busybox and sshd"]
fn ch15_the_kill_switch_and_whatever_hides_it_stop_every_change() {
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
    stopped("every user may write there");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::chown(&config, Some(12), None).unwrap();
    stopped("it belongs to another user");
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
#[ignore = "needs root, sudo, busybox and sshd"]
fn people_at_work_are_seen() {
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
    std::os::unix::fs::symlink("operator@there:1", beside.join(".#file")).unwrap();
    assert!(signs()[0].contains(".#file"));
    fs::remove_file(beside.join(".#file")).unwrap();
    let lock = fs::File::create(gate.at("package-lock")).unwrap();
    assert_eq!(signs(), Vec::<String>::new(), "a lock file without a lock");
    rustix::fs::fcntl_lock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    assert!(signs()[0].contains("a package manager"), "{:?}", signs());
    gone(&file);
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
#[ignore = "needs root, sudo, busybox and sshd"]
fn nw21_bytes_that_a_component_made_are_written_only_with_an_approvers_signature_over_them() {
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
    assert!(is(&asked(&statement, good(), &bytes), Status::Refused), "there is no approver yet");
    let approvers = gate.at("config/approvers");
    fs::write(&approvers, format!("approver@example namespaces=\"bailiwick-plan\" {mine}\n")).unwrap();
    fs::set_permissions(&approvers, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(is(&asked(&statement, good(), &bytes), Status::Refused), "every user may write that file");
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
