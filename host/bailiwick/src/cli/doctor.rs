//! `bailiwick doctor`.

use std::fmt::Write;

use crate::doctor;
use crate::doctor::{Installation, Line, State, Tried};
use crate::report::exit::ExitCode as Exit;
use bailiwick_engine::consent::verify::verify;
use bailiwick_engine::consent::waiting;
use bailiwick_journal::Scratch;
use bailiwick_policy::lock::LockState;
use jiff::Timestamp;
use serde::Serialize;

use super::Context;
use super::args::Format;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Run hostile components, and print what stopped each
    ///
    /// Exit code 0 only if every attempt was stopped.
    #[arg(long)]
    pub(super) prove: bool,

    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: Format,
}

/// The result as JSON; one of the two lists is empty.
#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    lines: &'a [Line],
    tried: &'a [Tried],
}

pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (lines, tried) = if args.prove {
        // Not the journal of the installation: these runs are not runs of an operator.
        let folder = Scratch::folder()?;
        (Vec::new(), runtime.block_on(doctor::prove(folder.path()))?)
    } else {
        let ops = bailiwick_policy::ops::Ops::load(context.dir.as_deref(), context.environment.home.as_deref());
        let lock_state = LockState::load(context.dir.as_deref());
        let lock = match (&context.dir, &ops, &lock_state) {
            (Some(dir), Ok(ops), Ok(lock_state)) => {
                Some((verify(ops, lock_state, Timestamp::now()), waiting(dir, lock_state)))
            }
            _ => None,
        };
        let installation = Installation {
            ops: ops.as_ref(),
            lock: lock.as_ref().map(|(verified, waiting)| (verified, waiting.as_slice())),
            journal: context.journal_folder().ok(),
            agent: context.environment.agent.clone(),
            now: Timestamp::now(),
        };
        (runtime.block_on(doctor::check(&installation)), Vec::new())
    };
    runtime.shutdown_background();
    let text = match args.format {
        Format::Json => {
            serde_json::to_string_pretty(&Document { format: "bailiwick.doctor/1", lines: &lines, tried: &tried })?
                + "\n"
        }
        Format::Table if args.prove => proof(&tried)?,
        Format::Table => table(&lines)?,
    };
    match args.format {
        Format::Json => context.out.text(&text)?,
        Format::Table => context.out.page(&text)?,
    }
    let open = tried.iter().any(|tried| !tried.stopped);
    Ok(match doctor::worst(&lines) {
        State::Problem => Exit::Usage,
        _ if open => Exit::Usage,
        State::Warning => Exit::Findings,
        State::Ok => Exit::Fine,
    })
}

fn table(lines: &[Line]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for line in lines {
        let state = match line.state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Problem => "PROBLEM",
        };
        writeln!(text, "{state:<8} {:<8} {}", line.part, line.says)?;
        if let Some(next) = &line.next {
            writeln!(text, "{:<17} next: {next}", "")?;
        }
    }
    let count = |state| lines.iter().filter(|line| line.state == state).count();
    let (problems, warnings) = (count(State::Problem), count(State::Warning));
    let (warnings, problems) = (doctor::count(warnings, "warning"), doctor::count(problems, "problem"));
    writeln!(text, "\n{} ok, {warnings}, {problems}", count(State::Ok))?;
    Ok(text)
}

fn proof(tried: &[Tried]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let attempt = tried.iter().map(|tried| tried.attempt.len()).max().unwrap_or(0);
    let by = tried.iter().map(|tried| tried.by.len()).max().unwrap_or(0);
    for tried in tried {
        let state = if tried.stopped { "stopped" } else { "OPEN" };
        writeln!(text, "{state:<8} {:<attempt$}  {:<by$}  {}", tried.attempt, tried.by, tried.gave)?;
    }
    let open = tried.iter().filter(|tried| !tried.stopped).count();
    if open == 0 {
        writeln!(text, "\n{} attempts, every one stopped", tried.len())?;
    } else {
        writeln!(text, "\n{} attempts, {open} NOT stopped: run no component here that you do not trust", tried.len())?;
        writeln!(text, "next: `bailiwick doctor` shows what this kernel lacks")?;
    }
    Ok(text)
}
