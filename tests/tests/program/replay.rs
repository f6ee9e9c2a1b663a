//! Replay: a recorded run gives the identical report again, or the first difference is named; and a run that cannot be
//! replayed has a reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bailiwick_core::model::Tainted;
use bailiwick_core::outcome::{Call, DigestVersion, Run, RunOutcome};
use bailiwick_journal::{Blob, Entry, Journal, Outcome, Reader, RunEnd, RunStart, Sha};
use bailiwick_tests::ops::Ops;
use serde_json::Value;

use crate::PROGRAM;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// This machine alone, with these grants.
fn local(policy: &str) -> Ops {
    let ops = Ops::new(PROGRAM, &[], &[], policy).unwrap();
    ops.write("fleet.toml", b"[targets.here]\nlocal = true\n").unwrap();
    ops
}

fn replayed(ops: &Ops, args: &[&str]) -> (i32, Value) {
    let output = ops.run(&[&["replay", "--format", "json"], args].concat()).unwrap();
    let value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}{}", output.stdout, output.stderr));
    (output.code, value)
}

fn results(value: &Value) -> Vec<(String, &Value)> {
    let runs = value["runs"].as_array().unwrap();
    runs.iter().map(|run| (run["component"].as_str().unwrap().to_owned(), &run["result"])).collect()
}

fn result<'v>(value: &'v Value, component: &str) -> &'v Value {
    results(value).into_iter().find(|(found, _)| found == component).map(|(_, result)| result).unwrap()
}

/// Writes the journal anew, with another chain, each entry as `edit` leaves it: as an attacker does who can write it.
fn rewrite(ops: &Ops, edit: impl Fn(&mut Entry)) {
    let (old, new) = (ops.journal(), ops.path().join("new"));
    let (journal, _) = Journal::open(&new, Duration::ZERO).unwrap();
    for record in Reader::open(&old).unwrap().skip(1) {
        let mut entry = record.unwrap().entry;
        edit(&mut entry);
        journal.append(entry).unwrap();
    }
    drop(journal);
    for name in ["journal.jsonl", "head"] {
        fs::copy(new.join(name), old.join(name)).unwrap();
    }
    fs::remove_dir_all(new).unwrap();
}

/// The file of a piece of evidence.
fn piece(ops: &Ops, sha: &str) -> PathBuf {
    ops.journal().join(format!("evidence/{}/{sha}.zst", &sha[..2]))
}

/// Digests of the answers that are beside the journal.
fn kept(ops: &Ops) -> Vec<String> {
    let outcomes = Reader::open(&ops.journal()).unwrap().filter_map(|record| match record.unwrap().entry {
        Entry::Outcome { outcome: Outcome::Answer { stdout: Blob::Evidence { sha256, .. }, .. }, .. } => {
            Some(sha256.to_string())
        }
        _ => None,
    });
    outcomes.collect()
}

