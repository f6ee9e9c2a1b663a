//! `bailiwick journal`.

use std::collections::BTreeMap;
use std::fmt::Write;

use bailiwick::encode;
use bailiwick::encode::ShownPath as _;
use bailiwick::journal::{Entry, Granted, Other, Outcome, Past, ReadError, Reader, Record, RunEnd, verify};
use bailiwick::model::{LookError, ParamValue, Tainted, TargetName};
use bailiwick::report::exit::ExitCode as Exit;

use super::args::Journal;
use super::{Context, fail};

pub(super) fn run(context: &Context, command: Journal) -> anyhow::Result<Exit> {
    let folder = context.journal_folder()?;
    if !folder.join("journal.jsonl").exists() {
        let message = format!("there is no journal in {}", folder.shown());
        return Err(fail::usage(message, "`bailiwick check` begins one; --state DIR names another place"));
    }
    match command {
        Journal::List { last } => list(context, Reader::open(&folder)?, last),
        Journal::Show { run } => show(context, Reader::open(&folder)?, run),
        Journal::Verify => {
            let verdict = verify(&folder)?;
            let mut text = String::new();
            for found in &verdict.breaks {
                writeln!(text, "{}: {found}", if found.is_serious() { "BROKEN" } else { "note" })?;
            }
            let serious = verdict.breaks.iter().any(bailiwick::journal::Break::is_serious);
            let (seq, hash) = (verdict.proven.seq, &verdict.proven.hash);
            writeln!(text, "entries 1 to {seq} hang together; the hash of entry {seq} is {hash}")?;
            if !serious {
                writeln!(
                    text,
                    "Nothing outside this machine vouches for entries 1 to {seq}: who can write the journal can rewrite \
                     it whole. Keep that hash elsewhere."
                )?;
            }
            context.out.text(&text)?;
            Ok(if serious { Exit::Usage } else { Exit::Fine })
        }
    }
}

/// The entries that can be read. Where reading stops it says so; what was read before still counts.
fn records(context: &Context, reader: Reader) -> impl Iterator<Item = Record> {
    reader.map_while(|record| {
        let told = |error: &ReadError| {
            context.out.say(&format!("warning: {error}; `bailiwick journal verify` tells more"));
        };
        record.inspect_err(told).ok()
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
            Entry::RunStarted { component, target, others, .. } => {
                let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
                let what = format!("{target}{more}  {component}");
                runs.insert(record.seq, Line { time: second(&record.time), what, end: None });
            }
            Entry::NotLooked { target, refused, cause, .. } => {
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
            let plural = if count == 1 { "" } else { "s" };
            format!("{}, {count} finding{plural}", worst.map_or("ok", bailiwick::model::Severity::name))
        }
        RunEnd::CouldNotLook { error: Some(LookError::Unsupported), .. } => "not applicable".to_owned(),
        RunEnd::CouldNotLook { .. } => "could not look".to_owned(),
        RunEnd::Fault { message } => format!("broke: {message}"),
    }
}

fn show(context: &Context, reader: Reader, run: u64) -> anyhow::Result<Exit> {
    let mut text = String::new();
    let mut intents = Vec::new();
    let mut found = false;
    let mut shared = BTreeMap::new();
    for record in records(context, reader) {
        // What a shared answer was is told where it was given, by another run.
        if let Entry::Outcome { intent, .. } = &record.entry {
            shared.insert(*intent, record.clone());
        }
        if let Entry::Shared { run: of, intent, .. } = &record.entry
            && *of == run
        {
            write_record(&mut text, &record)?;
            if let Some(told) = shared.get(intent) {
                write_record(&mut text, told)?;
            }
            continue;
        }
        let of_run = match &record.entry {
            Entry::RunStarted { .. } => record.seq == run,
            Entry::Intent { run: of, .. } => {
                let ours = *of == run;
                if ours {
                    intents.push(record.seq);
                }
                ours
            }
            Entry::CallRefused { run: of, .. } | Entry::Note { run: of, .. } | Entry::RunEnded { run: of, .. } => {
                *of == run
            }
            Entry::Outcome { intent, .. } => intents.contains(intent),
            // Answers are kept for one sweep at a time.
            Entry::SweepStarted { .. } => {
                shared.clear();
                false
            }
            _ => false,
        };
        if of_run {
            found = true;
            write_record(&mut text, &record)?;
        }
    }
    if !found {
        return Err(fail::usage(format!("the journal has no run {run}"), "`bailiwick journal list` shows the latest"));
    }
    context.out.text(&text)?;
    Ok(Exit::Fine)
}

/// Somebody else's bytes, indented, each line escaped.
fn block(text: &mut String, label: &str, bytes: &[u8]) -> std::fmt::Result {
    if bytes.is_empty() {
        return Ok(());
    }
    writeln!(text, "    {label}:")?;
    for line in String::from_utf8_lossy(bytes).lines() {
        writeln!(text, "      | {}", encode::terminal(&Tainted::new(line), 1 << 16))?;
    }
    Ok(())
}

/// What a run's start says of one target.
fn write_start(
    text: &mut String,
    grant: &str,
    actions: &[Granted],
    params: &BTreeMap<String, ParamValue>,
    previous_ms: Option<u64>,
    earlier: Option<&Past>,
) -> std::fmt::Result {
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
        writeln!(text, "    told of    its numbers in runs {}", runs.join(", "))?;
    }
    Ok(())
}

