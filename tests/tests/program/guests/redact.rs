//! Secrets on a target, in whole sweeps: a component that reports whatever it reads never had one, and neither had the
//! journal, a report, the log or the memory of a worker (TX09, TX10, AR13).

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bailiwick_core::manifest;
use bailiwick_core::source::Source;
use bailiwick_engine::broker::{Broker, RunContext, TargetSession};
use bailiwick_engine::cases::{Case, Runner};
use bailiwick_journal::{Journal, Reader};
use bailiwick_policy::library::Library;
use bailiwick_policy::ops as files;
use bailiwick_sandbox::client::Worker;
use bailiwick_sandbox::{Limits, Links, Outcome};
use bailiwick_tests::fleet::Entry;
use bailiwick_tests::listeners::Silent;
use bailiwick_tests::ops::{Ops, completed, component_run};
use bailiwick_tests::sshd::Sshd;
use bailiwick_transport::Connection;

use crate::PROGRAM;

/// What every secret below holds.
const CANARY: &str = "cAnArY";
/// The text beside them, which must arrive.
const BESIDE: &str = "harmless-neighbour";

fn guests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/guests")
}

/// Files as they lie on machines: settings, a key, a web log, a container's description, a process, a view of a database.
fn secrets() -> Vec<(&'static str, String)> {
    let key = data_encoding::BASE64.encode(format!("{CANARY}{CANARY}{CANARY}{CANARY}{CANARY}").as_bytes());
    vec![
        ("env", format!("A={BESIDE}\nDB_PASSWORD={CANARY}1\nDATABASE_URL=postgres://app:{CANARY}2@db/app\n")),
        ("key", format!("{BESIDE}\n-----BEGIN PRIVATE KEY-----\n{CANARY}{key}\n-----END PRIVATE KEY-----\n")),
        (
            "access.log",
            format!("GET /?token={CANARY}3 {BESIDE}\nAuthorization: Bearer {CANARY}4\npin {CANARY}5 {BESIDE}\n"),
        ),
        ("docker.json", format!("[{{\"Env\": [\"PATH=/bin\", \"MYSQL_PWD={CANARY}6\"], \"x\": \"{BESIDE}\"}}]\n")),
        ("cmdline", format!("app\0--api-key\0{CANARY}7\0--name\0{BESIDE}\0")),
        ("activity", format!("17 | ALTER ROLE app PASSWORD '{CANARY}8' | {BESIDE}\n")),
    ]
}

/// An ops directory for this machine, whose policy knows one more secret than the program does.
fn ops(behaviours: &[&str]) -> (Ops, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (name, text) in secrets() {
        let path = folder.path().canonicalize().unwrap().join(name);
        fs::write(&path, text).unwrap();
        paths.push(path.display().to_string());
    }
    let targets =
        behaviours.iter().map(|name| Entry { name: (*name).to_owned(), fields: vec![("local", "true".to_owned())] });
    let targets: Vec<_> = targets.collect();
    let mut policy = "[[redact]]\nname = \"pin\"\npattern = 'pin (\\w+)'\nwhy = \"a pin opens the door\"\n".to_owned();
    for name in behaviours {
        policy += &format!(
            "[[grant]]\ncomponent = \"hostile\"\non = [{name:?}]\nparam.behaviour = {name:?}\nbind.files = {paths:?}\n"
        );
    }
    let ops = Ops::new(PROGRAM, &targets, &[], &policy).unwrap();
    ops.add(&guests(), "hostile").unwrap();
    ops.accept().unwrap();
    (ops, folder)
}

/// Every file below a folder.
fn all_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all_files(&path, found) } else { found.push(path) }
    }
}

fn assert_clean(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    assert!(!text.contains(CANARY), "{what}: {text}");
    assert!(!text.contains(&data_encoding::BASE64.encode(CANARY.as_bytes())), "{what}: {text}");
}