#[test]
fn jr01_an_answer_that_was_altered_is_named() {
    // Whenever this machine was booted, only its words differ.
    let ops = local(
        "[[grant]]\ncomponent = [\"filesystems\", \"memory\"]\non = [\"here\"]\n\
         [[grant]]\ncomponent = \"uptime\"\non = [\"here\"]\nparam.recent-hours = 0\n",
    );
    let (_, sweep) = ops.check(&[]).unwrap();
    assert_eq!(replayed(&ops, &["--last"]).0, 0, "{sweep:#}");

    // In the entry: the chain is broken from there on, and what stands before it is still replayed.
    let path = ops.journal().join("journal.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, whole.replacen("/proc/uptime:", "/proc/uptimf:", 1)).unwrap();
    let output = ops.run(&["replay", "--last"]).unwrap();
    assert!(
        output.code == 4 && output.stderr.contains("does not match its hash"),
        "{}{}",
        output.stdout,
        output.stderr
    );
    fs::write(&path, &whole).unwrap();

    // With a new chain: the component gets another answer.
    rewrite(&ops, |entry| {
        if let Entry::Outcome { outcome: Outcome::Answer { stdout: Blob::Inline(text), .. }, .. } = entry {
            let uptime = String::from_utf8(text.clone()).unwrap();
            if let Some(rest) = uptime.strip_prefix("/proc/uptime:") {
                *text = format!("/proc/uptime:9{rest}").into_bytes();
            }
        }
    });
    let (code, value) = replayed(&ops, &["--last"]);
    assert_eq!(code, 7, "{value:#}");
    assert_eq!(result(&value, "uptime")["place"], "finding 1, title");
    assert_eq!(result(&value, "memory")["kind"], "identical");

    // Beside the journal: named by call and digest, and nothing is run on it.
    let evidence = kept(&ops);
    let file = piece(&ops, evidence.first().expect("an answer of more than 1 KiB"));
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    for (damage, message) in [(Some(&whole[..9]), "is cut"), (Some(&b"never"[..]), "was altered"), (None, "is missing")]
    {
        match damage {
            Some(bytes) => fs::write(&file, bytes).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let (code, value) = replayed(&ops, &["--last"]);
        let shown = value.to_string();
        assert!(code == 7 && shown.contains(message) && shown.contains("call 1, "), "{message}: {value:#}");
    }
    let other = bailiwick_journal::Evidence::beside(&ops.journal()).put(b"an answer that was not given").unwrap();
    fs::copy(piece(&ops, other.as_str()), &file).unwrap();
    let (code, value) = replayed(&ops, &["--last"]);
    assert!(code == 7 && value.to_string().contains("was altered"), "{value:#}");
}

#[test]
fn a_component_that_was_replaced_is_still_replayed_and_one_that_is_gone_is_reported() {
    let ops = local("[[grant]]\ncomponent = \"ours\"\non = [\"here\"]\n");
    let read = |id: &str, extension: &str| fs::read(root().join(format!("probes/dist/{id}.{extension}"))).unwrap();
    let manifest = String::from_utf8(read("uptime", "toml")).unwrap().replacen("\"uptime\"", "\"ours\"", 1);
    let uptime = read("uptime", "wasm");
    // One that is not built in: an unused section makes it another component.
    let first = [&uptime[..], &[0, 2, 1, b'a']].concat();
    ops.install("ours", &first, manifest.as_bytes()).unwrap();
    ops.accept().unwrap();
    ops.check(&[]).unwrap();
    ops.install("ours", &uptime, manifest.as_bytes()).unwrap();
    let (code, value) = replayed(&ops, &["--last"]);
    assert_eq!((code, result(&value, "ours")["kind"].as_str()), (0, Some("identical")), "{value:#}");

    let sha = Sha::digest(&first);
    let file = piece(&ops, sha.as_str());
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..100]).unwrap();
    let cause = |value: &Value| result(value, "ours")["cause"].as_str().unwrap().to_owned();
    let (code, value) = replayed(&ops, &["--last"]);
    assert_eq!((code, cause(&value)), (4, format!("its component: evidence {sha} is cut")));
    fs::remove_file(&file).unwrap();
    let (code, value) = replayed(&ops, &["--last"]);
    assert_eq!((code, cause(&value)), (4, format!("its component: evidence {sha} is missing")));
    // Whatever it is called there.
    ops.write("components/older.wasm", &first).unwrap();
    assert_eq!(replayed(&ops, &["--last"]).0, 0);

    // A journal of an older program kept none.
    fs::remove_file(ops.path().join("components/older.wasm")).unwrap();
    rewrite(&ops, |entry| {
        if let Entry::RunStarted(RunStart { kept_bytes, .. }) = entry {
            *kept_bytes = None;
        }
    });
    let (code, value) = replayed(&ops, &["--last"]);
    assert!(code == 4 && cause(&value).contains("is gone: it is not built in"), "{value:#}");
}

