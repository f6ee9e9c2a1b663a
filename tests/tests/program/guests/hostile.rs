//! Hostile components in whole sweeps: each breaks its own run and nothing else, none widens what is sent to a
//! target, and a sweep that is killed leaves a journal that records it. The components are built from `tests/guests`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use bailiwick_tests::fleet::Entry;
use bailiwick_tests::ops::{Ops, completed, component_run};
use bailiwick_tests::pages::Pages;
use bailiwick_tests::sshd::{Options, Sshd};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::PROGRAM;

fn guests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/guests")
}

fn local(name: &str) -> Entry {
    Entry { name: name.to_owned(), fields: vec![("local", "true".to_owned())] }
}

/// Targets that are all this machine, one for each behaviour, with a well-behaved probe beside the hostile one.
fn behaving(behaviours: &[&str]) -> Ops {
    let targets: Vec<_> = behaviours.iter().map(|name| local(name)).collect();
    let mut policy = format!("[[grant]]\ncomponent = \"memory\"\non = {behaviours:?}\n");
    for name in behaviours {
        policy += &format!("[[grant]]\ncomponent = \"hostile\"\non = [{name:?}]\nparam.behaviour = {name:?}\n");
    }
    let ops = Ops::new(PROGRAM, &targets, &[], &policy).unwrap();
    ops.add(&guests(), "hostile").unwrap();
    ops.accept().unwrap();
    ops
}

fn outcome<'a>(sweep: &'a Value, target: &str) -> &'a Value {
    &component_run(sweep, target, "hostile").unwrap()["outcome"]
}

/// The journal is consistent, and every run in it has ended.
fn assert_sound(ops: &Ops) {
    let verify = ops.run(&["journal", "verify"]).unwrap();
    assert_eq!(verify.code, 0, "{}{}", verify.stdout, verify.stderr);
}

#[test]
fn each_breaks_its_own_run_and_nothing_else() {
    let broken = [
        ("loop", "used up its fuel"),
        ("recurse", "recursed too deeply"),
        ("memory", "memory"),
        ("memory-touch", "memory"),
        ("trap", "panicked"),
        ("flood-calls", "calls"),
        ("flood-local", "calls"),
        ("big-log", "KiB in one call"),
        ("big-report", "KiB in one call"),
        ("many-findings", "KiB in one call"),
        ("long-report", "invalid report"),
        ("many-metrics", "invalid report"),
        ("bad-metric", "invalid report"),
        ("bad-code", "invalid report"),
        ("evidence-lies", "invalid report"),
        ("forge-handle", "canonical ABI"),
        ("stale-handle", "canonical ABI"),
    ];
    let well = ["quiet", "ask-all-once", "keep-secret", "flood-logs", "memory-modest", "escape-text"];
    let names: Vec<_> = broken.iter().map(|(name, _)| *name).chain(well).chain(["escape-failure"]).collect();
    let ops = behaving(&names);
    let (code, sweep) = ops.check(&[]).unwrap();
    assert_eq!(code, 4);
    for (name, says) in broken {
        let outcome = outcome(&sweep, name);
        assert_eq!(outcome["kind"], "fault", "{name}: {outcome}");
        assert!(outcome["cause"].as_str().unwrap().contains(says), "{name}: {outcome}");
    }
    for name in well {
        assert_eq!(outcome(&sweep, name)["kind"], "report", "{name}: {}", outcome(&sweep, name));
    }
    assert_eq!(outcome(&sweep, "escape-failure")["kind"], "could-not-look");
    for name in &names {
        let memory = component_run(&sweep, name, "memory").unwrap();
        assert_eq!(memory["outcome"]["kind"], "report", "the well-behaved probe on {name}: {memory}");
    }
    let calls = component_run(&sweep, "flood-calls", "hostile").unwrap()["calls"].as_array().unwrap().len();
    assert!(calls <= 1100, "{calls} calls were recorded");
    let secrets = &outcome(&sweep, "keep-secret")["findings"][0]["metrics"];
    assert!(secrets.as_array().unwrap().iter().all(|metric| metric["value"] == 0.0), "{secrets}");
    assert_sound(&ops);

    // Nothing that a terminal would act on leaves, in any rendering.
    let only = ["--target", "escape-text", "--target", "escape-failure"];
    for args in [&["check"][..], &["check", "-v"], &["check", "--format", "json"]] {
        let output = ops.run(&[args, &only].concat()).unwrap();
        let strange: BTreeSet<char> = output
            .stdout
            .chars()
            .filter(|c| (c.is_control() && *c != '\n') || ('\u{200b}'..='\u{206f}').contains(c))
            .collect();
        assert!(strange.is_empty(), "{args:?}: {strange:?}");
        assert!(
            args.contains(&"json")
                || output.stdout.lines().all(|line| {
                    ["ok ", "warning ", "critical ", "unknown ", "unchecked ", "other ", "run ", " ", "2 targets"]
                        .iter()
                        .any(|start| line.starts_with(start))
                        || line.is_empty()
                }),
            "{args:?}: a line that the host did not begin:\n{}",
            output.stdout
        );
    }
    let run = component_run(&sweep, "escape-text", "hostile").unwrap()["id"].as_str().unwrap().to_owned();
    let shown = ops.run(&["journal", "show", &run]).unwrap();
    assert!(shown.code == 0 && shown.stdout.chars().all(|c| c == '\n' || !c.is_control()), "{}", shown.stdout);
}

