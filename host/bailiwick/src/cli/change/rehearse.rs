//! `bailiwick rehearse`: apply a fix on a staging target, roll it back, and apply it again.
//!
//! An unattended change rests on a rehearsal of exactly these bytes of the fix, which proves that its rollback works (CH05).

use crate::report::change as report;
use crate::report::exit::ExitCode as Exit;
use bailiwick_change::gate_client::GateClient as _;
use bailiwick_change::log::Log;
use bailiwick_change::{ApplyOutcome, Approval, Plan};
use bailiwick_core::model::ChangeId;
use bailiwick_journal::{End, Event};

use super::apply::read_signed;
use super::executor::Executor;
use super::plan;
use super::session::{self, Session};
use crate::cli::args;
use crate::cli::args::Format;
use crate::cli::{Context, fail};

pub(crate) fn rehearse(context: &Context, args: &args::Rehearse) -> anyhow::Result<Exit> {
    let session = Session::open(context, 1)?;
    let fix = session.fix(&args.fix)?;
    let target = session.target(&args.staging)?;
    if !session.ops.policy.change.is_staging(target) {
        return Err(fail::usage(
            format!("{} is not a staging target", target.name),
            format!("if it may be changed for rehearsals, set [change] staging = [\"{}\"] in policy.toml", target.name),
        ));
    }
    let mut log = session::open_log(context)?;
    let made = match &args.plan {
        Some(plan) => Ok(session.store.plan(plan)?),
        None => plan::make_plan(&session, &mut log, &fix, &target.name, session::who(context))?,
    };
    let (plan, digest) = match made {
        Ok((plan, digest)) => (plan, digest),
        Err(why) => {
            context.out.text(&report::not_planned(&fix, &target.name, &why))?;
            return Err(fail::usage(
                "nothing was rehearsed: a rehearsal needs a finding that the fix answers",
                format!("cause the fault on {} that the fix repairs, then rehearse again", target.name),
            ));
        }
    };
    if (&plan.fix, &plan.target) != (&fix, &target.name) {
        let message = format!("the plan is for {} on {}, not for {fix} on {}", plan.fix, plan.target, target.name);
        return Err(fail::usage(message, "omit --plan to make a new plan"));
    }
    let signed = args.approval.as_deref().map(read_signed).transpose()?;
    if plan.has_computed_bytes() && signed.is_none() {
        let first = digest.get(..8).unwrap_or(&digest);
        let message =
            "the plan writes bytes that the fix has computed; a gate accepts them only with an approver's signature";
        let hint = format!(
            "bailiwick plan show {first} --statement --for 1h >statement; an approver signs it: ssh-keygen -Y sign -n bailiwick-plan \
             -f KEY statement; then add --plan {first} --approval statement.sig"
        );
        return Err(fail::usage(message, hint));
    }
    let executor = Executor { context, session: &session, plan: &plan, digest: &digest, signed };
    let Some(first) = executor.apply(&mut log, Approval::Rehearsal)? else { return Ok(Exit::Stuck) };
    let exit = executor.print(&first, Format::Table)?;
    let Some(change) = applied(&first) else { return record(context, &mut log, &plan, "", Vec::new(), exit) };
    let Some(back) = executor.roll_back(&mut log, &change, Approval::Rehearsal)? else { return Ok(Exit::Stuck) };
    let exit = executor.print(&back, Format::Table)?;
    if !matches!(back, ApplyOutcome::Ended { end: End::RolledBack, .. }) {
        return record(context, &mut log, &plan, "", vec![change], exit);
    }
    let Some(second) = executor.apply(&mut log, Approval::Rehearsal)? else { return Ok(Exit::Stuck) };
    let exit = executor.print(&second, Format::Table)?;
    let Some(again) = applied(&second) else { return record(context, &mut log, &plan, "", vec![change], exit) };
    let mut gate = session.gate(target);
    let state = session::runtime()?.block_on(async {
        let state = gate.gate().await;
        gate.transport.close().await;
        state
    })?;
    record(context, &mut log, &plan, &state.script, vec![change, again], Exit::Fine)
}

fn applied(outcome: &ApplyOutcome) -> Option<ChangeId> {
    match outcome {
        ApplyOutcome::Ended { change, end: End::Applied, .. } => Some(change.clone()),
        _ => None,
    }
}

/// Records the result of the rehearsal in the journal.
fn record(
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
    let result = if holds { "passed: applied, rolled back, compared, and applied again" } else { "FAILED" };
    context.out.text(&format!("rehearsal of {} {} on {}: {result}", plan.fix, plan.version, plan.target))?;
    Ok(exit)
}
