//! `bailiwick plan`: the fix proposes changes, the gate reports each object's state, the checker checks, and the plan is stored. Nothing
//! is changed on the target.

use std::collections::BTreeSet;

use crate::report::change as report;
use crate::report::exit::ExitCode as Exit;
use bailiwick_change::approval::Statement;
use bailiwick_change::check::check;
use bailiwick_change::clock::{Clock as _, System};
use bailiwick_change::log::Log;
use bailiwick_change::make::{PlanBasis, RequestedChange, make, raised};
use bailiwick_change::store::Store;
use bailiwick_change::{Contract, Plan, Raised};
use bailiwick_core::encode;
use bailiwick_core::manifest::Manifest;
use bailiwick_core::model::{ComponentId, Tainted, TargetName, World};
use bailiwick_core::nearest::choices;
use bailiwick_engine::sweep::Decided;
use bailiwick_journal::{Event, NotPlanned};
use jiff::SignedDuration;

use super::session::{self, Session};
use crate::cli::args;
use crate::cli::args::PlanCommand;
use crate::cli::{Context, fail};

pub(crate) fn plan(context: &Context, args: &args::Plan) -> anyhow::Result<Exit> {
    match (&args.command, &args.fix, &args.target) {
        (Some(PlanCommand::Show { digest, json, hours, .. }), ..) => show(context, digest, *json, *hours),
        (None, Some(fix), Some(target)) => plan_now(context, fix, target, args.json),
        _ => Err(fail::usage("a plan needs a fix and a target", "bailiwick plan FIX --target TARGET")),
    }
}

fn show(context: &Context, digest: &str, json: bool, hours: Option<u32>) -> anyhow::Result<Exit> {
    let (plan, digest) = Store::at(&context.state_folder()?).plan(digest)?;
    if let Some(hours) = hours {
        let not_after = System.read().wall.checked_add(SignedDuration::from_hours(i64::from(hours)))?;
        // These bytes are signed, so nothing is added to them.
        context.out.bytes(Statement::new(&plan, &digest, not_after).text().as_bytes())?;
    } else if json {
        context.out.bytes(&plan.bytes()?)?;
    } else {
        context.out.text(&report::plan(&plan, &digest))?;
    }
    Ok(Exit::Fine)
}

fn plan_now(context: &Context, fix: &str, target: &str, json: bool) -> anyhow::Result<Exit> {
    let session = Session::open(context, 1)?;
    let fix = session.fix(fix)?;
    let target = session.target(target)?.name.clone();
    let mut log = session::open_log(context)?;
    match make_plan(&session, &mut log, &fix, &target, session::who(context))? {
        Ok((plan, digest)) => {
            if json {
                context.out.bytes(&plan.bytes()?)?;
            } else {
                context.out.text(&report::plan(&plan, &digest))?;
                let first = digest.get(..8).unwrap_or(&digest);
                context.out.say(&format!("Nothing was changed. To apply the plan: bailiwick apply {first}"));
            }
            Ok(Exit::Fine)
        }
        Err(why) => {
            context.out.text(&report::not_planned(&fix, &target, &why))?;
            Ok(match why {
                NotPlanned::Nothing { .. } => Exit::Fine,
                NotPlanned::Refused { .. } | NotPlanned::Rejected { .. } => Exit::Refused,
                NotPlanned::Failed { .. } => Exit::NotChecked,
            })
        }
    }
}

/// Has a fix make a plan, and stores it. The journal records the result.
pub(super) fn make_plan(
    session: &Session,
    log: &mut Log,
    fix: &ComponentId,
    target: &TargetName,
    who: String,
) -> anyhow::Result<Result<(Plan, String), NotPlanned>> {
    let (run, made) = session::runtime()?.block_on(planned(session, log, fix, target));
    let made = made.and_then(|plan| {
        let violations = check(&plan, &session.constraints(log.ledger(), &plan)).err().unwrap_or_default();
        let why = violations.iter().map(ToString::to_string).collect::<Vec<_>>();
        if why.is_empty() { Ok(plan) } else { Err(NotPlanned::Rejected { why }) }
    });
    let (fix, target) = (fix.clone(), target.clone());
    match made {
        Ok(plan) => {
            let digest = session.store.keep(&plan)?;
            log.write(Event::Planned { plan: digest.clone(), fix, target, run: plan.run, who })?;
            Ok(Ok((plan, digest)))
        }
        Err(why) => {
            log.write(Event::NotPlanned { fix, target, run, why: why.clone() })?;
            Ok(Err(why))
        }
    }
}