#[test]
fn nw08_whatever_a_component_asks_it_adds_nothing_to_the_wire() {
    let sshd = Sshd::start(&Options { log_wire: true, ..Options::default() }).unwrap();
    let target = Entry::for_sshd("host0", &sshd).unwrap();
    let pages = Pages::saying("text/plain", "a page").unwrap();
    let wanderer = |seed: u32| {
        format!(
            "[[grant]]\ncomponent = \"wanderer\"\non = [\"host0\"]\nparam.seed = {seed}\nbind.unit = \"ssh.service\"\n\
             bind.url = \"http://{}/a%20page?x=1&y=2\"\n\
             bind.units = [\"cron.service\", \"dbus.service\"]\nbind.files = [\"/etc/hostname\", \"/etc/os-release\"]\n\
             bind.runtimes = [\"podman\"]\nbind.containers = [\"podman/web\"]\nbind.commands = [\"kernel\"]\n\
             [command.kernel]\nargv = [\"uname\", \"-r\"]\neffect = \"observe\"\nwhy = \"for a test\"\n\
             [[never]]\nunits = [\"dbus*\"]\nwhy = \"not this one\"\n",
            pages.address()
        )
    };
    let ops = Ops::new(PROGRAM, &[target], &[], &wanderer(1)).unwrap();
    ops.add(&guests(), "wanderer").unwrap();
    ops.accept().unwrap();
    let wire: BTreeSet<String> = ops.wire().unwrap().into_iter().map(|(_, text)| text).collect();
    assert!(!wire.iter().any(|text| text.contains("dbus.service")), "{wire:?}");
    let mut calls = 0;
    for seed in 1..=5 {
        ops.write("policy.toml", wanderer(seed).as_bytes()).unwrap();
        let (_, sweep) = ops.check(&[]).unwrap();
        let run = component_run(&sweep, "host0", "wanderer").unwrap();
        assert_eq!(run["outcome"]["kind"], "report", "seed {seed}: {}", run["outcome"]);
        let findings = run["outcome"]["findings"].as_array().unwrap();
        assert!(findings.iter().all(|finding| finding["code"] != "outside"), "seed {seed}: {findings:?}");
        let all = run["calls"].as_array().unwrap();
        calls += all.len();
        assert!(
            all.iter().any(|call| call["error"] == "refused") && all.iter().any(|call| call["action"] != Value::Null)
        );
    }
    assert!(calls >= 4000, "{calls} calls were made");
    let mut seen: BTreeSet<String> = sshd.wire().unwrap().into_iter().collect();
    // Sent on connections that the target was made to open: where to, and what.
    let connects: BTreeSet<String> = sshd.connects().unwrap().into_iter().collect();
    assert_eq!(connects, [format!("connect {}", pages.address())].into());
    seen.extend(pages.heard().iter().map(|request| format!("connect {} < {request:?}", pages.address())));
    assert!(seen.len() >= 13, "{seen:?}");
    let unlisted: Vec<_> = seen.difference(&wire).collect();
    assert!(unlisted.is_empty(), "{unlisted:?}");
    assert_sound(&ops);
}

