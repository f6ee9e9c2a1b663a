//! `bailiwick rounds`: the healthy day. Every probe looks, every change that is in force is checked again, nothing is changed, and the
//! journal says so with what was seen (JR13): a day without this entry is a day on which nobody looked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::report::change as report;
use crate::report::exit::ExitCode as Exit;
use crate::report::table;
use crate::report::table::{Colour, Detail, Options};
use bailiwick_change::budget;
use bailiwick_change::clock::{Clock as _, System};
use bailiwick_change::gate_client::{GateClient as _, Verifier as _};
use bailiwick_change::log::Log;
use bailiwick_change::state::ChangeStatus;
use bailiwick_change::verifier::Quiet;
use bailiwick_change::{Plan, verify};
use bailiwick_core::model::{Severity, Tainted};
use bailiwick_core::outcome::Sweep;
use bailiwick_engine::sweep::{Request, sweep};
use bailiwick_journal::{Event, ProofResult};

use super::desk::{self, Room};
use crate::cli::Context;
use crate::cli::args;

pub(crate) fn rounds(context: &Context, args: &args::Rounds) -> anyhow::Result<Exit> {
    let room = Room::open(context, usize::try_from(args.jobs)?)?;
    let mut log = desk::log(context)?;
    let clock = System.read();
    let runtime = desk::runtime()?;
    let number = log.journal().last().seq + 1;
    let looked = runtime.block_on(look(&room, &log))?;
    let verified = runtime.block_on(again(&room, &log));
    let colour = if context.out.color_stdout() { Colour::Always } else { Colour::Never };
    let options = Options { width: context.out.width(), colour, detail: Detail::Brief };
    context.out.styled(&table::render(&looked, &options))?;
    let exit = Exit::for_sweep(&looked, Some(Severity::Warning));
    let holds = exit == Exit::Fine && verified.iter().all(|proof| proof.holds);
    let day = budget::day(&room.ops.policy.change, &clock);
    let event = Event::Round { day, sweep: number, verified: verified.clone(), holds, clock };
    let entry = log.write(event)?;
    context.out.text(&report::round(day, &verified, holds, entry))?;
    // What was seen is one thing; that a change is not what was left of it is another, and no less.
    Ok(if exit == Exit::Fine && !holds { Exit::Findings } else { exit })
}

async fn look(room: &Room, log: &Log) -> anyhow::Result<Sweep> {
    let mut targets: BTreeSet<_> = room.ops.assignments.keys().cloned().collect();
    targets.extend(room.ops.never_named());
    let request = Request { targets, components: None, standing: room.standing.clone() };
    let (ops, journal) = (Arc::clone(&room.ops), Arc::clone(log.journal()));
    Ok(sweep(ops, request, room.settings.clone(), journal, Arc::new(Quiet)).await?)
}

/// Every change that is in force: its objects are as it left them, and its fix says that they work.
async fn again(room: &Room, log: &Log) -> Vec<ProofResult> {
    let ledger = log.ledger();
    // A later change of the same object has the word about it.
    let mut latest = BTreeMap::new();
    let mut begun: Vec<_> = ledger.changes.values().filter(|course| course.stage == ChangeStatus::Applied).collect();
    begun.sort_by_key(|course| ledger.begun.get(&course.id).copied());
    for course in &begun {
        for object in &course.objects {
            latest.insert((course.target.clone(), object.clone()), course.id.clone());
        }
    }
    let mut shown = Vec::new();
    for course in begun {
        let what = |what: &str| format!("{} on {}: {what}", course.id, course.target);
        let fails = |why: String| ProofResult { what: what("is checked"), holds: false, said: Tainted::new(why) };
        let (plan, _) = match room.store.plan(&course.plan) {
            Ok(found) => found,
            Err(error) => {
                shown.push(fails(error.to_string()));
                continue;
            }
        };
        let target = match room.target(course.target.as_str()) {
            Ok(target) => target,
            Err(error) => {
                shown.push(fails(error.to_string()));
                continue;
            }
        };
        let mut hands = room.hands(target);
        for (_, step) in verify::last_of_each(&plan) {
            let object = (course.target.clone(), step.change.object());
            if latest.get(&object) != Some(&course.id) {
                continue;
            }
            let proof = match hands.preview(step).await {
                Ok(preview) => verify::after(step, &preview.before),
                Err(error) => verify::unseen(step, &error.to_string()),
            };
            shown.push(ProofResult { what: what(&proof.what), ..proof });
        }
        hands.talk.close().await;
        shown.push(verify(room, log, &plan, &what("the fix's own verify")).await);
    }
    shown
}

async fn verify(room: &Room, log: &Log, plan: &Plan, what: &str) -> ProofResult {
    let said = room.eyes(log).verify(plan).await;
    let proof = verify::verified(said.as_deref().map_err(String::as_str));
    ProofResult { what: what.to_owned(), ..proof }
}