/// The run of the fix, and its plan.
async fn planned(
    session: &Session,
    log: &Log,
    fix: &ComponentId,
    target: &TargetName,
) -> (Option<u64>, Result<Plan, NotPlanned>) {
    let failed = |why: String| NotPlanned::Failed { why };
    let verifier = session.verifier(log);
    let planned = match verifier.plan(fix, target).await {
        Ok(planned) => planned,
        Err(why) => return (None, Err(failed(why))),
    };
    let run = Some(planned.run);
    let (context, staged) = match planned.decided {
        Decided::Propose { context, staged, .. } => (context, staged),
        Decided::NothingToDo { why } => return (run, Err(NotPlanned::Nothing { why })),
        Decided::Refuse { reason, owner, .. } => return (run, Err(NotPlanned::Refused { reason, owner })),
    };
    let Some(manifest) = session.ops.library.manifest(fix.as_str()) else {
        return (run, Err(failed("the manifest of the fix is missing".to_owned())));
    };
    let raising: BTreeSet<_> = manifest.answers.iter().map(|answer| answer.probe.clone()).collect();
    let seen = match verifier.results(target, raising).await {
        Ok(seen) => seen,
        Err(why) => return (run, Err(failed(why))),
    };
    let answers = manifest.answers.iter().map(|one| Raised { probe: one.probe.clone(), code: one.code.clone() });
    let raised = raised(answers.collect(), &seen);
    if raised.is_empty() {
        let codes: Vec<_> = manifest.answers.iter().map(|answer| format!("{} {}", answer.probe, answer.code)).collect();
        let why = format!("no probe reports a finding that this fix answers: {}", codes.join(", "));
        return (run, Err(NotPlanned::Rejected { why: vec![why] }));
    }
    let mut requested = Vec::new();
    for one in staged {
        let Some(change) = one.change().cloned() else {
            return (run, Err(failed(format!("{} is not a change", one.action.id))));
        };
        let computed = match &one.computed {
            None => None,
            Some(text) => match session.store.keep_computed(text.as_bytes()) {
                Ok(sha) => Some(sha),
                Err(error) => return (run, Err(failed(error.to_string()))),
            },
        };
        requested.push(RequestedChange { action: one.action.id.clone(), change, computed });
    }
    let basis = match basis(session, manifest, target, planned.run, context, raised) {
        Ok(basis) => basis,
        Err(why) => return (run, Err(why)),
    };
    let Some(on) = session.ops.fleet.targets.get(target) else {
        return (run, Err(failed(format!("there is no target {target}"))));
    };
    let mut gate = session.gate(on);
    let made = make(&mut gate, basis, requested).await;
    gate.transport.close().await;
    (run, made.map_err(|error| failed(error.to_string())))
}

fn basis(
    session: &Session,
    manifest: &Manifest,
    target: &TargetName,
    run: u64,
    context: Tainted,
    raised: Vec<Raised>,
) -> Result<PlanBasis, NotPlanned> {
    let rejected = |why: &str| NotPlanned::Rejected { why: vec![why.to_owned()] };
    let contract = manifest.contract.clone().ok_or_else(|| rejected("the manifest of the fix has no [contract]"))?;
    let binary = session.ops.library.binary(&manifest.id).ok_or_else(|| rejected("the fix has no component file"))?;
    let grant = session
        .ops
        .grant(&manifest.id, target)
        .ok_or_else(|| rejected("policy does not grant the fix on this target"))?;
    let on = session.ops.fleet.targets.get(target).ok_or_else(|| rejected("fleet.toml has no such target"))?;
    Ok(PlanBasis {
        made: System.read().wall,
        fix: manifest.id.clone(),
        version: manifest.version.clone(),
        component: binary.digest.clone(),
        target: target.clone(),
        host_key: session::host_key(on),
        grant: grant.digest(),
        policy: session.ops.digest(),
        run,
        contract: Contract {
            context,
            intent: contract.intent,
            rationale: contract.rationale,
            if_reverted: contract.if_reverted,
            constraints: contract.constraints,
        },
        raised,
    })
}

impl Session {
    /// A fix by its id.
    pub(super) fn fix(&self, name: &str) -> anyhow::Result<ComponentId> {
        let fixes = self
            .ops
            .library
            .components()
            .values()
            .map(|file| &file.manifest)
            .filter(|manifest| manifest.world == World::Fix);
        let known: Vec<_> = fixes.map(|manifest| manifest.id.as_str()).collect();
        if known.contains(&name) {
            return Ok(ComponentId::new(name)?);
        }
        let message = if self.ops.library.components().contains_key(name) {
            format!("`{name}` is a probe, not a fix")
        } else {
            format!("there is no fix `{}`", encode::lines(name))
        };
        Err(fail::usage(message, choices(name, known, "fixes")))
    }
}
