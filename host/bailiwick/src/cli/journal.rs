//! `bailiwick journal`.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::report::exit::ExitCode as Exit;
use bailiwick_core::encode;
use bailiwick_core::model::{Decision, RunFault, Tainted, TargetName, VerbError};
use bailiwick_journal as journal;
use bailiwick_journal::RetentionLimits;
use bailiwick_journal::{Blob, Entry, Evidence, Outcome, ReadError, Reader, Record, RunEnd, RunStart, RunTarget};
use clap::Subcommand;
use jiff::Timestamp;

use super::args::{LAST_MAX, number, run_number};
use super::{Context, check, fail, verify};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the latest runs
    List {
        /// How many runs
        #[arg(long, value_name = "N", default_value = "20", value_parser = number::<usize>(0..=LAST_MAX))]
        last: usize,
    },
    /// Show everything that is recorded of a run
    Show {
        /// The run's number, from `bailiwick journal list`
        #[arg(value_parser = run_number)]
        run: u64,
    },
    /// Verify that the journal was not edited
    ///
    /// It is compared with every anchor of policy.toml: the copies are read from the targets. Exit code 2: the journal, its evidence or
    /// an anchor differs; 4: an anchor cannot be read.
    Verify {
        /// Do not read policy.toml or the anchors (copies elsewhere)
        #[arg(long)]
        offline: bool,
    },
    /// Delete evidence files beyond the limits of [retention]
    ///
    /// Journal entries and their hash chain are kept. A new entry names each deleted file, so that `journal verify` reports it as pruned
    /// and not as missing.
    Prune {
        /// Only print what would be deleted
        #[arg(long)]
        dry_run: bool,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let folder = context.journal()?;
    match args.command {
        Command::List { last } => list(context, Reader::open(&folder)?, last),
        Command::Show { run } => show(context, Reader::open(&folder)?, &Evidence::beside(&folder), run),
        Command::Verify { offline } => verify::run(context, &folder, offline),
        Command::Prune { dry_run } => prune(context, dry_run),
    }
}

fn prune(context: &Context, dry_run: bool) -> anyhow::Result<Exit> {
    let (ops, _) = context.ops_and_lock()?;
    let Some(retention) = &ops.policy.retention else {
        let message = "policy.toml has no [retention], so all evidence is kept";
        return Err(fail::usage(
            message,
            "`[retention] days = 400` deletes older evidence; `bailiwick help policy retention` describes the keys",
        ));
    };
    let keep = RetentionLimits {
        days: retention.days.as_ref().map(|days| days.value),
        bytes: retention.bytes.as_ref().map(|bytes| bytes.value),
    };
    let folder = context.journal_folder()?;
    let plan = if dry_run {
        journal::plan(&folder, keep, Timestamp::now())?
    } else {
        // The lock of the journal keeps other writers away meanwhile.
        let (journal, recovery) = check::open(context)?;
        if let Some(recovery) = recovery {
            context.out.say(&check::recovery_warning(&recovery, &journal));
        }
        let plan = journal::plan(&folder, keep, Timestamp::now())?;
        journal::prune(&journal, &plan, &retention.shown())?;
        plan
    };
    let ((goes, goes_bytes), (stays, stays_bytes)) = (plan.removed, plan.kept);
    let between = plan.between.map(|(first, last)| format!(", last named {} to {}", second(&first), second(&last)));
    let verb = if dry_run { "would be removed" } else { "removed" };
    context.out.text(&format!(
        "{} ({goes_bytes} bytes) {verb}{}\n{} ({stays_bytes} bytes) kept\nby {}\n",
        encode::counted(goes, "evidence file"),
        between.unwrap_or_default(),
        encode::counted(stays, "evidence file"),
        retention.shown()
    ))?;
    Ok(Exit::Fine)
}

/// The entries up to the first one that cannot be read, which is reported.
fn records(context: &Context, reader: Reader) -> impl Iterator<Item = Record> {
    reader.map_while(|record| {
        let report = |error: &ReadError| {
            context.out.say(&format!("warning: {error}; `bailiwick journal verify` shows more"));
        };
        record.inspect_err(report).ok()
    })
}

struct Line {
    time: String,
    what: String,
    end: Option<String>,
}

