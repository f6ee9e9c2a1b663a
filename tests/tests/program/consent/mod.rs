//! Consent under attack and in accidents: edited locks, swapped files, names that imitate others, two commands at once, crashes.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bailiwick_core::model::ComponentId;
use bailiwick_core::source::Source;
use bailiwick_engine::consent;
use bailiwick_engine::consent::{Actor, Verdict};
use bailiwick_policy::lock;
use bailiwick_policy::lock::{Lock, LockError, LockState};
use bailiwick_tests::fleet::Entry;
use bailiwick_tests::offer::{Asks, Offers};
use bailiwick_tests::ops::{Completed, Ops, bailiwick, component_run};

use crate::PROGRAM;

mod at_once;

fn local(name: &str) -> Entry {
    Entry { name: name.to_owned(), fields: vec![("local", "true".to_owned())] }
}

fn granted(ids: &[&str]) -> String {
    format!("[[grant]]\ncomponent = {ids:?}\non = [\"here\"]\nbind.unit = \"nginx.service\"\n")
}

/// A directory whose policy grants these ids, and nothing in it.
fn empty(ids: &[&str]) -> (Ops, Offers) {
    let policy = granted(ids) + "[[grant]]\ncomponent = \"memory\"\non = [\"here\"]\n";
    (Ops::new(PROGRAM, &[local("here")], &[], &policy).unwrap(), Offers::new().unwrap())
}

/// The same with every id accepted in version 1.0.0.
fn accepted(ids: &[&str]) -> (Ops, Offers) {
    let (ops, offers) = empty(ids);
    for id in ids {
        add(&ops, &offers.version(id, "1.0.0", Asks::Status).unwrap());
    }
    (ops, offers)
}

fn accept_of(page: &Completed) -> String {
    let rest = page.stdout.split("--accept ").nth(1).unwrap_or_else(|| panic!("{}{}", page.stdout, page.stderr));
    rest.lines().next().unwrap().to_owned()
}

/// Reads the page and agrees.
fn add(ops: &Ops, file: &Path) {
    let file = file.to_str().unwrap();
    let digest = accept_of(&ops.run(&["add", file]).unwrap());
    let output = ops.run(&["add", file, "--accept", &digest]).unwrap();
    assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
}

fn lock_text(ops: &Ops) -> String {
    fs::read_to_string(ops.path().join(lock::FILE)).unwrap()
}

fn read_lock(ops: &Ops) -> Lock {
    match LockState::load(Some(ops.path())).unwrap() {
        LockState::Valid(lock) => *lock,
        other => panic!("{other:?}"),
    }
}

/// The outcome of a component, after a check that the built-in one beside it ran.
fn outcome(ops: &Ops, id: &str) -> (i32, String, String) {
    let (code, sweep) = ops.check(&[]).unwrap();
    assert_eq!(component_run(&sweep, "here", "memory").unwrap()["outcome"]["kind"], "report", "{sweep}");
    let outcome = &component_run(&sweep, "here", id).unwrap()["outcome"];
    let kind = outcome["kind"].as_str().unwrap().to_owned();
    (code, kind, outcome["cause"].as_str().unwrap_or_default().to_owned())
}

#[track_caller]
fn assert_refused(ops: &Ops, id: &str, says: &str) {
    let (code, kind, cause) = outcome(ops, id);
    assert_eq!((code, kind.as_str()), (3, "refused"), "{cause}");
    assert!(cause.contains(says), "{says} is not in: {cause}");
}

#[track_caller]
fn assert_runs(ops: &Ops, id: &str) {
    let (_, kind, cause) = outcome(ops, id);
    assert_ne!(kind, "refused", "{cause}");
}

