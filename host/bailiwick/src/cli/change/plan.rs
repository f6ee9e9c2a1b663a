//! `bailiwick plan`: a fix looks, the gate says what each object is, the checker has its say, and the plan is kept. Nothing is changed.

use std::collections::BTreeSet;

use crate::report::change as report;
use crate::report::exit::ExitCode as Exit;
use bailiwick_change::approval::Statement;
use bailiwick_change::check::check;
use bailiwick_change::clock::{Clock as _, System};
use bailiwick_change::log::Log;
use bailiwick_change::make::{Base, Wanted, make, raised};
use bailiwick_change::store::Store;
use bailiwick_change::{Contract, Plan, Raised};
use bailiwick_core::encode;
use bailiwick_core::manifest::Manifest;
use bailiwick_core::model::{ComponentId, Tainted, TargetName, World};
use bailiwick_engine::sweep::Decided;
use bailiwick_journal::{Event, NotPlanned};
use jiff::SignedDuration;

use super::desk::{self, Room};
use crate::cli::args;
use crate::cli::args::PlanCommand;
use crate::cli::{Context, fail};

pub(crate) fn plan(context: &Context, args: &args::Plan) -> anyhow::Result<Exit> {
    match (&args.command, &args.fix, &args.target) {
        (Some(PlanCommand::Show { digest, json, hours, .. }), ..) => show(context, digest, *json, *hours),
        (None, Some(fix), Some(target)) => ask(context, fix, target, args.json),
        _ => Err(fail::usage("a plan is made by a fix for a target", "bailiwick plan FIX --target TARGET")),
    }
}

fn show(context: &Context, digest: &str, json: bool, hours: Option<u32>) -> anyhow::Result<Exit> {
    let (plan, digest) = Store::at(&context.state_folder()?).plan(digest)?;
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

fn ask(context: &Context, fix: &str, target: &str, json: bool) -> anyhow::Result<Exit> {
    let room = Room::open(context, 1)?;
    let fix = room.fix(fix)?;
    let target = room.target(target)?.name.clone();
    let mut log = desk::log(context)?;
    match of(&room, &mut log, &fix, &target, desk::who(context))? {
        Ok((plan, digest)) => {
            if json {
                context.out.bytes(&plan.bytes()?)?;
            } else {
                context.out.text(&report::plan(&plan, &digest))?;
                let first = digest.get(..8).unwrap_or(&digest);
                context.out.say(&format!("Nothing was changed. To carry it out: bailiwick apply {first}"));
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

/// Asks a fix, and keeps what it plans. Either way the journal says what came of it.
pub(super) fn of(
    room: &Room,
    log: &mut Log,
    fix: &ComponentId,
    target: &TargetName,
    who: String,
) -> anyhow::Result<Result<(Plan, String), NotPlanned>> {
    let (run, made) = desk::runtime()?.block_on(planned(room, log, fix, target));
    let made = made.and_then(|plan| {
        let wrong = check(&plan, &room.ground(log.ledger(), &plan)).err().unwrap_or_default();
        let why = wrong.iter().map(ToString::to_string).collect::<Vec<_>>();
        if why.is_empty() { Ok(plan) } else { Err(NotPlanned::Rejected { why }) }
    });
    let (fix, target) = (fix.clone(), target.clone());
    match made {
        Ok(plan) => {
            let digest = room.store.keep(&plan)?;
            log.write(Event::Planned { plan: digest.clone(), fix, target, run: plan.run, who })?;
            Ok(Ok((plan, digest)))
        }
        Err(why) => {
            log.write(Event::NotPlanned { fix, target, run, why: why.clone() })?;
            Ok(Err(why))
        }
    }
}

/// The run, and what came of it.
async fn planned(
    room: &Room,
    log: &Log,
    fix: &ComponentId,
    target: &TargetName,
) -> (Option<u64>, Result<Plan, NotPlanned>) {
    let failed = |why: String| NotPlanned::Failed { why };
    let eyes = room.eyes(log);
    let planned = match eyes.plan(fix, target).await {
        Ok(planned) => planned,
        Err(why) => return (None, Err(failed(why))),
    };
    let run = Some(planned.run);
    let (context, staged) = match planned.decided {
        Decided::Propose { context, staged, .. } => (context, staged),
        Decided::NothingToDo { why } => return (run, Err(NotPlanned::Nothing { why })),
        Decided::Refuse { reason, owner, .. } => return (run, Err(NotPlanned::Refused { reason, owner })),
    };
    let Some(manifest) = room.ops.library.manifest(fix.as_str()) else {
        return (run, Err(failed("its manifest is not there".to_owned())));
    };
    let raising: BTreeSet<_> = manifest.answers.iter().map(|answer| answer.probe.clone()).collect();
    let seen = match eyes.of(target, raising).await {
        Ok(seen) => seen,
        Err(why) => return (run, Err(failed(why))),
    };
    let answers = manifest.answers.iter().map(|one| Raised { probe: one.probe.clone(), code: one.code.clone() });
    let raised = raised(answers.collect(), &seen);
    if raised.is_empty() {
        let codes: Vec<_> = manifest.answers.iter().map(|answer| format!("{} {}", answer.probe, answer.code)).collect();
        let why = format!("no probe says any of the findings that it answers: {}", codes.join(", "));
        return (run, Err(NotPlanned::Rejected { why: vec![why] }));
    }
    let mut wanted = Vec::new();
    for one in staged {
        let Some(change) = one.change().cloned() else {
            return (run, Err(failed(format!("{} is no change", one.action.id))));
        };
        let computed = match &one.computed {
            None => None,
            Some(text) => match room.store.keep_computed(text.as_bytes()) {
                Ok(sha) => Some(sha),
                Err(error) => return (run, Err(failed(error.to_string()))),
            },
        };
        wanted.push(Wanted { action: one.action.id.clone(), change, computed });
    }
    let base = match base(room, manifest, target, planned.run, context, raised) {
        Ok(base) => base,
        Err(why) => return (run, Err(why)),
    };
    let Some(there) = room.ops.fleet.targets.get(target) else {
        return (run, Err(failed(format!("there is no target {target}"))));
    };
    let mut hands = room.hands(there);
    let made = make(&mut hands, base, wanted).await;
    hands.talk.close().await;
    (run, made.map_err(|error| failed(error.to_string())))
}

fn base(
    room: &Room,
    manifest: &Manifest,
    target: &TargetName,
    run: u64,
    context: Tainted,
    raised: Vec<Raised>,
) -> Result<Base, NotPlanned> {
    let rejected = |why: &str| NotPlanned::Rejected { why: vec![why.to_owned()] };
    let contract = manifest.contract.clone().ok_or_else(|| rejected("it has no contract"))?;
    let binary = room.ops.library.binary(&manifest.id).ok_or_else(|| rejected("it has no bytes"))?;
    let grant = room.ops.grant(&manifest.id, target).ok_or_else(|| rejected("policy does not put it there"))?;
    let there = room.ops.fleet.targets.get(target).ok_or_else(|| rejected("there is no such target"))?;
    Ok(Base {
        made: System.read().wall,
        fix: manifest.id.clone(),
        version: manifest.version.clone(),
        component: binary.digest.clone(),
        target: target.clone(),
        host_key: desk::host_key(there),
        grant: grant.digest(),
        policy: room.ops.digest(),
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

impl Room {
    /// A fix that may be meant.
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
        let known = if known.is_empty() {
            "none yet; one comes in by `bailiwick add FILE`".to_owned()
        } else {
            known.join(", ")
        };
        Err(fail::usage(message, format!("the fixes are: {known}")))
    }
}