#[test]
fn another_version_is_compared_with_what_was_reported() {
    let ops = local("[[grant]]\ncomponent = [\"uptime\", \"filesystems\"]\non = [\"here\"]\n");
    ops.check(&[]).unwrap();
    ops.check(&[]).unwrap();
    let new = root().join("probes/dist/uptime.wasm");
    let new = new.to_str().unwrap();
    let (code, value) = replayed(&ops, &["--component", "uptime", "--since", "2026-01-01", "--with", new]);
    assert_eq!((code, &value["summary"]["identical"]), (0, &Value::from(2)), "{value:#}");
    let (code, value) = replayed(&ops, &["--last", "--with", new]);
    assert_eq!((code, &value["summary"]["runs"]), (0, &Value::from(1)), "runs of others are not its own");

    // A version that asks for something else: another probe under its name.
    let memory = root().join("probes/dist/memory");
    let manifest = fs::read_to_string(memory.with_extension("toml")).unwrap();
    ops.write("uptime.toml", manifest.replacen("\"memory\"", "\"uptime\"", 1).as_bytes()).unwrap();
    ops.write("uptime.wasm", &fs::read(memory.with_extension("wasm")).unwrap()).unwrap();
    let other = ops.path().join("uptime.wasm");
    let (code, value) = replayed(&ops, &["--last", "--with", other.to_str().unwrap()]);
    let run = result(&value, "uptime");
    assert_eq!((code, run["kind"].as_str()), (7, Some("said")), "{value:#}");
    assert_eq!(run["unanswered"], serde_json::json!(["system.memory"]), "{value:#}");
    let shown = ops.run(&["replay", "--last", "--with", other.to_str().unwrap()]).unwrap().stdout;
    assert!(shown.contains("no answer is recorded to system.memory") && shown.contains("\n        - "), "{shown}");
    // It also gets what another component of the sweep got on the same target.
    let ops = local("[[grant]]\ncomponent = [\"uptime\", \"memory\"]\non = [\"here\"]\n");
    ops.check(&[]).unwrap();
    let (_, value) = replayed(&ops, &["--last", "--with", other.to_str().unwrap()]);
    assert_eq!(result(&value, "uptime")["unanswered"], serde_json::json!([]), "{value:#}");
}

#[test]
fn a_journal_of_the_first_format_is_read_verified_replayed_and_gone_on_with() {
    let sample = root().join("tests/journals/v1");
    let ops = local("[[grant]]\ncomponent = \"uptime\"\non = [\"here\"]\n");
    fs::create_dir_all(ops.journal()).unwrap();
    for name in ["journal.jsonl", "head"] {
        fs::copy(sample.join(name), ops.journal().join(name)).unwrap();
    }
    for component in fs::read_dir(sample.join("components")).unwrap() {
        let path = component.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        // As a user keeps them: under other names.
        ops.write(&format!("components/then-{name}"), &fs::read(&path).unwrap()).unwrap();
    }
    for (number, code, summary) in [
        ("2", 0, "6 runs: 6 identical, 0 differ, 0 not replayed"),
        ("25", 0, "6 runs: 6 identical, 0 differ, 0 not replayed"),
        ("49", 0, "1 run: 1 identical, 0 differ, 0 not replayed"),
        ("64", 4, "2 runs: 0 identical, 0 differ, 2 not replayed"),
        ("70", 0, "1 run: 1 identical, 0 differ, 0 not replayed"),
    ] {
        let output = ops.run(&["replay", number]).unwrap();
        assert!(output.code == code && output.stdout.contains(summary), "{number}: {}{}", output.stdout, output.stderr);
    }
    // No component of an ops directory is without a manifest: it is not read, and the journal is verified all the same.
    for (args, code) in [(&["journal", "verify"][..], 4), (&["journal", "verify", "--offline"], 0)] {
        let verified = ops.run(args).unwrap();
        assert!(
            verified.code == code && verified.stdout.contains("entries 1 to 75: hash chain intact"),
            "{}",
            verified.stdout
        );
        assert_eq!(verified.stdout.contains("NOT COMPARED: anchor of policy: "), code == 4, "{}", verified.stdout);
    }
    let listed = ops.run(&["journal", "list"]).unwrap().stdout;
    assert_eq!((listed.lines().count(), listed.matches("did not end").count()), (18, 2), "{listed}");
    assert!(ops.run(&["journal", "show", "28"]).unwrap().stdout.contains("Mounted on"));
    fs::remove_dir_all(ops.path().join("components")).unwrap();

    is_gone_on_with(&ops, &sample, 76);
}

