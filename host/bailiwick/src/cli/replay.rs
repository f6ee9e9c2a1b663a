//! `bailiwick replay`.

use std::fmt::Write;

use crate::report::exit::ExitCode as Exit;
use bailiwick_core::encode;
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::model::{ComponentId, Tainted};
use bailiwick_engine::cases::diff;
use bailiwick_engine::replay::{
    Candidate, ComponentStore, Difference, NotReplayable, Recorded, Replayed, Runner, Select, Selection, find,
};
use bailiwick_journal::Evidence;
use bailiwick_policy::library::{ComponentFile, Library};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::args::{Format, run_number};
use super::{Context, fail};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["number", "last", "component"]))]
pub(super) struct Args {
    /// A run, or a sweep: all runs of one `check`
    ///
    /// `bailiwick journal list` prints the numbers of runs, and `journal show RUN` the number of its sweep.
    #[arg(value_name = "RUN|SWEEP", value_parser = run_number)]
    pub(super) number: Option<u64>,

    /// The latest sweep
    #[arg(long)]
    pub(super) last: bool,

    /// All runs of this component
    #[arg(long, value_name = "ID", requires = "since")]
    pub(super) component: Option<String>,

    /// Runs from this date or time (UTC) on, such as 2026-11-01
    #[arg(long, value_name = "DATE", requires = "component")]
    pub(super) since: Option<String>,

    /// Run this component instead, and show the differences
    #[arg(long, value_name = "NEW.wasm")]
    pub(super) with: Option<PathBuf>,

    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: Format,
}

/// Fields whose text comes from a component, a target or the writer of the journal, or may quote it.
const UNTRUSTED: &[&str] = &["cause", "place", "recorded", "replayed", "unanswered", "version", "what"];

/// All results, for programs.
#[derive(Serialize)]
struct Document {
    format: &'static str,
    untrusted: &'static [&'static str],
    /// The component that ran instead of the recorded ones.
    with: Option<With>,
    summary: Summary,
    runs: Vec<Run>,
    /// Targets and components of the same sweep that have no run.
    not_run: Vec<NotRun>,
    /// Why the journal was not read to its end.
    stopped: Option<String>,
}

#[derive(Serialize)]
struct With {
    component: String,
    version: String,
    file: String,
    digest: String,
}

#[derive(Default, Serialize)]
struct Summary {
    runs: usize,
    identical: usize,
    differ: usize,
    not_replayed: usize,
}

#[derive(Serialize)]
struct Run {
    run: u64,
    sweep: u64,
    began: String,
    target: String,
    /// The other targets, if the run was about several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    others: Vec<String>,
    component: String,
    version: String,
    digest: String,
    result: Result,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Result {
    /// The report is the same: its SHA-256. None: another version reported the same.
    Identical { report: Option<String> },
    /// The first thing that differs.
    Differs { place: String, recorded: Tainted, replayed: Tainted },
    /// The reports of both versions, and the questions without a recorded answer.
    #[serde(rename = "said")] // The word of `bailiwick.replay/1`.
    Compared { recorded: String, replayed: String, unanswered: Vec<String> },
    /// There is nothing to compare.
    NotReplayed { cause: String },
}

#[derive(Serialize)]
struct NotRun {
    entry: u64,
    what: String,
    cause: Tainted,
}

pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let folder = context.journal()?;
    let file = args.with.as_ref().map(|path| ComponentFile::read(path)).transpose();
    let file = file.map_err(bailiwick_policy::ops::OpsError::from)?;
    let selection = find(&folder, &select(args)?)?;
    if selection.runs.is_empty() {
        if let Some(error) = selection.stopped {
            return Err(error.into());
        }
        let message = match (args.number, &args.component) {
            (Some(number), _) => format!("the journal has no run or sweep {number}"),
            (None, Some(id)) => format!("the journal has no run of `{}` since then", id.escape_default()),
            (None, None) => "the latest sweep has no runs: no component ran".to_owned(),
        };
        return Err(fail::usage(message, "`bailiwick journal list` lists the runs"));
    }
    let components = context.dir.as_ref().map(|dir| dir.join("components"));
    let library = Library::built_in().map_err(bailiwick_policy::ops::OpsError::from)?;
    let runner = Runner::new(None, ComponentStore::new(library, components, Evidence::beside(&folder)))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let runs = runtime.block_on(replay(runner, &selection, file.as_ref()))?;
    print(context, args.format, selection, file.as_ref(), runs, args.with.as_ref().map(|path| path.shown()))
}