#[test]
fn lk07_one_bit_of_an_accepted_file_and_it_does_not_run_and_the_others_do() {
    let (ops, _offers) = accepted(&["acme-unit", "other-unit"]);
    for (extension, at) in [("wasm", 0), ("wasm", 4000), ("toml", 30)] {
        let file = ops.path().join(format!("components/acme-unit.{extension}"));
        let right = fs::read(&file).unwrap();
        let mut wrong = right.clone();
        // In the manifest: a letter of the title, so that it is still one.
        let at = if extension == "toml" { wrong.windows(5).position(|w| w == b"Looks").unwrap() } else { at };
        wrong[at] ^= 1;
        fs::write(&file, &wrong).unwrap();
        // Before it is parsed: the first bytes of a component decide whether it is one.
        assert_refused(&ops, "acme-unit", "E-LOAD-DIGEST");
        let (_, _, cause) = outcome(&ops, "acme-unit");
        assert_eq!(cause.matches("sha256:").count(), 2, "both digests: {cause}");
        assert_runs(&ops, "other-unit");
        assert_eq!(ops.run(&["lock", "verify"]).unwrap().code, 3);
        fs::write(&file, &right).unwrap();
        assert_runs(&ops, "acme-unit");
    }
    // Recorded, and without a run.
    let journal = fs::read_to_string(ops.journal().join("journal.jsonl")).unwrap();
    assert!(journal.matches("\"kind\":\"load-refused\"").count() >= 6);
}

#[test]
fn lk07_another_accepted_components_bytes_are_not_accepted_bytes() {
    let (ops, offers) = accepted(&["acme-unit"]);
    let other = offers.version("acme-unit", "1.0.1", Asks::Status).unwrap();
    let newer = offers.version("acme-unit", "1.1.0", Asks::StatusAndLogs).unwrap();
    assert_eq!(ops.run(&["add", newer.to_str().unwrap()]).unwrap().code, 8);
    for from in [&other, &newer] {
        for extension in ["wasm", "toml"] {
            let place = ops.path().join(format!("components/acme-unit.{extension}"));
            fs::copy(from.with_extension(extension), &place).unwrap();
        }
        assert_refused(&ops, "acme-unit", "E-LOAD-DIGEST");
    }
    // The accepted file, offered again, is restored to its place.
    let right = offers.version("acme-unit", "1.0.0", Asks::Status).unwrap();
    let output = ops.run(&["add", right.to_str().unwrap()]).unwrap();
    assert!(output.code == 0 && output.stdout.contains("back in their place"), "{}{}", output.stdout, output.stderr);
    assert_runs(&ops, "acme-unit");
}

#[test]
fn a_lock_edited_by_hand_accepts_nothing() {
    let (ops, offers) = accepted(&["acme-unit", "other-unit"]);
    let right = lock_text(&ops);
    let line = right.lines().find(|line| line.contains("services.status:nginx")).unwrap();
    let edits = [
        right.replace(line, &format!("{line}\n    \"services.logs:nginx.service\",")),
        right.replacen("who = \"uid", "who = \"Uid", 1),
        right.clone() + "\n",
        right.replacen("[checksum]", "# nothing\n[checksum]", 1),
    ];
    for edited in edits {
        assert_ne!(edited, right);
        ops.write(lock::FILE, edited.as_bytes()).unwrap();
        for id in ["acme-unit", "other-unit"] {
            assert_refused(&ops, id, "its checksum does not match");
        }
        let verify = ops.run(&["lock", "verify"]).unwrap();
        assert_eq!(verify.code, 2, "{}", verify.stdout);
        // No command writes over it: that would make the edit look accepted.
        let more = offers.version("acme-unit", "1.0.1", Asks::Status).unwrap();
        let output = ops.run(&["add", more.to_str().unwrap()]).unwrap();
        assert!(output.code == 2 && output.stderr.contains("restore it from version control"), "{}", output.stderr);
        let output = ops.run(&["revoke", "acme-unit"]).unwrap();
        assert!(output.code == 2 && output.stderr.contains("restore it"), "{}", output.stderr);
        assert_eq!(lock_text(&ops), edited);
    }
    ops.write(lock::FILE, right.as_bytes()).unwrap();
    assert_runs(&ops, "acme-unit");
}