#[test]
fn lk11_what_is_not_as_its_manifest_says_is_refused_before_it_is_compiled() {
    let refused: BTreeMap<&str, &str> = [
        ("overreach", "services.status"),
        ("idle", "system.memory"),
        ("greedy-wasi", "wasi:filesystem/preopens@0.2.0"),
        ("stranger", "bailiwick:ops/firewall@0.1.0"),
        ("newer", "bailiwick:ops/system@0.2.0"),
    ]
    .into();
    let ids: Vec<_> = refused.keys().copied().chain(["memory"]).collect();
    let policy = format!("[[grant]]\ncomponent = {ids:?}\non = [\"here\"]\n");
    let ops = Ops::new(PROGRAM, &[local("here")], &[], &policy).unwrap();
    for id in refused.keys() {
        ops.add(&guests(), id).unwrap();
    }
    // It cannot be accepted.
    for (id, names) in &refused {
        let file = ops.path().join(format!("components/{id}.wasm"));
        let add = ops.run(&["add", file.to_str().unwrap()]).unwrap();
        assert_eq!(add.code, 3, "{}{}", add.stdout, add.stderr);
        assert!(add.stderr.contains(names), "{}", add.stderr);
    }
    // And it is refused if it had been.
    ops.accept_blindly().unwrap();
    let (code, sweep) = ops.check(&[]).unwrap();
    assert_eq!(code, 3);
    for (id, names) in &refused {
        let outcome = &component_run(&sweep, "here", id).unwrap()["outcome"];
        assert_eq!(outcome["kind"], "refused", "{id}: {outcome}");
        assert!(outcome["cause"].as_str().unwrap().contains(names), "{id}: {outcome}");
        let file = ops.path().join(format!("components/{id}.wasm"));
        let inspect = ops.run(&["inspect", file.to_str().unwrap()]).unwrap();
        assert_eq!(inspect.code, 3, "{}{}", inspect.stdout, inspect.stderr);
        assert!(inspect.stdout.contains(names), "{}", inspect.stdout);
    }
    assert_eq!(component_run(&sweep, "here", "memory").unwrap()["outcome"]["kind"], "report");
    // Written down as what it is; none has a run.
    let journal = fs::read_to_string(ops.journal().join("journal.jsonl")).unwrap();
    assert_eq!(journal.matches("\"kind\":\"load-refused\"").count(), refused.len());
    assert_eq!(journal.matches("\"kind\":\"run-started\"").count(), 1);
}

