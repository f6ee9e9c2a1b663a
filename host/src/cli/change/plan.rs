//! `bailiwick plan`.

use bailiwick::change::approval::Statement;
use bailiwick::change::clock::{Clock as _, System};
use bailiwick::report::change as report;
use bailiwick::report::exit::ExitCode as Exit;
use jiff::SignedDuration;

use super::desk::Room;
use crate::cli::args::{self, PlanCommand};
use crate::cli::{Context, fail};

pub(crate) fn plan(context: &Context, args: &args::Plan) -> anyhow::Result<Exit> {
    match (&args.command, &args.fix, &args.target) {
        (Some(PlanCommand::Show { digest, json, hours, .. }), ..) => show(context, digest, *json, *hours),
        (None, Some(fix), Some(target)) => make(context, fix, target, args.json),
        _ => Err(fail::usage("a plan is made by a fix for a target", "bailiwick plan FIX --target TARGET")),
    }
}

fn show(context: &Context, digest: &str, json: bool, hours: Option<u32>) -> anyhow::Result<Exit> {
    let store = bailiwick::change::store::Store::at(&context.state_folder()?);
    let (plan, digest) = store.plan(digest)?;
    if let Some(hours) = hours {
        let not_after = System.read().wall.checked_add(SignedDuration::from_hours(i64::from(hours)))?;
        // Its bytes are what is signed: nothing is added to them.
        context.out.bytes(Statement::of(&plan, &digest, not_after).text().as_bytes())?;
    } else if json {
        context.out.bytes(&plan.bytes()?)?;
    } else {
        context.out.text(&report::plan(&plan, &digest))?;
    }
    Ok(Exit::Fine)
}

fn make(context: &Context, fix: &str, target: &str, json: bool) -> anyhow::Result<Exit> {
    let _ = (Room::open(context, 1)?, fix, target, json);
    todo!()
}