fn select(args: &Args) -> anyhow::Result<Select> {
    Ok(match (args.number, &args.component, &args.since) {
        (Some(number), _, _) => Select::Number(number),
        (None, Some(id), Some(since)) => {
            let id = ComponentId::new(id)
                .map_err(|error| fail::usage(error.to_string(), "`bailiwick journal list` names them"))?;
            Select::Component { id, since: time(since)? }
        }
        _ => Select::Last,
    })
}

/// Parses a day or a time.
fn time(text: &str) -> anyhow::Result<Timestamp> {
    let day = || text.parse::<Date>().ok()?.at(0, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).ok();
    text.parse().ok().or_else(|| day().map(|day| day.timestamp())).ok_or_else(|| {
        let message = format!("`{}` is not a date or a time", text.escape_default());
        fail::usage(message, "write 2026-11-01, or 2026-11-01T12:00:00Z")
    })
}

/// Replays each run. Runs of one component are grouped, so that it is loaded once.
async fn replay(
    mut runner: Runner<'_>,
    selection: &Selection,
    file: Option<&ComponentFile>,
) -> anyhow::Result<Vec<(u64, Result)>> {
    let mut order: Vec<&Recorded> = selection.runs.iter().collect();
    order.sort_by(|a, b| (&a.digest, a.run).cmp(&(&b.digest, b.run)));
    let mut results = Vec::new();
    match file {
        None => {
            for run in order {
                results.push((run.run, Result::from(runner.replay(selection, run).await)));
            }
        }
        Some(file) => {
            let candidate = Candidate::new(None, file).await?;
            for run in order.into_iter().filter(|run| run.component == file.manifest.id) {
                let result = match candidate.compare(&runner, selection, run).await {
                    Ok(reports) if reports.is_same() => Result::Identical { report: None },
                    Ok(reports) => Result::Compared {
                        recorded: reports.recorded,
                        replayed: reports.replayed,
                        unanswered: reports.unanswered,
                    },
                    Err(why) => Result::not(&why),
                };
                results.push((run.run, result));
            }
        }
    }
    results.sort_by_key(|(run, _)| *run);
    Ok(results)
}

impl Result {
    fn not(why: &NotReplayable) -> Self {
        let mut cause = why.to_string();
        let mut source = std::error::Error::source(why);
        while let Some(error) = source {
            // An error that only passes on its source already contains the source's text.
            if !cause.contains(&error.to_string()) {
                cause += &format!(": {error}");
            }
            source = error.source();
        }
        Self::NotReplayed { cause }
    }
}

impl From<Replayed> for Result {
    fn from(replayed: Replayed) -> Self {
        match replayed {
            Replayed::Identical(report) => Self::Identical { report: Some(report) },
            Replayed::Differs(Difference { place, recorded, replayed }) => Self::Differs { place, recorded, replayed },
            Replayed::Not(why) => Self::not(&why),
        }
    }
}

