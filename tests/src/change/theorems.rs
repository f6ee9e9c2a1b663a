//! What holds for every plan, for every fault at every moment: afterwards the target is as before, or as the plan wants it, or the
//! change is stuck and reported as stuck; there are never two changes in a day; and the journal is true.
//!
//! Each function runs one plan with one kind of fault at every place where it can happen, and counts.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::rc::Rc;

use bailiwick_change::check::is_restored;
use bailiwick_change::gate_client::GateClient;
use bailiwick_change::ledger::Ledger;
use bailiwick_change::log::Log;
use bailiwick_change::state::ChangeStatus as At;
use bailiwick_change::{ApplyOutcome, Plan, recover};
use bailiwick_core::model::{ChangeId, Inverse, Way};
use bailiwick_journal::{Denial, End, Event, verify};

use super::controller::{Controller, run};
use super::faulty::{Fault, Faulty};
use super::model::World;

/// How many combinations of a kind ran.
pub type Tally = BTreeMap<&'static str, u32>;

/// A working day, at an hour without other jobs.
const MONDAY: &str = "2030-06-03T10:00:00Z";

/// The clock of a test does not wait for these seconds.
const POLICY: &str = "[change]\nverify-seconds = 10\n";

/// The expected end of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// Before or after.
    Whole,
    /// A person must check.
    Stuck,
}

fn new_world(plan: &Plan) -> Rc<RefCell<World>> {
    // More than a day's: the controller has to stop the second change.
    Rc::new(RefCell::new(World { begun_max: 9, ..World::before(plan) }))
}

fn is_before(plan: &Plan, world: &World) -> bool {
    let mut seen = BTreeSet::new();
    plan.steps
        .iter()
        .filter(|step| seen.insert(step.change.object()))
        .all(|step| world.objects.get(&step.change.object()).is_some_and(|state| is_restored(step, state)))
}

fn is_after(plan: &Plan, world: &World) -> bool {
    World::after(plan) == world.objects
}

fn only(log: &Log) -> Option<(ChangeId, At)> {
    assert!(log.ledger().changes.len() <= 1, "two changes");
    log.ledger().changes.values().next().map(|state| (state.id.clone(), state.status))
}

/// Brings the change to an end: by recovery, then by the target's own clock and recovery again.
fn settle(controller: &Controller, log: &mut Log, world: &Rc<RefCell<World>>, plan: &Plan, label: &str) -> Option<At> {
    let (mut gate, _) = controller.gate_and_probes(world);
    let (change, at) = only(log)?;
    if !at.is_open() {
        return Some(at);
    }
    let mutations = world.borrow().mutations;
    run(recover(log, &mut gate, Some(plan), &change)).expect("written");
    assert_eq!(world.borrow().mutations, mutations, "{label}: recovery changed something");
    if only(log).is_some_and(|(_, at)| at.is_open()) {
        world.borrow_mut().dead_man();
        run(recover(log, &mut gate, Some(plan), &change)).expect("written");
    }
    let (_, at) = only(log)?;
    assert!(!at.is_open(), "{label}: {at:?} is not an end");
    Some(at)
}

/// In every case: what is reported is true, and it happened once.
fn truth(controller: &Controller, log: Log, world: &Rc<RefCell<World>>, plan: &Plan, expect: Expect, label: &str) {
    let mut log = log;
    let at = settle(controller, &mut log, world, plan, label);
    let whole = world.borrow().clone();
    match at {
        None | Some(At::NotBegun) => {
            assert!(is_before(plan, &whole) && whole.mutations == 0, "{label}: something was done: {whole:?}");
        }
        Some(At::Applied) => assert!(is_after(plan, &whole), "{label}: it is reported as applied: {whole:?}"),
        Some(At::RolledBack) => assert!(is_before(plan, &whole), "{label}: it is reported as rolled back: {whole:?}"),
        Some(At::Stuck) => assert_eq!(expect, Expect::Stuck, "{label}: {:?}", controller.events().last()),
        Some(other) => panic!("{label}: {other:?}"),
    }
    for change in whole.changes.keys() {
        assert_eq!(log.change(change).map(|state| state.id.clone()).as_ref(), Some(change), "{label}: unknown here");
    }
    // Nothing is done twice: each step is done once, undone once, and repeated once if its inverse is to repeat it.
    let again = plan.steps.iter().filter(|step| step.inverse == Inverse::Again).count();
    assert!(whole.mutations as usize <= 2 * plan.steps.len() + again, "{label}: {} mutations", whole.mutations);
    // There is no second change on the same day, by the controller's own count.
    let (mut gate, mut probes) = controller.gate_and_probes(world);
    controller.clock.pass(3600);
    let again = controller.apply(&mut log, &mut gate, &mut probes, plan).expect("written");
    match (at, again) {
        (None | Some(At::NotBegun), _) => {}
        (Some(At::Stuck), ApplyOutcome::Denied { code: Denial::OpenChange, .. })
        | (Some(At::Applied | At::RolledBack), ApplyOutcome::Denied { code: Denial::Budget, .. }) => {
            assert_eq!(world.borrow().mutations, whole.mutations, "{label}: a second change");
        }
        (at, again) => panic!("{label}: after {at:?} a second one: {again:?}"),
    }
    drop(log);
    let verdict = verify(&controller.journal()).expect("a journal");
    assert!(verdict.breaks.iter().all(|found| !found.is_serious()), "{label}: {:?}", verdict.breaks);
    Ledger::read(&controller.journal()).expect("a consistent journal");
}