fn list(context: &Context, reader: Reader, last: usize) -> anyhow::Result<Exit> {
    let mut runs: BTreeMap<u64, Line> = BTreeMap::new();
    for record in records(context, reader) {
        match record.entry {
            Entry::RunStarted(RunStart { component, first, others, .. }) => {
                let target = first.target;
                let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
                let what = format!("{target}{more}  {component}");
                runs.insert(record.seq, Line { time: second(&record.time), what, end: None });
            }
            Entry::NotChecked { target, refused, cause, .. } => {
                let end = format!("{}: {cause}", if refused { "refused" } else { "unreachable" });
                runs.insert(record.seq, Line { time: second(&record.time), what: target.to_string(), end: Some(end) });
            }
            Entry::LoadRefused { component, reason, .. } => {
                let (what, end) = (component.to_string(), Some(format!("not run: {reason}")));
                runs.insert(record.seq, Line { time: second(&record.time), what, end });
            }
            Entry::RunEnded { run, end, .. } => {
                if let Some(line) = runs.get_mut(&run) {
                    line.end = Some(how(&end));
                }
            }
            _ => {}
        }
    }
    let mut text = String::new();
    for (run, line) in runs.iter().skip(runs.len().saturating_sub(last)) {
        let end = line.end.as_deref().unwrap_or("did not end");
        // Causes may quote a target.
        let end = encode::terminal(&Tainted::new(end), 200);
        writeln!(text, "{run:>8}  {}  {}  {end}", line.time, line.what)?;
    }
    context.out.text(&text)?;
    Ok(Exit::Fine)
}

fn second(time: &jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn how(end: &RunEnd) -> String {
    match end {
        RunEnd::Report(report) => {
            let worst = report.findings.iter().map(|finding| finding.severity).max();
            let count = report.findings.len();
            format!(
                "{}, {}",
                worst.map_or("ok", bailiwick_core::model::Severity::name),
                encode::counted(count, "finding")
            )
        }
        RunEnd::Decided(decision) => decided(decision).to_owned(),
        RunEnd::CouldNotCheck { error: Some(VerbError::Unsupported), .. } => "not applicable".to_owned(),
        RunEnd::CouldNotCheck { .. } => "could not check".to_owned(),
        RunEnd::Fault(RunFault { message, .. }) => format!("failed: {message}"),
    }
}

/// The decision of a fix, in a word. `show` prints its text.
const fn decided(decision: &Decision) -> &'static str {
    match decision {
        Decision::Propose { .. } => "proposes a change",
        Decision::NothingToDo { .. } => "has nothing to do",
        Decision::Refuse { .. } => "refuses to fix",
    }
}

fn show(context: &Context, reader: Reader, evidence: &Evidence, run: u64) -> anyhow::Result<Exit> {
    let mut text = String::new();
    let mut intents = Vec::new();
    let mut any = false;
    let mut shared = BTreeMap::new();
    for record in records(context, reader) {
        // A shared answer is shown in the run that sent the action.
        if let Entry::Outcome { intent, .. } = &record.entry {
            shared.insert(*intent, record.clone());
        }
        if let Entry::Shared { run: number, intent, .. } = &record.entry
            && *number == run
        {
            write_record(&mut text, &record, evidence)?;
            if let Some(answer) = shared.get(intent) {
                write_record(&mut text, answer, evidence)?;
            }
            continue;
        }
        let of_run = match &record.entry {
            Entry::RunStarted(_) => record.seq == run,
            Entry::Intent { run: number, .. } => {
                let ours = *number == run;
                if ours {
                    intents.push(record.seq);
                }
                ours
            }
            Entry::CallRefused { run: number, .. }
            | Entry::Staged { run: number, .. }
            | Entry::StageRefused { run: number, .. }
            | Entry::Note { run: number, .. }
            | Entry::RunEnded { run: number, .. } => *number == run,
            Entry::Outcome { intent, .. } => intents.contains(intent),
            // Answers are kept for one sweep at a time.
            Entry::SweepStarted { .. } => {
                shared.clear();
                false
            }
            _ => false,
        };
        if of_run {
            any = true;
            write_record(&mut text, &record, evidence)?;
        }
    }
    if !any {
        return Err(fail::usage(format!("the journal has no run {run}"), "`bailiwick journal list` shows the latest"));
    }
    context.out.text(&text)?;
    Ok(Exit::Fine)
}

/// Untrusted bytes, indented, with each line escaped.
fn block(text: &mut String, label: &str, blob: &Blob, evidence: &Evidence) -> std::fmt::Result {
    let bytes = match evidence.read(blob) {
        Ok(bytes) if bytes.is_empty() => return Ok(()),
        Ok(bytes) => bytes,
        Err(error) => return writeln!(text, "    {label}: NOT SHOWN: {error}"),
    };
    match blob {
        Blob::Inline(_) => writeln!(text, "    {label}:")?,
        Blob::Evidence { sha256, .. } => writeln!(text, "    {label}: sha256:{sha256}")?,
    }
    for line in String::from_utf8_lossy(&bytes).lines() {
        writeln!(text, "      | {}", encode::terminal(&Tainted::new(line), 1 << 16))?;
    }
    Ok(())
}

