//! Steps: units and the operator's commands, once and twice, and what a step makes of its object.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bailiwick_core::gate_protocol::{Outcome, Request, Status};
use bailiwick_core::model::{Change, State, UnitAct};
use bailiwick_tests::gate::{
    FINE, FREE, Gate, SHELLS, begin, change, is, named, place, shown, step, undo, unit, write,
};

use super::{gone, one_file, outcome, state, toy};

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn units_are_started_enabled_reloaded_restarted_and_rolled_back() {
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
                    undone.detail
                );
            }
            let again = outcome(&gate, Request::Again { change: named(&name), step: 1 });
            let repeats = matches!(act, UnitAct::Reload | UnitAct::Restart);
            assert_eq!(again.status, if repeats { FINE } else { Status::Refused }, "{shell} {action}");
            assert_eq!(outcome(&gate, Request::Close(named(&name))).status, FINE);
        }
        // systemd got each request once, however often the client sent it; a start, after systemd's own count was reset.
        let log = fs::read_to_string(gate.at("systemctl.log")).unwrap();
        for (word, times) in [
            (" start ", 3),
            (" stop ", 2),
            (" enable ", 2),
            (" disable ", 1),
            (" reload ", 2),
            (" restart ", 2),
            (" reset-failed ", 5),
        ] {
            assert_eq!(log.matches(word).count(), times, "{shell}: {word} in {log}");
        }
    }
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ar09_ch19_a_unit_that_is_more_than_its_name_is_left_alone() {
    let entries = [
        unit("reload", "toy.service", UnitAct::Reload).unwrap(),
        unit("restart", "toy.service", UnitAct::Restart).unwrap(),
    ];
    let gate = Gate::free(&entries).unwrap();
    for (number, (action, file, value, why)) in (1..).zip([
        ("restart", "id", "ssh.service", "alias of another unit"),
        ("restart", "drags", "web.service", "stopped with it"),
        ("reload", "spreads", "web.service", "reloaded with it"),
        ("reload", "reload", "{ path=/usr/bin/systemctl ; argv[]=systemctl restart toy }", "restarts it"),
        ("reload", "stale", "yes", "changed since"),
        ("reload", "active", "failed", "is not running"),
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
    let log = fs::read_to_string(gate.at("systemctl.log")).unwrap();
    assert!(!log.contains(" restart ") && !log.contains(" reload "), "{log}");
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn the_operators_command_is_done_and_undone_and_its_check_decides() {
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
        // The umask of this process does not affect it.
        assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o644);
    }
    for _twice in 0..2 {
        assert!(is(&gate.one("change-root", undo("c-1", 1)).unwrap(), FINE));
        assert!(!Path::new(&made).exists());
    }
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ch08_a_step_that_is_asked_again_is_not_done_again_and_never_becomes_another() {
    let (gate, file, before, after) = one_file("again", &FREE);
    let asked = [begin("c-1"), step("c-1", 1, "w", &before, &after)];
    assert!(gate.ask("change-root", &asked).unwrap().iter().all(|answer| is(answer, FINE)));
    // A person changes it; the old answer holds, and the file is left alone.
    fs::write(&file, "a person's\n").unwrap();
    assert!(is(&gate.one("change-root", step("c-1", 1, "w", &before, &after)).unwrap(), FINE));
    assert_eq!(fs::read(&file).unwrap(), b"a person's\n");
    assert!(is(&gate.one("change-root", step("c-1", 1, "w", &after, &before)).unwrap(), Status::Conflict));
    assert!(is(&gate.one("change-root", step("c-1", 2, "other", &before, &after)).unwrap(), Status::Unknown));
    assert!(is(&gate.one("change-root", step("c-9", 1, "w", &before, &after)).unwrap(), Status::Conflict), "not open");
    // CH04: and the undo does not overwrite the person's edit; the difference is shown.
    let conflict = gate.one("change-root", undo("c-1", 1)).unwrap();
    assert!(
        is(&conflict, Status::Conflict) && shown(&conflict).contains("-after\n+a person's"),
        "{}",
        shown(&conflict)
    );
    assert!(is(&gate.one("change-root", Request::Close(named("c-1"))).unwrap(), Status::Conflict));
    assert_eq!(fs::read(&file).unwrap(), b"a person's\n");
    // A person restores it, and the undo works.
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
#[ignore = "needs root, sudo, busybox and sshd"]
fn the_list_and_not_the_client_decides_what_a_step_makes_of_its_object() {
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
        // A write that would remove the file, and a removal that would write.
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
    // An object that was found in another state is not "restored" to one that it never had.
    toy(&gate, "active", "enabled");
    fs::write(&made, "").unwrap();
    for (number, action, before, after) in
        [(20, "start", "unit:inactive:enabled", "unit:active:enabled"), (21, "run", "command:undone", "command:done")]
    {
        let answer = gate.one("change-root", step("c-1", number, action, &state(before), &state(after))).unwrap();
        assert!(is(&answer, Status::Conflict), "{action}");
        assert!(is(&gate.one("change-root", undo("c-1", number)).unwrap(), FINE), "{action}");
    }
    assert!(Path::new(&made).exists(), "another user owned it");
    assert!(fs::read_to_string(gate.at("toy.active")).unwrap().contains("active"));
    let log = fs::read_to_string(gate.at("systemctl.log")).unwrap();
    assert!(!log.contains(" start ") && !log.contains(" stop "), "{log}");
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn fs07_the_owner_of_the_folder_gains_nothing_by_moving_files() {
    let dir = place("owned");
    let (folder, secret) = (dir.join("conf"), dir.join("secret"));
    fs::write(&secret, "the secret\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    fs::create_dir(&folder).unwrap();
    let file = folder.join("file");
    fs::write(&file, "before\n").unwrap();
    let unprivileged = 65534;
    for path in [&folder, &file] {
        std::os::unix::fs::chown(path, Some(unprivileged), Some(unprivileged)).unwrap();
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
        // In every case, the next change may begin.
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
