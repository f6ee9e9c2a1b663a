//! `bailiwick test --record` on a real sshd: the answers of a target become a case, and the case passes offline.

use std::fs;
use std::path::{Path, PathBuf};

use bailiwick_tests::fleet::{Entry, never};
use bailiwick_tests::ops::Ops;
use bailiwick_tests::sshd::Sshd;

use crate::PROGRAM;

fn project(id: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../probes").canonicalize().unwrap().join(id)
}

#[test]
fn what_is_recorded_from_a_target_holds_without_it() {
    let sshd = Sshd::plain().unwrap();
    let policy = "[[grant]]\ncomponent = [\"memory\", \"uptime\", \"filesystems\"]\non = [\"web\"]\n\
                  [[grant]]\ncomponent = \"file-freshness\"\non = [\"web\"]\nbind.file = \"/etc/hostname\"\n";
    let ops = Ops::new(PROGRAM, &[Entry::for_sshd("web", &sshd).unwrap()], &[], policy).unwrap();
    let cases = ops.path().join("cases");
    let cases = cases.to_str().unwrap();
    for id in ["memory", "uptime", "filesystems", "file-freshness"] {
        let project = project(id);
        let project = project.to_str().unwrap();
        let recorded = ops.run(&["test", project, "--case-dir", cases, "--record", id, "--target", "web"]).unwrap();
        assert_eq!(recorded.code, 0, "{}{}", recorded.stdout, recorded.stderr);
        assert!(recorded.stderr.contains("wrote "), "{}", recorded.stderr);
        let path = ops.path().join(format!("cases/{id}.toml"));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("target = \"web\"") && text.contains("[[answer]]"), "{text}");
        // It was a run like any other.
        let journal = ops.run(&["journal", "list"]).unwrap();
        assert!(journal.stdout.contains(id) && journal.stdout.contains("web"), "{}", journal.stdout);
        // A recording never replaces a case.
        let again = ops.run(&["test", project, "--case-dir", cases, "--record", id, "--target", "web"]).unwrap();
        assert!(again.code == 2 && again.stderr.contains("already exists"), "{}", again.stderr);
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    drop(sshd);
    // The target is gone; its answers are recorded.
    for id in ["memory", "uptime", "filesystems", "file-freshness"] {
        let output = ops.run(&["test", project(id).to_str().unwrap(), id, "--case-dir", cases]).unwrap();
        assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
    }
}

#[test]
fn tx09_a_recording_holds_no_secret_that_the_journal_does_not() {
    let sshd = Sshd::plain().unwrap();
    let policy = "[[grant]]\ncomponent = \"memory\"\non = [\"web\"]\n\
                  [[redact]]\nname = \"total\"\npattern = 'MemTotal: +([0-9]+)'\n";
    let ops = Ops::new(PROGRAM, &[Entry::for_sshd("web", &sshd).unwrap()], &[], policy).unwrap();
    let cases = ops.path().join("cases");
    let (project, cases) = (project("memory"), cases.to_str().unwrap());
    let args = ["test", project.to_str().unwrap(), "--case-dir", cases];
    let recorded = ops.run(&[&args[..], &["--record", "secret", "--target", "web"]].concat()).unwrap();
    assert_eq!(recorded.code, 0, "{}{}", recorded.stdout, recorded.stderr);
    assert!(recorded.stderr.contains("1 secrets in the answers were redacted"), "{}", recorded.stderr);
    let text = fs::read_to_string(ops.path().join("cases/secret.toml")).unwrap();
    let total = fs::read_to_string("/proc/meminfo").unwrap();
    let total = total.lines().next().unwrap().split_whitespace().nth(1).unwrap();
    assert!(text.contains("[redacted:total]") && !text.contains(total), "{text}");
    assert_eq!(ops.run(&args).unwrap().code, 0);
}

#[test]
fn nothing_is_recorded_where_check_would_not_run() {
    let sshd = Sshd::plain().unwrap();
    let entry = Entry::for_sshd("web", &sshd).unwrap();
    let down = Entry::at("down", "127.0.0.9:1".parse().unwrap(), &sshd.user_key()).unwrap();
    let pin = Sshd::plain().unwrap().host_key("ed25519").unwrap().to_owned();
    let down = down.with("host-key", &format!("{pin:?}"));
    let fw01 = never("fw01", &[("addresses", "[\"10.0.0.1\"]")]);
    let policy =
        "[[grant]]\ncomponent = \"memory\"\non = [\"down\"]\n[[grant]]\ncomponent = \"load\"\non = [\"web\"]\n";
    let ops = Ops::new(PROGRAM, &[entry, down], &[fw01], policy).unwrap();
    let cases = ops.path().join("cases");
    let try_on = |id: &str, target: &str| {
        let project = project(id);
        let args = ["test", project.to_str().unwrap(), "--case-dir", cases.to_str().unwrap(), "--record", "new"];
        let output = ops.run(&[&args[..], &["--target", target]].concat()).unwrap();
        (output.code, output.stderr)
    };
    let (code, stderr) = try_on("memory", "web");
    assert!(code == 2 && stderr.contains("policy grants `memory` nothing on `web`"), "{stderr}");
    let (code, stderr) = try_on("memory", "nosuch");
    assert!(code == 2 && stderr.contains("there is no target `nosuch`"), "{stderr}");
    let (code, stderr) = try_on("memory", "down");
    assert!(code == 4 && stderr.contains("nothing is recorded from down"), "{stderr}");
    let (code, stderr) = try_on("load", "fw01");
    assert!(code == 3 && stderr.contains("never-host"), "{stderr}");
    assert!(!cases.exists());
    // A component that is not in the ops directory, or another build of one.
    let dist = project("dist");
    let changed = fs::read_to_string(dist.join("load.toml")).unwrap();
    fs::create_dir(ops.path().join("mine")).unwrap();
    fs::copy(dist.join("load.wasm"), ops.path().join("mine/load.wasm")).unwrap();
    fs::write(ops.path().join("mine/load.toml"), changed.replace("id = \"load\"", "id = \"my-load\"")).unwrap();
    let mine = ops.path().join("mine/load.wasm");
    let args = ["test", mine.to_str().unwrap(), "--record", "new", "--target", "web"];
    let output = ops.run(&args).unwrap();
    assert!(output.code == 2 && output.stderr.contains("has no component `my-load`"), "{}", output.stderr);
    fs::write(ops.path().join("mine/load.toml"), changed).unwrap();
    let mut bytes = fs::read(&mine).unwrap();
    // An empty custom section more: the same code, another file.
    bytes.extend([0, 2, 1, b'x']);
    fs::write(&mine, bytes).unwrap();
    let output = ops.run(&args).unwrap();
    assert!(output.code == 2 && output.stderr.contains("differs from"), "{}", output.stderr);
    assert!(sshd.wire().unwrap_or_default().is_empty());
}
