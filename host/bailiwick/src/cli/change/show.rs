//! `bailiwick changes`: list changes and their status.

use crate::report::change;
use crate::report::exit::ExitCode as Exit;
use bailiwick_core::encode;
use bailiwick_core::model::{ChangeId, TargetName};
use bailiwick_journal::Consent;
use jiff::Timestamp;
use serde::Serialize;

use super::session;
use crate::cli::Context;
use crate::cli::args;
use crate::cli::args::Format;

/// All changes as programs read them.
#[derive(Serialize)]
struct Document<'a> {
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
    /// True for a change without an end.
    open: bool,
    why: Option<&'a str>,
    consent: Option<&'a Consent>,
}

pub(crate) fn changes(context: &Context, args: &args::Changes) -> anyhow::Result<Exit> {
    let ledger = session::read_ledger(context)?;
    let stuck = ledger.changes.values().any(|state| ledger.blocked(&state.target).is_some() || state.status.is_open());
    let text = match args.format {
        Format::Table => change::changes(&ledger, args.last),
        Format::Json => encode::to_json(&Document {
            format: "bailiwick.changes/1",
            changes: ledger
                .changes
                .values()
                .map(|state| Line {
                    change: &state.id,
                    begun: ledger.begun.get(&state.id),
                    target: &state.target,
                    plan: &state.plan,
                    state: state.status.word().to_lowercase(),
                    open: state.status.is_open(),
                    why: state.why.as_deref(),
                    consent: state.consent.as_ref(),
                })
                .collect(),
        })?,
    };
    context.out.text(&text)?;
    Ok(if stuck { Exit::Stuck } else { Exit::Fine })
}