fn on_target(on: &Option<TargetName>) -> String {
    on.as_ref().map(|target| format!(" on {target}")).unwrap_or_default()
}

fn write_record(text: &mut String, record: &Record) -> std::fmt::Result {
    write!(text, "{:>8}  {}  ", record.seq, second(&record.time))?;
    let line = |tainted: &Tainted| encode::terminal(tainted, 400);
    match &record.entry {
        Entry::RunStarted {
            sweep,
            component,
            version,
            digest,
            target,
            grant,
            actions,
            params,
            previous_ms,
            earlier,
            others,
            ..
        } => {
            let and = others.iter().map(|other| format!(", {}", other.target)).collect::<String>();
            writeln!(text, "run of {component} {version} on {target}{and} (sweep {sweep})")?;
            writeln!(text, "    component  sha256:{digest}")?;
            write_start(text, grant, actions, params, *previous_ms, earlier.as_ref())?;
            for other in others {
                writeln!(text, "  on {}", other.target)?;
                let Other { grant, actions, params, previous_ms, earlier, .. } = other;
                write_start(text, grant, actions, params, *previous_ms, earlier.as_ref())?;
            }
            Ok(())
        }
        Entry::CallRefused { call, on, verb, slot, .. } => {
            let slot = slot.as_ref().map(line).unwrap_or_default();
            let on = on_target(on);
            writeln!(text, "call {call}{on} refused: {verb}({slot}) is not in its bailiwick; nothing was sent")
        }
        Entry::Intent { call, on, action, .. } => writeln!(text, "call {call}{} sends {action}", on_target(on)),
        Entry::Shared { call, on, action, intent, .. } => {
            writeln!(text, "call {call}{} shares the answer to {action} (entry {intent})", on_target(on))
        }
        Entry::Outcome { intent, outcome, elapsed_ms, redacted, .. } => {
            match outcome {
                Outcome::Answer { stdout, stderr, exit } => {
                    let exit = match exit {
                        bailiwick::transport::Exit::Status(status) => format!("status {status}"),
                        bailiwick::transport::Exit::Signal => "a signal".to_owned(),
                        bailiwick::transport::Exit::Unsaid => "no word of how it ended".to_owned(),
                    };
                    writeln!(text, "answer to entry {intent}, {elapsed_ms} ms, {exit}")?;
                    block(text, "stdout", &stdout.0)?;
                    block(text, "stderr", &stderr.0)
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
        Entry::RunEnded { end, fuel, .. } => match end {
            RunEnd::Report(report) => {
                writeln!(text, "ended with {} findings, {fuel} instructions", report.findings.len())?;
                for finding in &report.findings {
                    let (subject, title) = (line(&finding.subject), line(&finding.title));
                    writeln!(text, "    {:<8}  {}  {subject}  {title}", finding.severity.name(), finding.code)?;
                }
                Ok(())
            }
            RunEnd::CouldNotLook { reason, .. } => writeln!(text, "ended, could not look: {}", line(reason)),
            RunEnd::Fault { message } => writeln!(text, "broke: {message}, {fuel} instructions"),
        },
        // `show` asks for entries of runs only.
        _ => writeln!(text),
    }
}
