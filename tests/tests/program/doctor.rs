//! `bailiwick doctor` on installations with one thing wrong, and `doctor --prove` where everything holds and where
//! something does not, on purpose.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use bailiwick_tests::fleet::Entry;
use bailiwick_tests::kernel;
use bailiwick_tests::ops::{Completed, Ops, bailiwick, completed};
use serde_json::Value;

use crate::PROGRAM;

/// A key pair for tests: `ssh-keygen -t ed25519 -N ''`.
fn key(ops: &Ops) -> String {
    let path = ops.path().join("key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(&path).status();
    assert!(made.unwrap().success());
    fs::read_to_string(path.with_extension("pub")).unwrap().trim().to_owned()
}

/// One machine over SSH that is not connected to, and a never-host, all as it should be.
fn sound() -> Ops {
    let ops = Ops::new(PROGRAM, &[], &[], "").unwrap();
    let public = key(&ops);
    let fleet = format!(
        "[targets.db01]\naddress = \"192.0.2.1\"\nuser = \"bw-read\"\nidentity = \"{0}/key\"\nhost-key = \"{public}\"\n",
        ops.path().display()
    );
    ops.write("fleet.toml", fleet.as_bytes()).unwrap();
    ops.write("policy.toml", b"[[grant]]\ncomponent = \"load\"\non = [\"db01\"]\n").unwrap();
    ops
}

fn doctor(ops: &Ops, args: &[&str]) -> (i32, Value) {
    json(ops.run(&[&["doctor", "--format", "json"], args].concat()).unwrap())
}

fn json(output: Completed) -> (i32, Value) {
    let value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output.code, value)
}

/// State, part and message of each check that is not ok.
fn not_ok(found: &Value) -> Vec<(String, String, String)> {
    let text = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
    let lines = found["lines"].as_array().unwrap().iter().filter(|line| line["state"] != "ok");
    lines
        .inspect(|line| assert!(line["next"].is_string(), "a next step: {line}"))
        .map(|line| (text(line, "state"), text(line, "part"), text(line, "says")))
        .collect()
}

#[test]
fn a_sound_installation_is_reported_and_not_changed() {
    let ops = sound();
    let before = files(ops.path());
    let (code, found) = doctor(&ops, &[]);
    assert_eq!((code, not_ok(&found)), (0, vec![]), "{found}");
    let parts: BTreeSet<_> =
        found["lines"].as_array().unwrap().iter().map(|line| line["part"].as_str().unwrap()).collect();
    assert_eq!(parts, BTreeSet::from(["clock", "journal", "kernel", "keys", "lock", "ops", "pins"]));
    assert_eq!(files(ops.path()), before);
    // For people: a line for each, then the summary.
    let output = ops.run(&["doctor"]).unwrap();
    let last = output.stdout.lines().last().unwrap();
    assert!(output.code == 0 && last.ends_with("0 warnings, 0 problems"), "{}", output.stdout);
}

