//! `bailiwick changes`.

use crate::report::change;
use crate::report::exit::ExitCode as Exit;
use bailiwick_change::ledger::Ledger;
use bailiwick_core::encode;
use bailiwick_core::model::{ChangeId, TargetName};
use bailiwick_journal::{Consent, ReadError};
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::Context;
use crate::cli::args;
use crate::cli::args::Format;

/// All changes as programs read them.
#[derive(Serialize)]
struct Shown<'a> {
    format: &'static str,
    changes: Vec<Line<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line<'a> {
    change: &'a ChangeId,
    begun: Option<&'a Timestamp>,
    target: &'a TargetName,
    plan: &'a str,
    state: String,
    /// It has no end, or needs a person.
    open: bool,
    why: Option<&'a str>,
    consent: Option<&'a Consent>,
}

pub(crate) fn changes(context: &Context, args: &args::Changes) -> anyhow::Result<Exit> {
    let ledger = match Ledger::read(&context.journal_folder()?) {
        Ok(ledger) => ledger,
        // Where there is no journal there never was a change.
        Err(bailiwick_change::ledger::LedgerError::Read(ReadError::Io { source, .. }))
            if source.kind() == std::io::ErrorKind::NotFound =>
        {
            Ledger::default()
        }
        Err(error) => return Err(error.into()),
    };
    let stuck = ledger.changes.values().any(|course| ledger.frozen(&course.target).is_some() || course.stage.is_open());
    let text = match args.format {
        Format::Table => change::changes(&ledger, args.last),
        Format::Json => encode::to_json(&Shown {
            format: "bailiwick.changes/1",
            changes: ledger
                .changes
                .values()
                .map(|course| Line {
                    change: &course.id,
                    begun: ledger.begun.get(&course.id),
                    target: &course.target,
                    plan: &course.plan,
                    state: course.stage.word().to_lowercase(),
                    open: course.stage.is_open(),
                    why: course.why.as_deref(),
                    consent: course.consent.as_ref(),
                })
                .collect(),
        })?,
    };
    context.out.text(&text)?;
    Ok(if stuck { Exit::Stuck } else { Exit::Fine })
}
