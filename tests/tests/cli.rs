//! The command line as people meet it: help, first use, mistakes. Each text is a golden.

#![cfg(test)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use bailiwick::report::exit::ExitCode;
use bailiwick_tests::fleet::{Entry, never};
use bailiwick_tests::ops::{Ops, Said, said};

const PROGRAM: &str = env!("CARGO_BIN_EXE_bailiwick");

/// The program in an empty home, without an ops directory.
fn alone(home: &Path, args: &[&str]) -> Said {
    let mut command = Command::new(PROGRAM);
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").current_dir(home).args(args);
    said(command.stdin(Stdio::null()).output().unwrap()).unwrap()
}

fn local() -> Entry {
    Entry { name: "here".to_owned(), fields: vec![("local", "true".to_owned())] }
}

/// All that was said, with the exit code; paths of this run replaced.
fn shown(said: &Said, ops: &Path) -> String {
    let text = format!("exit code {}\n--- stdout\n{}--- stderr\n{}", said.code, said.stdout, said.stderr);
    text.replace(&ops.display().to_string(), "DIR")
}

#[test]
fn every_help_text() {
    let home = tempfile::tempdir().unwrap();
    let mut all = String::new();
    let commands: [&[&str]; 12] = [
        &[],
        &["check"],
        &["review"],
        &["inspect"],
        &["fleet"],
        &["fleet", "import"],
        &["journal"],
        &["journal", "list"],
        &["journal", "show"],
        &["journal", "verify"],
        &["completions"],
        &["no-such-command"],
    ];
    for command in commands {
        let said = alone(home.path(), &[command, &["--help"]].concat());
        all += &format!("$ bailiwick {} --help\n{}{}\n", command.join(" "), said.stdout, said.stderr);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn help_lists_the_exit_codes_that_there_are() {
    let home = tempfile::tempdir().unwrap();
    let help = alone(home.path(), &["--help"]).stdout;
    // 5 to 7 belong to commands that are not there yet.
    for code in ExitCode::ALL.iter().filter(|code| !(5..=7).contains(&code.code())) {
        let line = format!("  {:<4}", code.code());
        assert!(help.contains(&line), "{line} is not in\n{help}");
    }
}

#[test]
fn the_first_command_looks_at_this_machine() {
    let home = tempfile::tempdir().unwrap();
    let said = alone(home.path(), &["check"]);
    assert!([0, 1, 4].contains(&said.code), "{}{}", said.stdout, said.stderr);
    for probe in ["filesystems", "load", "memory", "uptime", "logins", "listeners"] {
        assert!(said.stdout.contains(&format!("localhost  {probe}")), "{probe} is not in\n{}", said.stdout);
    }
    assert!(said.stdout.lines().last().unwrap().starts_with("1 target: "), "{}", said.stdout);
    assert!(!said.stdout.contains('\u{1b}') && said.stderr.is_empty(), "{}", said.stderr);
    assert!(home.path().join(".local/state/bailiwick/journal/journal.jsonl").exists());
    // The journal is for its owner alone.
    let mode = fs::metadata(home.path().join(".local/state/bailiwick/journal")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
    let verbose = alone(home.path(), &["check", "--verbose", "--probe", "memory"]);
    assert!(
        verbose.stdout.contains("available-percent") && verbose.stdout.contains("system.memory"),
        "{}",
        verbose.stdout
    );
    let list = alone(home.path(), &["journal", "list"]);
    assert!(list.code == 0 && list.stdout.contains("localhost"), "{}", list.stdout);
}

#[test]
fn every_mistake_on_the_command_line() {
    let home = tempfile::tempdir().unwrap();
    let policy = "[[grant]]\ncomponent = [\"memory\", \"load\"]\non = [\"here\"]\n";
    let fw01 = never("fw01", &[("addresses", "[\"10.0.0.1\"]")]);
    let ops = Ops::new(PROGRAM, &[local()], &[fw01], policy).unwrap();
    let mut all = String::new();
    let mistakes: [&[&str]; 11] = [
        &["check", "--target", "web01"],
        &["check", "--probe", "memroy"],
        &["check", "--probe", "uptime"],
        &["check", "--target", "fw01"],
        &["check", "--jobs", "0"],
        &["review", "nobody"],
        &["review", "fw01"],
        &["journal", "show", "99999"],
        &["journal", "show", "x"],
        &["inspect", "no-such-file.wasm"],
        &["fleet", "import", "--config", "no-such-file"],
    ];
    for args in mistakes {
        let said = ops.run(args).unwrap();
        let text = shown(&said, ops.path());
        // The one number in it that another run would not give.
        let text = without_times(&text);
        all += &format!("$ bailiwick {}\n{text}\n", args.join(" "));
    }
    let empty = tempfile::tempdir().unwrap();
    let path = empty.path().display().to_string();
    let said = alone(home.path(), &["check", "--dir", &path]);
    all += &format!("$ bailiwick check --dir EMPTY\n{}\n", shown(&said, empty.path()));
    let said = alone(home.path(), &["journal", "verify"]);
    all += &format!("$ bailiwick journal verify\n{}\n", shown(&said, home.path()));
    for (name, mode) in [("policy.toml", 0o666), ("fleet.toml", 0o664), ("", 0o777)] {
        let file = ops.path().join(name);
        let before = fs::metadata(&file).unwrap().permissions();
        fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        let said = ops.run(&["check"]).unwrap();
        all += &format!("$ chmod {mode:o} DIR/{name}; bailiwick check\n{}\n", shown(&said, ops.path()));
        fs::set_permissions(&file, before).unwrap();
    }
    fs::remove_file(ops.path().join("policy.toml")).unwrap();
    all += &format!("$ rm policy.toml; bailiwick check\n{}\n", shown(&ops.run(&["check"]).unwrap(), ops.path()));
    insta::assert_snapshot!(all);
}

/// The text with the duration at the end of a summary line taken out.
fn without_times(text: &str) -> String {
    let line = |line: &str| match line.rsplit_once(" - ") {
        Some((before, after)) if after.ends_with(" s") => format!("{before} - TIME\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn a_reader_that_has_had_enough_is_no_error() {
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new(PROGRAM);
    child.env_clear().env("HOME", home.path()).current_dir(home.path()).arg("review");
    let mut child = child.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn completions_are_scripts_that_their_shell_reads() {
    let home = tempfile::tempdir().unwrap();
    for (shell, check) in [("bash", "bash"), ("zsh", "zsh"), ("fish", "fish")] {
        let said = alone(home.path(), &["completions", shell]);
        assert!(said.code == 0 && said.stdout.contains("bailiwick"), "{}", said.stderr);
        let script = home.path().join(shell);
        fs::write(&script, said.stdout).unwrap();
        if let Ok(output) = Command::new(check).arg("-n").arg(&script).output() {
            assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}
