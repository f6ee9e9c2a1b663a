//! `cargo bench -p bailiwick-tests --bench micro`: the cost of each part of a run.
//!
//! `BENCH_SAMPLES` (default 15) is the number of measurements of each part. The output is the median of the samples and their
//! spread. `cargo test --benches` takes one sample of each, to see that it works.

mod grants;
mod guest;
#[path = "../stats/mod.rs"]
mod stats;

use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bailiwick_core::model::{Answer, Exit};
use bailiwick_core::model::{ComponentId, Tainted, Verb, VerbError};
use bailiwick_core::redact::{Counts, Redactor};
use bailiwick_core::source::{Problems, Source};
use bailiwick_core::{fleet, manifest, verbs};
use bailiwick_engine::broker::{Broker, RunContext, TargetSession};
use bailiwick_journal::{Blob, Entry, Journal, Outcome as JournalOutcome};
use bailiwick_policy::library::Library;
use bailiwick_policy::{grant, policy};
use bailiwick_sandbox as sandbox;
use bailiwick_sandbox::client::Worker;
use bailiwick_sandbox::{Code, Ending, Limits, Links, Outcome, TargetView, VerbCall};
use bailiwick_transport::Connection;
use bailiwick_transport::recorded::{RecordedAnswer, RecordedAnswers};
use tempfile::TempDir;

use self::grants::Files;
use self::stats::{median, range, seconds, setting};

const TARGETS: u32 = 1000;
const COMPONENTS: usize = 50;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    if args.iter().any(|arg| arg == "--list") {
        return Ok(());
    }
    let samples = if args.iter().any(|arg| arg == "--bench") { setting("BENCH_SAMPLES", 15) } else { 1 };
    let mut table = Table { samples, out: std::io::stdout() };
    writeln!(table.out, "micro: {samples} samples, load {}\n", stats::load())?;
    writeln!(table.out, "{:58}{:>12}  samples", "", "median")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(loading(&mut table))?;
    runtime.block_on(running(&mut table))?;
    granting(&mut table)?;
    redacting(&mut table)?;
    writing(&mut table)
}

/// What is measured, line by line.
struct Table {
    samples: usize,
    out: std::io::Stdout,
}

impl Table {
    /// Seconds per operation, from samples of many.
    fn row(&mut self, what: &str, samples: &[f64]) -> Result<f64> {
        let (low, high) = range(samples);
        let middle = median(samples);
        writeln!(self.out, "{what:58}{:>12}  {}–{}", time(middle), time(low), time(high))?;
        Ok(middle)
    }
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_bailiwick-under-test"))
}