/// The journal continues in place, and one entry records it.
fn is_gone_on_with(ops: &Ops, sample: &Path, next: u32) {
    ops.check(&[]).unwrap();
    ops.check(&[]).unwrap();
    let text = fs::read_to_string(ops.journal().join("journal.jsonl")).unwrap();
    assert!(text.starts_with(&fs::read_to_string(sample.join("journal.jsonl")).unwrap()), "what was there is there");
    let formats: Vec<_> = text.lines().filter(|line| line.contains("\"kind\":\"journal\"")).collect();
    assert_eq!(formats.len(), 2, "{formats:?}");
    let seq = format!("\"seq\":{next},");
    assert!(formats[1].contains(&seq) && formats[1].contains(bailiwick_journal::FORMAT), "{formats:?}");
    assert_eq!(ops.run(&["journal", "verify"]).unwrap().code, 0);
    assert_eq!(ops.run(&["replay", "--last"]).unwrap().code, 0);
}

#[test]
fn a_journal_of_the_second_format_is_read_verified_replayed_and_gone_on_with() {
    let sample = root().join("tests/journals/v2");
    let ops = local("[[grant]]\ncomponent = \"uptime\"\non = [\"here\"]\n");
    copy(&sample, &ops.journal());
    for sweep in ["2", "12"] {
        let output = ops.run(&["replay", sweep]).unwrap();
        let summary = "2 runs: 2 identical, 0 differ, 0 not replayed";
        assert!(output.code == 0 && output.stdout.contains(summary), "{sweep}: {}{}", output.stdout, output.stderr);
    }
    let verified = ops.run(&["journal", "verify", "--offline"]).unwrap();
    assert!(
        verified.code == 0 && verified.stdout.contains("entries 1 to 21: hash chain intact"),
        "{}",
        verified.stdout
    );
    assert!(verified.stdout.contains("4 evidence files unchanged"), "{}", verified.stdout);
    // Its digests are of the first version, and each is the one in the journal.
    assert_eq!(reports(&ops, "2"), named_in(&sample, 2));
    is_gone_on_with(&ops, &sample, 22);
}

/// The digests that a replay of a sweep reports.
fn reports(ops: &Ops, sweep: &str) -> BTreeSet<String> {
    let (_, value) = replayed(ops, &[sweep]);
    results(&value).iter().map(|(_, result)| result["report"].as_str().unwrap().to_owned()).collect()
}

/// The digests that a sample names for the runs of a sweep.
fn named_in(sample: &Path, sweep: u64) -> BTreeSet<String> {
    let entries = || Reader::open(sample).unwrap().map(Result::unwrap);
    let of_sweep =
        |entry: &Entry| matches!(entry, Entry::RunStarted(RunStart { sweep: started_in, .. }) if *started_in == sweep);
    let runs: BTreeSet<u64> = entries().filter(|record| of_sweep(&record.entry)).map(|record| record.seq).collect();
    let named = entries().filter_map(|record| match record.entry {
        Entry::RunEnded { run, report: Some(sha), report_v2: None, .. } if runs.contains(&run) => Some(sha.to_string()),
        _ => None,
    });
    named.collect()
}

