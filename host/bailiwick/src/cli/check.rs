//! `bailiwick check`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode as ProcessExit;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::report::exit::ExitCode as Exit;
use crate::report::format::{FORMATS, Format, View, format_of};
use crate::report::nagios;
use crate::report::nagios::State;
use crate::report::progress::Progress;
use crate::report::table::{Colour, Detail, Options};
use bailiwick_core::durable;
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::limits;
use bailiwick_core::model::{ComponentId, Lockdown, Severity, TargetName, World};
use bailiwick_core::nearest::{choices, did_you_mean};
use bailiwick_core::outcome::{CheckedTarget, RunOutcome, Sweep, TargetResult};
use bailiwick_core::source::Source;
use bailiwick_engine::sweep::{Request, Settings, Watcher, sweep};
use bailiwick_journal::{Entry, Journal, OpenError, Recovery};
use bailiwick_policy::lock::LockState;
use bailiwick_policy::ops::Ops;
use bailiwick_policy::review;
use bailiwick_policy::unbound::unbound;
use bailiwick_sandbox::cache::Cache;
use bailiwick_sandbox::client::identity;
use bailiwick_transport::ssh;
use clap::ValueEnum;
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};

use super::args::{number, rendering};
use super::{Context, fail, history};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Check only this target; repeatable
    #[arg(long, value_name = "NAME")]
    pub(super) target: Vec<String>,

    /// Run only this probe; repeatable
    #[arg(long, value_name = "ID")]
    pub(super) probe: Vec<String>,

    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = FORMATS[0].name, value_parser = rendering())]
    pub(super) format: &'static Format,

    /// Also write a report to FILE (atomically); repeatable
    ///
    /// For example: --write junit=report.xml
    #[arg(long, value_name = "FORMAT=FILE", value_parser = Write::parse)]
    pub(super) write: Vec<Write>,

    /// Maximum number of targets checked concurrently
    #[arg(long, value_name = "N", default_value_t = limits::JOBS, value_parser = number::<u64>(1..=limits::JOBS_MAX))]
    pub(super) jobs: u64,

    /// Timeout of each step of a connection: TCP, handshake, login
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = number::<u16>(1..=600))]
    pub(super) connect_timeout: u16,

    /// Exit with code 1 from this severity on
    #[arg(long, value_name = "SEVERITY", default_value = "warning")]
    pub(super) fail_on: FailOn,

    /// Refuse components if the kernel's sandbox is incomplete
    ///
    /// In policy.toml: `[worker] require-lockdown = true`. `bailiwick doctor` prints what the kernel lacks.
    #[arg(long)]
    pub(super) require_lockdown: bool,

    /// Print every finding, with its metrics and evidence
    #[arg(long, short)]
    pub(super) verbose: bool,
}

/// A file that a sweep is written to.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) format: &'static Format,
    pub(super) file: PathBuf,
}

impl Write {
    fn parse(text: &str) -> Result<Self, String> {
        let (format, file) = text.split_once('=').ok_or("must be FORMAT=FILE, such as junit=report.xml")?;
        let format = format_of(format).ok_or_else(|| {
            let hint = choices(format, FORMATS.iter().map(|format| format.name), "formats");
            format!("there is no format `{}`; {hint}", format.escape_default())
        })?;
        if file.is_empty() {
            return Err("the name of the file is missing".to_owned());
        }
        Ok(Self { format, file: file.into() })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    /// Unknown results and worse
    Unknown,
    /// Warnings and worse
    Warning,
    /// Critical findings only
    Critical,
    /// Findings never change the exit code
    Never,
}

/// How long a sweep waits for another one that writes the same journal.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<ProcessExit> {
    if !args.format.is_plugin {
        return Ok(sweep_and_print(context, args)?.1.into());
    }
    // A scheduler reads only standard output and four exit codes, also after an error.
    let state = sweep_and_print(context, args).map(|(sweep, exit)| match nagios::state(&sweep) {
        State::Ok if exit == Exit::NotChecked => State::Unknown,
        state => state,
    });
    let state = state.or_else(|error| {
        context.out.text(&nagios::failed(&error.to_string()))?;
        fail::report(&error, &context.out);
        anyhow::Ok(State::Unknown)
    })?;
    Ok(ProcessExit::from(state.code()))
}

