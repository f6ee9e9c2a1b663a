//! Two commands at once, a command stopped half way or killed at any moment, and a full disk: the old acceptance, or the new one.

use super::*;

#[test]
fn two_at_once_are_both_kept() {
    let names: Vec<String> =
        (0..10).map(|n| format!("{}{}", ["left", "right"][n % 2], "xyzwvut".repeat(n / 2 + 1))).collect();
    let ids: Vec<&str> = names.iter().map(String::as_str).collect();
    let (ops, offers) = empty(&ids);
    for pair in ids.chunks(2) {
        let asked: Vec<_> = pair
            .iter()
            .map(|id| {
                let file = offers.version(id, "1.0.0", Asks::Status).unwrap().display().to_string();
                let digest = accept_of(&ops.run(&["add", &file]).unwrap());
                (file, digest)
            })
            .collect();
        // Both read the same lock before; the second must not overwrite the first.
        let children: Vec<_> = asked
            .iter()
            .map(|(file, digest)| {
                let mut command = ops.command(&["add", file, "--accept", digest]);
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        for child in children {
            let output = bailiwick_tests::ops::completed(child.wait_with_output().unwrap()).unwrap();
            assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
        }
    }
    assert_eq!(read_lock(&ops).components.len(), ids.len());
    assert_eq!(ops.run(&["lock", "verify"]).unwrap().code, 0);
}

#[test]
fn two_versions_of_one_at_once_leave_one_of_them() {
    let (ops, offers) = accepted(&["acme-unit"]);
    for round in 1..8 {
        let files = [2 * round, 2 * round + 1]
            .map(|n| offers.version("acme-unit", &format!("1.0.{n}"), Asks::Status).unwrap().display().to_string());
        let children = files
            .map(|file| ops.command(&["add", &file]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        let codes = children.map(|child| child.wait_with_output().unwrap().status.code().unwrap());
        // The later one, or the earlier one, or both in turn; an overtaken one reports it.
        assert!(codes.contains(&0) && codes.iter().all(|code| [0, 2, 3].contains(code)), "{codes:?}");
        assert_eq!(ops.run(&["lock", "verify"]).unwrap().code, 0);
    }
}

/// The state after a stopped command: the old acceptance or the new one, complete, and it runs.
fn assert_whole(ops: &Ops, versions: &[&str]) -> String {
    let verify = ops.run(&["lock", "verify"]).unwrap();
    assert_eq!(verify.code, 0, "{}{}", verify.stdout, verify.stderr);
    let lock = read_lock(ops);
    let version = lock.components.values().next().unwrap().facts.version.to_string();
    assert!(versions.contains(&version.as_str()), "{version}");
    assert!(!ops.path().join("components/.staged").exists());
    version
}

#[test]
fn stopped_at_any_step_the_old_one_or_the_new_one_is_accepted() {
    let mut seen = Vec::new();
    for stop in 0.. {
        let (ops, offers) = accepted(&["acme-unit"]);
        let file = offers.version("acme-unit", "1.0.1", Asks::Status).unwrap();
        let offered = consent::read(&file).unwrap().pop().unwrap();
        let dir = ops.path();
        let tried = bailiwick_policy::ops::Ops::load_with(dir, None, vec![offered.file.clone()]).unwrap();
        let lock = read_lock(&ops);
        let id = ComponentId::new("acme-unit").unwrap();
        let (facts, ..) = consent::facts(&tried, &id, jiff::Timestamp::UNIX_EPOCH).unwrap();
        let question = consent::question(&tried, &lock, &id, facts);
        assert_eq!(consent::judge(&question, &tried, &lock, &[]), Ok(Verdict::NoMore));
        let actor = Actor { who: "alice".to_owned(), now: "2026-01-01T00:00:00Z".parse().unwrap(), why: None };
        let mut left = stop;
        let mut gate = || {
            left -= 1;
            if left < 0 { Err(io::Error::other("stopped")) } else { Ok(()) }
        };
        let done = consent::accept(dir, &question, Verdict::NoMore, Some(&offered.files), &actor, &mut gate);
        seen.push(assert_whole(&ops, &["1.0.0", "1.0.1"]));
        assert_runs(&ops, "acme-unit");
        if done.is_ok() {
            break;
        }
    }
    // Some before the lock decides, some after.
    let old = seen.iter().filter(|version| *version == "1.0.0").count();
    assert!(old >= 4 && seen.len() - old >= 4 && seen.is_sorted(), "{seen:?}");
}

#[test]
fn killed_at_any_moment_the_old_one_or_the_new_one_is_accepted() {
    let (ops, offers) = accepted(&["acme-unit"]);
    let mut now = "1.0.0".to_owned();
    let mut killed = 0;
    for round in 1..=40_u64 {
        let next = format!("1.0.{round}");
        let file = offers.version("acme-unit", &next, Asks::Status).unwrap();
        let mut child = ops.command(&["add", file.to_str().unwrap()]).stdout(Stdio::null()).spawn().unwrap();
        // Wherever it is by then: what is tested holds at every moment.
        std::thread::sleep(Duration::from_micros(round * 1500 % 45_000));
        child.kill().unwrap();
        killed += u32::from(child.wait().unwrap().code().is_none());
        now = assert_whole(&ops, &[&now, &next]);
    }
    assert!(killed > 0, "none was killed in time");
    assert_runs(&ops, "acme-unit");
}

/// The program as a user who owns nothing there, if we are root; else with the folder closed to us.
#[test]
fn a_directory_that_cannot_be_written_is_read() {
    let (ops, offers) = accepted(&["acme-unit"]);
    let next = offers.version("acme-unit", "1.0.1", Asks::Status).unwrap();
    let folders = [ops.path().to_owned(), ops.path().join("components"), ops.path().join("state")];
    let before = lock_text(&ops);
    let mode = |mode: u32| {
        let set = |folder: &PathBuf| fs::set_permissions(folder, PermissionsExt::from_mode(mode));
        folders.iter().filter(|folder| folder.exists()).for_each(|folder| set(folder).unwrap());
    };
    let is_root = rustix::process::geteuid().is_root();
    mode(0o555);
    fs::set_permissions(offers.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let run = |args: &[&str]| {
        let mut command = ops.command(args);
        if is_root {
            use std::os::unix::process::CommandExt;
            command.uid(65534).gid(65534);
        }
        bailiwick_tests::ops::completed(command.output().unwrap()).unwrap()
    };
    let verify = run(&["lock", "verify"]);
    let add = run(&["add", next.to_str().unwrap()]);
    mode(0o755);
    assert_eq!(verify.code, 0, "{}{}", verify.stdout, verify.stderr);
    assert!(add.code == 2 && add.stderr.contains("cannot write"), "{}{}", add.stdout, add.stderr);
    assert_eq!(lock_text(&ops), before);
    assert_whole(&ops, &["1.0.0"]);
}
