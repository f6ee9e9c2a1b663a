//! `bailiwick apply` and `bailiwick rollback`.

use std::io::Read as _;
use std::path::Path;

use crate::report::change as report;
use crate::report::exit::ExitCode as Exit;
use bailiwick_change::clock::{Clock as _, System};
use bailiwick_change::log::{Log, LogError};
use bailiwick_change::receipt::Receipt;
use bailiwick_change::{ApplyOutcome, ApplyRequest, Approval, Plan, apply as carry_out, rollback as take_back};
use bailiwick_core::encode;
use bailiwick_core::model::ChangeId;
use bailiwick_core::source::open_regular;

use super::desk::{self, Room};
use crate::cli::args;
use crate::cli::args::Format;
use crate::cli::{Context, confirm, fail};

/// Letters of a digest that a person types.
const TYPED: usize = 8;
/// The most bytes of a statement or a signature.
const BYTES_MAX: u64 = 16 << 10;

pub(crate) fn apply(context: &Context, args: &args::Apply) -> anyhow::Result<Exit> {
    let room = Room::open(context, 1)?;
    let (plan, digest) = room.store.plan(&args.plan)?;
    let target = room.target(plan.target.as_str())?;
    let mut hands = room.hands(target);
    let yes = match &args.approval {
        Some(file) => {
            let (statement, signature) = signed(file)?;
            hands = hands.signed(statement.clone(), signature.clone());
            Approval::Signed { statement, signature, approvers: room.approvers()? }
        }
        None if confirm::is_terminal() => {
            context.out.say(&report::plan(&plan, &digest));
            let first = digest.get(..TYPED).unwrap_or(&digest);
            let question = format!("To apply this plan on {} now, type {first}:", plan.target);
            if !confirm::typed(context, &question, first)? {
                return Err(fail::usage(
                    "the answer does not match, so nothing was done",
                    format!("`bailiwick apply {first}`, and type {first} to apply the plan"),
                ));
            }
            Approval::Terminal
        }
        None => {
            let grant = room.ops.grant(&plan.fix, &plan.target);
            Approval::Nobody { allowed: grant.is_some_and(|grant| grant.unattended) }
        }
    };
    let ask = ApplyRequest { who: desk::who(context), yes };
    let mut log = desk::log(context)?;
    let mut eyes = room.eyes(&log);
    let table = room.desk(&System, log.ledger(), &plan)?;
    let came = room.see_through(context, async {
        let came = carry_out(&table, &mut log, &mut hands, &mut eyes, &plan, &digest, &ask).await;
        hands.talk.close().await;
        came
    })?;
    match came {
        Some(Ok(came)) => told(context, &room, &log, &plan, &digest, &came, args.format),
        Some(Err(error)) => Ok(unwritten(context, error)),
        None => Ok(left(context)),
    }
}

pub(crate) fn rollback(context: &Context, args: &args::Rollback) -> anyhow::Result<Exit> {
    let change = ChangeId::new(&args.change)
        .map_err(|error| fail::usage(error.to_string(), "`bailiwick changes` lists them"))?;
    let room = Room::open(context, 1)?;
    let mut log = desk::log(context)?;
    let Some(course) = log.course(&change) else {
        return Err(fail::usage(format!("the journal has no change {change}"), "`bailiwick changes` lists them"));
    };
    let (plan, digest) = room.store.plan(&course.plan)?;
    let target = room.target(plan.target.as_str())?;
    let (mut hands, mut eyes) = (room.hands(target), room.eyes(&log));
    let ask = ApplyRequest { who: desk::who(context), yes: Approval::Terminal };
    let table = room.desk(&System, log.ledger(), &plan)?;
    let came = room.see_through(context, async {
        let came = take_back(&table, &mut log, &mut hands, &mut eyes, &plan, &change, &ask).await;
        hands.talk.close().await;
        came
    })?;
    let came = match came {
        Some(Ok(came)) => came,
        Some(Err(error)) => return Ok(unwritten(context, error)),
        None => return Ok(left(context)),
    };
    let exit = told(context, &room, &log, &plan, &digest, &came, Format::Table)?;
    // It was asked for, and came out as asked.
    Ok(if exit == Exit::RolledBack { Exit::Fine } else { exit })
}

/// Somebody did not want to wait.
pub(super) fn left(context: &Context) -> Exit {
    context.out.say("error: the change was left half-way");
    context.out.say("hint: `bailiwick recover` finds out what is true. What is open, the target undoes by itself");
    Exit::Stuck
}

/// The journal broke on the way: nothing was done that it would have announced, and nobody knows here how far it is.
fn unwritten(context: &Context, error: LogError) -> Exit {
    context.out.say(&format!("error: {:#}", anyhow::Error::new(error)));
    context.out.say("hint: see to the disk; then `bailiwick recover` finds out what is true. What is open, the target undoes by itself");
    Exit::Stuck
}

/// Prints what came of it, and keeps the receipt.
pub(super) fn told(
    context: &Context,
    room: &Room,
    log: &Log,
    plan: &Plan,
    digest: &str,
    came: &ApplyOutcome,
    format: Format,
) -> anyhow::Result<Exit> {
    let now = System.read().wall;
    let at_target = |change: &ChangeId| report::at_target(change.as_str());
    let receipt = match came {
        ApplyOutcome::Ended { change, .. } => Receipt::of(log, plan, digest, came, now, at_target(change)),
        _ => None,
    };
    let json = receipt.as_ref().map(encode::to_json).transpose()?;
    if let (ApplyOutcome::Ended { change, .. }, Some(json)) = (came, &json) {
        // It has happened, whether or not a copy of what the journal says can be kept.
        if let Err(error) = room.store.keep_receipt(change, json.as_bytes()) {
            context.out.say(&format!("warning: the receipt is not kept: {:#}", anyhow::Error::new(error)));
        }
    }
    match (format, json) {
        (Format::Json, Some(json)) => context.out.text(&json)?,
        (Format::Json, None) => context.out.text(&encode::to_json(&Nothing::of(plan, digest, came))?)?,
        (Format::Table, _) => context.out.text(&report::came(came, plan))?,
    }
    Ok(desk::exit(came))
}

/// What programs read where there is no receipt.
#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
struct Nothing<'a> {
    format: &'static str,
    plan: &'a str,
    target: &'a str,
    outcome: &'static str,
    code: Option<&'static str>,
    why: Option<&'a str>,
    change: Option<&'a ChangeId>,
}

impl<'a> Nothing<'a> {
    fn of(plan: &'a Plan, digest: &'a str, came: &'a ApplyOutcome) -> Self {
        let (outcome, code, why, change) = match came {
            ApplyOutcome::Denied { code, why, .. } => ("denied", Some(code.code()), Some(why.as_str()), None),
            ApplyOutcome::NoOp => ("no-op", None, None, None),
            ApplyOutcome::Open { change, why } => ("open", None, Some(why.as_str()), Some(change)),
            ApplyOutcome::Ended { change, .. } => ("ended", None, None, Some(change)),
        };
        Self { format: "bailiwick.no-change/1", plan: digest, target: plan.target.as_str(), outcome, code, why, change }
    }
}

/// A statement, and the signature under it.
pub(super) fn signed(file: &Path) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
    if file.extension().is_none_or(|extension| extension != "sig") {
        let message = "an approval is a file STATEMENT.sig, with STATEMENT beside it";
        return Err(fail::usage(message, "ssh-keygen -Y sign writes it so"));
    }
    Ok((small(&file.with_extension(""))?, small(file)?))
}

fn small(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}