#[test]
fn what_is_not_a_lock_of_this_version_accepts_nothing_and_names_the_next_step() {
    let (ops, _offers) = accepted(&["acme-unit"]);
    let right = lock_text(&ops);
    let conflict = right.replacen("[[component]]", "<<<<<<< HEAD\n[[component]]", 1);
    let newer = right.replacen("bailiwick.lock/1", "bailiwick.lock/2", 1);
    for (text, says) in [
        (conflict, "unresolved git conflict"),
        (newer, "the format `bailiwick.lock/2`"),
        (String::new(), "cannot be read as a lock"),
        ("\0".to_owned(), "cannot be read as a lock"),
        (right[..right.len() / 2].to_owned(), "cannot be read as a lock"),
    ] {
        ops.write(lock::FILE, text.as_bytes()).unwrap();
        assert_refused(&ops, "acme-unit", says);
        let verify = ops.run(&["lock", "verify"]).unwrap();
        assert!(verify.code == 2 && verify.stdout.contains(says), "{}", verify.stdout);
    }
    // Permissions are those of every file that decides what may run.
    ops.write(lock::FILE, right.as_bytes()).unwrap();
    fs::set_permissions(ops.path().join(lock::FILE), PermissionsExt::from_mode(0o664)).unwrap();
    let output = ops.run(&["check"]).unwrap();
    assert!(output.code == 2 && output.stderr.contains("writable by its group"), "{}", output.stderr);
}

#[test]
fn mistakes_in_a_lock_are_shown_where_they_are() {
    let (ops, _offers) = accepted(&["acme-unit"]);
    let right = lock_text(&ops);
    let digest = right.split("\ndigest = \"").nth(1).unwrap().split('"').next().unwrap();
    let mut errors = String::new();
    for (from, to) in [
        (digest, "abc"),
        ("version = \"1.0.0\"", "version = \"one\""),
        ("id = \"acme-unit\"", "id = \"../acme\""),
        ("format =", "surprise = 1\nformat ="),
        ("[[component.grant]]", "[[component.grant]]\nextra = true"),
    ] {
        let source = Source::embedded("bailiwick.lock", &right.replacen(from, to, 1));
        let Err(LockError::Invalid(problems)) = lock::parse(&source) else { panic!("{to}") };
        for problem in problems {
            // The output has digests and times of this run.
            let shown = problem.render(false);
            errors += &format!("{}\n", shown.lines().next().unwrap());
            assert!(shown.contains("bailiwick.lock:") && shown.contains('^'), "{shown}");
        }
    }
    insta::assert_snapshot!(errors);
}

/// Every byte of a lock counts.
#[test]
fn a_changed_byte_never_gives_another_lock() {
    let (ops, _offers) = accepted(&["acme-unit"]);
    let right = lock_text(&ops).into_bytes();
    for at in 0..right.len() {
        for flip in [1, 0x20] {
            let mut bytes = right.clone();
            bytes[at] ^= flip;
            let Ok(text) = String::from_utf8(bytes) else { continue };
            assert!(lock::parse(&Source::embedded("bailiwick.lock", &text)).is_err(), "byte {at} of\n{text}");
        }
    }
    let lock = read_lock(&ops);
    let again = lock::parse(&Source::embedded("bailiwick.lock", &lock::render(&lock))).unwrap();
    assert_eq!(again, lock);
}

#[test]
fn lk14_imports_that_the_lock_does_not_list_are_refused() {
    let (ops, _offers) = accepted(&["acme-unit"]);
    let mut lock = read_lock(&ops);
    let component = lock.components.values_mut().next().unwrap();
    component.facts.imports.retain(|import| !import.contains("services"));
    ops.write(lock::FILE, lock::render(&lock).as_bytes()).unwrap();
    assert_refused(&ops, "acme-unit", "E-LOAD-IMPORT");
}

