//! The built-in probes, as real components from a real toolchain: they pass inspection, ask for what their manifests name,
//! and answer over healthy and over failing targets.

use crate::support::program;
use bailiwick_core::manifest::Manifest;
use bailiwick_core::model::{
    Answer, Decision, Exit, Literal, Phase, Point, Severity, SlotKey, Tainted, TargetName, Timing, Unit, Verb,
    VerbError, World,
};
use bailiwick_policy::library::Library;
use bailiwick_sandbox::answers;
use bailiwick_sandbox::{
    Ending, Limits, Outcome, RunEnd, SlotEntry, TargetView, VerbCall, Worker, check_component, inspect,
};

/// 2026-11-21T21:26:48Z.
const NOW_MS: u64 = 1_795_296_408_000;

fn target(manifest: &Manifest) -> TargetView {
    let slots = manifest.slots.iter().map(|(name, slot)| {
        let key = if slot.many { SlotKey::indexed(name, 0) } else { SlotKey::single(name) };
        let literal = slot.default.clone().or_else(|| Literal::example(slot.object));
        let literal = literal.map(|literal| literal.to_string()).unwrap_or_default();
        (name.as_str().to_owned(), vec![SlotEntry { key: key.as_str().to_owned(), literal }])
    });
    TargetView {
        name: TargetName::new("db01").unwrap(),
        params: manifest.params.iter().map(|(name, param)| (name.as_str().to_owned(), param.default.clone())).collect(),
        slots: slots.collect(),
        previous_ms: None,
        earlier: earlier(manifest),
    }
}

/// What a healthy server answers, by the slot that is asked for.
fn page(slot: &str) -> &'static str {
    match slot {
        "targets" => {
            r#"{"status":"success","data":{"activeTargets":[{"labels":{"job":"node","instance":"a:1"},"health":"up"}]}}"#
        }
        "rules" | "loaded" => concat!(
            r#"{"status":"success","data":{"groups":[{"name":"minimal","interval":60,"lastEvaluation":"2026-11-21T21:26:00Z","#,
            r#""rules":[{"name":"InstanceDown","health":"ok","type":"alerting"}]}]}}"#
        ),
        "alerts" => r#"{"status":"success","data":{"alerts":[]}}"#,
        "runtime" => concat!(
            r#"{"status":"success","data":{"reloadConfigSuccess":true,"lastConfigTime":"2026-11-21T00:00:00Z","#,
            r#""corruptionCount":0}}"#
        ),
        "query" => r#"{"status":"success","data":{"resultType":"scalar","result":[1795296408,"0"]}}"#,
        "metrics" => "pg_up 1\n",
        _ => "ok",
    }
}

/// A healthy target's answers.
fn healthy(call: &VerbCall) -> Outcome {
    let slot = call.slot.as_ref().map_or("", |slot| slot.for_encoder());
    let (status, text) = answers::healthy(call.verb);
    let text = match call.verb {
        // By the slot that `file-contains` has.
        Verb::FilesRead if slot.starts_with("files/") => "PermitRootLogin no\n".to_owned(),
        Verb::HttpGet => format!("HTTP/1.0 200 OK\r\n\r\n{}", page(slot)),
        _ => text.to_owned(),
    };
    Outcome::Answered(Answer {
        stdout: text.into(),
        stderr: Vec::new(),
        exit: Exit::Status(status),
        timing: Some(Timing { asked_us: NOW_MS * 1_000, elapsed_us: 20_000 }),
    })
}

/// The earlier metrics of the probes that ask for their past, for two days: nothing has changed.
fn earlier(manifest: &Manifest) -> Vec<Point> {
    let metrics = [
        ("growth", "/", "used-bytes", 96_000.0),
        ("growth", "market", "size-bytes", 226_492_416.0),
        ("attribution", "/", "used-bytes", 96_000.0),
        ("available", "", "available-bytes", 4_194_304.0),
        ("cost", "ssh.service", "cpu-seconds", 1.0),
        ("usage", "nginx.service", "cpu-seconds", 1.0),
    ];
    let point = |time_ms, (code, subject, metric, value): (&str, &str, &str, f64)| Point {
        time_ms,
        code: code.to_owned(),
        subject: Tainted::new(subject),
        metric: metric.to_owned(),
        unit: Unit::Bytes,
        value,
    };
    let days = if manifest.history.is_some() { 1..3 } else { 0..0 };
    days.rev().flat_map(|day| metrics.map(|metric| point(NOW_MS - day * 86_400_000, metric))).collect()
}

#[tokio::test]
async fn every_built_in_probe_runs() {
    let library = Library::built_in().unwrap();
    for (id, file) in library.components() {
        let manifest = &file.manifest;
        let bytes = &library.binary(id).unwrap().bytes;
        let inspected = inspect(bytes, &Limits::default()).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(inspected.digest, library.binary(id).unwrap().digest);
        let (history, rules) = (manifest.history.is_some(), manifest.rules.as_ref());
        let links = check_component(&inspected, manifest.world, &manifest.verbs(), &manifest.wasi(), history, rules)
            .unwrap_or_else(|error| panic!("{id}: {error}"));
        let worker = Worker::load(Some(&program()), bytes, &links, Limits::default())
            .await
            .unwrap_or_else(|error| panic!("{id}: {error:?}"));
        let phase = if manifest.world == World::Fix { Phase::Plan } else { Phase::Examine };
        let run = async |answer: fn(&VerbCall) -> Outcome| {
            worker.run_phase(phase, NOW_MS, vec![target(manifest)], async |call| answer(&call)).await
        };
        // Their own cases test the exact words.
        match run(healthy).await {
            RunEnd { ending: Ending::Report(report), calls: 1.., .. } => {
                assert!(!report.findings.is_empty(), "{id}");
                assert!(report.findings.iter().all(|finding| finding.severity == Severity::Ok), "{id}: {report:?}");
            }
            // No fix changes a healthy target.
            RunEnd { ending: Ending::Decision(decision), calls: 1.., .. } => {
                assert!(phase == Phase::Plan && !matches!(decision, Decision::Propose { .. }), "{id}: {decision:?}");
            }
            other => panic!("{id}: {other:?}"),
        }
        match run(|_| Outcome::Failed(VerbError::Unreachable)).await.ending {
            Ending::CouldNotCheck { error: Some(VerbError::Unreachable), call: Some(1), .. } => {}
            other => panic!("{id}: {other:?}"),
        }
    }
}
