//! `bailiwick test`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::report::exit::ExitCode as Exit;
use bailiwick_core::encode;
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::manifest::Scope;
use bailiwick_core::model::{CaseName, Lockdown, Tainted, TargetName, World};
use bailiwick_core::outcome::{CheckedTarget, RunOutcome, Sweep, TargetResult};
use bailiwick_core::source::Problems;
use bailiwick_engine::cases::{Case, CasesError, Project, ProjectError, RecordError, Recording, Runner, Verdict, diff};
use bailiwick_engine::sweep::{Request, Settings, Watcher, sweep};
use bailiwick_journal::Scratch;
use bailiwick_policy::library;
use bailiwick_policy::ops::{Ops, OpsError};
use bailiwick_transport::ssh;
use serde::Serialize;

use super::args::Format;
use super::{Context, check, fail};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A component's file, or the folder with its manifest.toml
    ///
    /// In a folder, the newest of ID.wasm, target/probe.wasm, dist/ID.wasm and ../dist/ID.wasm is the component.
    #[arg(value_name = "DIR|FILE", default_value = ".")]
    pub(super) path: PathBuf,

    /// Only these cases [default: all]
    #[arg(value_name = "CASE")]
    pub(super) cases: Vec<String>,

    /// The component file [default: found in DIR]
    #[arg(long, value_name = "FILE")]
    pub(super) component: Option<PathBuf>,

    /// The manifest [default: the one in FILE, or DIR's]
    #[arg(long, value_name = "FILE")]
    pub(super) manifest: Option<PathBuf>,

    /// Where the cases are [default: cases/ in DIR or beside FILE]
    #[arg(long, value_name = "DIR")]
    pub(super) case_dir: Option<PathBuf>,

    /// Run on --target; save the answers as cases/NAME.toml
    ///
    /// The component runs as in `check`. The file must not exist yet.
    #[arg(long, value_name = "NAME", requires = "target", conflicts_with = "cases")]
    pub(super) record: Option<String>,

    /// The target to record from
    #[arg(long, value_name = "NAME", requires = "record")]
    pub(super) target: Option<String>,

    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: Format,
}

/// All results, for programs.
#[derive(Serialize)]
struct Tested {
    format: &'static str,
    component: String,
    version: String,
    file: String,
    digest: String,
    cases: Vec<TestedCase>,
}

#[derive(Serialize)]
struct TestedCase {
    name: String,
    about: String,
    passed: bool,
    notes: Vec<String>,
    differences: Vec<String>,
    expected: String,
    found: String,
}

pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let project =
        Project::find(&args.path, args.component.as_deref(), args.manifest.as_ref(), args.case_dir.as_deref());
    let project = project.map_err(with_places)?;
    // One thread, which only waits, as in `check`.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let names = match (&args.record, &args.target) {
        (Some(name), Some(target)) => {
            let name = CaseName::new(name).map_err(|error| fail::usage(error.to_string(), "it names the file"))?;
            project.new_case(&name).map_err(with_places)?;
            if let Err(exit) = record(context, &project, &name, target, &runtime)? {
                return Ok(exit);
            }
            vec![name]
        }
        _ => project.names(&args.cases).map_err(with_places)?,
    };
    // Every case is read before the first is run, so that one command shows the mistakes of all.
    let mut problems = Problems::default();
    let mut cases = Vec::new();
    for name in names {
        match project.case(&name) {
            Ok(case) => cases.push((name, case)),
            Err(ProjectError::Invalid(Problems(more))) => problems.0.extend(more),
            Err(error) => return Err(with_places(error)),
        }
    }
    let cases = problems.or(cases).map_err(OpsError::Invalid)?;
    runtime.block_on(put(context, &project, cases, args.format))
}

fn with_places(error: ProjectError) -> anyhow::Error {
    match error {
        ProjectError::Invalid(problems) => OpsError::Invalid(problems).into(),
        ProjectError::Library(error) => OpsError::from(error).into(),
        other => other.into(),
    }
}