#[test]
fn lk09_revoked_bytes_stay_blocked_under_any_name() {
    let (ops, offers) = empty(&["acme-unit", "other-thing"]);
    let file = offers.version("acme-unit", "1.0.0", Asks::Status).unwrap();
    let digest = bailiwick_policy::library::digest(&fs::read(&file).unwrap());
    // Before it is added.
    assert_eq!(ops.run(&["revoke", &format!("sha256:{digest}"), "--why", "in the news"]).unwrap().code, 0);
    let renamed = offers.path().join("other-thing.wasm");
    fs::copy(&file, &renamed).unwrap();
    let manifest = fs::read_to_string(file.with_extension("toml")).unwrap();
    fs::write(renamed.with_extension("toml"), manifest.replace("acme-unit", "other-thing")).unwrap();
    for offered in [&file, &renamed] {
        let output = ops.run(&["add", offered.to_str().unwrap()]).unwrap();
        assert!(
            output.code == 3 && output.stderr.contains("E-LOAD-REVOKED") && output.stderr.contains("in the news"),
            "{}",
            output.stderr
        );
    }
    assert_eq!(ops.run(&["revoke", "no-such"]).unwrap().code, 2);
    assert_eq!(ops.run(&["revoke", "--undo", &digest]).unwrap().code, 0);
    assert_eq!(ops.run(&["revoke", "--undo", &digest]).unwrap().code, 2);
    add(&ops, &file);
    // An acceptance from before a revocation does not count after it.
    let old = accept_of(&{
        let (fresh, _) = empty(&["acme-unit", "other-thing"]);
        fresh.run(&["add", file.to_str().unwrap()]).unwrap()
    });
    let next = offers.version("acme-unit", "1.0.1", Asks::Status).unwrap();
    assert_eq!(ops.run(&["add", next.to_str().unwrap()]).unwrap().code, 0);
    assert_eq!(ops.run(&["revoke", "acme-unit"]).unwrap().code, 0);
    let output = ops.run(&["add", file.to_str().unwrap(), "--accept", &old]).unwrap();
    assert!(output.code == 8 && output.stdout.contains("REVOKED before: 1.0.1"), "{}{}", output.stdout, output.stderr);
}

#[test]
fn lk18_an_id_that_resembles_another_has_to_be_confirmed() {
    let (ops, offers) = accepted(&["postgres-health"]);
    for (id, other) in
        [("postgres-hea1th", "postgres-health"), ("postgreshealth", "postgres-health"), ("memmory", "memory")]
    {
        let file = offers.version(id, "1.0.0", Asks::Status).unwrap();
        let file = file.to_str().unwrap();
        let output = ops.run(&["add", file]).unwrap();
        let hint = format!("--not-a-look-alike {other}");
        assert!(output.code == 3 && output.stderr.contains(&hint), "{}{}", output.stdout, output.stderr);
        let output = ops.run(&["add", file, "--not-a-look-alike", other]).unwrap();
        assert!(
            output.code == 8 && output.stdout.contains("policy grants it on no target"),
            "{}{}",
            output.stdout,
            output.stderr
        );
    }
    // The other script is not an id at all, and a built-in one's name is taken.
    let cyrillic = offers.version("postgres-x", "1.0.0", Asks::Status).unwrap();
    let manifest = fs::read_to_string(cyrillic.with_extension("toml")).unwrap();
    fs::write(cyrillic.with_extension("toml"), manifest.replace("postgres-x", "pоstgres-health")).unwrap();
    assert_eq!(ops.run(&["add", cyrillic.to_str().unwrap()]).unwrap().code, 2);
    let memory = offers.version("memory", "9.0.0", Asks::Status).unwrap();
    let output = ops.run(&["add", memory.to_str().unwrap()]).unwrap();
    assert!(output.code == 2 && output.stderr.contains("built-in component `memory`"), "{}", output.stderr);
}

#[test]
fn fs16_an_id_is_not_a_path() {
    let (ops, offers) = empty(&["acme-unit"]);
    for id in ["../../x", "/etc/x", "..", "a/b", "CON", "a.b", ""] {
        let file = offers.version("acme-unit", "1.0.0", Asks::Status).unwrap();
        let manifest = fs::read_to_string(file.with_extension("toml")).unwrap();
        fs::write(file.with_extension("toml"), manifest.replace("id = \"acme-unit\"", &format!("id = {id:?}")))
            .unwrap();
        let output = ops.run(&["add", file.to_str().unwrap()]).unwrap();
        assert!(
            output.code == 2 && output.stderr.contains("is not a component's id"),
            "{id}: {}{}",
            output.stdout,
            output.stderr
        );
        assert_eq!(ops.run(&["approve", id]).unwrap().code, 2);
    }
    assert!(!ops.path().join("components").exists());
}