/// The number of calls of a plan without a fault.
fn calls(plan: &Plan, useless: bool) -> u32 {
    let (controller, world) = (Controller::new(POLICY, MONDAY), new_world(plan));
    world.borrow_mut().useless = useless;
    let (gate, mut probes) = controller.gate_and_probes(&world);
    let mut gate = Faulty::new(gate, Fault::None);
    let outcome = controller.apply(&mut controller.log(), &mut gate, &mut probes, plan).expect("written");
    let end = if useless { End::RolledBack } else { End::Applied };
    assert!(matches!(&outcome, ApplyOutcome::Ended { end: found, .. } if *found == end), "{outcome:?}");
    gate.calls.get()
}

/// At each call to the gate: it refuses, or the network is down for a moment before or after the call, or from then on.
pub fn faults(plan: &Plan, tally: &mut Tally) {
    type Make = fn(u32) -> Fault;
    let kinds: [(&'static str, Make); 5] = [
        ("the gate refuses", Fault::Refuse),
        ("the connection is cut before the request", Fault::CutBefore),
        ("the connection is cut before the answer", Fault::CutAfter),
        ("the network is down from before the request", Fault::DownFrom),
        ("the network is down from before the answer", Fault::DownAfter),
    ];
    for useless in [false, true] {
        // A rollback that is cut off makes more calls than one that is not.
        for at in 1..=calls(plan, useless) + 2 {
            for (kind, make) in kinds {
                let label = format!("{}: useless {useless}: {kind} {at}", plan.fix);
                let (controller, world) = (Controller::new(POLICY, MONDAY), new_world(plan));
                world.borrow_mut().useless = useless;
                let (gate, mut probes) = controller.gate_and_probes(&world);
                let mut gate = Faulty::new(gate, make(at));
                let mut log = controller.log();
                let outcome = controller.apply(&mut log, &mut gate, &mut probes, plan).expect("written");
                let name = gate.names.borrow().get(at as usize - 1).cloned().unwrap_or_default();
                let label = format!("{label} ({name}) -> {outcome:?}");
                // A refusal of the gate during a rollback is final.
                let in_rollback = name.starts_with("undo") || name.starts_with("again");
                let is_refused = matches!(gate.fault, Fault::Refuse(_));
                let expect = if is_refused && in_rollback { Expect::Stuck } else { Expect::Whole };
                truth(&controller, log, &world, plan, expect, &label);
                *tally.entry(kind).or_default() += 1;
            }
        }
    }
}

/// The controller is killed between any two things that it does: write an entry, ask the gate.
pub fn kills(plan: &Plan, tally: &mut Tally) {
    for useless in [false, true] {
        let (controller, world) = (Controller::new(POLICY, MONDAY), new_world(plan));
        world.borrow_mut().useless = useless;
        let (gate, mut probes) = controller.gate_and_probes(&world);
        let mut gate = Faulty::new(gate, Fault::None);
        let moments = Rc::new(RefCell::new(Vec::new()));
        let (seen, there, journal) = (Rc::clone(&moments), Rc::clone(&world), controller.journal());
        gate.before = Some(Box::new(move |_, _| seen.borrow_mut().push((lines(&journal), there.borrow().clone()))));
        let mut log = controller.log();
        let first = lines(&controller.journal());
        controller.apply(&mut log, &mut gate, &mut probes, plan).expect("written");
        moments.borrow_mut().push((lines(&controller.journal()), world.borrow().clone()));
        let last = lines(&controller.journal());
        let moments = moments.borrow();
        for kept in first..=last {
            // Every state of the target while the journal had so many entries: before each call, and after it.
            let mut worlds: Vec<&World> = Vec::new();
            for (index, (entries, before)) in moments.iter().enumerate() {
                let next = moments.get(index + 1);
                if *entries == kept {
                    worlds.push(before);
                    worlds.extend(next.map(|(_, after)| after));
                } else if *entries < kept && next.is_none_or(|(entries, _)| *entries > kept) {
                    worlds.extend(next.map(|(_, after)| after));
                }
            }
            worlds.dedup();
            for there in worlds {
                for person in [false, true] {
                    killed(&controller, plan, kept, there.clone(), person);
                    *tally.entry("kill -9 of the controller").or_default() += 1;
                }
            }
        }
    }
}

/// A program that starts after a killed one.
fn killed(controller: &Controller, plan: &Plan, kept: usize, world: World, person: bool) {
    let label = format!("{}: killed behind entry {kept}, a person {person}", plan.fix);
    let after = Controller::new(POLICY, MONDAY);
    cut(&controller.journal(), &after.journal(), kept);
    let world = Rc::new(RefCell::new(world));
    let mut log = after.log();
    let (mut gate, mut probes) = after.gate_and_probes(&world);
    if let Some((change, at)) = only(&log).filter(|(_, at)| person && at.is_open() && *at != At::Reserved) {
        // A person does not wait, and rolls it back.
        let outcome = after.rollback(&mut log, &mut gate, &mut probes, plan, &change).expect("written");
        let is_rolled_back = matches!(outcome, ApplyOutcome::Ended { end: End::RolledBack, .. });
        assert!(is_rolled_back, "{label} in {at:?}: {outcome:?}");
    }
    world.borrow_mut().useless = false;
    truth(&after, log, &world, plan, Expect::Whole, &label);
}

/// How many entries a journal has.
fn lines(journal: &Path) -> usize {
    fs::read(journal.join("journal.jsonl")).unwrap_or_default().iter().filter(|b| **b == b'\n').count()
}

/// A journal as a killed writer left it: so many whole entries, and the head of the last.
fn cut(from: &Path, to: &Path, kept: usize) {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(to).expect("a folder");
    let text = fs::read_to_string(from.join("journal.jsonl")).expect("a journal");
    let whole: String = text.split_inclusive('\n').take(kept).collect();
    let hash = whole.lines().last().and_then(|line| line.split(' ').next()).unwrap_or_default().to_owned();
    for (name, bytes) in [("journal.jsonl", whole), ("head", format!("{kept:020} {hash}\n"))] {
        fs::write(to.join(name), bytes).expect("written");
        fs::set_permissions(to.join(name), std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
    }
}

/// Every step done and undone, each requested twice: the second time nothing happens.
pub fn twice(plan: &Plan, tally: &mut Tally) {
    let (controller, world) = (Controller::new(POLICY, MONDAY), new_world(plan));
    let (mut gate, _) = controller.gate_and_probes(&world);
    let change = ChangeId::new("c-twice").expect("a name");
    run(gate.begin(&change, "p", 60)).expect("it begins");
    let steps = || (1_u32..).zip(&plan.steps);
    let mut act_twice = |number, way, step| {
        let first = run(gate.act(&change, number, way, step)).expect("done");
        let mutations = world.borrow().mutations;
        let second = run(gate.act(&change, number, way, step)).expect("done");
        assert_eq!((first, mutations), (second, world.borrow().mutations), "{}: {way:?} {number}", plan.fix);
        *tally.entry("a step asked for twice").or_default() += 1;
    };
    steps().for_each(|(number, step)| act_twice(number, Way::Do, step));
    let undone = || steps().filter(|(_, step)| step.inverse != Inverse::Again).collect::<Vec<_>>();
    undone().into_iter().rev().for_each(|(number, step)| act_twice(number, Way::Undo, step));
    let again = steps().filter(|(_, step)| step.inverse == Inverse::Again);
    again.for_each(|(number, step)| act_twice(number, Way::Again, step));
    assert!(is_before(plan, &world.borrow()), "{}", plan.fix);
}

/// Each object in turn cannot be restored: the change is stuck, and blocks the target until a person unblocks it.
pub fn jams(plan: &Plan, tally: &mut Tally) {
    for step in plan.steps.iter().filter(|step| step.inverse != Inverse::Again) {
        let object = step.change.object();
        let label = format!("{}: {object} cannot be restored", plan.fix);
        let (controller, world) = (Controller::new(POLICY, MONDAY), new_world(plan));
        world.borrow_mut().useless = true;
        world.borrow_mut().jammed.insert(object.clone());
        let (mut gate, mut probes) = controller.gate_and_probes(&world);
        let mut log = controller.log();
        let outcome = controller.apply(&mut log, &mut gate, &mut probes, plan).expect("written");
        let ApplyOutcome::Ended { change, end: End::Stuck, .. } = outcome else { panic!("{label}: {outcome:?}") };
        controller.clock.pass(48 * 3600);
        let again = controller.apply(&mut log, &mut gate, &mut probes, plan).expect("written");
        assert!(
            matches!(again, ApplyOutcome::Denied { code: Denial::OpenChange, .. }),
            "{label}: not blocked: {again:?}"
        );
        let (who, why) = ("alice".to_owned(), "I have checked it".to_owned());
        log.write(Event::Unblocked { change, who, why }).expect("written");
        assert!(log.ledger().blocked(&plan.target).is_none(), "{label}");
        *tally.entry("undo fails").or_default() += 1;
    }
}