fn sweep_and_print(context: &Context, args: &Args) -> anyhow::Result<(Sweep, Exit)> {
    let (ops, lock_state) = context.ops_and_lock()?;
    let request = request(&ops, lock_state, args)?;
    let (journal, recovery) = open(context)?;
    if let Some(recovery) = recovery {
        context.out.say(&recovery_warning(&recovery, &journal));
    }
    let pasts = history::pasts(context);
    let step = Duration::from_secs(u64::from(args.connect_timeout));
    let settings = Settings {
        jobs: usize::try_from(args.jobs)?,
        quarantine: context.quarantine()?,
        require_lockdown: args.require_lockdown || ops.policy.require_lockdown,
        ssh: ssh::Settings {
            connect: step,
            handshake: step,
            authentication: step,
            agent: context.environment.agent.clone(),
            ..ssh::Settings::default()
        },
        cache: cache(context),
        past_runs: Arc::clone(&pasts),
    };
    report_unmet(context, &ops, &request);
    report_unbound(context, &ops, &request);
    let progress = Arc::new(Bar {
        bar: Progress::new(&request.targets),
        seen: Mutex::default(),
        unlocked: Mutex::default(),
        not_anchored: Mutex::default(),
    });
    // One thread, which mostly waits. Heavy work runs in workers and on targets.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let watcher = Arc::clone(&progress);
    let journal = Arc::new(journal);
    let (asked, begun) = (request.targets.len(), Timestamp::now());
    let anchors: Vec<String> = ops.policy.anchors.iter().map(|anchor| anchor.to.to_string()).collect();
    let work = sweep(Arc::new(ops), request, settings, Arc::clone(&journal), watcher);
    let ended = runtime.block_on(async {
        tokio::select! {
            result = work => Ended::Itself(result),
            signal = stopped() => Ended::Stopped(signal),
        }
    });
    // Ends open connections, programs on this machine and workers.
    runtime.shutdown_background();
    history::follow(&pasts);
    progress.bar.finish();
    if let Some(lockdown) = *progress.unlocked.lock().unwrap_or_else(PoisonError::into_inner) {
        context.out.say(&warning(&lockdown));
    }
    for warning in progress.not_anchored.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        context.out.say(warning);
    }
    let (result, exit) = match ended {
        Ended::Itself(Ok(result)) => (result, None),
        Ended::Itself(Err(error)) => {
            context.out.say(&format!("error: {:#}", anyhow::Error::new(error)));
            context.out.say("The journal is not writable, so the sweep stopped. Partial results:");
            (progress.so_far(begun), Some(Exit::NotChecked))
        }
        Ended::Stopped(signal) => {
            journal.append(Entry::Interrupted { signal: signal.to_owned() })?;
            let sweep = progress.so_far(begun);
            let done = sweep.targets.len();
            context.out.say(&format!("stopped by {signal} with {done} of {asked} targets done"));
            (sweep, Some(Exit::NotChecked))
        }
    };
    if exit.is_some() {
        // The head of the next sweep covers the entries of this one.
        anchors.iter().for_each(|anchor| context.out.say(&not_anchored(anchor, "the sweep did not come to its end")));
    }
    let detail = match result.targets.as_slice() {
        _ if args.verbose => Detail::Full,
        [_] => Detail::Each,
        _ => Detail::Brief,
    };
    let colour = if context.out.color_stdout() { Colour::Always } else { Colour::Never };
    let options = Options { width: context.out.width(), colour, detail };
    for write in &args.write {
        // A file has no colours.
        let options = Options { colour: Colour::Never, ..options };
        let earlier = Source::read_theirs(&write.file).ok();
        let view = View { options, earlier: earlier.as_ref().map(Source::text) };
        let text = (write.format.render)(&result, &view)?;
        durable::replace(&write.file, 0o644, text.as_bytes())?;
    }
    context.out.styled(&(args.format.render)(&result, &View { options, earlier: None })?)?;
    let exit = exit.unwrap_or_else(|| Exit::for_sweep(&result, threshold(args.fail_on)));
    Ok((result, exit))
}

