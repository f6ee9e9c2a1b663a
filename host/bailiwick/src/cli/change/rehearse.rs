//! `bailiwick rehearse`: a fix on a stand-in, there and back and there again.
//!
//! What an unattended change rests on is this, with the very bytes of the fix (CH05): that its way back has been walked.

use crate::report::change as report;
use crate::report::exit::ExitCode as Exit;
use bailiwick_change::clock::System;
use bailiwick_change::log::Log;
use bailiwick_change::{ApplyOutcome, ApplyRequest, Approval, Plan, apply as carry_out, rollback as take_back};
use bailiwick_core::model::ChangeId;
use bailiwick_journal::{End, Event};

use super::apply::{left, signed, told};
use super::desk::{self, Room};
use super::plan;
use crate::cli::args;
use crate::cli::args::Format;
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
    let made = match &args.plan {
        Some(plan) => Ok(room.store.plan(plan)?),
        None => plan::of(&room, &mut log, &fix, &target.name, desk::who(context))?,
    };
    let (plan, digest) = match made {
        Ok((plan, digest)) => (plan, digest),
        Err(why) => {
            context.out.text(&report::not_planned(&fix, &target.name, &why))?;
            let why = "nothing was rehearsed: a rehearsal needs a finding to answer";
            return Err(fail::usage(why, "make the stand-in ill in the way that the fix mends"));
        }
    };
    if (&plan.fix, &plan.target) != (&fix, &target.name) {
        let message = format!("that is a plan of {} for {}", plan.fix, plan.target);
        return Err(fail::usage(message, "leave --plan out for a new one"));
    }
    let signed = args.approval.as_deref().map(signed).transpose()?;
    if plan.needs_a_person() && signed.is_none() {
        let first = digest.get(..8).unwrap_or(&digest);
        let message = "the fix writes bytes of its own, which a gate takes only with an approver's signature";
        let hint = format!(
            "bailiwick plan show {first} --statement --for 1h >statement; an approver signs it: ssh-keygen -Y sign -n bailiwick-plan \
             -f KEY statement; then add --plan {first} --approval statement.sig"
        );
        return Err(fail::usage(message, hint));
    }
    let scene = Scene { context, room: &room, plan: &plan, digest: &digest, signed };
    let ask = ApplyRequest { who: desk::who(context), yes: Approval::Rehearsal };
    let Some(first) = scene.there(&mut log, &ask)? else { return Ok(left(context)) };
    let exit = told(context, &room, &log, &plan, &digest, &first, Format::Table)?;
    let Some(change) = applied(&first) else { return over(context, &mut log, &plan, "", Vec::new(), exit) };
    let Some(back) = scene.back(&mut log, &change, &ask)? else { return Ok(left(context)) };
    let exit = told(context, &room, &log, &plan, &digest, &back, Format::Table)?;
    if !matches!(back, ApplyOutcome::Ended { end: End::RolledBack, .. }) {
        return over(context, &mut log, &plan, "", vec![change], exit);
    }
    let Some(second) = scene.there(&mut log, &ask)? else { return Ok(left(context)) };
    let exit = told(context, &room, &log, &plan, &digest, &second, Format::Table)?;
    let Some(again) = applied(&second) else { return over(context, &mut log, &plan, "", vec![change], exit) };
    let mut hands = room.hands(target);
    let gate = desk::runtime()?.block_on(async {
        use bailiwick_change::gate_client::GateClient as _;
        let gate = hands.gate().await;
        hands.talk.close().await;
        gate
    })?;
    over(context, &mut log, &plan, &gate.script, vec![change, again], Exit::Fine)
}

fn applied(came: &ApplyOutcome) -> Option<ChangeId> {
    match came {
        ApplyOutcome::Ended { change, end: End::Applied, .. } => Some(change.clone()),
        _ => None,
    }
}

/// One plan on one stand-in.
struct Scene<'a> {
    context: &'a Context,
    room: &'a Room,
    plan: &'a Plan,
    digest: &'a str,
    signed: Option<(Vec<u8>, Vec<u8>)>,
}

impl Scene<'_> {
    fn there(&self, log: &mut Log, ask: &ApplyRequest) -> anyhow::Result<Option<ApplyOutcome>> {
        let table = self.room.desk(&System, log.ledger(), self.plan)?;
        let (mut hands, mut eyes) = (self.room.hands(table.target), self.room.eyes(log));
        if let Some((statement, signature)) = &self.signed {
            hands = hands.signed(statement.clone(), signature.clone());
        }
        let came = self.room.see_through(self.context, async {
            let came = carry_out(&table, log, &mut hands, &mut eyes, self.plan, self.digest, ask).await;
            hands.talk.close().await;
            came
        })?;
        Ok(came.transpose()?)
    }

    fn back(&self, log: &mut Log, change: &ChangeId, ask: &ApplyRequest) -> anyhow::Result<Option<ApplyOutcome>> {
        let table = self.room.desk(&System, log.ledger(), self.plan)?;
        let (mut hands, mut eyes) = (self.room.hands(table.target), self.room.eyes(log));
        let came = self.room.see_through(self.context, async {
            let came = take_back(&table, log, &mut hands, &mut eyes, self.plan, change, ask).await;
            hands.talk.close().await;
            came
        })?;
        Ok(came.transpose()?)
    }
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
