//! The built-in probes, as real components from a real toolchain: they pass inspection, ask for what their manifests say,
//! and answer over healthy and over failing targets.

use crate::support::{answered, program};
use bailiwick_core::manifest::Manifest;
use bailiwick_core::model::Timing;
use bailiwick_core::model::{
    Decision, Literal, LookError, Phase, Point, Severity, SlotKey, Tainted, TargetName, Unit, Verb, World,
};
use bailiwick_policy::library::Library;
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

/// Ten years, of RSA with 2,048 bits.
const CERTIFICATE: &str = include_str!("../../../host/sandbox/src/host/certificates/rsa.pem");

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
    let text: String = match call.verb {
        Verb::SystemUptime => "/proc/uptime:96187.5 1036.63\n".into(),
        Verb::SystemLoad => "/proc/loadavg:0.65 1.37 0.79 2/89 13375\n/sys/devices/system/cpu/online:0-3\n".into(),
        Verb::SystemMemory => ["MemTotal", "MemFree", "MemAvailable", "SwapTotal", "SwapFree"]
            .map(|key| format!("/proc/meminfo:{key}:  4096 kB\n"))
            .concat(),
        Verb::SystemFilesystems => "Filesystem Type 1B-blocks Used Avail Inodes IUsed IFree Mounted on\n\
            /dev/vda   ext4 4096000 96000 4000000 100 10 90 /\n"
            .into(),
        Verb::SystemTimeSync => "Timezone=Etc/UTC\nNTP=yes\nNTPSynchronized=yes\n".into(),
        Verb::FilesStat => "81a4,380289,1795296000,root,root\n".into(),
        Verb::SystemClock => "2026-11-21T21:26:48,000000000+00:00\n".into(),
        Verb::ServicesUsage => "Id=ssh.service\nLoadState=loaded\nActiveState=active\nActiveEnterTimestampMonotonic=5000000\n\
            CPUUsageNSec=1000000000\nMemoryCurrent=4194304\nMemoryPeak=8388608\nTasksCurrent=1\n"
            .into(),
        Verb::ServicesStatus => "Result=success\nNRestarts=0\nExecMainExitTimestampMonotonic=0\nExecMainStatus=0\n\
            MemoryCurrent=[not set]\nId=cron.service\nLoadState=loaded\nActiveState=active\nSubState=running\n\
            UnitFileState=enabled\nStateChangeTimestampMonotonic=916218301\n"
            .into(),
        Verb::ContainersList => {
            "{\"Names\":\"web\",\"Image\":\"i\",\"State\":\"running\",\"Status\":\"Up 3 hours (healthy)\"}\n".into()
        }
        Verb::ContainersStatus => "[{\"Name\":\"web\",\"ImageName\":\"i\",\"RestartCount\":0,\"State\":{\"Status\":\"running\",\
            \"ExitCode\":0,\"OOMKilled\":false,\"StartedAt\":\"2026-11-21T12:00:00Z\",\"FinishedAt\":\"0001-01-01T00:00:00Z\",\
            \"Health\":{\"Status\":\"healthy\",\"FailingStreak\":0,\"Log\":null}}}]\n"
            .into(),
        Verb::ContainersLogs => "2026-11-21T12:00:00Z ready\n".into(),
        Verb::CommandsRun => "all 42 are well\n".into(),
        Verb::PackagesLists => "1795295885,/var/lib/apt/lists\n1795295885,/var/lib/apt/lists/partial\n".into(),
        Verb::PostgresDatabases => "datname\tbytes\tdatistemplate\tfrozen_age\n\"\tmarket\"\t226492416\tf\t20\n".into(),
        Verb::PostgresActivity => "complete\tslots\treserved\tclients\town\tpid\tbackend_type\tdatname\tusename\t\
            application_name\tstate\twait_event_type\ttransaction_s\tstate_s\n\
            t\t100\t3\t1\tt\t5562\t\"\tclient backend\"\t\"\tpostgres\"\t\"\tbw\"\t\"\tbailiwick\"\tactive\t\u{2400}\t0.003\t0.003\n"
            .into(),
        Verb::PostgresSettings => "name\tsetting\tunit\tsource\tpending_restart\n\"\tfsync\"\t\"\ton\"\t\u{2400}\tdefault\tf\n\
            \"\tfull_page_writes\"\t\"\ton\"\t\u{2400}\tdefault\tf\n\"\tautovacuum\"\t\"\ton\"\t\u{2400}\tdefault\tf\n"
            .into(),
        Verb::PostgresReplication => "complete\tkind\tname\tstate\tdetail\tbytes\tseconds\n\
            t\tserver\t\u{2400}\tprimary\t\u{2400}\t\u{2400}\t\u{2400}\n"
            .into(),
        Verb::PostgresLocks => format!(
            "complete\tpid\tbackend_type\tdatname\tusename\tapplication_name\tlocktype\tmode\trelation\twaiting_s\t\
            by_pid\tby_kind\tby_user\tby_application\tby_state\tby_transaction_s\nt{}\n",
            "\t\u{2400}".repeat(15)
        ),
        Verb::PostgresQuery => {
            "job\tfailures\tvalue\nretention\t0\t0\nColumn\tType\njob\ttext\nfailures\tbigint\nvalue\tbigint\n".into()
        }
        // By the slot that `file-contains` has.
        Verb::FilesRead if call.slot.as_ref().is_some_and(|slot| slot.for_encoder().starts_with("files/")) => {
            "PermitRootLogin no\n".into()
        }
        Verb::FilesRead => "2026-11-21T21:20:00Z\n".into(),
        Verb::HttpGet => {
            format!("HTTP/1.0 200 OK\r\n\r\n{}", page(call.slot.as_ref().map_or("", |slot| slot.for_encoder())))
        }
        Verb::CertificatesFile => CERTIFICATE.into(),
        Verb::CertificatesServer => format!(
            "CONNECTED(00000003)\n---\nCertificate chain\n 0 s:CN = www.example.org\n   i:CN = www.example.org\n{CERTIFICATE}---\n\
             New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384\nVerify return code: 0 (ok)\n---\n"
        ),
        _ => String::new(),
    };
    match (call.verb, answered(&text)) {
        (Verb::NetworkListeners, Outcome::Answered(answer)) => {
            Outcome::Answered(bailiwick_core::model::Answer { exit: bailiwick_core::model::Exit::Status(1), ..answer })
        }
        (Verb::SystemClock, Outcome::Answered(answer)) => {
            let timing = Some(Timing { asked_us: NOW_MS * 1_000, elapsed_us: 20_000 });
            Outcome::Answered(bailiwick_core::model::Answer { timing, ..answer })
        }
        (_, outcome) => outcome,
    }
}

/// What those that ask for their past have said before, two days long: nothing that was different.
fn earlier(manifest: &Manifest) -> Vec<Point> {
    let said = [
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
    days.rev().flat_map(|day| said.map(|said| point(NOW_MS - day * 86_400_000, said))).collect()
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
        // What they say word for word is their own cases' business.
        match run(healthy).await {
            RunEnd { ending: Ending::Report(report), calls: 1.., .. } => {
                assert!(!report.findings.is_empty(), "{id}");
                assert!(report.findings.iter().all(|finding| finding.severity == Severity::Ok), "{id}: {report:?}");
            }
            // A healthy target is left alone.
            RunEnd { ending: Ending::Decision(decision), calls: 1.., .. } => {
                assert!(phase == Phase::Plan && !matches!(decision, Decision::Propose { .. }), "{id}: {decision:?}");
            }
            other => panic!("{id}: {other:?}"),
        }
        match run(|_| Outcome::Failed(LookError::Unreachable)).await.ending {
            Ending::CouldNotCheck { error: Some(LookError::Unreachable), call: Some(1), .. } => {}
            other => panic!("{id}: {other:?}"),
        }
    }
}
