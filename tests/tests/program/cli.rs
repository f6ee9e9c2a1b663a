//! The command line as people use it: help, first use, mistakes. Each text is a golden.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use bailiwick::report::exit::ExitCode;
use bailiwick_tests::fleet::{Entry, never};
use bailiwick_tests::ops::{Completed, Ops, bailiwick, completed};

use crate::PROGRAM;

/// The program in an empty home, without an ops directory.
fn alone(home: &Path, args: &[&str]) -> Completed {
    let mut command = bailiwick(PROGRAM);
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").current_dir(home).args(args);
    completed(command.stdin(Stdio::null()).output().unwrap()).unwrap()
}

fn local() -> Entry {
    Entry { name: "here".to_owned(), fields: vec![("local", "true".to_owned())] }
}

/// All output, with the exit code; paths of this run replaced.
fn shown(output: &Completed, ops: &Path) -> String {
    let text = format!("exit code {}\n--- stdout\n{}--- stderr\n{}", output.code, output.stdout, output.stderr);
    text.replace(&ops.display().to_string(), "DIR")
}

/// Every command and every command of a command, by the words that lead to it. The completions for bash are made from the same tree as
/// the help: they have `PARENT,WORD)` and then `cmd="CHILD"` for each.
fn commands(home: &Path) -> Vec<Vec<String>> {
    let script = alone(home, &["completions", "bash"]).stdout;
    let lines: Vec<&str> = script.lines().map(str::trim).collect();
    let mut found = BTreeMap::from([("bailiwick".to_owned(), Vec::new())]);
    for pair in lines.windows(2) {
        let step = pair[0].strip_suffix(')').and_then(|step| step.split_once(','));
        let child = pair[1].strip_prefix("cmd=\"").and_then(|child| child.strip_suffix('"'));
        let (Some((parent, word)), Some(child)) = (step, child) else { continue };
        // `help` repeats the tree below it.
        let Some(words) = found.get(parent).filter(|words| words.last().is_none_or(|last| last != "help")) else {
            continue;
        };
        let words = [words.as_slice(), &[word.to_owned()]].concat();
        found.entry(child.to_owned()).or_insert(words);
    }
    let mut all: Vec<_> = found.into_values().filter(|words| words.len() < 2 || words[1] != "help").collect();
    all.sort();
    all
}

