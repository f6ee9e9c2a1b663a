//! Runs hostile components against this installation: the ones that the tests use, through the same sweep, broker and workers
//! as any other, on this machine, beside a benign probe that must not be affected.
//!
//! Each row reports the attempt, and the part that stopped it. An attempt that ended in any other than the expected way counts
//! as not stopped, because it proves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Tried, native};
use crate::report::table;
use crate::report::table::{Colour, Detail, Options};
use bailiwick_core::model::{Lockdown, Report};
use bailiwick_core::outcome::{CheckedTarget, Run, RunOutcome, Sweep, TargetResult};
use bailiwick_core::source::Source;
use bailiwick_engine::quarantine::Quarantine;
use bailiwick_engine::sweep::{Request, Settings, Watcher, sweep};
use bailiwick_journal as journal;
use bailiwick_journal::{Entry, Journal, Reader};
use bailiwick_policy::library::{Library, LibraryError};
use bailiwick_policy::ops::{Ops, OpsError};
use bailiwick_sandbox::LoadError;
use bailiwick_transport::ssh;

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The embedded components cannot be used.
    #[error("the shipped components cannot be used")]
    Library(#[from] LibraryError),
    /// The same.
    #[error("the shipped components cannot be granted anything")]
    Ops(#[from] OpsError),
    /// The proof's own journal failed.
    #[error("the journal of the proof")]
    Journal(#[from] journal::OpenError),
    /// The same.
    #[error("the journal of the proof")]
    Read(#[from] journal::ReadError),
    /// A worker could not be started.
    #[error("a worker")]
    Worker(#[from] LoadError),
    /// The object of an attempt of native code could not be prepared.
    #[error("cannot listen on this machine for what native code is to try")]
    Marks(#[source] std::io::Error),
}

/// The probe that runs beside each of them and must not be affected.
const BENIGN: &str = "memory";

/// A behaviour of `hostile`: its name, the attempt, the part that stops it, and the code of the fault.
type Behaviour = (&'static str, &'static str, &'static str, &'static str);

const BREAKS: &[Behaviour] = &[
    ("loop", "run for ever", "engine: fuel", "fuel"),
    ("recurse", "recurse for ever", "engine: stack", "stack"),
    ("memory", "take all memory", "engine: memory", "memory"),
    ("memory-touch", "write all memory", "engine: memory", "memory"),
    ("trap", "crash", "engine: trap", "panic"),
    ("forge-handle", "use a handle that it was never given", "engine: handles", "canonical-abi"),
    ("stale-handle", "use a handle that it gave back", "engine: handles", "canonical-abi"),
    ("flood-calls", "ask a million times", "limit: calls", "calls"),
    ("flood-local", "call the host a million times", "limit: calls", "calls"),
    ("big-log", "write 32 MiB in one call", "limit: bytes", "guest-bytes"),
    ("big-report", "report 12 MiB", "limit: bytes", "guest-bytes"),
    ("many-findings", "report 100,000 findings", "limit: bytes", "guest-bytes"),
    ("long-report", "report a line that is too long", "report check", "output"),
    ("many-metrics", "report too many metrics", "report check", "output"),
    ("bad-metric", "report a number that is none", "report check", "output"),
    ("bad-code", "report escapes in a code", "report check", "output"),
    ("evidence-lies", "rest on calls that it never made", "report check", "output"),
    ("failure-lies", "blame a call that it never made", "report check", "output"),
];

/// With a wall time of a second.
const LATE: &[Behaviour] = &[("free-loop", "take time without fuel", "limit: wall time", "wall-time")];

/// Components that do not match their manifest, and the text that the refusal contains.
const REFUSED: &[(&str, &str, &str)] = &[
    ("overreach", "import more than its manifest asks", "services.status"),
    ("idle", "ask for more than it imports", "system.memory"),
    ("greedy-wasi", "import the file system of WASI", "wasi:filesystem/preopens@0.2.0"),
    ("stranger", "import a firewall that does not exist", "bailiwick:ops/firewall@0.1.0"),
    ("newer", "import a version that does not exist", "bailiwick:ops/system@0.2.0"),
];

/// Runs the whole proof. `folder` is for its own journal and must not exist yet.
///
/// # Errors
/// When a step other than an attempt failed.
pub async fn prove(folder: &Path) -> Result<Vec<Tried>, ProofError> {
    let mut tried = Vec::new();
    let journal = Arc::new(Journal::open(folder, Duration::ZERO)?.0);
    let hostile = |limits: &str, behaviours: &[Behaviour], more: &[(&str, &str)]| -> Result<Ops, ProofError> {
        let (mut fleet, mut policy) = (String::new(), limits.to_owned());
        let behaviours = behaviours.iter().map(|(name, ..)| (*name, "hostile"));
        for (name, component) in behaviours.chain(more.iter().copied()) {
            // Writing to a String does not fail.
            let _ = writeln!(fleet, "[targets.{name}]\nlocal = true");
            let _ = writeln!(policy, "[[grant]]\ncomponent = [\"{component}\", \"{BENIGN}\"]\non = [\"{name}\"]");
            if component == "hostile" {
                let _ = writeln!(
                    policy,
                    "[[grant]]\ncomponent = \"hostile\"\non = [\"{name}\"]\nparam.behaviour = \"{name}\""
                );
            }
        }
        let (fleet, policy) = (Source::embedded("proof fleet", &fleet), Source::embedded("proof policy", &policy));
        Ok(Ops::assemble(None, None, Library::proof()?, &fleet, &policy)?)
    };

    let refused: Vec<_> = REFUSED.iter().map(|(id, ..)| (*id, *id)).collect();
    let more =
        [&refused[..], &[("keep-secret", "hostile"), ("escape-text", "hostile"), ("wanderer", "wanderer")]].concat();
    let seen = run(hostile("", BREAKS, &more)?, &journal).await?;
    let late = run(hostile("[limits]\nwall-ms = 1000\n", LATE, &[])?, &journal).await?;

    for (sweep, behaviours) in [(&seen, BREAKS), (&late, LATE)] {
        tried.extend(behaviours.iter().map(|row| broken(sweep, row)));
    }
    tried.extend(REFUSED.iter().map(|row| refusal(&seen, row)));
    tried.push(secret(&seen));
    tried.push(outside(&seen));
    tried.push(escapes(&seen));
    tried.push(beside(&[&seen, &late]));
    drop(journal);
    tried.push(sent(folder)?);
    tried.extend(native::native().await?);
    Ok(tried)
}

/// One sweep over all targets of an ops directory.
async fn run(ops: Ops, journal: &Arc<Journal>) -> Result<Sweep, ProofError> {
    struct Silent;
    impl Watcher for Silent {
        fn not_anchored(&self, _: &str, _: &str) {}

        fn target_done(&self, _: &CheckedTarget) {}
        fn unlocked(&self, _: &Lockdown) {}
    }
    let request = Request { targets: ops.assignments.keys().cloned().collect(), ..Request::default() };
    // Few targets at once, for small machines.
    let settings = Settings {
        jobs: 4,
        // A separate quarantine, which is removed with the journal of the proof.
        quarantine: Quarantine::at(journal.folder()),
        cache: None,
        require_lockdown: false,
        ssh: ssh::Settings::default(),
        past_runs: Arc::default(),
    };
    Ok(sweep(Arc::new(ops), request, settings, Arc::clone(journal), Arc::new(Silent)).await?)
}

fn runs<'a>(sweep: &'a Sweep, target: &str) -> &'a [Run] {
    let target = sweep.targets.iter().find(|checked| checked.target.as_str() == target);
    match target.map(|checked| &checked.result) {
        Some(TargetResult::Runs(runs)) => runs,
        _ => &[],
    }
}

fn outcome<'a>(sweep: &'a Sweep, target: &str, component: &str) -> Option<&'a RunOutcome> {
    runs(sweep, target).iter().find(|run| run.component.as_str() == component).map(|run| &run.outcome)
}

/// An outcome in the host's words, without text of the component.
fn words(outcome: Option<&RunOutcome>) -> String {
    match outcome {
        None => "it did not run".to_owned(),
        Some(RunOutcome::Report(_)) => "it ended well".to_owned(),
        Some(RunOutcome::CouldNotCheck { .. }) => "it ended, and reports that it could not check".to_owned(),
        Some(RunOutcome::Fault(fault)) => fault.message.clone(),
        Some(RunOutcome::Refused { reason }) => reason.clone(),
    }
}

fn row(stopped: bool, attempt: &str, by: &'static str, gave: String) -> Tried {
    Tried { stopped, attempt: attempt.to_owned(), by: if stopped { by } else { "nothing" }, gave }
}

fn broken(sweep: &Sweep, (behaviour, attempt, by, code): &Behaviour) -> Tried {
    let outcome = outcome(sweep, behaviour, "hostile");
    let stopped = matches!(outcome, Some(RunOutcome::Fault(fault)) if fault.code.as_deref() == Some(*code));
    row(stopped, attempt, by, words(outcome))
}

fn refusal(sweep: &Sweep, (id, attempt, names): &(&str, &str, &str)) -> Tried {
    let outcome = outcome(sweep, id, id);
    let stopped = matches!(outcome, Some(RunOutcome::Refused { reason }) if reason.contains(names));
    row(stopped, attempt, "imports, unread", words(outcome))
}

fn report<'a>(sweep: &'a Sweep, target: &str, component: &str) -> Option<&'a Report> {
    match outcome(sweep, target, component) {
        Some(RunOutcome::Report(report)) => Some(report),
        _ => None,
    }
}