#[test]
fn tx07_an_authors_words_cannot_pass_for_ours() {
    let (ops, offers) = empty(&["acme-unit"]);
    let file = offers.version("acme-unit", "1.0.0", Asks::Status).unwrap();
    let manifest = fs::read_to_string(file.with_extension("toml")).unwrap();
    let forged = "accepted acme-unit 1.0.0 on 2 targets - signer alice@example.org - on web01, web02: 0 actions, and nothing else - To accept exactly this: bailiwick add x --accept sha256:none";
    let manifest = manifest.replace("Looks after a unit", &forged[..120]).replace("is it up", forged);
    fs::write(file.with_extension("toml"), manifest).unwrap();
    let page = ops.run(&["add", file.to_str().unwrap()]).unwrap().stdout;
    let ours = ["acme-unit 1.0.0, from ", "  ", "on here: 1 action, and nothing else", "To accept exactly this:"];
    for line in page.lines().filter(|line| !line.is_empty()) {
        assert!(ours.iter().any(|ours| line.starts_with(ours)), "{line:?} in\n{page}");
        let author = line.trim_start().starts_with("| ");
        let words = ["accepted acme-unit", "alice@example.org", "0 actions", "accept sha256:none"];
        assert!(author || !words.iter().any(|word| line.contains(word)), "{line:?} is not behind a bar");
    }
    // The digest that a script takes from the page is ours.
    assert_eq!(page.lines().filter(|line| line.starts_with("  bailiwick add ")).count(), 1);
}

#[test]
fn what_was_shown_is_what_is_accepted() {
    let (ops, offers) = empty(&["acme-unit"]);
    let file = offers.version("acme-unit", "1.0.0", Asks::Status).unwrap();
    let path = file.to_str().unwrap();
    let digest = accept_of(&ops.run(&["add", path]).unwrap());
    let stale = |ops: &Ops| {
        let output = ops.run(&["add", path, "--accept", &digest]).unwrap();
        assert!(
            output.code == 8 && output.stderr.contains("is not the digest of the list above"),
            "{}{}",
            output.stdout,
            output.stderr
        );
        assert!(!ops.path().join(lock::FILE).exists());
    };
    // Policy has changed since, in a binding, in a setting, in where it runs.
    let right = fs::read_to_string(ops.path().join("policy.toml")).unwrap();
    for changed in [
        right.replace("nginx.service", "ssh.service"),
        right.replacen("bind.unit", "param.warn-restarts = 9.0\nbind.unit", 1),
    ] {
        ops.write("policy.toml", changed.as_bytes()).unwrap();
        stale(&ops);
    }
    ops.write("policy.toml", right.as_bytes()).unwrap();
    // The file has changed.
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, bailiwick_tests::offer::other_bytes(&bytes, "x")).unwrap();
    stale(&ops);
    fs::write(&file, bytes).unwrap();
    assert_eq!(ops.run(&["add", path, "--accept", &digest]).unwrap().code, 0);
}

#[test]
fn a_folder_is_added_in_one_go_and_each_is_asked_for() {
    let (ops, offers) = empty(&["acme-unit", "other-thing"]);
    let folder = offers.path().join("dist");
    fs::create_dir(&folder).unwrap();
    for id in ["acme-unit", "other-thing"] {
        let file = offers.version(id, "1.0.0", Asks::Status).unwrap();
        for extension in ["wasm", "toml"] {
            fs::copy(file.with_extension(extension), folder.join(format!("{id}.{extension}"))).unwrap();
        }
    }
    let path = folder.to_str().unwrap();
    let page = ops.run(&["add", path]).unwrap();
    let digests: Vec<_> = page.stdout.split("--accept ").skip(1).map(|rest| rest.lines().next().unwrap()).collect();
    assert_eq!((page.code, digests.len()), (8, 2));
    // One digest accepts one component.
    let one = ops.run(&["add", path, "--accept", digests[0]]).unwrap();
    assert_eq!((one.code, read_lock(&ops).components.len()), (8, 1), "{}{}", one.stdout, one.stderr);
    assert_eq!(ops.run(&["add", path, "--accept", digests[1]]).unwrap().code, 0);
    assert_eq!(read_lock(&ops).components.len(), 2);
    assert_eq!(ops.run(&["add", offers.path().join("nothing").to_str().unwrap()]).unwrap().code, 2);
}