fn print(
    context: &Context,
    format: Format,
    selection: Selection,
    file: Option<&ComponentFile>,
    results: Vec<(u64, Result)>,
    path: Option<String>,
) -> anyhow::Result<Exit> {
    let mut summary = Summary { runs: results.len(), ..Summary::default() };
    for (_, result) in &results {
        match result {
            Result::Identical { .. } => summary.identical += 1,
            Result::Differs { .. } | Result::Compared { .. } => summary.differ += 1,
            Result::NotReplayed { .. } => summary.not_replayed += 1,
        }
    }
    if results.is_empty() {
        let id = file.map(|file| file.manifest.id.to_string()).unwrap_or_default();
        let message = format!("none of these runs is one of `{id}`");
        return Err(fail::usage(message, "--component ID --since DATE finds them"));
    }
    let exit = match &summary {
        Summary { differ: 1.., .. } => Exit::ReplayDiffers,
        Summary { not_replayed: 1.., .. } => Exit::NotChecked,
        _ => Exit::Fine,
    };
    let mut results = results.into_iter().peekable();
    let runs = selection.runs.iter().filter_map(|run| {
        let (_, result) = results.next_if(|(number, _)| *number == run.run)?;
        let mut targets = run.targets().map(ToString::to_string);
        Some(Run {
            run: run.run,
            sweep: run.sweep,
            began: run.began.to_string(),
            target: targets.next().unwrap_or_default(),
            others: targets.collect(),
            component: run.component.to_string(),
            version: run.version.clone(),
            digest: run.digest.clone(),
            result,
        })
    });
    let runs: Vec<Run> = runs.collect();
    let with = file.map(|file| With {
        component: file.manifest.id.to_string(),
        version: file.manifest.version.clone(),
        file: path.unwrap_or_default(),
        digest: format!("sha256:{}", file.binary.digest),
    });
    let not_run = selection.not_run.into_iter();
    let document = Document {
        format: "bailiwick.replay/1",
        untrusted: UNTRUSTED,
        with,
        summary,
        runs,
        not_run: not_run.map(|none| NotRun { entry: none.entry, what: none.what, cause: none.why }).collect(),
        stopped: selection.stopped.map(|error| error.to_string()),
    };
    if let Some(stopped) = &document.stopped {
        context.out.say(&format!("warning: {stopped}; `bailiwick journal verify` shows more"));
    }
    match format {
        Format::Json => context.out.text(&encode::to_json(&document)?)?,
        Format::Table => context.out.page(&table(&document)?)?,
    }
    Ok(exit)
}

/// Enough of a digest to recognise it; `--format json` has all of it.
fn short_digest(digest: &str) -> String {
    format!("sha256:{}…", digest.get(..12).unwrap_or(digest))
}

fn table(document: &Document) -> std::result::Result<String, std::fmt::Error> {
    let mut text = String::new();
    let line = |tainted: &Tainted| encode::terminal(tainted, 400);
    if let Some(With { component, version, file, digest }) = &document.with {
        writeln!(text, "{component} {version}, {file}\n{digest}\n")?;
    }
    for run in &document.runs {
        let Run { run: number, target, others, component, version, .. } = run;
        let version = encode::terminal(&Tainted::new(version), 40);
        let others: String = others.iter().map(|other| format!(", {other}")).collect();
        write!(text, "{number:>8}  {target}{others}  {component} {version}  ")?;
        match &run.result {
            Result::Identical { report: Some(report) } => writeln!(text, "identical, report {}", short_digest(report))?,
            Result::Identical { report: None } => writeln!(text, "the same")?,
            Result::Differs { place, recorded, replayed } => {
                writeln!(text, "DIFFERS: {}", line(&Tainted::new(place)))?;
                writeln!(text, "          recorded  {}\n          replayed  {}", line(recorded), line(replayed))?;
            }
            Result::Compared { recorded, replayed, unanswered } => {
                writeln!(text, "DIFFERS")?;
                for asked in unanswered {
                    writeln!(text, "          no answer is recorded to {}", line(&Tainted::new(asked)))?;
                }
                for (mark, content) in diff(recorded, replayed) {
                    writeln!(text, "        {mark} {}", line(&Tainted::new(content)))?;
                }
            }
            Result::NotReplayed { cause } => writeln!(text, "NOT REPLAYED: {}", line(&Tainted::new(cause)))?,
        }
    }
    for none in &document.not_run {
        writeln!(text, "{:>8}  {}  nothing ran: {}", none.entry, line(&Tainted::new(&none.what)), line(&none.cause))?;
    }
    let Summary { runs, identical, differ, not_replayed } = document.summary;
    writeln!(
        text,
        "\n{}: {identical} identical, {differ} differ, {not_replayed} not replayed",
        encode::counted(runs, "run")
    )?;
    Ok(text)
}