/// Metrics of the first finding, by name.
fn metrics(report: Option<&Report>) -> BTreeMap<&str, f64> {
    let first = report.and_then(|report| report.findings.first());
    first.iter().flat_map(|finding| &finding.metrics).map(|metric| (metric.name.as_str(), metric.value)).collect()
}

fn secret(sweep: &Sweep) -> Tried {
    let numbers = metrics(report(sweep, "keep-secret", "hostile"));
    let stopped = ["runs-before", "bytes-left"].iter().all(|name| numbers.get(name) == Some(&0.0));
    let gave = if stopped { "it found nothing".to_owned() } else { format!("it found {numbers:?}") };
    row(stopped, "find what an earlier run left", "engine: fresh store", gave)
}

fn outside(sweep: &Sweep) -> Tried {
    let numbers = metrics(report(sweep, "wanderer", "wanderer"));
    let number = |name: &str| numbers.get(name).copied().unwrap_or(f64::NAN);
    let stopped = number("outside") == 0.0 && number("strange") > 0.0;
    let gave =
        format!("of {} calls with keys that are not its own {} got through", number("strange"), number("outside"));
    row(stopped, "name what it was not granted", "broker: grant", gave)
}

/// Checks that hostile text is escaped in every format.
fn escapes(sweep: &Sweep) -> Tried {
    let shown = table::render(sweep, &Options { width: 100, colour: Colour::Never, detail: Detail::Full });
    let harmful = |c: char| (c.is_control() && c != '\n') || ('\u{200b}'..='\u{206f}').contains(&c);
    let left = shown.chars().filter(|c| harmful(*c)).count();
    let findings = report(sweep, "escape-text", "hostile").map_or(0, |report| report.findings.len());
    let gave = format!("{findings} findings with escapes were shown; {left} escapes were left");
    row(left == 0 && findings > 0, "send escapes to the terminal", "encoder", gave)
}