fn files(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn each_thing_that_is_wrong_is_found() {
    type Break = fn(&Ops);
    let table: [(&str, Break, &str, &str, &str); 10] = [
        (
            "a key that others can read",
            |ops| mode(ops, "key", 0o644),
            "problem",
            "keys",
            "other users can read the key file",
        ),
        ("no key", |ops| fs::remove_file(ops.path().join("key")).unwrap(), "problem", "keys", "key"),
        ("a key that is none", |ops| fs::write(ops.path().join("key"), "x").unwrap(), "problem", "keys", "key"),
        (
            "no agent",
            |ops| swap(ops, "fleet.toml", "identity = ", "agent-key = \"KEY\" #"),
            "problem",
            "keys",
            "ssh-agent",
        ),
        ("no pin", |ops| swap(ops, "fleet.toml", "host-key = ", "# "), "problem", "pins", "db01"),
        (
            "a never-host without a key",
            |ops| add(ops, "fleet.toml", "[never.fw01]\naddresses = [\"192.0.2.9\"]\nwhy = \"x\"\n"),
            "warning",
            "pins",
            "fw01",
        ),
        ("a typo", |ops| add(ops, "policy.toml", "[[gramt]]\n"), "problem", "ops", "1 mistake"),
        ("an ops directory that others can write", |ops| mode(ops, ".", 0o777), "problem", "ops", "all users"),
        ("no policy", |ops| fs::remove_file(ops.path().join("policy.toml")).unwrap(), "problem", "ops", "policy.toml"),
        (
            "a target that is a never-host",
            |ops| {
                let key = fs::read_to_string(ops.path().join("key.pub")).unwrap();
                let never =
                    format!("[never.fw01]\naddresses = [\"192.0.2.9\"]\nhost-key = \"{}\"\nwhy = \"x\"\n", key.trim());
                add(ops, "fleet.toml", &never);
            },
            "warning",
            "pins",
            "db01 is forbidden",
        ),
    ];
    for (what, spoil, state, part, says) in table {
        let ops = sound();
        spoil(&ops);
        let (code, found) = doctor(&ops, &[]);
        mode(&ops, ".", 0o755);
        let wrong = not_ok(&found);
        assert!(wrong.iter().any(|(s, p, text)| s == state && p == part && text.contains(says)), "{what}: {wrong:?}");
        assert_eq!(code, if state == "problem" { 2 } else { 1 }, "{what}: {wrong:?}");
    }
}

fn mode(ops: &Ops, name: &str, mode: u32) {
    fs::set_permissions(ops.path().join(name), PermissionsExt::from_mode(mode)).unwrap();
}

fn swap(ops: &Ops, name: &str, from: &str, to: &str) {
    let text = fs::read_to_string(ops.path().join(name)).unwrap();
    let public = fs::read_to_string(ops.path().join("key.pub")).unwrap();
    assert!(text.contains(from), "{text}");
    ops.write(name, text.replace(from, &to.replace("KEY", public.trim())).as_bytes()).unwrap();
}

fn add(ops: &Ops, name: &str, more: &str) {
    let text = fs::read_to_string(ops.path().join(name)).unwrap();
    ops.write(name, format!("{text}{more}").as_bytes()).unwrap();
}

#[test]
fn a_journal_that_was_touched_is_found() {
    let local = Entry { name: "here".to_owned(), fields: vec![("local", "true".to_owned())] };
    let ops = || {
        let policy = "[[grant]]\ncomponent = \"load\"\non = [\"here\"]\n";
        let ops = Ops::new(PROGRAM, std::slice::from_ref(&local), &[], policy).unwrap();
        assert!(ops.run(&["check", "--fail-on", "never"]).unwrap().code == 0);
        assert_eq!(doctor(&ops, &[]).0, 0);
        ops
    };
    type Break = fn(&Path);
    let table: [(Break, &str); 3] = [
        (|folder| fs::remove_file(folder.join("head")).unwrap(), "head"),
        (
            |folder| {
                let path = folder.join("journal.jsonl");
                let text = fs::read_to_string(&path).unwrap();
                fs::write(&path, text.replacen("\"load\"", "\"lord\"", 1)).unwrap();
            },
            "entry",
        ),
        (|folder| fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap(), "open to others"),
    ];
    for (spoil, says) in table {
        let ops = ops();
        spoil(&ops.journal());
        let (code, found) = doctor(&ops, &[]);
        let wrong = not_ok(&found);
        assert!(wrong.iter().any(|(_, part, text)| part == "journal" && text.contains(says)), "{says}: {wrong:?}");
        assert_eq!(code, 2, "{wrong:?}");
    }
}

/// Runs `doctor` with no ops directory, perhaps as another user, perhaps where some system calls do not exist.
fn bare(args: &[&str], user: Option<u32>, without: &[i64]) -> (i32, Value) {
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), PermissionsExt::from_mode(0o777)).unwrap();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            if !without.is_empty() {
                kernel::without(without).unwrap();
            }
            let mut command = match user {
                None => bailiwick(PROGRAM),
                Some(user) => {
                    // A copy that every user can reach.
                    let copy = home.path().join("bailiwick");
                    fs::copy(PROGRAM, &copy).unwrap();
                    let mut command = Command::new("setpriv");
                    command.args([format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".to_owned()]);
                    command.arg(copy);
                    command
                }
            };
            command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home.path()).current_dir(home.path());
            command.arg("doctor").args(["--format", "json"]).args(args);
            json(completed(command.output().unwrap()).unwrap())
        });
        running.join().unwrap()
    })
}