/// The worker processes of a sweep.
fn workers(sweep: &Child) -> Vec<Pid> {
    let path = format!("/proc/{0}/task/{0}/children", sweep.id());
    let children = fs::read_to_string(path).unwrap_or_default();
    children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

/// Starts a sweep and waits until its journal holds this many entries of a kind.
#[expect(clippy::zombie_processes, reason = "the caller waits; a panic ends the test and its processes")]
fn started(ops: &Ops, args: &[&str], kind: &str, count: usize) -> Child {
    let child = ops.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let wanted = format!("\"kind\":\"{kind}\"");
    for _ in 0..6000 {
        let journal = fs::read_to_string(ops.journal().join("journal.jsonl")).unwrap_or_default();
        if journal.matches(&wanted).count() >= count {
            return child;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the sweep has not come to {kind}");
}

#[test]
fn gr14_a_worker_killed_in_mid_run_fails_that_run_and_nothing_hangs() {
    // `slow` burns for seconds; `quiet` on other targets shares its worker or gets the next one.
    let ops = behaving(&["slow", "quiet"]);
    let sweep = started(&ops, &["check", "--format", "json", "--target", "slow"], "run-started", 2);
    // The worker that is busy is the hostile one.
    let busy = |pid: &Pid| -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
        // utime, counted from behind the name, which may hold anything.
        let utime = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(11));
        utime.and_then(|ticks| ticks.parse().ok()).unwrap_or(0)
    };
    std::thread::sleep(Duration::from_millis(700));
    let victim = workers(&sweep).into_iter().max_by_key(busy).expect("there are workers");
    kill_process(victim, Signal::KILL).unwrap();
    let output = completed(sweep.wait_with_output().unwrap()).unwrap();
    let value: Value = serde_json::from_str(&output.stdout).unwrap();
    let outcome = outcome(&value, "slow");
    assert_eq!((output.code, outcome["kind"].as_str()), (4, Some("fault")), "{outcome}");
    assert!(outcome["cause"].as_str().unwrap().contains("its worker died (signal 9)"), "{outcome}");
    assert_eq!(component_run(&value, "slow", "memory").unwrap()["outcome"]["kind"], "report");
    assert_sound(&ops);
    let (_, next) = ops.check(&["--target", "quiet"]).unwrap();
    assert_eq!(self::outcome(&next, "quiet")["kind"], "report");
}

#[test]
fn a_sweep_killed_in_the_middle_leaves_a_journal_that_says_so() {
    let ops = behaving(&["slow", "quiet"]);
    let mut sweep = started(&ops, &["check"], "run-started", 3);
    let orphans = workers(&sweep);
    sweep.kill().unwrap();
    sweep.wait().unwrap();
    // As if it had been in the middle of a line.
    let file = ops.journal().join("journal.jsonl");
    let torn = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef {\"seq\":9";
    fs::OpenOptions::new().append(true).open(&file).unwrap().write_all(torn).unwrap();
    let verify = ops.run(&["journal", "verify"]).unwrap();
    assert!(verify.code == 2 && verify.stdout.contains("is incomplete"), "{}", verify.stdout);

    let next = ops.run(&["check", "--target", "quiet"]).unwrap();
    assert!(next.code == 0 || next.code == 1, "{}{}", next.stdout, next.stderr);
    assert!(next.stderr.contains("torn") && next.stderr.contains("did not end"), "{}", next.stderr);
    let verify = ops.run(&["journal", "verify"]).unwrap();
    assert!(verify.code == 0 && verify.stdout.contains("incomplete entry"), "{}", verify.stdout);
    let kept: Vec<_> = fs::read_dir(ops.journal())
        .unwrap()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("torn-after-")))
        .collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(fs::read(&kept[0]).unwrap(), torn);
    // Reported once, kept for ever.
    assert!(!ops.run(&["check", "--target", "quiet"]).unwrap().stderr.contains("torn"));
    for _ in 0..3000 {
        if orphans.iter().all(|pid| !Path::new(&format!("/proc/{}", pid.as_raw_nonzero())).exists()) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("the workers of a killed sweep live on");
}

#[test]
fn two_sweeps_at_once_write_one_journal_one_after_the_other() {
    let ops = behaving(&["quiet"]);
    let two: Vec<_> = (0..2)
        .map(|_| ops.command(&["check"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        .collect();
    for sweep in two {
        let output = completed(sweep.wait_with_output().unwrap()).unwrap();
        assert!(output.code == 0 || output.code == 1, "{}{}", output.stdout, output.stderr);
    }
    assert_sound(&ops);
    let journal = fs::read_to_string(ops.journal().join("journal.jsonl")).unwrap();
    let order: Vec<_> = ["\"kind\":\"sweep-started\"", "\"kind\":\"sweep-ended\""]
        .iter()
        .flat_map(|kind| journal.match_indices(kind).map(|(at, _)| (at, kind.contains("started"))))
        .collect::<BTreeMap<_, _>>()
        .into_values()
        .collect();
    assert_eq!(order, [true, false, true, false]);
}

/// A sweep with a worker at work on a target, and where `/proc` shows it.
fn at_work() -> (Sshd, Ops, Child, String) {
    let sshd = Sshd::plain().unwrap();
    let target = Entry::for_sshd("host0", &sshd).unwrap();
    let policy = "[[grant]]\ncomponent = \"hostile\"\non = [\"host0\"]\nparam.behaviour = \"slow\"\n";
    let ops = Ops::new(PROGRAM, &[target], &[], policy).unwrap();
    ops.add(&guests(), "hostile").unwrap();
    ops.accept().unwrap();
    let sweep = started(&ops, &["check"], "run-started", 1);
    let all = workers(&sweep);
    assert_eq!(all.len(), 1, "one worker for one component");
    let proc = format!("/proc/{}", all[0].as_raw_nonzero());
    (sshd, ops, sweep, proc)
}

mod as_a_user {
    use super::*;

    #[test]
    #[ignore = "needs an ordinary user"]
    fn a_workers_process_cannot_be_inspected_not_even_by_its_own_user() {
        let (_sshd, _ops, mut sweep, proc) = at_work();
        let error = fs::read(format!("{proc}/environ")).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        sweep.kill().unwrap();
        sweep.wait().unwrap();
    }
}

mod as_root {
    use super::*;

    #[test]
    #[ignore = "needs root"]
    fn a_workers_process_holds_nothing_worth_having() {
        let (sshd, ops, mut sweep, proc) = at_work();
        assert_eq!(fs::read(format!("{proc}/environ")).unwrap(), b"");
        let mut sockets = BTreeSet::new();
        for entry in fs::read_dir(format!("{proc}/fd")).unwrap() {
            let behind = fs::read_link(entry.unwrap().path()).unwrap().display().to_string();
            assert!(behind.starts_with("socket:") || behind == "/dev/null", "{behind}");
            if behind != "/dev/null" {
                sockets.insert(behind);
            }
        }
        assert_eq!(sockets.len(), 1, "its end of the pair, under however many numbers: {sockets:?}");
        let maps = fs::read_to_string(format!("{proc}/maps")).unwrap();
        for secret in [sshd.user_key(), ops.journal(), ops.path().to_owned()] {
            assert!(!maps.contains(&secret.display().to_string()), "{maps}");
        }
        // Its memory holds no key either: read what can be read of it.
        let key = fs::read_to_string(sshd.user_key()).unwrap();
        let line = key.lines().nth(2).unwrap().as_bytes();
        let all = memory(&proc);
        assert!(all.len() > 1 << 20, "the worker's memory could be read");
        assert!(!all.windows(line.len()).any(|window| window == line), "the user's key is in the worker");
        sweep.kill().unwrap();
        sweep.wait().unwrap();
    }
}

/// The readable, writable memory of a process; what cannot be read is left out.
fn memory(proc: &str) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let Ok(mem) = fs::File::open(format!("{proc}/mem")) else { return Vec::new() };
    let mut all = Vec::new();
    for line in fs::read_to_string(format!("{proc}/maps")).unwrap_or_default().lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        let (from, to) = range.split_once('-').unwrap();
        let hex = |text| u64::from_str_radix(text, 16).unwrap();
        let length = hex(to) - hex(from);
        if !rest.starts_with("rw") || length > 256 << 20 {
            continue;
        }
        let mut part = vec![0; usize::try_from(length).unwrap()];
        if mem.read_exact_at(&mut part, hex(from)).is_ok() {
            all.append(&mut part);
        }
    }
    all
}

#[test]
fn ph10_what_was_sent_gets_its_outcome_after_its_run_has_ended() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = tempfile::tempdir().unwrap();
    let slow = scratch.path().join("slow");
    fs::write(&slow, "#!/bin/sh\nsleep 3\nexec sh -c \"$SSH_ORIGINAL_COMMAND\"\n").unwrap();
    fs::set_permissions(&slow, PermissionsExt::from_mode(0o755)).unwrap();
    let config = vec![format!("ForceCommand {}", slow.display())];
    let sshd = Sshd::start(&Options { config, ..Options::default() }).unwrap();
    let policy = "[[grant]]\ncomponent = [\"hostile\", \"load\"]\non = [\"host0\"]\n\
                  [[grant]]\ncomponent = \"hostile\"\non = [\"host0\"]\nparam.behaviour = \"sleep-in-verb\"\n";
    let ops = Ops::new(PROGRAM, &[Entry::for_sshd("host0", &sshd).unwrap()], &[], policy).unwrap();
    ops.add(&guests(), "hostile").unwrap();
    ops.accept().unwrap();
    let sweep = started(&ops, &["check", "--format", "json"], "intent", 1);
    let all = workers(&sweep);
    assert_eq!(all.len(), 2, "one worker for each component");
    all.into_iter().for_each(|worker| kill_process(worker, Signal::KILL).unwrap());
    let output = completed(sweep.wait_with_output().unwrap()).unwrap();
    assert_eq!(output.code, 4, "{}{}", output.stdout, output.stderr);
    let journal = fs::read_to_string(ops.journal().join("journal.jsonl")).unwrap();
    let count = |kind: &str| journal.matches(&format!("\"kind\":\"{kind}\"")).count();
    // Both requested the same; it was sent once, and its outcome is recorded.
    assert_eq!((count("intent"), count("outcome")), (1, 1), "{journal}");
    assert_eq!((count("run-started"), count("run-ended")), (2, 2));
    assert_sound(&ops);
}

/// Kills the worker of the hostile component in the middle of its run, as the engine would that was broken.
fn sweep_whose_worker_dies(ops: &Ops, signal: Signal) -> Value {
    let sweep = started(ops, &["check", "--format", "json", "--probe", "hostile"], "run-started", runs(ops) + 1);
    let all = workers(&sweep);
    assert_eq!(all.len(), 1, "one worker for one component");
    kill_process(all[0], signal).unwrap();
    let output = completed(sweep.wait_with_output().unwrap()).unwrap();
    serde_json::from_str(&output.stdout).unwrap()
}

fn runs(ops: &Ops) -> usize {
    let journal = fs::read_to_string(ops.journal().join("journal.jsonl")).unwrap_or_default();
    journal.matches("\"kind\":\"run-started\"").count()
}

#[test]
fn gr14_two_deaths_over_two_sweeps_hold_it_until_a_person_releases_it() {
    let ops = behaving(&["slow"]);
    // A person who ends the worker politely is not the component's doing, however often.
    for _ in 0..3 {
        sweep_whose_worker_dies(&ops, Signal::TERM);
    }
    assert_eq!(ops.run(&["quarantine"]).unwrap().stdout, "no worker of a component has died\n");
    for _ in 0..2 {
        let sweep = sweep_whose_worker_dies(&ops, Signal::KILL);
        assert_eq!(outcome(&sweep, "slow")["kind"], "fault");
    }
    let begun = runs(&ops);
    let (code, sweep) = ops.check(&[]).unwrap();
    let refused = outcome(&sweep, "slow");
    assert_eq!((code, refused["kind"].as_str()), (3, Some("refused")), "{refused}");
    let cause = refused["cause"].as_str().unwrap();
    assert!(cause.contains("in quarantine") && cause.contains("`bailiwick unquarantine hostile`"), "{cause}");
    assert_eq!(
        component_run(&sweep, "slow", "memory").unwrap()["outcome"]["kind"],
        "report",
        "the other runs are not affected"
    );
    assert_eq!(runs(&ops), begun + 1, "only the other one has a run");
    let listed = ops.run(&["quarantine"]).unwrap().stdout;
    assert!(listed.contains("HELD") && listed.matches("died ").count() == 2, "{listed}");

    // There is no terminal here, and no flag that confirms it.
    let unasked = ops.run(&["unquarantine", "hostile"]).unwrap();
    assert!(unasked.code == 2 && unasked.stderr.contains("stays in quarantine"), "{}", unasked.stderr);
    assert_eq!(ops.check(&["--probe", "hostile"]).unwrap().0, 3);
    let released = ops.run(&["unquarantine", "hostile", "--yes", "--why", "we ran out of memory"]).unwrap();
    assert_eq!(released.code, 0, "{}", released.stderr);
    assert!(ops.run(&["quarantine"]).unwrap().stdout.contains("we ran out of memory"));
    let (_, sweep) = ops.check(&["--probe", "hostile"]).unwrap();
    assert_eq!(outcome(&sweep, "slow")["kind"], "report");
    assert_eq!(ops.run(&["unquarantine", "memory", "--yes"]).unwrap().code, 2, "there is nothing to release");
    assert_sound(&ops);
}

#[test]
fn gr14_a_record_that_cannot_be_read_holds_its_component() {
    let ops = behaving(&["quiet"]);
    assert_eq!(outcome(&ops.check(&[]).unwrap().1, "quiet")["kind"], "report");
    let inspect =
        ops.run(&["inspect", "--format", "json", ops.path().join("components/hostile.wasm").to_str().unwrap()]);
    let inspect: Value = serde_json::from_str(&inspect.unwrap().stdout).unwrap();
    let digest = inspect["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
    ops.write(&format!("state/quarantine/{digest}.json"), b"{\"format\": ").unwrap();
    let (code, sweep) = ops.check(&[]).unwrap();
    let refused = outcome(&sweep, "quiet");
    assert_eq!((code, refused["kind"].as_str()), (3, Some("refused")), "{refused}");
    assert!(refused["cause"].as_str().unwrap().contains("is not a quarantine record"), "{refused}");
    let listed = ops.run(&["quarantine"]).unwrap();
    assert!(listed.code == 2 && listed.stdout.contains("UNREADABLE"), "{}", listed.stdout);
    assert_eq!(ops.run(&["unquarantine", "hostile", "--yes"]).unwrap().code, 0);
    assert_eq!(outcome(&ops.check(&[]).unwrap().1, "quiet")["kind"], "report");
}