/// The part of a run's start about one target.
fn write_start(text: &mut String, on: &RunTarget) -> std::fmt::Result {
    let RunTarget { grant, actions, params, previous_ms, earlier, .. } = on;
    writeln!(text, "    grant      sha256:{grant}")?;
    for granted in actions {
        let key = granted.key.as_ref().map(|key| format!(" as {}", key.as_str())).unwrap_or_default();
        writeln!(text, "    granted    {}{key}\n                 {}", granted.action, granted.wire)?;
    }
    for (name, value) in params {
        writeln!(text, "    setting    {name} = {value}")?;
    }
    if let Some(time) = previous_ms.and_then(|ms| jiff::Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()) {
        writeln!(text, "    before     {}", second(&time))?;
    }
    if let Some(past) = earlier {
        let runs: Vec<_> = past.runs.iter().map(ToString::to_string).collect();
        writeln!(text, "    received   its numbers of runs {}", runs.join(", "))?;
    }
    Ok(())
}

fn on_target(on: &Option<TargetName>) -> String {
    on.as_ref().map(|target| format!(" on {target}")).unwrap_or_default()
}

fn write_record(text: &mut String, record: &Record, evidence: &Evidence) -> std::fmt::Result {
    write!(text, "{:>8}  {}  ", record.seq, second(&record.time))?;
    let line = |tainted: &Tainted| encode::terminal(tainted, 400);
    match &record.entry {
        Entry::RunStarted(RunStart { sweep, component, version, digest, first, others, .. }) => {
            let and = others.iter().map(|other| format!(", {}", other.target)).collect::<String>();
            writeln!(text, "run of {component} {version} on {}{and} (sweep {sweep})", first.target)?;
            writeln!(text, "    component  sha256:{digest}")?;
            write_start(text, first)?;
            for other in others {
                writeln!(text, "  on {}", other.target)?;
                write_start(text, other)?;
            }
            Ok(())
        }
        Entry::CallRefused { call, on, verb, slot, .. } => {
            let slot = slot.as_ref().map(line).unwrap_or_default();
            let on = on_target(on);
            writeln!(text, "call {call}{on} refused: {verb}({slot}) is not in its bailiwick; nothing was sent")
        }
        Entry::Staged { call, action, computed, .. } => {
            writeln!(text, "call {call} puts {action} on the list; nothing was sent")?;
            computed.as_ref().map_or(Ok(()), |bytes| block(text, "computed", bytes, evidence))
        }
        Entry::StageRefused { call, verb, slot, content, error, cause, .. } => {
            let given: Vec<_> = slot.iter().chain(content).map(line).collect();
            writeln!(text, "call {call} is not put on the list: {verb}({}): {error} ({cause})", given.join(", "))
        }
        Entry::Intent { call, on, action, .. } => writeln!(text, "call {call}{} sends {action}", on_target(on)),
        Entry::Shared { call, on, action, intent, .. } => {
            writeln!(text, "call {call}{} shares the answer to {action} (entry {intent})", on_target(on))
        }
        Entry::Outcome { intent, outcome, elapsed_ms, redacted, .. } => {
            match outcome {
                Outcome::Answer { stdout, stderr, exit } => {
                    let exit = match exit {
                        bailiwick_core::model::Exit::Status(status) => format!("status {status}"),
                        bailiwick_core::model::Exit::Signal => "a signal".to_owned(),
                        bailiwick_core::model::Exit::Unreported => "no exit status".to_owned(),
                    };
                    writeln!(text, "answer to entry {intent}, {elapsed_ms} ms, {exit}")?;
                    block(text, "stdout", stdout, evidence)?;
                    block(text, "stderr", stderr, evidence)
                }
                Outcome::Failed { error, cause } => {
                    writeln!(text, "no answer to entry {intent}, {elapsed_ms} ms: {error} ({cause})")
                }
            }?;
            for (rule, count) in redacted {
                writeln!(text, "    redacted   {rule}: {count}")?;
            }
            Ok(())
        }
        Entry::Note { text: note, .. } => writeln!(text, "note: {}", line(note)),
        Entry::RunEnded { end, fuel, report, report_v2, .. } => {
            match end {
                RunEnd::Report(report) => {
                    writeln!(
                        text,
                        "ended with {}, {fuel} instructions",
                        encode::counted(report.findings.len(), "finding")
                    )?;
                    for finding in &report.findings {
                        let (subject, title) = (line(&finding.subject), line(&finding.title));
                        writeln!(text, "    {:<8}  {}  {subject}  {title}", finding.severity.name(), finding.code)?;
                    }
                    Ok(())
                }
                RunEnd::Decided(decision) => {
                    writeln!(text, "ended: {}, {fuel} instructions", decided(decision))?;
                    decision.texts().into_iter().try_for_each(|sentence| writeln!(text, "    {}", line(sentence)))
                }
                RunEnd::CouldNotCheck { reason, .. } => writeln!(text, "ended, could not check: {}", line(reason)),
                RunEnd::Fault(RunFault { message, .. }) => writeln!(text, "failed: {message}, {fuel} instructions"),
            }?;
            let report = report_v2.as_ref().or(report.as_ref());
            report.map_or(Ok(()), |report| writeln!(text, "    report     sha256:{report}"))
        }
        // `show` selects only entries of runs.
        _ => writeln!(text),
    }
}