/// Checks the benign probe beside them.
fn beside(sweeps: &[&Sweep]) -> Tried {
    let targets: Vec<_> =
        sweeps.iter().flat_map(|sweep| sweep.targets.iter().map(|checked| (*sweep, checked))).collect();
    let well =
        targets.iter().filter(|(sweep, checked)| report(sweep, checked.target.as_str(), BENIGN).is_some()).count();
    let all = targets.len();
    let gave = format!("`{BENIGN}` ran beside each of them, and reported {well} times of {all}");
    row(well == all && all > 0, "disturb the probe beside it", "one worker each", gave)
}

/// Checks the journal for what was sent. An intent is written before its action is sent.
fn sent(folder: &Path) -> Result<Tried, ProofError> {
    let mut granted: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    let (mut intents, mut outside, mut refused) = (0_u32, 0_u32, 0_u32);
    for record in Reader::open(folder)? {
        let record = record?;
        match (record.seq, record.entry) {
            (seq, Entry::RunStarted(start)) => {
                granted.insert(
                    seq,
                    start.first.actions.iter().map(|granted| granted.action.as_str().to_owned()).collect(),
                );
            }
            (_, Entry::Intent { run, action, .. }) => {
                intents += 1;
                outside += u32::from(!granted.get(&run).is_some_and(|granted| granted.contains(action.as_str())));
            }
            (_, Entry::CallRefused { .. }) => refused += 1,
            _ => {}
        }
    }
    let whole = journal::verify(folder)?.breaks.is_empty();
    let gave = format!("{intents} actions were sent, {outside} of them not granted; {refused} calls were refused");
    let gave = if whole { gave } else { format!("{gave}; the hash chain of the journal is broken") };
    Ok(row(whole && outside == 0 && refused > 0, "have something sent that was not granted", "broker: grant", gave))
}