/// The format of today, with the report digests that came first.
#[test]
fn a_journal_of_the_third_format_is_read_verified_replayed_and_gone_on_with() {
    let sample = root().join("tests/journals/v3");
    let ops = local("[[grant]]\ncomponent = \"uptime\"\non = [\"here\"]\n");
    copy(&sample, &ops.journal());
    for (sweep, summary) in [
        ("2", "5 runs: 5 identical, 0 differ, 0 not replayed"),
        ("22", "5 runs: 5 identical, 0 differ, 0 not replayed"),
        ("42", "1 run: 1 identical, 0 differ, 0 not replayed"),
    ] {
        let output = ops.run(&["replay", sweep]).unwrap();
        assert!(output.code == 0 && output.stdout.contains(summary), "{sweep}: {}{}", output.stdout, output.stderr);
    }
    let verified = ops.run(&["journal", "verify", "--offline"]).unwrap();
    assert!(
        verified.code == 0 && verified.stdout.contains("entries 1 to 47: hash chain intact"),
        "{}",
        verified.stdout
    );
    assert!(verified.stdout.contains("8 evidence files unchanged"), "{}", verified.stdout);
    for sweep in [2, 22, 42] {
        assert_eq!(reports(&ops, &sweep.to_string()), named_in(&sample, sweep));
    }
    ops.check(&[]).unwrap();
    let text = fs::read_to_string(ops.journal().join("journal.jsonl")).unwrap();
    assert!(text.starts_with(&fs::read_to_string(sample.join("journal.jsonl")).unwrap()), "what was there is there");
    assert_eq!(ops.run(&["journal", "verify"]).unwrap().code, 0);
    assert_eq!(ops.run(&["replay", "--last"]).unwrap().code, 0);
}

/// Rewords every cause in the journal.
fn sets_cause(ops: &Ops, words: &str) {
    rewrite(ops, |entry| {
        if let Entry::Outcome { outcome: Outcome::Failed { cause, .. }, .. } = entry {
            *cause = words.to_owned();
        }
    });
}

#[test]
fn a_sentence_of_the_host_is_not_part_of_a_report_except_in_its_first_version() {
    let ops = local(
        "[[grant]]\ncomponent = \"command-exit\"\non = [\"here\"]\nbind.command = \"loud\"\n\
         [command.loud]\nargv = [\"/usr/bin/head\", \"-c\", \"300000\", \"/dev/zero\"]\neffect = \"observe\"\n\
         why = \"it prints more than a command may\"\n",
    );
    let (_, sweep) = ops.check(&[]).unwrap();
    let entries: Vec<Entry> = Reader::open(&ops.journal()).unwrap().map(|record| record.unwrap().entry).collect();
    let failed = entries.iter().find_map(|entry| match entry {
        Entry::Outcome { outcome: Outcome::Failed { error, cause }, .. } => Some((*error, cause.clone())),
        _ => None,
    });
    let (error, cause) = failed.expect("an action without an answer");
    let ended = entries.iter().find_map(|entry| match entry {
        Entry::RunEnded { end: RunEnd::CouldNotCheck { reason, error }, report, report_v2, .. } => Some((
            RunOutcome::CouldNotCheck { reason: reason.clone(), error: *error },
            report.clone(),
            report_v2.clone(),
        )),
        _ => None,
    });
    let (outcome, v1, v2) = ended.expect("a run that could not check");
    assert_eq!(v1, None);
    let run = &sweep["targets"][0]["result"]["runs"][0];
    assert_eq!(run["report_sha256"], v2.as_ref().unwrap().as_str());

    // In other words, it is the same report.
    let identical = |ops: &Ops| {
        let (code, value) = replayed(ops, &["--last"]);
        let result = result(&value, "command-exit");
        assert_eq!((code, result["kind"].as_str()), (0, Some("identical")), "{value:#}");
        result["report"].as_str().unwrap().to_owned()
    };
    assert_eq!(identical(&ops), v2.as_ref().unwrap().as_str());
    sets_cause(&ops, "other words");
    assert_eq!(identical(&ops), v2.unwrap().as_str());

    // As an older program wrote it: its digest is computed from what was recorded then, not from today's words.
    let (component, version, action) = entries
        .iter()
        .find_map(|entry| match entry {
            Entry::RunStarted(RunStart { component, version, first, .. }) => {
                Some((component.clone(), version.clone(), first.actions[0].action.clone()))
            }
            _ => None,
        })
        .unwrap();
    let asked = Tainted::new("commands.run(command)");
    let call = Call {
        target: None,
        action: Some(action),
        asked,
        error: Some(error),
        cause: None,
        redacted: Default::default(),
    };
    let calls = vec![Call { cause: Some("worded by an older program".to_owned()), ..call }];
    let older = Run { id: String::new(), component, version, outcome, calls, elapsed_ms: 0 };
    let v1 = older.digest_as(DigestVersion::V1);
    rewrite(&ops, |entry| {
        if let Entry::RunEnded { report, report_v2, .. } = entry {
            (*report, *report_v2) = (Some(Sha::try_from(v1.clone()).unwrap()), None);
        }
    });
    sets_cause(&ops, "worded by an older program");
    assert_eq!(identical(&ops), v1);
    sets_cause(&ops, &cause);
    let (code, value) = replayed(&ops, &["--last"]);
    assert_eq!((code, result(&value, "command-exit")["kind"].as_str()), (7, Some("differs")), "{value:#}");
}