/// Runs the component on each case, and prints each result at once.
async fn put(
    context: &Context,
    project: &Project,
    cases: Vec<(CaseName, Case)>,
    format: Format,
) -> anyhow::Result<Exit> {
    let (journal, _scratch) = Scratch::journal()?;
    let manifest = &project.file.manifest;
    let bench = match Runner::new(None, manifest, &project.file.binary.bytes, Arc::new(journal)).await {
        Ok(bench) => bench,
        Err(error @ (CasesError::Inspect(_) | CasesError::Imports(_))) => {
            fail::report(&anyhow::Error::from(error).context(project.path.shown()), &context.out);
            return Ok(Exit::Refused);
        }
        Err(error) => return Err(error.into()),
    };
    let mut tested = Tested {
        format: "bailiwick.test/1",
        component: manifest.id.to_string(),
        version: manifest.version.clone(),
        file: project.path.shown(),
        digest: format!("sha256:{}", project.file.binary.digest),
        cases: Vec::new(),
    };
    let table = format == Format::Table;
    if table {
        let Tested { component, version, file, digest, .. } = &tested;
        context.out.text(&format!("{component} {version}, {file}\n{digest}\n\n"))?;
    }
    for (name, case) in cases {
        let verdict = bench.run(&case).await;
        if table {
            context.out.text(&shown(&name, &case, &verdict)?)?;
        }
        tested.cases.push(TestedCase {
            name: name.to_string(),
            about: case.about,
            passed: verdict.passed(),
            notes: verdict.notes,
            differences: verdict.differences,
            expected: verdict.expected,
            found: verdict.found,
        });
    }
    let failed = tested.cases.iter().filter(|case| !case.passed).count();
    if table {
        let all = tested.cases.len();
        context.out.text(&format!("\n{}: {} passed, {failed} failed\n", encode::counted(all, "case"), all - failed))?;
    } else {
        context.out.text(&encode::to_json(&tested)?)?;
    }
    Ok(if failed == 0 { Exit::Fine } else { Exit::ReplayDiffers })
}

/// The result of one case for people. If it failed: what was expected (-) and what was reported (+).
fn shown(name: &CaseName, case: &Case, verdict: &Verdict) -> Result<String, std::fmt::Error> {
    let line = |text: &str| encode::terminal(&Tainted::new(text), 400);
    let mut text = String::new();
    let word = if verdict.passed() { "ok" } else { "FAILED" };
    writeln!(text, "{word:<6}  {name}: {}", line(&case.about))?;
    for note in &verdict.notes {
        writeln!(text, "          {}", line(note))?;
    }
    if !verdict.differences.is_empty() || verdict.expected != verdict.found && !verdict.passed() {
        for (mark, content) in diff(&verdict.expected, &verdict.found) {
            writeln!(text, "        {mark} {}", line(content))?;
        }
    }
    Ok(text)
}

/// One run on one target needs no progress bar. Only missing measures of the lockdown are reported.
#[derive(Default)]
struct Alone(Mutex<Option<Lockdown>>, Mutex<Vec<String>>);

impl Watcher for Alone {
    fn target_done(&self, _: &CheckedTarget) {}

    fn not_anchored(&self, anchor: &str, why: &str) {
        self.1.lock().unwrap_or_else(PoisonError::into_inner).push(check::not_anchored(anchor, why));
    }

    fn unlocked(&self, lockdown: &Lockdown) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(*lockdown);
    }
}

/// Runs the component on a target, exactly as `check` would, and writes the case; or returns the exit code if that is not
/// possible. A component that checks all its targets in one run is recorded on all of them, because with fewer it would report
/// something else.
fn record(
    context: &Context,
    project: &Project,
    name: &CaseName,
    target: &str,
    runtime: &tokio::runtime::Runtime,
) -> anyhow::Result<Result<(), Exit>> {
    let id = &project.file.manifest.id;
    if project.file.manifest.world == World::Fix {
        let hint = "record the probe that it answers, and take its answers into a case with a [plan]";
        return Err(fail::usage(format!("`{id}` is a fix, and its cases are written by hand"), hint));
    }
    let (ops, lock_state) = context.ops_and_lock()?;
    check_installed(context, &ops, project)?;
    if !ops.knows(target) {
        let (message, hint) = ops.fleet.unknown(target);
        return Err(fail::usage(message, hint));
    }
    let target = TargetName::new(target)?;
    let grant = ops.grant(id, &target);
    if grant.is_none() && !ops.fleet.never.contains_key(&target) {
        let message = format!("policy grants `{id}` nothing on `{target}`");
        return Err(fail::usage(
            message,
            "add a [[grant]] to policy.toml; `bailiwick review` shows what it then may do",
        ));
    }
    let (journal, recovery) = check::open(context)?;
    if let Some(recovery) = recovery {
        context.out.say(&check::recovery_warning(&recovery, &journal));
    }
    let folder = journal.folder().to_owned();
    let scope = project.file.manifest.scope;
    let targets: BTreeSet<TargetName> = match scope {
        Scope::Target => [target.clone()].into(),
        Scope::Fleet => ops.targets_of(id).cloned().collect(),
    };
    let names = targets.iter().map(TargetName::as_str).collect::<Vec<_>>().join(", ");
    context.out.say(&format!("recording {id} on {names} …"));
    let agent = context.environment.agent.clone();
    let settings = Settings {
        jobs: 1,
        quarantine: context.quarantine()?,
        cache: check::cache(context),
        past_runs: super::history::pasts(context),
        require_lockdown: ops.policy.require_lockdown,
        ssh: ssh::Settings { agent, ..ssh::Settings::default() },
    };
    let alone = Arc::new(Alone::default());
    let request = Request { targets, components: Some([id.clone()].into()), lock_state };
    let watcher = Arc::clone(&alone) as Arc<dyn Watcher>;
    let ops = Arc::new(ops);
    let swept = runtime.block_on(sweep(Arc::clone(&ops), request, settings, Arc::new(journal), watcher))?;
    if let Some(lockdown) = *alone.0.lock().unwrap_or_else(PoisonError::into_inner) {
        context.out.say(&check::warning(&lockdown));
    }
    for warning in alone.1.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        context.out.say(warning);
    }
    let (run, on) = match recorded_run(&swept, &target, scope) {
        Ok(run) => run,
        Err((why, exit)) => {
            context.out.say(&format!("error: nothing is recorded from {names}: {why}"));
            return Ok(Err(exit));
        }
    };
    let grants: Vec<_> = on.iter().filter_map(|target| ops.grant(id, target)).collect();
    if grants.len() != on.len() {
        return Ok(Err(Exit::Refused));
    }
    let recording = Recording::read(&folder, run)?;
    let text = match recording.case(&project.file.manifest, &grants) {
        Err(RecordError::Broke(why)) => {
            context.out.say(&format!("error: nothing is recorded: {why}"));
            return Ok(Err(Exit::NotChecked));
        }
        other => other?,
    };
    let path = project.write_case(name, &text).map_err(with_places)?;
    let answers = encode::counted(recording.answers(), "answer");
    context.out.say(&format!("wrote {} with {answers}; read it, and write in `about` what it shows", path.shown()));
    if recording.redacted > 0 {
        context.out.say(&format!("{} secrets in the answers were redacted", recording.redacted));
    }
    Ok(Ok(()))
}