#[test]
fn tx09_no_secret_is_in_journal_report_or_log() {
    let (ops, _files) = ops(&["tell-files", "tell-failure"]);
    let (_, sweep) = ops.check(&[]).unwrap();
    let run = component_run(&sweep, "tell-files", "hostile").unwrap();
    let titles: Vec<_> =
        run["outcome"]["findings"].as_array().unwrap().iter().map(|f| f["title"].as_str().unwrap()).collect();
    assert_eq!(titles.iter().filter(|title| title.contains(BESIDE)).count(), secrets().len() + 1, "{titles:?}");
    assert_eq!(component_run(&sweep, "tell-failure", "hostile").unwrap()["outcome"]["kind"], "could-not-look");

    let mut rules = BTreeSet::new();
    for call in run["calls"].as_array().unwrap() {
        rules.extend(call["redacted"].as_object().into_iter().flatten().map(|(rule, _)| rule.clone()));
    }
    let known =
        ["argument", "assignment", "authorization", "environment", "password", "pin", "private-key", "url-password"];
    assert_eq!(Vec::from_iter(&rules), known);

    for args in [
        &["check", "-v", "--debug"][..],
        &["check"],
        &["check", "--format", "json", "--debug"],
        &["check", "--format", "markdown", "-v"],
        &["check", "--format", "html", "-v"],
        &["journal", "list"],
        &["journal", "verify"],
        &["review"],
    ] {
        let output =
            completed(ops.command(args).env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full").output().unwrap())
                .unwrap();
        assert_clean(&args.join(" "), format!("{}{}", output.stdout, output.stderr).as_bytes());
    }
    let shown = ops.run(&["journal", "show", run["id"].as_str().unwrap()]).unwrap();
    assert_clean("journal show", shown.stdout.as_bytes());
    for line in ["    redacted   pin: 1", "    redacted   url-password: 1", "[redacted:private-key]"] {
        assert!(shown.stdout.contains(line), "{line}\n{}", shown.stdout);
    }
    let table = ops.run(&["check"]).unwrap().stdout;
    let words: Vec<&str> = table.split_whitespace().collect();
    assert!(words.join(" ").contains("12 answers held secrets"), "{table}");

    let mut written = Vec::new();
    all_files(ops.path(), &mut written);
    assert!(written.iter().any(|path| path.ends_with("journal.jsonl")));
    for path in written {
        assert_clean(&path.display().to_string(), &fs::read(path).unwrap());
    }
}

/// A short secret cannot be guessed from its replacement: for every secret, the same bytes are written (JR08).
#[test]
fn jr08_guest_journal_is_the_same_whatever_the_secret_was() {
    let written = |pin: &str| {
        let (ops, files) = ops(&["tell-files"]);
        for (name, _) in secrets() {
            fs::write(files.path().join(name), format!("pin {pin}\n")).unwrap();
        }
        ops.check(&[]).unwrap();
        let records = Reader::open(&ops.journal()).unwrap().map(|record| record.unwrap().entry);
        let answers: Vec<_> = records
            .filter_map(|entry| match entry {
                bailiwick_journal::Entry::Outcome { outcome, redacted, .. } => Some((format!("{outcome:?}"), redacted)),
                _ => None,
            })
            .collect();
        assert_eq!(answers.len(), secrets().len());
        answers
    };
    let (one, other) = (written("4711"), written("0815081508150815"));
    assert_eq!(one, other);
}

/// The worker is given what the journal has, so neither its memory nor a core of it can hold more.
#[tokio::test]
async fn tx09_guest_and_worker_never_had_the_secret() {
    let (ops, _files) = ops(&["tell-files"]);
    let home = tempfile::tempdir().unwrap();
    let loaded = files::Ops::load(Some(ops.path()), Some(home.path())).unwrap();
    let (component, target) = ("hostile".to_owned().try_into().unwrap(), "tell-files".to_owned().try_into().unwrap());
    let grant = Arc::new(loaded.grant(&component, &target).unwrap());
    let (journal, _) = Journal::open(&home.path().join("journal"), Duration::ZERO).unwrap();
    let broker = Arc::new(Broker::new(Arc::new(journal)).redacting(Arc::clone(&loaded.policy.redactor)));
    let context = RunContext::new(1, Arc::clone(&grant), Arc::new(TargetSession::new(Connection::Local)));
    let bytes = fs::read(guests().join("hostile.wasm")).unwrap();
    let verbs = loaded.library.manifest("hostile").unwrap().verbs();
    let links = Links { verbs, ..Links::default() };
    let worker = Worker::load(Some(Path::new(PROGRAM)), &bytes, &links, Limits::default()).await.unwrap();
    let pid = worker.pid();
    let calls = AtomicUsize::new(0);
    let (counted, broker, context) = (&calls, &broker, &context);
    let view = bailiwick_sandbox::TargetView {
        name: target,
        previous_ms: None,
        earlier: Vec::new(),
        params: [("behaviour".to_owned(), bailiwick_core::model::ParamValue::Text("tell-files".to_owned()))].into(),
        slots: grant
            .slots()
            .into_iter()
            .map(|(slot, list)| {
                let entry = |(key, literal): (bailiwick_core::model::SlotKey, String)| bailiwick_sandbox::SlotEntry {
                    key: key.as_str().to_owned(),
                    literal,
                };
                (slot, list.into_iter().map(entry).collect())
            })
            .collect(),
    };
    let all = secrets().len();
    let end = worker
        .run(1, vec![view], |call: bailiwick_sandbox::VerbCall| async move {
            let number = counted.fetch_add(1, Ordering::Relaxed) + 1;
            let answer = broker.call(context, call.number, call.target, call.verb, call.slot.as_ref()).await;
            if number == all {
                // All answers but the last have been there. Where memory cannot be read, nothing is found either.
                if let Some(memory) = memory(pid) {
                    let holds = |needle: &str| memory.windows(needle.len()).any(|window| window == needle.as_bytes());
                    assert!(holds(BESIDE), "this reads memory that holds answers");
                    assert!(!holds(CANARY));
                }
            }
            answer.map_or_else(Outcome::Failed, |answer| Outcome::Answered((*answer).clone()))
        })
        .await;
    assert_eq!(calls.into_inner(), all, "{end:?}");
}

/// All that a process has written to, if we may read it.
fn memory(pid: u32) -> Option<Vec<u8>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let mut memory = fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut found = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (start, end) = line.split_once(' ')?.0.split_once('-')?;
        let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
        let mut piece = vec![0; usize::try_from(end - start).ok()?];
        memory.seek(SeekFrom::Start(start)).ok()?;
        if memory.read_exact(&mut piece).is_ok() {
            found.extend(piece);
        }
    }
    Some(found)
}