/// From nothing to a worker that can run: per built-in component, and its compile time as it reports it.
async fn loading(table: &mut Table) -> Result<()> {
    let library = Library::built_in()?;
    let quiet = guest::quiet()?;
    let built_in = library.components().iter().filter_map(|(id, file)| {
        Some((
            id.to_string(),
            library.binary(id)?.bytes.as_ref(),
            Links { verbs: file.manifest.verbs(), ..Links::default() },
        ))
    });
    let empty = ("a component of 1 KiB".to_owned(), quiet.as_slice(), Links::default());
    for (name, bytes, links) in std::iter::once(empty).chain(built_in) {
        let (mut walls, mut compile, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        let wanted = Code::Keep(bytes);
        let (_, artefact) =
            Worker::start(Some(program())).await?.load_code(wanted, [0; 32], &links, Limits::default()).await?;
        let artefact = artefact.context("its compiled form")?;
        for _ in 0..table.samples.min(7) {
            let code = Code::Compiled(artefact.clone());
            let begun = Instant::now();
            let (worker, _) =
                Worker::start(Some(program())).await?.load_code(code, [0; 32], &links, Limits::default()).await?;
            kept.push(seconds(begun.elapsed()));
            worker.close().await;
            let begun = Instant::now();
            let worker = Worker::load(Some(program()), bytes, &links, Limits::default()).await?;
            walls.push(seconds(begun.elapsed()));
            compile.push(seconds(Duration::from_millis(worker.ready().compile_ms)));
            worker.close().await;
        }
        let compiled = time(median(&compile));
        table.row(&format!("start and load: {name} ({} KiB; compiles in {compiled})", bytes.len() >> 10), &walls)?;
        table.row(&format!("the same, compiled before: {name} ({} KiB)", artefact.len() >> 10), &kept)?;
    }
    let checks: Vec<f64> = (0..table.samples)
        .map(|_| {
            let begun = Instant::now();
            for (id, file) in library.components() {
                let manifest = &file.manifest;
                let bytes = &library.binary(id).context("its bytes")?.bytes;
                let inspected = sandbox::inspect(bytes, &Limits::default())?;
                sandbox::check_imports(
                    &inspected,
                    manifest.world,
                    &manifest.verbs(),
                    &manifest.wasi(),
                    manifest.history.is_some(),
                )?;
            }
            Ok(seconds(begun.elapsed()))
        })
        .collect::<Result<_>>()?;
    table.row("inspect all built-in components in the broker", &checks)?;
    Ok(())
}

/// One run, and one verb, through a running worker.
async fn running(table: &mut Table) -> Result<()> {
    const RUNS: u32 = 50;
    let (view, none) = (view(&load_grant()?), |_: VerbCall| async { Outcome::Failed(VerbError::Refused) });
    let worker = Worker::load(Some(program()), &guest::quiet()?, &Links::default(), Limits::default()).await?;
    let mut quiet = Vec::new();
    for _ in 0..table.samples {
        let begun = Instant::now();
        for _ in 0..RUNS {
            let end = worker.run(0, vec![view.clone()], none).await;
            ensure!(matches!(end.ending, Ending::Report(_)), "{:?}", end.ending);
        }
        quiet.push(seconds(begun.elapsed()) / f64::from(RUNS));
    }
    let base = table.row("a run that calls nothing", &quiet)?;
    worker.close().await;

    let folder = TempDir::new()?;
    let (journal, _) = Journal::open(folder.path(), Duration::ZERO)?;
    let broker = Arc::new(Broker::new(Arc::new(journal)));
    let grant = Arc::new(load_grant()?);
    let mut recorded = RecordedAnswers::default();
    let stdout = b"/proc/loadavg:0.65 1.37 0.79 2/89 13375\n/sys/devices/system/cpu/online:0-1\n".to_vec();
    let answer = Answer { stdout, stderr: Vec::new(), exit: Exit::Status(0), timing: None };
    recorded.record(verbs::action(Verb::SystemLoad, None, verbs::Tier::Local).id, RecordedAnswer::Answer(answer));
    // A target of its own for each call, or else only the first would be asked.
    let context = || {
        let link = Arc::new(TargetSession::new(Connection::Recorded(recorded.clone())));
        RunContext::new(1, Arc::clone(&grant), link)
    };
    let worker = Worker::load(Some(program()), &guest::busy()?, &[Verb::SystemLoad].into(), Limits::default()).await?;
    let mut busy = Vec::new();
    for _ in 0..table.samples {
        let begun = Instant::now();
        let end = worker.run(0, vec![view.clone()], |call| ask(&broker, context(), call)).await;
        ensure!(matches!(end.ending, Ending::Report(_)) && end.calls == guest::CALLS, "{end:?}");
        busy.push((seconds(begun.elapsed()) - base) / f64::from(guest::CALLS));
    }
    table.row("one verb: guest, worker, broker, two journal entries, back", &busy)?;
    worker.close().await;

    let library = Library::built_in()?;
    let load = &library.binary(&ComponentId::new("load")?).context("a built-in component")?.bytes;
    let worker = Worker::load(Some(program()), load, &[Verb::SystemLoad].into(), Limits::default()).await?;
    let mut whole = Vec::new();
    for _ in 0..table.samples {
        let begun = Instant::now();
        for _ in 0..RUNS {
            let end = worker.run(0, vec![view.clone()], |call| ask(&broker, context(), call)).await;
            ensure!(matches!(end.ending, Ending::Report(_)), "{:?}", end.ending);
        }
        whole.push(seconds(begun.elapsed()) / f64::from(RUNS));
    }
    table.row("a run of the built-in `load`, one verb in it", &whole)?;
    worker.close().await;
    Ok(())
}

async fn ask(broker: &Arc<Broker>, context: RunContext, call: VerbCall) -> Outcome {
    match broker.call(&context, call.number, call.target, call.verb, call.slot.as_ref()).await {
        Ok(answer) => Outcome::Answered(answer.as_ref().clone()),
        Err(error) => Outcome::Failed(error),
    }
}

/// What a guest gets: settings, and no slots, since nothing here has any.
fn view(grant: &grant::Grant) -> TargetView {
    let params = grant.params.iter().map(|(name, value)| (name.as_str().to_owned(), value.clone())).collect();
    TargetView { name: grant.target.clone(), params, slots: Default::default(), previous_ms: None, earlier: Vec::new() }
}

/// `system.load` on this machine.
fn load_grant() -> Result<grant::Grant> {
    let rendered = |problems: Problems| anyhow::anyhow!("{} mistakes", problems.0.len());
    let library = Library::built_in()?;
    let source = |name, text| Source::embedded(name, text);
    let fleet = fleet::parse(&source("fleet.toml", "[targets.here]\nlocal = true\n"), Path::new("/"), None)
        .map_err(rendered)?;
    let text = "[[grant]]\ncomponent = \"load\"\non = [\"here\"]\n";
    let policy = policy::parse(&source("policy.toml", text)).map_err(rendered)?;
    let all = policy::resolve(&policy, &fleet, library.components()).map_err(rendered)?;
    let (target, id) = (fleet.targets.get("here").context("the target")?, ComponentId::new("load")?);
    let assignment = all.get("here").and_then(|all| all.get(&id)).context("the assignment")?;
    let manifest: &manifest::Manifest = library.manifest(id.as_str()).context("the manifest")?;
    Ok(grant::compute(manifest, target, assignment, grant::Exclusions::from(&policy)))
}

/// Finite lists for a whole fleet.
fn granting(table: &mut Table) -> Result<()> {
    let files = Files::new(TARGETS, COMPONENTS)?;
    let (mut read, mut resolve, mut compute, mut digest) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut count = 0;
    for _ in 0..table.samples.min(7) {
        let begun = Instant::now();
        let (fleet, policy) = files.read()?;
        read.push(seconds(begun.elapsed()));
        let begun = Instant::now();
        let assignments = files.resolve(&fleet, &policy)?;
        resolve.push(seconds(begun.elapsed()));
        let begun = Instant::now();
        count = files.compute(&fleet, &policy, &assignments, |grant| {
            black_box(grant);
        });
        compute.push(seconds(begun.elapsed()));
        let begun = Instant::now();
        files.compute(&fleet, &policy, &assignments, |grant| {
            black_box(grant.digest());
        });
        digest.push(seconds(begun.elapsed()));
    }
    ensure!(count == TARGETS as usize * COMPONENTS, "{count} grants");
    table.row(&format!("fleet.toml of {TARGETS} targets, and policy.toml: read"), &read)?;
    table.row(&format!("policy x fleet x manifests: {count} assignments"), &resolve)?;
    let all = table.row(&format!("{count} grants"), &compute)?;
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let each = all / count as f64;
    writeln!(table.out, "{:58}{:>12}", "  each", time(each))?;
    table.row(&format!("{count} grants with their digests"), &digest)?;
    Ok(())
}

/// The largest answers, without a secret and full of them.
fn redacting(table: &mut Table) -> Result<()> {
    let begun = Instant::now();
    let redactor = Redactor::default();
    redactor.prepare();
    table.row("redaction: the rules", &[seconds(begun.elapsed())])?;
    let logged = |message: &str| {
        format!("{{\"MESSAGE\":\"{message}\",\"PRIORITY\":\"3\",\"__REALTIME_TIMESTAMP\":\"1795296408353790\"}}\n")
    };
    let plain = "Nov 22 00:00:00 db01 app[123]: connection from 10.0.0.1:5432 user=app took 12 ms\n";
    let kinds = [
        ("text", plain.to_owned()),
        ("a journal", logged("Failed password for root from 192.0.2.17 port 22 ssh2")),
        ("a journal of secrets", logged("GET /x?token=abc from postgres://u:p@h/x")),
        ("nothing but secrets", "password=a ".to_owned()),
    ];
    for (what, line) in kinds {
        let text = line.repeat((1 << 20) / line.len()).into_bytes();
        let mut samples = Vec::new();
        for _ in 0..table.samples {
            let text = text.clone();
            let begun = Instant::now();
            black_box(redactor.bytes(text, &mut Counts::new()));
            samples.push(seconds(begun.elapsed()));
        }
        table.row(&format!("redaction: 1 MiB of {what}"), &samples)?;
    }
    Ok(())
}

/// Entries as a sweep writes them.
fn writing(table: &mut Table) -> Result<()> {
    const ENTRIES: u32 = 500;
    let folder = TempDir::new()?;
    let (journal, _) = Journal::open(folder.path(), Duration::ZERO)?;
    let action = verbs::action(Verb::SystemLoad, None, verbs::Tier::Plain).id;
    let answer = |bytes: usize| {
        let stdout = Blob::Inline("/proc/loadavg:0.65 1.37 0.79 2/89 13375\n".repeat(bytes / 40).into_bytes());
        let outcome = JournalOutcome::Answer { stdout, stderr: Blob::default(), exit: Exit::Status(0) };
        Entry::Outcome { intent: 1, outcome, elapsed_ms: 1, timing: None, redacted: Counts::new() }
    };
    let kinds = [
        ("an intent", Entry::Intent { run: 1, call: 1, on: None, action }),
        ("a note", Entry::Note { run: 1, text: Tainted::new("half a line of text, by a component") }),
        ("an answer of 1 KiB", answer(1 << 10)),
        ("an answer of 64 KiB", answer(64 << 10)),
    ];
    for (what, entry) in kinds {
        let mut samples = Vec::new();
        for _ in 0..table.samples {
            let begun = Instant::now();
            for _ in 0..ENTRIES {
                journal.append(entry.clone())?;
            }
            samples.push(seconds(begun.elapsed()) / f64::from(ENTRIES));
        }
        table.row(&format!("journal: {what}"), &samples)?;
    }
    let last = journal.append(Entry::SweepEnded { sweep: 1, lockdown: None })?;
    drop(journal);
    let mut samples = Vec::new();
    for _ in 0..table.samples {
        let begun = Instant::now();
        let (journal, recovery) = Journal::open(folder.path(), Duration::ZERO)?;
        samples.push(seconds(begun.elapsed()));
        ensure!(recovery.is_none() && journal.last().seq == last, "{recovery:?}");
    }
    table.row(&format!("journal: open one of {last} entries"), &samples)?;
    Ok(())
}

/// A time in seconds in the unit that reads best.
fn time(seconds: f64) -> String {
    let (scale, unit) = match seconds {
        s if s >= 1.0 => (1.0, "s"),
        s if s >= 1e-3 => (1e3, "ms"),
        s if s >= 1e-6 => (1e6, "µs"),
        _ => (1e9, "ns"),
    };
    format!("{:.2} {unit}", seconds * scale)
}