/// All of a folder that is of the journal.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else if path.extension().is_none_or(|extension| extension != "md" && extension != "toml") {
            fs::copy(&path, &to).unwrap();
        }
    }
}

#[test]
fn jr11_a_journal_from_another_person_is_read_and_run_as_it_is_live() {
    let ops = local("[[grant]]\ncomponent = \"uptime\"\non = [\"here\"]\n");
    ops.check(&[]).unwrap();
    let whole = fs::read(ops.journal().join("journal.jsonl")).unwrap();
    let head = fs::read(ops.journal().join("head")).unwrap();
    let restore = || {
        fs::write(ops.journal().join("journal.jsonl"), &whole).unwrap();
        fs::write(ops.journal().join("head"), &head).unwrap();
    };
    // A path for a digest.
    for name in ["../../../etc/passwd", "/etc/passwd", "", &"A".repeat(64)] {
        rewrite(&ops, |entry| {
            if let Entry::RunStarted(RunStart { digest, .. }) = entry {
                *digest = name.to_owned();
            }
        });
        let (code, value) = replayed(&ops, &["--last"]);
        assert!(code == 4 && value.to_string().contains("not a SHA-256"), "{value:#}");
        restore();
    }
    // Text that controls a terminal.
    rewrite(&ops, |entry| match entry {
        Entry::RunStarted(RunStart { version, .. }) => *version = "1\u{1b}[2J\u{202e}".to_owned(),
        Entry::RunEnded { report_v2, .. } => *report_v2 = None,
        _ => {}
    });
    let output = ops.run(&["replay", "--last"]).unwrap();
    assert!(
        output.stdout.contains("\\x1b[2J") && !output.stdout.contains(['\u{1b}', '\u{202e}']),
        "{:?}",
        output.stdout
    );
    restore();
    // Limits beyond any that a policy could set, and answers to requests that were not made.
    rewrite(&ops, |entry| {
        if let Entry::RunStarted(RunStart { limits, .. }) = entry {
            limits.extend([("memory-bytes".to_owned(), u64::MAX), ("no-such-limit".to_owned(), 1)]);
        }
    });
    assert_eq!(ops.run(&["replay", "--last"]).unwrap().code, 0);
    restore();
    // JSON without an end.
    let deep = format!("{} {}\n", "0".repeat(64), "[".repeat(1 << 20));
    fs::write(ops.journal().join("journal.jsonl"), deep).unwrap();
    let output = ops.run(&["replay", "--last"]).unwrap();
    assert!(output.code == 2 && output.stderr.contains("entry 1"), "{}", output.stderr);
}