fn open(found: &Value) -> Vec<&str> {
    let tried = found["tried"].as_array().unwrap();
    assert!(tried.len() > 40, "{found}");
    tried.iter().filter(|tried| tried["stopped"] == false).map(|tried| tried["attempt"].as_str().unwrap()).collect()
}

#[test]
fn every_attempt_is_stopped_here() {
    let (code, found) = bare(&["--prove"], None, &[]);
    assert_eq!((code, open(&found)), (0, vec![]));
    let by: BTreeSet<_> =
        found["tried"].as_array().unwrap().iter().map(|tried| tried["by"].as_str().unwrap()).collect();
    for layer in ["engine: fuel", "limit: wall time", "report check", "imports, unread", "broker: grant", "seccomp"] {
        assert!(by.contains(layer), "{layer}: {by:?}");
    }
    // With an ops directory, whose policy does not affect it.
    assert_eq!(doctor(&sound(), &["--prove"]).0, 0);
}

mod as_root {
    use super::*;

    #[test]
    #[ignore = "needs root"]
    fn every_attempt_is_stopped_for_every_user() {
        let (code, found) = bare(&["--prove"], Some(65534), &[]);
        assert_eq!((code, open(&found)), (0, vec![]));
        assert_eq!(bare(&[], Some(65534), &[]).0, 0);
    }
}

#[test]
fn what_is_left_open_on_purpose_is_seen() {
    let (code, found) = bare(&["--prove"], None, &[libc::SYS_seccomp, libc::SYS_landlock_create_ruleset]);
    let open = open(&found);
    assert_eq!(code, 2, "{found}");
    for attempt in ["open /etc/passwd", "connect to a TCP port", "start /bin/true", "make a file in /tmp"] {
        assert!(open.contains(&format!("native code: {attempt}").as_str()), "{attempt}: {open:?}");
    }
    assert!(
        open.iter().all(|attempt| attempt.starts_with("native code: ")),
        "components are held all the same: {open:?}"
    );
    let (code, found) = bare(&[], None, &[libc::SYS_seccomp, libc::SYS_landlock_create_ruleset]);
    let wrong: Vec<_> = not_ok(&found).into_iter().map(|(state, part, _)| (state, part)).collect();
    let kernel = ("warning".to_owned(), "kernel".to_owned());
    assert_eq!((code, wrong), (1, vec![kernel.clone(), kernel]));
}

#[test]
fn what_is_shipped_is_what_the_tests_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let dist = root.join("probes/dist/proof");
    let committed = fs::read_to_string(dist.join("DIGESTS")).unwrap();
    for line in committed.lines().filter(|line| line.ends_with(".wasm")) {
        let (digest, name) = line.split_once("  ").unwrap();
        assert_eq!(bailiwick_policy::library::digest(&fs::read(dist.join(name)).unwrap()), digest, "{name}");
    }
    let mut build = Command::new(root.join("probes/build"));
    let build = build.args(["--sources-digest", "--workspace"]).arg(root.join("tests/guests"));
    let sources = String::from_utf8(build.output().unwrap().stdout).unwrap();
    assert!(
        committed.contains(&format!("sources {}", sources.trim())),
        "tests/guests has changed: run `probes/build --workspace tests/guests --out probes/dist/proof` and commit"
    );
}
