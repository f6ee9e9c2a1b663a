//! The seeds: files of this repository, so that nothing is kept twice.

use std::path::{Path, PathBuf};

use bailiwick_core::model::Answer;
use bailiwick_core::model::Exit;
use bailiwick_core::model::{Finding, Phase, Report, Severity, Tainted, TargetName, Verb, VerbError};
use bailiwick_engine::anchor::Head;
use bailiwick_journal::{Blob, Entry, EntryRef, Outcome as Written, Record};
use bailiwick_sandbox::Links;
use bailiwick_sandbox::wire;
use bailiwick_sandbox::wire::{
    Code, Ending, FromWorker, Given, Load, LogLevel, LogLine, Outcome, Ready, Start, TargetView, ToWorker, VERSION,
    VerbCall,
};
use data_encoding::BASE64;

use crate::answers::join;
use crate::files::CUT;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file below a folder with such an end.
fn below(folder: &str, end: &str) -> Vec<Vec<u8>> {
    let (mut folders, mut files) = (vec![root().join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(end) {
                files.push(path);
            }
        }
    }
    files.sort();
    files.iter().map(|path| std::fs::read(path).expect("it is there")).collect()
}

pub(crate) fn fleets() -> Vec<Vec<u8>> {
    [below("tests/files", "fleet.toml"), below("policies", "fleet.toml")].concat()
}

pub(crate) fn policies() -> Vec<Vec<u8>> {
    [below("tests/files", "policy.toml"), below("policies", "policy.toml")].concat()
}

pub(crate) fn manifests() -> Vec<Vec<u8>> {
    [below("probes", "manifest.toml"), below("tests/files", "manifest.toml"), below("tests/guests", "manifest.toml")]
        .concat()
}

pub(crate) fn cases() -> Vec<Vec<u8>> {
    ["service", "file-freshness", "log-errors"]
        .iter()
        .flat_map(|id| below(&format!("probes/{id}/cases"), "toml"))
        .collect()
}

pub(crate) fn imports() -> Vec<Vec<u8>> {
    let known =
        "# Host h found: line 1\nh ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGRmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZm\n";
    let effective = "user root\nhostname 192.0.2.1\nport 22\nproxyjump none\nidentityfile ~/.ssh/id_ed25519\n\
        userknownhostsfile ~/.ssh/known_hosts\nstricthostkeychecking ask\n";
    let config =
        "Host db01 db02\n  HostName 192.0.2.1\n  User root\nHost *\n  Port 22\nMatch host x exec \"y\"\nInclude z\n";
    let whole = [config, effective, known].join(CUT);
    let jump = whole.replace("proxyjump none", "proxyjump op@bastion:2222,other\nproxycommand nc %h %p");
    vec![whole.into_bytes(), jump.into_bytes()]
}

/// A signature that `ssh-keygen -Y sign` made of `signatures::SIGNED`, and one of another namespace.
pub(crate) fn signatures() -> Vec<Vec<u8>> {
    let good = include_str!("../seeds/signed.sig");
    vec![
        good.as_bytes().to_vec(),
        good.replace('\n', "\r\n").into_bytes(),
        good.lines().take(2).collect::<String>().into(),
    ]
}

pub(crate) fn signers() -> Vec<Vec<u8>> {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAING4RBJPm34VIcrVGTaN+Pr2CuSWU1MG3WLFCRFw4YE9";
    vec![
        format!("# who\nalice@example.org,*@example.net {key} alice\n\nbob namespaces=\"bailiwick-*,git\" {key}\n")
            .into(),
        format!("carol valid-after=\"20260101\",valid-before=\"202701010000Z\" {key}\n\"d e\" cert-authority {key}\n")
            .into(),
        b"!x ssh-rsa AAAA\nx namespaces=\"unfinished ssh-ed25519 AAAA\n".to_vec(),
    ]
}

