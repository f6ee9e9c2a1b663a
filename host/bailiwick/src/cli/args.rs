//! The options that every command has, and the words that several commands share. A command's own options are beside its `run`.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::builder::styling::Styles;
use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::{ContextKind, ContextValue};
use clap::{Parser, ValueEnum};

mod change;

pub(super) use change::{
    Apply, Changes, Plan, PlanCommand, Recover, Rehearse, Resume, Rollback, Rounds, Stop, Unblock,
};

use super::Command;
use crate::report::format::{FORMATS, Format as Rendering, format_of};

/// Run health probes and reversible fixes from authors you do not know, safely.
///
/// Components are WebAssembly. On each machine a component gets a bailiwick: a finite list of literal actions, which
/// `bailiwick review` prints before anything runs. Without an ops directory, `bailiwick check` checks this machine with
/// the built-in probes.
///
/// The ops directory holds fleet.toml and policy.toml. It is --dir, else $BAILIWICK_DIR, else the current directory if it has a
/// fleet.toml, else ~/.config/bailiwick. The journal is in --state, else $BAILIWICK_STATE, else `state` in the ops directory, else
/// ~/.local/state/bailiwick.
#[derive(Debug, Parser)]
#[command(name = "bailiwick", version, styles = Styles::plain(), max_term_width = 80, disable_help_subcommand = true)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,

    #[command(flatten)]
    pub(super) global: Global,
}

/// The options of every command. `-h` of a command leaves them out; `--help` has them at the end.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Ops directory, with fleet.toml and policy.toml
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true)]
    pub(super) dir: Option<PathBuf>,

    /// Directory of the journal and other state
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true)]
    pub(super) state: Option<PathBuf>,

    /// When to print in colour: auto, always, never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_short_help = true,
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub(super) color: Color,

    /// Print debug messages on stderr
    #[arg(long, global = true, hide_short_help = true)]
    pub(super) debug: bool,
}

/// Reads the name of a format of `check`.
pub(super) fn rendering() -> impl TypedValueParser<Value = &'static Rendering> {
    let values = FORMATS.iter().map(|format| PossibleValue::new(format.name).help(format.about));
    PossibleValuesParser::new(values).try_map(|name| format_of(&name).ok_or("there is no such format"))
}

/// Most lines that a list prints.
pub(super) const LAST_MAX: u64 = 1_000_000;

/// Reads a number, and names the allowed ones where it is not one of them.
pub(super) fn number<T: TryFrom<u64>>(allowed: RangeInclusive<u64>) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number| allowed.contains(number));
        let number = number.and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| format!("must be a number between {} and {}", allowed.start(), allowed.end()))
    }
}

/// Reads the number of a run or a sweep.
pub(super) fn run_number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "must be a number from `bailiwick journal list`".to_owned())
}

/// How a command prints that has no other formats than these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Table,
    /// For programs, with a versioned format
    Json,
}

/// When a command prints in colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On terminals, and never if NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The error with its nearest suggestion first: clap lists the nearest last.
pub(super) fn nearest_first(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::Strings(names)) = error.get(ContextKind::SuggestedSubcommand) {
        let names = names.iter().rev().cloned().collect();
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(names));
    }
    error
}

/// What to print below clap's error for a command that has another name now.
pub(super) fn renamed(error: &clap::Error) -> Option<&'static str> {
    let name = error.get(ContextKind::InvalidSubcommand)?;
    let is_old = matches!(name, ContextValue::String(name) if name == "release");
    is_old.then_some(
        "hint: `release` is now `bailiwick resume` (after a stop), `bailiwick unblock TARGET` (after a stuck change) or \
         `bailiwick unquarantine COMPONENT`",
    )
}