/// What a case holds goes through the same broker: a recording with a secret in it is played as if it had none.
#[tokio::test]
async fn tx09_guest_in_a_case_gets_no_secret_either() {
    let library = Library::built_in().unwrap();
    let manifest: &manifest::Manifest = library.manifest("log-errors").unwrap();
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("../probes/log-errors/cases/one-error.toml");
    let text = fs::read_to_string(recorded).unwrap();
    let (before, after) = ("connection 4711 to", format!("token={CANARY} to"));
    assert!(text.contains(before));
    let text = text.replace(before, &after);
    let case = Case::parse(&Source::embedded("case.toml", &text), manifest)
        .map_err(|problems| problems.0.iter().map(|p| p.render(false)).collect::<String>())
        .unwrap();
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("journal");
    let (journal, _) = Journal::open(&folder, Duration::ZERO).unwrap();
    let journal = Arc::new(journal);
    let bytes = library.binary(&manifest.id).unwrap().bytes.as_ref();
    let runner = Runner::new(Some(Path::new(PROGRAM)), manifest, bytes, Arc::clone(&journal)).await.unwrap();
    let differences = format!("{:?}", runner.run(&case).await);
    assert_clean("differences", differences.as_bytes());
    let text = fs::read(folder.join("journal.jsonl")).unwrap();
    assert_clean("journal", &text);
    assert!(String::from_utf8_lossy(&text).contains("token=[redacted:assignment]"));
}

#[test]
fn tx10_an_answer_in_a_debug_print_shows_no_byte_of_itself() {
    let answer = bailiwick_core::model::Answer {
        stdout: b"PASSWORD=x".to_vec(),
        stderr: b"token".to_vec(),
        exit: bailiwick_core::model::Exit::Status(0),
        timing: None,
    };
    let take = bailiwick_transport::recorded::RecordedAnswer::Answer(answer.clone());
    for text in [format!("{answer:?}"), format!("{answer:#?}"), format!("{take:?}")] {
        assert!(!text.contains("PASS") && !text.contains("80") && !text.contains("116"), "{text}");
        assert!(text.contains("10 bytes"), "{text}");
    }
}

/// The broker's own process; the worker's is compared with its list in `sandbox_process`.
#[test]
fn tx10_ssh_or_no_ssh_no_core_is_written() {
    let silent = Silent::start().unwrap();
    let sshd = Sshd::plain().unwrap();
    let entry = Entry::at("slow", silent.address(), &sshd.user_key()).unwrap();
    let entry = entry.text("host-key", sshd.host_key("ed25519").unwrap());
    let ops = Ops::new(PROGRAM, &[entry], &[], "[[grant]]\ncomponent = \"load\"\non = [\"slow\"]\n").unwrap();
    let mut child = ops.command(&["check"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    let limit = loop {
        let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default().to_owned();
        let words: Vec<String> = core.split_whitespace().skip(4).take(2).map(str::to_owned).collect();
        if words == ["0", "0"] || begun.elapsed() > Duration::from_secs(20) {
            break words;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(limit, ["0", "0"]);
}