/// The recorded answers of all cases: verb, status, standard output.
fn recorded() -> Vec<(Verb, u8, String)> {
    let mut found = Vec::new();
    for case in below("probes", ".toml") {
        let text = String::from_utf8(case).unwrap_or_default();
        let Ok(case) = text.parse::<toml::Table>() else { continue };
        for answer in case.get("answer").and_then(toml::Value::as_array).into_iter().flatten() {
            let text = |name: &str| answer.get(name).and_then(toml::Value::as_str).unwrap_or_default();
            let Some(verb) = text("action").split(':').next().and_then(Verb::from_name) else { continue };
            let exit = answer.get("exit").and_then(toml::Value::as_integer).and_then(|exit| exit.try_into().ok());
            found.push((verb, exit.unwrap_or(0), text("stdout").to_owned()));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// One line each, as the shipped checks have them, and some unusual ones.
pub(crate) fn expressions() -> Vec<Vec<u8>> {
    let shipped = below("probes/declared", ".toml").into_iter().filter_map(|text| String::from_utf8(text).ok());
    let lines = shipped.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
    let shipped_lines = lines.filter_map(|line| {
        let (key, rest) = line.split_once(" = \"")?;
        let written = ["where", "critical", "warning", "title", "ok"].contains(&key) || key.starts_with("let.");
        Some(rest.strip_suffix('"')?.to_owned()).filter(|_| written)
    });
    let odd = [
        "((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))",
        "- - - not not 'a' in ['b', 'c'] ends-with",
        "{size as bytes} {{ }} {now as duration",
    ];
    shipped_lines.chain(odd.map(str::to_owned)).map(String::into_bytes).collect()
}

pub(crate) fn answers() -> Vec<Vec<u8>> {
    recorded().iter().map(|(verb, status, stdout)| join(*verb, *status, stdout)).collect()
}

/// Certificates of each kind of key, without their frames.
pub(crate) fn certificates() -> Vec<Vec<u8>> {
    let der = |pem: Vec<u8>| {
        let text = String::from_utf8_lossy(&pem).into_owned();
        let base64: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
        BASE64.decode(base64.as_bytes()).expect("base64")
    };
    below("host/sandbox/src/host/certificates", ".pem").into_iter().map(der).collect()
}

pub(crate) fn answer_texts() -> Vec<Vec<u8>> {
    let secrets = "PASSWORD=x --token y {\"password\":\"z\"} https://a:b@c Cookie: d\n-----BEGIN PRIVATE KEY-----\nQUJDREVGR0hJSktM\n\
        {\"MESSAGE\":[116,111,107,101,110,61,97],\"token\":1}\nsshpass -p a curl -u a:b c eyJhbGciOiJI.eyJzdWIiOiJD.x\n";
    let texts = recorded().into_iter().map(|(.., stdout)| stdout).chain([secrets.to_owned()]);
    let planted = texts.enumerate().map(|(n, text)| [&[n as u8 % 6, (n * 37) as u8], text.as_bytes()].concat());
    planted.chain([b"\xff\xffpin (\\d+)\npin 4711\n".to_vec()]).collect()
}

pub(crate) fn texts() -> Vec<Vec<u8>> {
    let guest = std::fs::read_to_string(root().join("tests/guests/hostile/src/text.rs")).unwrap_or_default();
    guest.lines().map(|line| line.replace("\\u{1b}", "\u{1b}").replace("\\n", "\n").into_bytes()).take(60).collect()
}

fn entries() -> Vec<Vec<u8>> {
    let answer = |stdout: &[u8]| Written::Answer {
        stdout: Blob::Inline(stdout.to_vec()),
        stderr: Blob::default(),
        exit: Exit::Status(0),
    };
    let all = [
        Entry::Journal { format: bailiwick_journal::FORMAT.to_owned() },
        Entry::SweepStarted { bailiwick: "0".to_owned(), files: Default::default(), targets: Vec::new() },
        Entry::Outcome {
            intent: 1,
            outcome: answer(b"text"),
            elapsed_ms: 1,
            timing: None,
            redacted: Default::default(),
        },
        Entry::Outcome {
            intent: 1,
            outcome: answer(b"\xff\x00"),
            elapsed_ms: 1,
            timing: None,
            redacted: Default::default(),
        },
        Entry::Note { run: 2, text: Tainted::new("a note") },
        Entry::SweepEnded { sweep: 2, lockdown: None },
    ];
    let time = jiff::Timestamp::UNIX_EPOCH;
    let records = all.into_iter().zip(1..).map(|(entry, seq)| Record { seq, time, entry });
    records.map(|record| serde_json::to_vec(&record).expect("JSON")).collect()
}

pub(crate) fn records() -> Vec<Vec<u8>> {
    entries()
}

/// The places of the entries' chain.
pub(crate) fn links() -> Vec<EntryRef> {
    let mut link = EntryRef::origin();
    let next = |body: &Vec<u8>| {
        link = link.next(body);
        link.clone()
    };
    entries().iter().map(next).collect()
}

/// The entries as a journal's file has them.
pub(crate) fn chain() -> Vec<u8> {
    let lines = links().into_iter().zip(entries());
    lines.flat_map(|(link, body)| [link.hash.as_bytes(), b" ", &body, b"\n"].concat()).collect()
}

pub(crate) fn journals() -> Vec<Vec<u8>> {
    let chained = [b"\x01".to_vec(), entries().join(&b'\n')].concat();
    vec![chained, [b"\0".to_vec(), chain()].concat()]
}

/// An anchor's lines: all, torn, and one with another hash.
pub(crate) fn heads() -> Vec<Vec<u8>> {
    let line = |link: &EntryRef| Head { link: link.clone(), time: jiff::Timestamp::UNIX_EPOCH }.line();
    let all: String = links().iter().map(line).collect();
    let torn = all[..100].to_owned() + &all;
    let other = line(&EntryRef { hash: "0".repeat(64), ..links().swap_remove(1) });
    vec![all.into_bytes(), torn.into_bytes(), other.into_bytes()]
}

fn frames<T>(messages: &[T], frame: impl Fn(&T) -> Vec<u8>) -> Vec<Vec<u8>> {
    let each: Vec<Vec<u8>> = messages.iter().map(frame).collect();
    [vec![each.concat()], each].concat()
}

pub(crate) fn from_worker() -> Vec<Vec<u8>> {
    let call = |number, verb, slot: Option<&str>| FromWorker::Call {
        run: 1,
        call: VerbCall { number, target: 0, verb, slot: slot.map(Tainted::new), given: Given::default() },
    };
    let finding = Finding {
        code: "x".to_owned(),
        severity: Severity::Ok,
        subject: Tainted::new("s"),
        title: Tainted::new("t"),
        metrics: Vec::new(),
        evidence: vec![1],
    };
    let messages = [
        FromWorker::Ready(Ready { compile_ms: 1 }),
        FromWorker::NotLoaded { reason: Tainted::new("no") },
        call(1, Verb::SystemLoad, None),
        call(2, Verb::FilesRead, Some("file")),
        FromWorker::Log { run: 1, line: LogLine { level: LogLevel::Info, text: Tainted::new("note") } },
        FromWorker::Ended {
            run: 1,
            end: Ending::Report(Report { findings: vec![finding] }),
            fuel_used: 1,
            logs_dropped: 0,
        },
        FromWorker::Ended {
            run: 1,
            end: Ending::CouldNotCheck { reason: Tainted::new("x"), error: Some(VerbError::Garbled), call: Some(1) },
            fuel_used: 1,
            logs_dropped: 0,
        },
    ];
    frames(&messages, |message| wire::encode(message, usize::MAX).expect("a message"))
}

pub(crate) fn to_worker() -> Vec<Vec<u8>> {
    let view = TargetView {
        name: TargetName::new("db01").expect("a name"),
        params: Default::default(),
        slots: Default::default(),
        previous_ms: None,
        earlier: Vec::new(),
    };
    let answered = Answer { stdout: b"out".to_vec(), stderr: Vec::new(), exit: Exit::Status(0), timing: None };
    let messages = [
        ToWorker::Hello { version: VERSION },
        ToWorker::Load(Load {
            code: Code::Component { bytes: b"\0asm".to_vec(), keep: true },
            digest: [7; 32],
            links: Links { verbs: Verb::ALL.iter().copied().collect(), ..Links::default() },
            limits: Box::default(),
        }),
        ToWorker::Start(Start { run: 1, phase: Phase::Examine, now_ms: 1, targets: vec![view] }),
        ToWorker::Answer { run: 1, call: 1, outcome: Outcome::Answered(answered) },
        ToWorker::Answer { run: 1, call: 2, outcome: Outcome::Failed(VerbError::Garbled) },
        ToWorker::Answer { run: 1, call: 3, outcome: Outcome::Staged },
    ];
    frames(&messages, |message| wire::encode(message, usize::MAX).expect("a message"))
}

/// The smallest that are shipped, and a component without anything.
pub(crate) fn components() -> Vec<Vec<u8>> {
    let mut all = below("probes/dist", ".wasm");
    all.sort_by_key(Vec::len);
    all.truncate(3);
    all.push(b"\0asm\x0d\0\x01\0".to_vec());
    all
}

pub(crate) fn locks() -> Vec<Vec<u8>> {
    let sum = "00".repeat(32);
    let who = "who = \"alice\"\nwhen = \"2026-11-21T12:00:00Z\"\nwhy = \"asked\"\n";
    let component = format!(
        "[[component]]\nid = \"a\"\nversion = \"1.0.0\"\ndigest = \"{sum}\"\nimports = [\n    \"system.load\",\n]\n\
         grant-digest = \"{sum}\"\n{who}\n[[component.grant]]\ntargets = [\n    \"db01\",\n]\nactions = [\n    \
         \"system.load\",\n]\n{who}"
    );
    let revoked = format!("[[revoked]]\ndigest = \"{sum}\"\ncomponent = \"b\"\nversion = \"0.1.0\"\n{who}");
    let format = "format = \"bailiwick.lock/1\"\n";
    let texts = [
        bailiwick_policy::lock::render(&Default::default()),
        crate::consent::sealed(&format!("{format}\n{component}")),
        crate::consent::sealed(&format!("{format}\n{component}\n{revoked}")),
    ];
    texts.map(String::into_bytes).into()
}

pub(crate) fn cached() -> Vec<Vec<u8>> {
    vec![b"e".to_vec(), vec![0; 64], b"native code".to_vec()]
}

/// What a gate says when it is asked three things.
pub(crate) fn gates() -> Vec<Vec<u8>> {
    let zero = "0".repeat(64);
    let facts = format!(
        "version 1\nlist {zero}\nscript {zero}\ndisabled no\nbegins-today 0\nlast-begin 0\nopen -\nclock 5\nboot a-b\n"
    );
    let change =
        format!("opened 7\nplan {zero}\nstep 1 asked x absent absent\nstep 1 do 0 absent \nclosed rolled-back 8\n");
    let preview = format!("absent file:{zero}:1:644:0:0\n--- a\n+++ b\n");
    let answers = |bodies: [&str; 3]| {
        let mut all = String::new();
        for (number, body) in (1..).zip(bodies) {
            all += &format!("answer {number} 0 {} 0\n{body}", body.len());
        }
        [b"\x07".as_slice(), all.as_bytes(), b"done\n"].concat()
    };
    vec![answers([&facts, "", &change]), answers([&preview, "conflict", "absent\nit is not what it was\n"])]
}