#[test]
fn every_help_text() {
    let home = tempfile::tempdir().unwrap();
    let mut all = String::new();
    let mut commands = commands(home.path());
    assert!(commands.len() > 40, "{commands:?}");
    commands.push(vec!["no-such-command".to_owned()]);
    for command in commands {
        let mut words: Vec<&str> = command.iter().map(String::as_str).collect();
        words.push("--help");
        let output = alone(home.path(), &words);
        all += &format!("$ bailiwick {}\n{}{}\n", words.join(" "), output.stdout, output.stderr);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn help_lists_the_exit_codes_that_there_are() {
    let home = tempfile::tempdir().unwrap();
    let help = alone(home.path(), &["--help"]).stdout;
    for code in ExitCode::ALL {
        let line = format!("  {:<4}", code.code());
        assert!(help.contains(&line), "{line} is not in\n{help}");
    }
}

#[test]
fn the_first_command_checks_this_machine() {
    let home = tempfile::tempdir().unwrap();
    let output = alone(home.path(), &["check"]);
    assert!([0, 1, 4].contains(&output.code), "{}{}", output.stdout, output.stderr);
    for probe in ["filesystems", "load", "memory", "uptime", "logins", "listeners"] {
        assert!(output.stdout.contains(&format!("localhost  {probe}")), "{probe} is not in\n{}", output.stdout);
    }
    assert!(output.stdout.lines().last().unwrap().starts_with("1 target: "), "{}", output.stdout);
    assert!(!output.stdout.contains('\u{1b}') && output.stderr.is_empty(), "{}", output.stderr);
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
    let mistakes: [&[&str]; 12] = [
        &["check", "--target", "web01"],
        &["check", "--probe", "memroy"],
        &["check", "--probe", "uptime"],
        &["check", "--target", "fw01"],
        &["check", "--jobs", "0"],
        &["review", "nosuch"],
        &["limits", "nosuch"],
        &["review", "fw01"],
        &["journal", "show", "99999"],
        &["journal", "show", "x"],
        &["inspect", "no-such-file.wasm"],
        &["fleet", "import", "--config", "no-such-file"],
    ];
    for args in mistakes {
        let output = ops.run(args).unwrap();
        let text = shown(&output, ops.path());
        // The one number that differs in another run.
        let text = without_times(&text);
        all += &format!("$ bailiwick {}\n{text}\n", args.join(" "));
    }
    let empty = tempfile::tempdir().unwrap();
    let path = empty.path().display().to_string();
    let output = alone(home.path(), &["check", "--dir", &path]);
    all += &format!("$ bailiwick check --dir EMPTY\n{}\n", shown(&output, empty.path()));
    let output = alone(home.path(), &["journal", "verify"]);
    all += &format!("$ bailiwick journal verify\n{}\n", shown(&output, home.path()));
    for (name, mode) in [("policy.toml", 0o666), ("fleet.toml", 0o664), ("", 0o777)] {
        let file = ops.path().join(name);
        let before = fs::metadata(&file).unwrap().permissions();
        fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        let output = ops.run(&["check"]).unwrap();
        all += &format!("$ chmod {mode:o} DIR/{name}; bailiwick check\n{}\n", shown(&output, ops.path()));
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
fn a_reader_that_closes_early_is_not_an_error() {
    let home = tempfile::tempdir().unwrap();
    let mut child = bailiwick(PROGRAM);
    child.env_clear().env("HOME", home.path()).current_dir(home.path()).arg("review");
    let mut child = child.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

/// Writes the completions for a shell, and has it read them.
fn completions(shell: &str, read: bool) {
    let home = tempfile::tempdir().unwrap();
    let output = alone(home.path(), &["completions", shell]);
    assert!(output.code == 0 && output.stdout.contains("bailiwick"), "{}", output.stderr);
    let script = home.path().join(shell);
    fs::write(&script, output.stdout).unwrap();
    if read {
        let output = Command::new(shell).arg("-n").arg(&script).output().unwrap();
        assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn completions_are_scripts_for_every_shell() {
    completions("bash", true);
    completions("zsh", false);
    completions("fish", false);
}

#[test]
#[ignore = "needs zsh"]
fn zsh_reads_its_completions() {
    completions("zsh", true);
}

#[test]
#[ignore = "needs fish"]
fn fish_reads_its_completions() {
    completions("fish", true);
}

#[test]
fn what_another_user_could_change_is_not_used() {
    let policy = "[[grant]]\ncomponent = \"memory\"\non = [\"here\"]\n";
    let ops = Ops::new(PROGRAM, &[local()], &[], policy).unwrap();
    assert_eq!(ops.run(&["review"]).unwrap().code, 0);
    // In a folder where others can put another directory in its place.
    let open = tempfile::tempdir().unwrap();
    fs::set_permissions(open.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let moved = open.path().join("ops");
    fs::create_dir(&moved).unwrap();
    for name in ["fleet.toml", "policy.toml"] {
        fs::copy(ops.path().join(name), moved.join(name)).unwrap();
    }
    let moved = moved.display().to_string();
    let refused = alone(open.path(), &["review", "--dir", &moved]);
    assert!(refused.code == 2 && refused.stderr.contains("writable by all users"), "{}", refused.stderr);
    // A link to a file in such a folder.
    fs::remove_file(ops.path().join("policy.toml")).unwrap();
    std::os::unix::fs::symlink(Path::new(&moved).join("policy.toml"), ops.path().join("policy.toml")).unwrap();
    let refused = ops.run(&["review"]).unwrap();
    assert!(refused.code == 2 && refused.stderr.contains("writable by all users"), "{}", refused.stderr);
}

/// Only root can give a file away.
mod as_root {
    use super::*;

    #[test]
    #[ignore = "needs root"]
    fn what_belongs_to_another_user_is_not_used() {
        let policy = "[[grant]]\ncomponent = \"memory\"\non = [\"here\"]\n";
        let ops = Ops::new(PROGRAM, &[local()], &[], policy).unwrap();
        std::os::unix::fs::chown(ops.path().join("policy.toml"), Some(65534), None).unwrap();
        let refused = ops.run(&["review"]).unwrap();
        assert!(refused.code == 2 && refused.stderr.contains("belongs to uid 65534"), "{}", refused.stderr);
    }
}

#[test]
fn what_is_not_a_file_does_not_block_the_program() {
    let ops = Ops::new(PROGRAM, &[local()], &[], "").unwrap();
    for name in ["policy.toml", "components/x.wasm"] {
        ops.write(name, b"").unwrap();
        fs::remove_file(ops.path().join(name)).unwrap();
        let made = Command::new("mkfifo").arg("-m600").arg(ops.path().join(name)).status().unwrap();
        assert!(made.success());
        let output = ops.run(&["review"]).unwrap();
        assert_eq!(output.code, 2, "{name}: {}", output.stderr);
        fs::remove_file(ops.path().join(name)).unwrap();
        ops.write("policy.toml", b"").unwrap();
    }
}

#[test]
fn a_strangers_words_cannot_rewrite_the_page_that_an_operator_reads() {
    let manifest = |why: &str| {
        format!(
            "[component]\nid = \"x\"\nversion = \"1.0.0\"\nworld = \"bailiwick:ops/probe@0.1.0\"\ntitle = \"t\"\n\
             [[use]]\nverb = [\"system.load\"]\nwhy = \"{why}\"\n"
        )
    };
    for why in ["\\rfor memory: fine", "a\\u202eb", "a\\u200bb", "a\\u2028b", "\\u001b[2J", "x\\n\\n", " x"] {
        let source = bailiwick_core::source::Source::embedded("x.toml", &manifest(why));
        let problems = bailiwick_core::manifest::parse(&source).expect_err(why);
        assert!(problems.0[0].message.contains("characters that cannot be shown"), "{}", problems.0[0].message);
    }
    assert!(
        bailiwick_core::manifest::parse(&bailiwick_core::source::Source::embedded("x.toml", &manifest("größer, 漢字")))
            .is_ok()
    );
}

#[test]
fn ssh_a_stopped_sweep_prints_its_partial_results() {
    use bailiwick_tests::listeners::Silent;
    use bailiwick_tests::sshd::Sshd;
    let (silent, key) = (Silent::start().unwrap(), Sshd::plain().unwrap());
    let pin = key.host_key("ed25519").unwrap();
    let slow = Entry::at("slow", silent.address(), &key.user_key()).unwrap().text("host-key", pin);
    let policy = "[[grant]]\ncomponent = \"memory\"\non = [\"here\", \"slow\"]\n";
    let ops = Ops::new(PROGRAM, &[local(), slow], &[], policy).unwrap();
    let mut sweep = ops.command(&["check", "--connect-timeout", "600"]);
    let sweep = sweep.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let journal = || fs::read_to_string(ops.journal().join("journal.jsonl")).unwrap_or_default();
    while !journal().contains("\"kind\":\"run-ended\"") || silent.count() == 0 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    // The program must also have marked its target as done, which no entry shows.
    std::thread::sleep(std::time::Duration::from_millis(300));
    let pid = rustix::process::Pid::from_raw(sweep.id().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let output = completed(sweep.wait_with_output().unwrap()).unwrap();
    assert_eq!(output.code, 4, "{}", output.stderr);
    assert!(output.stderr.contains("stopped by SIGTERM with 1 of 2 targets done"), "{}", output.stderr);
    assert!(output.stdout.contains("here  memory"), "{}", output.stdout);
    assert!(journal().contains("\"kind\":\"interrupted\""));
    assert_eq!(ops.run(&["journal", "verify"]).unwrap().code, 0);
}
