//! The gate's script and its clients: invalid frames, clients that disconnect, actions that are in no list, and programs
//! that print too much or take too long.

use std::fs;
use std::time::{Duration, Instant};

use bailiwick_core::gate_protocol::{Request, Status, frame};
use bailiwick_tests::gate::{FINE, FREE, Gate, SHELLS, begin, is, named, place, read, step, undo, until, write};

/// A gate whose every action leaves a mark.
fn marking(shell: &[&str], name: &str) -> (Gate, std::path::PathBuf) {
    let dir = place(name);
    let mark = dir.join("mark").display().to_string();
    let entries = [
        read("touch", &["/usr/bin/touch", &mark], 10, 100),
        read("slow", &["/usr/bin/sh", "-c", &format!("sleep 300 & echo $! >{mark}; wait")], 100, 100),
        read("late", &["/usr/bin/sleep", "60"], 1, 100),
        read("much", &["/usr/bin/head", "-c", "101", "/dev/zero"], 10, 100),
        read("just", &["/usr/bin/head", "-c", "100", "/dev/zero"], 10, 100),
        read("endless", &["/usr/bin/cat", "/dev/zero"], 10, 100),
        read("env", &["/usr/bin/env", "-i", "A=b", "/usr/bin/env"], 10, 100),
        read("fails", &["/usr/bin/sh", "-c", "echo out; echo err >&2; exit 3"], 10, 100),
        read("words", &["/usr/bin/printf", "%s|", "$(id)", "`id`", "a b", "*", ";id", "\"", "\\", "&&", "-n"], 10, 100),
        write("w", &dir.join("file"), "after\n").unwrap(),
    ];
    (Gate::new(&entries, &FREE, shell).unwrap(), dir)
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ar21_an_invalid_frame_does_nothing() {
    for (shell, words) in SHELLS {
        let (gate, dir) = marking(words, &format!("frames-{shell}"));
        let long = format!("read {}\ngo\n", "a".repeat(4100));
        let many = "read touch\n".repeat(65) + "go\n";
        let absent = "absent";
        for (role, bad) in [
            ("read", ""),
            ("read", "go\n"),
            ("read", "\ngo\n"),
            ("read", "read touch"),
            ("read", "read touch\n"),
            ("read", "read touch\ngo"),
            ("read", "read touch \ngo\n"),
            ("read", " read touch\ngo\n"),
            ("read", "read  touch\ngo\n"),
            ("read", "read touch\r\ngo\n"),
            ("read", "read\ttouch\ngo\n"),
            ("read", "read touch\nread \u{1b}[2J\ngo\n"),
            ("read", "read touch\nrad touch\ngo\n"),
            ("read", "read touch\nread touch touch\ngo\n"),
            ("read", "read touch\nread\ngo\n"),
            ("read", "read touch\nGO\n"),
            ("read", "read touch\n+bytes ###\ngo\n"),
            ("read", "+bytes AAAA\nread touch\ngo\n"),
            ("read", "read touch\n+other AAAA\ngo\n"),
            ("read", "read touch\nread $(touch /x)\ngo\n"),
            ("read", "read touch\nread é\ngo\n"),
            ("read", "{\"read\": \"touch\"}\ngo\n"),
            ("read", &long),
            ("read", &many),
            ("look", "read touch\ngo\n"),
            ("look", "gate\nbegin c-1 x 1\ngo\n"),
            ("look", "gate x\ngo\n"),
            ("look", "change ../x\ngo\n"),
            ("change-root", "read touch\ngo\n"),
            ("change-root", "rollback c-1\ngo\n"),
            ("change-root", "begin c-1 short 10\ngo\n"),
            ("change-root", &format!("begin C-1 {} 10\ngo\n", "a".repeat(64))),
            ("change-root", &format!("begin c-1 {} 010\ngo\n", "a".repeat(64))),
            ("change-root", &format!("begin c-1 {} -1\ngo\n", "a".repeat(64))),
            ("change-root", &format!("begin c-1 {} 10 10\ngo\n", "a".repeat(64))),
            ("change-root", &format!("begin c-1 {} 10\ndo c-1 0 w {absent} {absent}\ngo\n", "a".repeat(64))),
            ("change-root", &format!("begin c-1 {} 10\ndo c-1 65 w {absent} {absent}\ngo\n", "a".repeat(64))),
            ("change-root", &format!("begin c-1 {} 10\ndo c-1 1 w {absent} $x\ngo\n", "a".repeat(64))),
            ("change-root", &format!("begin c-1 {} 10\ndo c-1/../c-2 1 w {absent} {absent}\ngo\n", "a".repeat(64))),
        ] {
            let mut session = gate.start(role).unwrap();
            session.say(bad.as_bytes()).unwrap();
            session.hang_up();
            let (code, out, err) = session.end().unwrap();
            assert_eq!((code, out.as_slice()), (Some(126), b"".as_slice()), "{shell} {role} {bad:?}: {err}");
            assert!(err.starts_with("refused: "), "{shell} {role} {bad:?}: {err}");
        }
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0, "{shell}: nothing was run");
        assert!(!gate.at("state/begins").exists(), "{shell}: nothing was begun");
        let log = gate.log().unwrap();
        assert!(log.lines().all(|line| line.is_ascii() && !line.contains('\u{1b}')), "{log}");
        fs::remove_dir_all(&dir).unwrap();
    }
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ar21_a_client_that_falls_silent_is_ended_after_ten_seconds() {
    let (gate, dir) = marking(SHELLS[0].1, "silence");
    let began = Instant::now();
    let sessions: Vec<_> = ["read", "look", "change-root"]
        .into_iter()
        .map(|role| {
            let mut session = gate.start(role).unwrap();
            session.say(b"read touch\n").unwrap();
            session
        })
        .collect();
    for session in sessions {
        let (code, out, _) = session.end().unwrap();
        assert_eq!((code, out.as_slice()), (None, b"".as_slice()));
    }
    assert!((9..30).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn what_is_listed_runs_word_for_word_and_nothing_else_does() {
    for (shell, words) in SHELLS {
        let (gate, dir) = marking(words, &format!("words-{shell}"));
        let ids = ["words", "env", "fails", "just", "much", "endless", "late", "reboot", "w", "/bin/sh"];
        let asked: Vec<_> = ids.iter().map(|id| Request::Read((*id).to_owned())).collect();
        let began = Instant::now();
        let answers = gate.ask("read", &asked).unwrap();
        assert!(began.elapsed() < Duration::from_secs(30));
        let seen: Vec<_> = answers
            .iter()
            .map(|answer| {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', "");
                (answer.status, text(&answer.stdout), text(&answer.stderr), answer.stdout.len())
            })
            .collect();
        let quiet = |status| (status, String::new(), String::new(), 0);
        let printed = "$(id)|`id`|a b|*|;id|\"|\\|&&|-n|";
        assert_eq!(seen[0], (FINE, printed.to_owned(), String::new(), printed.len()), "{shell}");
        assert_eq!(seen[1], (FINE, "A=b\n".to_owned(), String::new(), 4), "{shell}");
        assert_eq!(seen[2], (Status::Exit(3), "out\n".to_owned(), "err\n".to_owned(), 4), "{shell}");
        assert_eq!(seen[3], (FINE, String::new(), String::new(), 100), "{shell}");
        assert_eq!(seen[4..6], [quiet(Status::TooLarge), quiet(Status::TooLarge)], "{shell}");
        assert_eq!(seen[6], quiet(Status::Timeout), "{shell}");
        assert_eq!(
            seen[7..],
            vec![quiet(Status::Unknown); 3],
            "{shell}: what changes is not read, what is not listed is not run"
        );
        assert_eq!(fs::read_dir(gate.at("tmp")).unwrap().count(), 0, "{shell}: nothing is left");
        fs::remove_dir_all(&dir).unwrap();
    }
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ar22_a_reader_that_hangs_up_takes_what_it_started_with_it() {
    for (shell, words) in SHELLS {
        let (gate, dir) = marking(words, &format!("hangup-{shell}"));
        for end in ["eof", "more"] {
            let mut session = gate.start("read").unwrap();
            session.say(&frame(&[Request::Read("slow".into()), Request::Read("touch".into())]).unwrap()).unwrap();
            let pid = dir.join("mark");
            until("it runs", || fs::read_to_string(&pid).is_ok_and(|pid| pid.ends_with('\n'))).unwrap();
            let child = fs::read_to_string(&pid).unwrap();
            let alive = || std::path::Path::new(&format!("/proc/{}", child.trim())).exists();
            assert!(alive());
            if end == "eof" {
                session.hang_up();
            } else {
                session.say(b"and now this\n").unwrap();
            }
            let (code, out, _) = session.end().unwrap();
            assert_eq!((code, out.as_slice()), (Some(126), b"".as_slice()), "{shell} {end}");
            until("its grandchild is gone", || !alive()).unwrap();
            assert_eq!(fs::read_dir(gate.at("tmp")).unwrap().count(), 0, "{shell} {end}");
            fs::remove_file(&pid).unwrap();
        }
        fs::remove_dir_all(&dir).unwrap();
    }
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ar22_a_change_that_loses_its_client_finishes_its_step_and_stops() {
    let dir = place("lost");
    let entries = [
        bailiwick_tests::gate::unit("slow", "toy.service", bailiwick_core::model::UnitAct::Start).unwrap(),
        write("w", &dir.join("file"), "after\n").unwrap(),
    ];
    let gate = Gate::free(&entries).unwrap();
    fs::write(gate.at("toy.active"), "inactive").unwrap();
    fs::write(gate.at("toy.slow"), "2").unwrap();
    let (before, after) = gate.preview("slow").unwrap();
    let (absent, written) = gate.preview("w").unwrap();
    let mut session = gate.start("change-root").unwrap();
    let asked = [begin("c-1"), step("c-1", 1, "slow", &before, &after), step("c-1", 2, "w", &absent, &written)];
    session.say(&frame(&asked).unwrap()).unwrap();
    until("systemd was called", || {
        fs::read_to_string(gate.at("systemctl.log")).is_ok_and(|log| log.contains(" start "))
    })
    .unwrap();
    session.hang_up();
    drop(session);
    // Asked again, it waits for the one at work, and has its answer.
    assert!(is(&gate.one("change-root", step("c-1", 1, "slow", &before, &after)).unwrap(), FINE));
    let log = fs::read_to_string(gate.at("systemctl.log")).unwrap();
    assert_eq!(log.matches(" start ").count(), 1, "{log}");
    assert!(!dir.join("file").exists(), "the next step was not begun");
    assert!(is(&gate.one("change-root", undo("c-1", 1)).unwrap(), FINE));
    assert!(is(&gate.one("change-root", Request::Close(named("c-1"))).unwrap(), FINE));
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn d17_the_gate_refuses_what_the_controller_refuses() {
    use bailiwick_core::model::{AbsolutePath, Change, UnitAct, UnitName};
    use bailiwick_policy::gate::{EntryError, EntryKind};
    let (gate, dir) = marking(SHELLS[0].1, "contract");
    // AR01-AR05, FS02-FS04, NW04: the controller has no such literal, the gate no such request.
    let hostile = [
        "; id",
        "$(id)",
        "`id`",
        "|id",
        "&&id",
        ">x",
        "<x",
        "${IFS}",
        "\n id",
        "'",
        "\"",
        "\\",
        "!",
        "#",
        "(",
        "{a,b}",
        "\u{a0}",
        "-oProxyCommand=x",
        "--file=/etc/shadow",
        "--",
        "~root/.ssh/id_ed25519",
        "$HOME",
        "%h",
        "*",
        "?",
        "[a]",
        "=ls",
        "foo\0.conf",
        "\r",
        "\t",
        "\u{7f}",
        "\u{85}",
        "\u{202e}",
        "\u{2028}",
        "\u{ff0f}",
        "../x",
        "http://evil/",
        "//evil/x",
    ];
    for value in hostile {
        assert!(AbsolutePath::new(value).is_err() && UnitName::new(value).is_err(), "{value:?}");
        for (role, line) in [
            ("read", format!("read {value}\ngo\n")),
            ("read", format!("read touch{value}\ngo\n")),
            ("look", format!("preview files-change.write:{value}\ngo\n")),
            ("look", format!("change {value}\ngo\n")),
            ("change-root", format!("undo {value} 1\ngo\n")),
            ("change-root", format!("undo c-1 {value}\ngo\n")),
        ] {
            let mut session = gate.start(role).unwrap();
            session.say(line.as_bytes()).unwrap();
            let (code, out, err) = session.end().unwrap();
            let out = String::from_utf8_lossy(&out);
            let refused = code == Some(126) && out.is_empty();
            assert!(refused || out.starts_with("answer 1 unknown "), "{role} {line:?}: {code:?} {out} {err}");
        }
    }
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0, "nothing was run");
    // FS14, AR09: the generator takes none of these, however it came into a grant.
    for path in
        ["/etc/ssh/sshd_config", "/etc/sudoers.d/x", "/root/x", "/etc/cron.d/x", "/etc/nftables.conf", "/usr/bin/x"]
    {
        let Ok(path) = AbsolutePath::new(path) else { continue };
        let entry = bailiwick_tests::gate::change("x", Change::SetAside { path });
        assert!(matches!(entry.check(), Err(EntryError::Never { .. })), "{entry:?}");
    }
    for unit in ["nftables.service", "ssh.service", "dbus.service", "multi-user.target", "systemd-logind.service"] {
        let entry = bailiwick_tests::gate::unit("x", unit, UnitAct::Reload).unwrap();
        assert!(matches!(entry.check(), Err(EntryError::Never { .. })), "{unit}");
    }
    // AR17, AR18: invalid words.
    for word in ["it's", "a\nb", "\u{1b}[2J", "é", "\0"] {
        assert!(matches!(read("x", &["/bin/x", word], 1, 1).check(), Err(EntryError::Word { .. })), "{word:?}");
        let id = read(word, &["/bin/x"], 1, 1);
        assert!(matches!(id.check(), Err(EntryError::Id(_))), "{word:?}");
    }
    assert!(matches!(read("x", &["x"], 1, 1).check(), Err(EntryError::Program(_))));
    for text in ["a\u{202e}b", "a\rb", "a\0b", "\u{1b}"] {
        let entry = write("x", std::path::Path::new("/srv/x"), text).unwrap();
        assert!(matches!(entry.check(), Err(EntryError::Text { .. })), "{text:?}");
    }
    // A text cannot end its own quotation.
    let text = "a\n";
    let mark = data_encoding::HEXLOWER
        .encode(&sha2::Digest::finalize(sha2::Digest::chain_update(<sha2::Sha256 as sha2::Digest>::new(), text)));
    let entry =
        write("x", &dir.join("x"), &format!("{text}END-OF-{mark}\ntouch {}\n", dir.join("mark").display())).unwrap();
    assert!(matches!(entry.kind, EntryKind::Change(_)));
    let gate = Gate::free(&[entry]).unwrap();
    assert!(is(&gate.one("look", Request::Preview("x".into())).unwrap(), FINE));
    assert!(!dir.join("mark").exists());
    fs::remove_dir_all(&dir).unwrap();
}

/// A script with an action and a change, in a folder of the test's own.
fn script(dir: &std::path::Path) -> std::path::PathBuf {
    let entries = [
        read("system.load", &["/usr/bin/cat", "/proc/loadavg"], 10, 100),
        write("w", &dir.join("file"), "after\n").unwrap(),
    ];
    let paths = bailiwick_policy::gate::Paths::default();
    let script = bailiwick_policy::gate::script("web1", ["bw-read", "bw-change"], &entries, &paths, &FREE).unwrap();
    let file = dir.join("gate.sh");
    fs::write(&file, &script.text).unwrap();
    file
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn every_shell_reads_the_script() {
    let dir = place("read");
    let file = script(&dir);
    for (_, shell) in SHELLS {
        let (program, before) = shell.split_first().unwrap();
        let output = std::process::Command::new(program).args(before).arg("-n").arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
#[ignore = "needs shellcheck"]
fn shellcheck_finds_nothing_in_the_script() {
    let dir = place("check");
    let file = script(&dir);
    let mut check = std::process::Command::new("shellcheck");
    let output = check.args(["-s", "sh", "-e", "SC2317,SC2034,SC2221,SC2222"]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    fs::remove_dir_all(&dir).unwrap();
}