/// A name that would forge the page: a line of ours, and what follows it hidden.
const FORGED: &str = "acme-unit\n  signer   alice\u{1b}[8m";

/// Nothing that controls a terminal and no line that is not ours.
#[track_caller]
fn assert_harmless(output: &Completed) {
    for out in [&output.stdout, &output.stderr] {
        assert!(!out.chars().any(|c| c.is_control() && c != '\n'), "{out:?}");
        assert!(!out.lines().any(|line| line.starts_with("  signer   alice")), "{out}");
    }
    assert!(output.stderr.contains("\\n  signer   alice\\x1b[8m"), "{}{}", output.stdout, output.stderr);
}

#[test]
fn tx01_tx07_the_name_of_a_file_cannot_forge_output() {
    let (ops, offers) = empty(&["acme-unit"]);
    let right = offers.version("acme-unit", "1.0.0", Asks::Status).unwrap();
    let folder = offers.path().join("offered");
    fs::create_dir(&folder).unwrap();
    let forged = folder.join(format!("{FORGED}.wasm"));
    for extension in ["wasm", "toml"] {
        fs::copy(right.with_extension(extension), forged.with_extension(extension)).unwrap();
    }
    for path in [&forged, &folder] {
        let output = ops.run(&["add", path.to_str().unwrap()]).unwrap();
        assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{}", output.stderr);
        assert_harmless(&output);
    }
    // Any plain name is fine for one that is named, and only an id in a folder.
    fs::rename(&forged, folder.join("My own.wasm")).unwrap();
    fs::rename(forged.with_extension("toml"), folder.join("My own.toml")).unwrap();
    let output = ops.run(&["add", folder.join("My own.wasm").to_str().unwrap()]).unwrap();
    assert!(output.code == 8 && output.stdout.contains("My own.wasm"), "{}{}", output.stdout, output.stderr);
    let output = ops.run(&["add", folder.to_str().unwrap()]).unwrap();
    assert!(output.code == 2 && output.stderr.contains("must be named ID.wasm"), "{}{}", output.stdout, output.stderr);
    // The folder itself may be called anything, and is shown as what it is.
    let strange = offers.path().join(FORGED);
    fs::create_dir(&strange).unwrap();
    let add = ops.run(&["add", strange.to_str().unwrap()]).unwrap();
    assert_eq!(add.code, 2);
    assert_harmless(&add);
    fs::write(strange.join("fleet.toml"), "mistake = \"\u{202e}\"\n").unwrap();
    fs::write(strange.join("policy.toml"), "").unwrap();
    let mut doctor = bailiwick(PROGRAM);
    let doctor = doctor.args(["doctor", "--dir"]).arg(&strange).env("HOME", offers.path()).output().unwrap();
    let all = String::from_utf8_lossy(&doctor.stdout).into_owned() + &String::from_utf8_lossy(&doctor.stderr);
    assert!(!all.chars().any(|c| c.is_control() && c != '\n'), "{all:?}");
    assert!(all.contains("alice\\x1b[8m") && !all.lines().any(|line| line.starts_with("  signer   alice")), "{all}");
}

/// A project with a case, which does not have to pass.
fn project(ops: &Ops, offers: &Offers) -> PathBuf {
    let file = offers.version("acme-unit", "1.0.0", Asks::Status).unwrap();
    let folder = file.parent().unwrap().to_owned();
    fs::rename(file.with_extension("toml"), folder.join("manifest.toml")).unwrap();
    fs::create_dir(folder.join("cases")).unwrap();
    fs::write(ops.path().join("secret"), "hunter2 hunter2\n").unwrap();
    folder
}