fn threshold(fail_on: FailOn) -> Option<Severity> {
    match fail_on {
        FailOn::Unknown => Some(Severity::Unknown),
        FailOn::Warning => Some(Severity::Warning),
        FailOn::Critical => Some(Severity::Critical),
        FailOn::Never => None,
    }
}

/// The requested targets and components. Every name must exist, so that a typo does not look like a sweep without findings.
fn request(ops: &Ops, lock_state: LockState, args: &Args) -> anyhow::Result<Request> {
    let mut components = BTreeSet::new();
    let is_probe =
        |id: &ComponentId| ops.library.manifest(id.as_str()).is_none_or(|manifest| manifest.world == World::Probe);
    for name in &args.probe {
        if ops.library.manifest(name.as_str()).is_some_and(|manifest| manifest.world == World::Fix) {
            let hint = format!("`bailiwick plan {name} --target TARGET` shows what it would change");
            return Err(fail::usage(format!("`{name}` is a fix, and `check` runs only probes"), hint));
        }
        if !ops.library.components().contains_key(name.as_str()) {
            let known = ops.library.components().keys().filter(|id| is_probe(id)).map(ComponentId::as_str);
            let hint = did_you_mean(name, known) + "`bailiwick review` prints the granted components";
            return Err(fail::usage(format!("there is no probe `{}`", name.escape_default()), hint));
        }
        components.insert(ComponentId::new(name)?);
    }
    let wanted = |id: &ComponentId| is_probe(id) && (components.is_empty() || components.contains(id));
    let granted = |target: &TargetName| ops.assignments.get(target).is_some_and(|ids| ids.keys().any(wanted));
    let mut targets = BTreeSet::new();
    for name in &args.target {
        if !ops.knows(name) {
            let (message, hint) = ops.fleet.unknown(name);
            return Err(fail::usage(message, hint));
        }
        let target = TargetName::new(name)?;
        if !granted(&target) && !ops.fleet.never.contains_key(&target) {
            let what = if components.is_empty() { "nothing" } else { "none of these probes" };
            let message = format!("policy grants {what} on `{name}`");
            return Err(fail::usage(message, "`bailiwick review` shows what it grants, and where"));
        }
        targets.insert(target);
    }
    if targets.is_empty() {
        targets = ops.assignments.keys().filter(|target| granted(target)).cloned().collect();
        targets.extend(ops.never_named());
    }
    if targets.is_empty() {
        let what = match args.probe.as_slice() {
            [] => "grants no component".to_owned(),
            probes => format!("does not grant {}", probes.join(" or ")),
        };
        let example = args.probe.first().map_or("load", String::as_str);
        return Err(fail::usage(
            format!("policy.toml {what} on any target"),
            format!("add to policy.toml:\n\n[[grant]]\ncomponent = [\"{example}\"]\non = [\"TARGET\"]"),
        ));
    }
    Ok(Request { targets, components: (!components.is_empty()).then_some(components), lock_state })
}

/// Opens the cache of compiled components. Without it every component is compiled, which only takes longer.
pub(super) fn cache(context: &Context) -> Option<Arc<Cache>> {
    let open = || -> anyhow::Result<Cache> {
        Ok(Cache::open(&context.state_folder()?.join("cache"), identity()?.as_bytes())?)
    };
    match open() {
        Ok(cache) => Some(Arc::new(cache)),
        Err(error) => {
            context.out.say(&format!("compiled code is not cached: {error:#}"));
            None
        }
    }
}

/// Reports the limits that components ask for and do not have, because they may fail without them.
fn report_unmet(context: &Context, ops: &Ops, request: &Request) {
    let assigned = request.targets.iter().filter_map(|target| ops.assignments.get(target)).flat_map(BTreeMap::keys);
    let ids: BTreeSet<_> =
        assigned.filter(|id| request.components.as_ref().is_none_or(|only| only.contains(*id))).collect();
    let unmet: Vec<_> = ids.into_iter().flat_map(|id| review::unmet(ops, id)).collect();
    if !unmet.is_empty() {
        let lines = review::to_raise(&unmet);
        context
            .out
            .say(&format!("warning: components ask for limits that the policy does not grant; to grant them, add to policy.toml:\n\n{lines}"));
    }
}

