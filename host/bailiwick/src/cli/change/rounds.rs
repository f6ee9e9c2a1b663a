//! `bailiwick rounds`: the daily check. Every probe runs, every applied change is verified again, and nothing is changed. The journal
//! records the day with its evidence (JR13): on a day without this entry no rounds were made.

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
use bailiwick_change::verifier::NoProgress;
use bailiwick_change::{Plan, verify};
use bailiwick_core::model::{Severity, Tainted};
use bailiwick_core::outcome::Sweep;
use bailiwick_engine::sweep::{Request, sweep};
use bailiwick_journal::{Event, ProofResult};

use super::session::{self, Session};
use crate::cli::Context;
use crate::cli::args;

pub(crate) fn rounds(context: &Context, args: &args::Rounds) -> anyhow::Result<Exit> {
    let session = Session::open(context, usize::try_from(args.jobs)?)?;
    let mut log = session::open_log(context)?;
    let clock = System.read();
    let runtime = session::runtime()?;
    let number = log.journal().last().seq + 1;
    let checked = runtime.block_on(check_all(&session, &log))?;
    let verified = runtime.block_on(verify_applied(&session, &log));
    let colour = if context.out.color_stdout() { Colour::Always } else { Colour::Never };
    let options = Options { width: context.out.width(), colour, detail: Detail::Brief };
    context.out.styled(&table::render(&checked, &options))?;
    let exit = Exit::for_sweep(&checked, Some(Severity::Warning));
    let holds = exit == Exit::Fine && verified.iter().all(|proof| proof.holds);
    let day = budget::day(&session.ops.policy.change, &clock);
    let event = Event::Round { day, sweep: number, verified: verified.clone(), holds, clock };
    let entry = log.write(event)?;
    context.out.text(&report::round(day, &verified, holds, entry))?;
    // A change that does not hold any more weighs as much as a finding.
    Ok(if exit == Exit::Fine && !holds { Exit::Findings } else { exit })
}

async fn check_all(session: &Session, log: &Log) -> anyhow::Result<Sweep> {
    let mut targets: BTreeSet<_> = session.ops.assignments.keys().cloned().collect();
    targets.extend(session.ops.never_named());
    let request = Request { targets, components: None, lock_state: session.lock_state.clone() };
    let (ops, journal) = (Arc::clone(&session.ops), Arc::clone(log.journal()));
    Ok(sweep(ops, request, session.settings.clone(), journal, Arc::new(NoProgress)).await?)
}

/// Every applied change: its objects have the states that it left, and its fix reports that they work.
async fn verify_applied(session: &Session, log: &Log) -> Vec<ProofResult> {
    let ledger = log.ledger();
    // For each object only the latest change counts.
    let mut latest = BTreeMap::new();
    let mut begun: Vec<_> = ledger.changes.values().filter(|state| state.status == ChangeStatus::Applied).collect();
    begun.sort_by_key(|state| ledger.begun.get(&state.id).copied());
    for state in &begun {
        for object in &state.objects {
            latest.insert((state.target.clone(), object.clone()), state.id.clone());
        }
    }
    let mut shown = Vec::new();
    for state in begun {
        let what = |what: &str| format!("{} on {}: {what}", state.id, state.target);
        let fails =
            |why: String| ProofResult { what: what("could be checked"), holds: false, detail: Tainted::new(why) };
        let (plan, _) = match session.store.plan(&state.plan) {
            Ok(plan) => plan,
            Err(error) => {
                shown.push(fails(error.to_string()));
                continue;
            }
        };
        let target = match session.target(state.target.as_str()) {
            Ok(target) => target,
            Err(error) => {
                shown.push(fails(error.to_string()));
                continue;
            }
        };
        let mut gate = session.gate(target);
        for (_, step) in verify::last_of_each(&plan) {
            let object = (state.target.clone(), step.change.object());
            if latest.get(&object) != Some(&state.id) {
                continue;
            }
            let proof = match gate.preview(step).await {
                Ok(preview) => verify::state_after(step, &preview.before),
                Err(error) => verify::unknown_state(step, &error.to_string()),
            };
            shown.push(ProofResult { what: what(&proof.what), ..proof });
        }
        gate.transport.close().await;
        shown.push(verify(session, log, &plan, &what("the fix's own verify")).await);
    }
    shown
}

async fn verify(session: &Session, log: &Log, plan: &Plan, what: &str) -> ProofResult {
    let result = session.verifier(log).verify(plan).await;
    let proof = verify::own_verify(result.as_deref().map_err(String::as_str));
    ProofResult { what: what.to_owned(), ..proof }
}
