//! `bailiwick limits`.

use std::fmt::Write;

use crate::report::exit::ExitCode as Exit;
use bailiwick_core::limits;
use bailiwick_core::limits::{Budget, Row, SetBy};
use bailiwick_core::model::ComponentId;
use serde::Serialize;

use super::args::Format;
use super::{Context, fail};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A component [default: the limits without any [[raise]]]
    #[arg(value_name = "COMPONENT")]
    pub(super) component: Option<String>,

    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: Format,
}

/// The table for programs.
#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    /// The component. None for every component that policy does not name.
    component: Option<&'a ComponentId>,
    limits: Vec<Line>,
    /// Components with limits of their own in policy.
    named: Vec<&'a ComponentId>,
}

#[derive(Serialize)]
struct Line {
    name: &'static str,
    value: u64,
    default: u64,
    max: u64,
    unit: limits::Unit,
    bounds: &'static str,
    reached: &'static str,
    set_by: SetBy,
    /// The line of policy that sets it. None for a default.
    policy: Option<String>,
    why: Option<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let (ops, _) = context.ops_and_lock()?;
    let component = match &args.component {
        None => None,
        Some(name) => match ops.library.components().get_key_value(name.as_str()) {
            Some((id, _)) => Some(id),
            None => {
                let known = ops.library.components().keys().map(ComponentId::as_str);
                let (message, hint) = bailiwick_policy::policy::unknown_component(name, known);
                return Err(fail::usage(message, hint));
            }
        },
    };
    let budget = component.map_or(ops.budgets.general(), |id| ops.budget(id));
    let shown = Document {
        format: "bailiwick.limits/1",
        component,
        limits: limits::all().map(|row| line(row, budget)).collect(),
        named: ops.budgets.named().map(|(id, _)| id).filter(|_| component.is_none()).collect(),
    };
    match args.format {
        Format::Json => context.out.text(&(serde_json::to_string_pretty(&shown)? + "\n"))?,
        Format::Table => context.out.page(&table(&shown)?)?,
    }
    Ok(Exit::Fine)
}

fn line(row: &Row, budget: &Budget) -> Line {
    let origin = budget.from(row);
    Line {
        name: row.name,
        value: budget.value(row),
        default: row.default,
        max: row.max,
        unit: row.unit,
        bounds: row.bounds,
        reached: row.reached,
        set_by: row.set_by,
        policy: origin.map(|origin| origin.place.to_string()),
        why: origin.and_then(|origin| origin.why.clone()),
    }
}

/// The table for people: each limit with its value and its origin, what it bounds, and what happens when it is reached.
fn table(shown: &Document<'_>) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let whose = shown.component.map_or("every component".to_owned(), ToString::to_string);
    writeln!(
        text,
        "Limits of {whose}. In policy.toml, `[limits]` lowers one for all, `[[raise]]` sets it for those it names.\n"
    )?;
    for line in &shown.limits {
        let Line { name, value, unit, .. } = line;
        let from = match (&line.policy, &line.why) {
            (Some(place), Some(why)) => format!("{place}: {why}; the default is {}", line.default),
            (Some(place), None) => format!("{place}; the default is {}", line.default),
            (None, _) => "default".to_owned(),
        };
        writeln!(text, "{name} = {}  ({from})", unit.shown(*value))?;
        writeln!(text, "    {}", line.bounds)?;
        writeln!(text, "    reached  {}", line.reached)?;
        match line.set_by {
            SetBy::Policy => writeln!(text, "    at most  {}", unit.shown(line.max))?,
            SetBy::Option(option) => writeln!(text, "    at most  {}; {option} sets it", unit.shown(line.max))?,
            SetBy::Fixed(why) => writeln!(text, "    fixed    {why}")?,
        }
    }
    if !shown.named.is_empty() {
        let named: Vec<_> = shown.named.iter().map(|id| id.as_str()).collect();
        writeln!(
            text,
            "\nThe policy sets other limits for: {}. `bailiwick limits COMPONENT` prints them.",
            named.join(", ")
        )?;
    }
    Ok(text)
}