/// Names the slots that no line of policy fills: what they are for is not checked.
fn report_unbound(context: &Context, ops: &Ops, request: &Request) {
    let is_asked = |id: &ComponentId| {
        let is_probe = ops.library.manifest(id.as_str()).is_some_and(|manifest| manifest.world == World::Probe);
        is_probe && request.components.as_ref().is_none_or(|only| only.contains(id))
    };
    for unbound in unbound(ops, |target| request.targets.contains(target), is_asked) {
        context.out.say(&format!("warning: {unbound}; add {} to that [[grant]]", unbound.add));
    }
}

/// Opens the journal. If it has to wait for another writer, it prints so.
pub(super) fn open(context: &Context) -> anyhow::Result<(Journal, Option<Recovery>)> {
    let folder = context.journal_folder()?;
    match Journal::open(&folder, Duration::ZERO) {
        Err(bailiwick_journal::OpenError::Locked { .. }) => {
            context.out.say(&format!("waiting for another bailiwick that writes {} …", folder.shown()));
            Ok(Journal::open(&folder, PATIENCE)?)
        }
        other => Ok(other?),
    }
}

pub(super) fn recovery_warning(recovery: &Recovery, journal: &Journal) -> String {
    let mut parts = Vec::new();
    if let Some(file) = &recovery.torn_file {
        parts.push(format!("its last entry was incomplete ({} bytes, kept in {})", recovery.torn_bytes, file.shown()));
    }
    if recovery.missing > 0 {
        parts.push(format!("{} entries at its end are missing", recovery.missing));
    }
    if recovery.head_lost {
        parts.push("`head` is missing, so that a cut would not be detected".to_owned());
    }
    if !recovery.open_runs.is_empty() {
        let mut runs: Vec<_> = recovery.open_runs.iter().take(10).map(ToString::to_string).collect();
        if recovery.open_runs.len() > runs.len() {
            runs.push(format!("and {} more", recovery.open_runs.len() - runs.len()));
        }
        parts.push(format!("it holds runs that did not end: {}", runs.join(", ")));
    }
    format!("warning: the journal in {} was left unfinished: {}", journal.folder().shown(), parts.join("; "))
}

pub(super) fn warning(lockdown: &Lockdown) -> String {
    format!(
        "warning: components ran without {}, which this kernel lacks or does not let us use; \
         --require-lockdown refuses that; `bailiwick doctor` shows more",
        lockdown.lacking().join(", ")
    )
}

pub(super) fn not_anchored(anchor: &str, why: &str) -> String {
    format!(
        "warning: the journal's head is not anchored at {anchor}: {why}; until an anchor takes a head, these results can be \
         rewritten without detection"
    )
}

/// How a sweep ended.
enum Ended {
    Itself(Result<Sweep, OpenError>),
    Stopped(&'static str),
}

/// Waits for a signal that stops the sweep. If signals are not available, it waits for ever.
pub(super) async fn stopped() -> &'static str {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}

/// The progress bar on stderr, and the warnings so far.
struct Bar {
    bar: Progress,
    seen: Mutex<Vec<CheckedTarget>>,
    unlocked: Mutex<Option<Lockdown>>,
    not_anchored: Mutex<Vec<String>>,
}

impl Bar {
    fn so_far(&self, started: Timestamp) -> Sweep {
        let mut targets = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        targets.sort_by(|a, b| a.target.cmp(&b.target));
        Sweep { started, finished: Timestamp::now(), targets, together: Vec::new() }
    }
}

impl Watcher for Bar {
    fn target_done(&self, checked: &CheckedTarget) {
        if let TargetResult::Runs(runs) = &checked.result {
            let findings = runs.iter().filter_map(|run| match &run.outcome {
                RunOutcome::Report(report) => Some(&report.findings),
                _ => None,
            });
            self.bar.add_findings(findings.flatten().filter(|finding| finding.severity >= Severity::Warning).count());
        }
        self.bar.target_done(&checked.target);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(checked.clone());
    }

    fn not_anchored(&self, anchor: &str, why: &str) {
        self.not_anchored.lock().unwrap_or_else(PoisonError::into_inner).push(not_anchored(anchor, why));
    }

    fn unlocked(&self, lockdown: &Lockdown) {
        *self.unlocked.lock().unwrap_or_else(PoisonError::into_inner) = Some(*lockdown);
    }
}