#[test]
fn tx07_tx10_a_project_leads_to_nothing_outside_of_it() {
    let (ops, offers) = empty(&["acme-unit"]);
    let folder = project(&ops, &offers);
    let secret = ops.path().join("secret");
    let link = |at: &Path| std::os::unix::fs::symlink(&secret, at).unwrap();
    let refused = |args: &[&str]| {
        let output = ops.run(args).unwrap();
        let all = output.stdout.clone() + &output.stderr;
        assert!(output.code == 2 && all.contains("is a symbolic link") && !all.contains("hunter2"), "{args:?}: {all}");
    };
    let path = folder.to_str().unwrap();
    fs::write(folder.join(format!("cases/{FORGED}.toml")), "").unwrap();
    let output = ops.run(&["test", path]).unwrap();
    assert_eq!(output.code, 2);
    assert_harmless(&output);
    fs::remove_dir_all(folder.join("cases")).unwrap();
    // A case, the folder of the cases, the manifest, and the one beside a component.
    fs::create_dir(folder.join("cases")).unwrap();
    link(&folder.join("cases/env.toml"));
    refused(&["test", path]);
    fs::remove_dir_all(folder.join("cases")).unwrap();
    std::os::unix::fs::symlink(ops.path(), folder.join("cases")).unwrap();
    refused(&["test", path]);
    let manifest = folder.join("manifest.toml");
    fs::remove_file(&manifest).unwrap();
    link(&manifest);
    refused(&["test", path]);
    refused(&["wit", "--manifest", manifest.to_str().unwrap()]);
    link(&folder.join("acme-unit.toml"));
    for command in ["add", "test", "inspect"] {
        refused(&[command, folder.join("acme-unit.wasm").to_str().unwrap()]);
    }
}

#[test]
fn fs_what_is_staged_is_a_file_of_ours_or_is_not_opened() {
    let (ops, _offers) = accepted(&["acme-unit"]);
    let staged = ops.path().join("components/.staged");
    let fifo = |at: &Path| assert!(std::process::Command::new("mkfifo").arg(at).status().unwrap().success());
    // The lock does not name it: it is not opened.
    for make in [&fifo as &dyn Fn(&Path), &|at| std::os::unix::fs::symlink("/dev/zero", at).unwrap()] {
        fs::create_dir(&staged).unwrap();
        make(&staged.join("unknown.wasm"));
        assert_runs(&ops, "acme-unit");
        assert!(!staged.exists());
        // It does: it is reported, and nothing blocks.
        fs::create_dir(&staged).unwrap();
        make(&staged.join("acme-unit.wasm"));
        let output = ops.run(&["lock"]).unwrap();
        let check = ops.run(&["review"]).unwrap();
        let all = output.stderr + &check.stderr;
        assert!(all.contains("is not a regular file") || all.contains("is a symbolic link"), "{all}");
        fs::remove_dir_all(&staged).unwrap();
    }
    // Another user's folder is neither used nor emptied.
    let other = ops.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("kept"), "").unwrap();
    std::os::unix::fs::symlink(&other, &staged).unwrap();
    let output = ops.run(&["review"]).unwrap();
    assert!(output.stderr.contains("is a symbolic link"), "{}", output.stderr);
    assert!(other.join("kept").exists() && staged.is_symlink());
}

#[test]
fn fs_the_contract_is_not_written_to_a_linked_folder_and_does_not_block() {
    let (ops, offers) = empty(&["acme-unit"]);
    let folder = project(&ops, &offers);
    let manifest = folder.join("manifest.toml");
    let other = ops.path().join("other");
    fs::create_dir(&other).unwrap();
    let wit = folder.join("wit");
    std::os::unix::fs::symlink(&other, &wit).unwrap();
    let run = |says: &str| {
        let output = ops.run(&["wit", "--manifest", manifest.to_str().unwrap()]).unwrap();
        assert!(output.code == 2 && output.stderr.contains(says), "{}{}", output.stdout, output.stderr);
    };
    run("is a symbolic link");
    assert_eq!(fs::read_dir(&other).unwrap().count(), 0);
    fs::remove_file(&wit).unwrap();
    fs::create_dir(&wit).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(wit.join("a.wit")).status().unwrap().success());
    run("is not a regular file");
}
