//! `bailiwick rehearse`: a fix on a stand-in, there and back and there again.
//!
//! What an unattended change rests on is this, with the very bytes of the fix (CH05): that its way back has been walked.

use bailiwick::change::clock::System;
use bailiwick::change::log::Log;
use bailiwick::change::{Ask, Came, Plan, Yes, apply as carry_out, rollback as take_back};
use bailiwick::journal::{End, Event};
use bailiwick::model::ChangeId;
use bailiwick::report::change as report;
use bailiwick::report::exit::ExitCode as Exit;

use super::apply::told;
use super::desk::{self, Room};
use super::plan;
use crate::cli::args::{self, Format};
use crate::cli::{Context, fail};

pub(crate) fn rehearse(context: &Context, args: &args::Rehearse) -> anyhow::Result<Exit> {
    let room = Room::open(context, 1)?;
    let fix = room.fix(&args.fix)?;
    let target = room.target(&args.staging)?;
    if !room.ops.policy.change.is_staging(target) {
        let message = format!("{} is no stand-in: policy does not say that nothing counts there", target.name);
        return Err(fail::usage(
            message,
            format!("[change] staging = [\"{}\"] in policy.toml, if that is so", target.name),
        ));
    }
    let mut log = desk::log(context)?;
    let (plan, digest) = match plan::of(&room, &mut log, &fix, &target.name, desk::who(context))? {
        Ok(made) => made,
        Err(why) => {
            context.out.text(&report::not_planned(&fix, &target.name, &why))?;
            let why = "nothing was rehearsed: a rehearsal needs a finding to answer";
            return Err(fail::usage(why, "make the stand-in ill in the way that the fix mends"));
        }
    };
    let ask = Ask { who: desk::who(context), yes: Yes::Rehearsal };
    let first = there(&room, &mut log, &plan, &digest, &ask)?;
    let exit = told(context, &room, &log, &plan, &digest, &first, Format::Table)?;
    let Some(change) = applied(&first) else { return over(context, &mut log, &plan, "", Vec::new(), exit) };
    let back = back(&room, &mut log, &plan, &change, &ask)?;
    let exit = told(context, &room, &log, &plan, &digest, &back, Format::Table)?;
    if !matches!(back, Came::Ended { end: End::RolledBack, .. }) {
        return over(context, &mut log, &plan, "", vec![change], exit);
    }
    let second = there(&room, &mut log, &plan, &digest, &ask)?;
    let exit = told(context, &room, &log, &plan, &digest, &second, Format::Table)?;
    let Some(again) = applied(&second) else { return over(context, &mut log, &plan, "", vec![change], exit) };
    let mut hands = room.hands(target);
    let gate = desk::runtime()?.block_on(async {
        use bailiwick::change::hands::Hands as _;
        let gate = hands.gate().await;
        hands.talk.close().await;
        gate
    })?;
    over(context, &mut log, &plan, &gate.script, vec![change, again], Exit::Fine)
}

fn applied(came: &Came) -> Option<ChangeId> {
    match came {
        Came::Ended { change, end: End::Applied, .. } => Some(change.clone()),
        _ => None,
    }
}

fn there(room: &Room, log: &mut Log, plan: &Plan, digest: &str, ask: &Ask) -> anyhow::Result<Came> {
    let table = room.desk(&System, log.ledger(), plan)?;
    let (mut hands, mut eyes) = (room.hands(table.target), room.eyes(log));
    desk::runtime()?.block_on(async {
        let came = carry_out(&table, log, &mut hands, &mut eyes, plan, digest, ask).await;
        hands.talk.close().await;
        Ok(came?)
    })
}

fn back(room: &Room, log: &mut Log, plan: &Plan, change: &ChangeId, ask: &Ask) -> anyhow::Result<Came> {
    let table = room.desk(&System, log.ledger(), plan)?;
    let (mut hands, mut eyes) = (room.hands(table.target), room.eyes(log));
    desk::runtime()?.block_on(async {
        let came = take_back(&table, log, &mut hands, &mut eyes, plan, change, ask).await;
        hands.talk.close().await;
        Ok(came?)
    })
}

/// Writes down what came of the rehearsal.
fn over(
    context: &Context,
    log: &mut Log,
    plan: &Plan,
    gate: &str,
    changes: Vec<ChangeId>,
    exit: Exit,
) -> anyhow::Result<Exit> {
    let holds = exit == Exit::Fine && changes.len() == 2;
    log.write(Event::Rehearsed {
        fix: plan.fix.clone(),
        component: plan.component.clone(),
        target: plan.target.clone(),
        gate: gate.to_owned(),
        changes,
        holds,
    })?;
    let word = if holds { "holds: applied, taken back, compared, and applied again" } else { "DOES NOT HOLD" };
    context.out.text(&format!("rehearsal of {} {} on {}: {word}", plan.fix, plan.version, plan.target))?;
    Ok(exit)
}