/// Checks that the installed component is the component under test, and not another one with its name.
fn check_installed(context: &Context, ops: &Ops, project: &Project) -> anyhow::Result<()> {
    let (id, file) = (&project.file.manifest.id, &project.file);
    let sealed =
        || bailiwick_core::sections::seal(&file.binary.bytes, file.source.text()).map(|bytes| library::digest(&bytes));
    let commands = format!("`bailiwick pack {}` and `bailiwick add {id}.wasm`", project.path.shown());
    match (ops.library.binary(id), &context.dir) {
        (Some(there), _) if there.digest == file.binary.digest || Ok(&there.digest) == sealed().as_ref() => Ok(()),
        (_, None) => Err(fail::usage(
            format!("a recording needs an ops directory, in which `{id}` is granted and accepted"),
            format!("name one with --dir DIR; add a [[grant]] for `{id}` to its policy.toml; then run {commands}"),
        )),
        (Some(_), Some(dir)) => Err(fail::usage(
            format!("the `{id}` of {} differs from {}", dir.shown(), project.path.shown()),
            format!("run {commands}"),
        )),
        (None, Some(dir)) => Err(fail::usage(
            format!("{} has no component `{id}`", dir.shown()),
            format!("add a [[grant]] for `{id}` to its policy.toml; then run {commands}"),
        )),
    }
}

/// The number of the run in the journal and its targets, or why there is no run.
fn recorded_run(swept: &Sweep, target: &TargetName, scope: Scope) -> Result<(u64, Vec<TargetName>), (String, Exit)> {
    let checked = swept.targets.iter().find(|checked| checked.target == *target);
    let (run, on) = match (scope, checked.map(|checked| &checked.result)) {
        (_, Some(TargetResult::Refused { rule })) => return Err((rule.clone(), Exit::Refused)),
        (Scope::Target, Some(TargetResult::Unreachable { cause, .. })) => {
            return Err((cause.clone(), Exit::NotChecked));
        }
        (Scope::Target, Some(TargetResult::Runs(runs))) => (runs.first(), vec![target.clone()]),
        (Scope::Fleet, Some(_)) => {
            let together = swept.together.first();
            (together.map(|it| &it.run), together.map(|it| it.targets.clone()).unwrap_or_default())
        }
        (_, None) => return Err(("the target was not checked".to_owned(), Exit::NotChecked)),
    };
    let Some(run) = run else { return Err(("nothing ran".to_owned(), Exit::NotChecked)) };
    match &run.outcome {
        RunOutcome::Refused { reason } => Err((reason.clone(), Exit::Refused)),
        RunOutcome::Fault(fault) => Err((fault.message.clone(), Exit::NotChecked)),
        _ => match run.id.parse() {
            Ok(number) => Ok((number, on)),
            Err(_) => Err(("it has no entry in the journal".to_owned(), Exit::NotChecked)),
        },
    }
}
