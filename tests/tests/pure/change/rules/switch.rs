//! What stops a change at any moment: the kill switch, an interruption, a gate that is closed.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use bailiwick_change::ApplyOutcome;
use bailiwick_journal::{Denial, End};
use bailiwick_tests::change::controller::Controller;
use bailiwick_tests::change::faulty::{Fault, Faulty};
use bailiwick_tests::change::model::World;

use super::{MONDAY, QUICK, applied, apply, is_denied, other, repair, world};

#[test]
fn ch15_the_switch_before_and_at_every_moment_of_a_change() {
    let names = {
        let controller = Controller::new(QUICK, MONDAY);
        let (mut log, world) = (controller.log(), world(&[&repair()]));
        let (gate, mut probes) = controller.gate_and_probes(&world);
        let mut gate = Faulty::new(gate, Fault::None);
        applied(&controller.apply(&mut log, &mut gate, &mut probes, &repair()).unwrap());
        gate.names.borrow().clone()
    };
    for roll_back in [false, true] {
        for at in 1..=u32::try_from(names.len()).unwrap() {
            let policy = format!("{QUICK}hold-on-stop = {}\n", !roll_back);
            let controller = Controller::new(&policy, MONDAY);
            let (mut log, world) = (controller.log(), world(&[&repair()]));
            let (gate, mut probes) = controller.gate_and_probes(&world);
            let mut gate = Faulty::new(gate, Fault::None);
            let (stop, there) = (controller.stop(), Rc::clone(&world));
            let mutations = Rc::new(RefCell::new(0));
            let then = Rc::clone(&mutations);
            gate.before = Some(Box::new(move |call, _| {
                if call == at {
                    stop.engage("fire", 0).unwrap();
                    *then.borrow_mut() = there.borrow().mutations;
                }
            }));
            let outcome = controller.apply(&mut log, &mut gate, &mut probes, &repair()).unwrap();
            let label = format!("{} ({at}), roll back {roll_back}: {outcome:?}", names[at as usize - 1]);
            let more = world.borrow().mutations - *mutations.borrow();
            match &outcome {
                ApplyOutcome::Denied { code: Denial::Kill, .. } | ApplyOutcome::Ended { end: End::NotBegun, .. } => {
                    assert_eq!(more, 0, "{label}");
                }
                // The step was already sent when the switch went on; nothing was sent after it.
                ApplyOutcome::Open { .. } => assert!(!roll_back && more <= 1, "{label}"),
                ApplyOutcome::Ended { end: End::RolledBack, .. } => {
                    assert!(roll_back, "{label}");
                    assert_eq!(world.borrow().objects, World::before(&repair()).objects, "{label}");
                }
                // Everything was proved, and only the last message was missing.
                ApplyOutcome::Ended { end: End::Applied, .. } => {
                    assert!(names[at as usize - 1].starts_with("close"), "{label}")
                }
                _ => panic!("{label}"),
            }
            // While it is on, nothing begins, and nothing is rolled back either.
            let again = controller.apply(&mut log, &mut gate, &mut probes, &repair()).unwrap();
            is_denied(&again, Denial::Kill);
        }
    }
}

#[test]
fn an_interruption_at_every_moment_ends_before_or_after() {
    for at in 1.. {
        let controller = Controller::new(&format!("{QUICK}hold-on-stop = true\n"), MONDAY);
        let (mut log, world) = (controller.log(), world(&[&repair()]));
        let (gate, mut probes) = controller.gate_and_probes(&world);
        let mut gate = Faulty::new(gate, Fault::None);
        let flag = std::sync::Arc::clone(&controller.interrupted);
        gate.before = Some(Box::new(move |call, _| flag.store(call >= at, Ordering::Relaxed)));
        let outcome = controller.apply(&mut log, &mut gate, &mut probes, &repair()).unwrap();
        if gate.calls.get() < at {
            assert!(at > 8, "that many calls make a change");
            break;
        }
        let is_before = world.borrow().objects == World::before(&repair()).objects;
        match &outcome {
            ApplyOutcome::Denied { code: Denial::Interrupted, .. }
            | ApplyOutcome::Ended { end: End::NotBegun | End::RolledBack, .. } => {
                assert!(is_before, "{at}: {outcome:?}")
            }
            // Everything was proved, and the gate was already informed.
            ApplyOutcome::Ended { end: End::Applied, .. } => {
                assert!(gate.names.borrow()[at as usize - 1].starts_with("close"), "{at}: {outcome:?}");
            }
            _ => panic!("{at}: {outcome:?}"),
        }
    }
}

#[test]
fn ch15_a_switch_that_went_on_and_off_is_noticed() {
    let controller = Controller::new(QUICK, MONDAY);
    let (mut log, world) = (controller.log(), world(&[&repair()]));
    let (gate, mut probes) = controller.gate_and_probes(&world);
    let mut gate = Faulty::new(gate, Fault::None);
    let stop = controller.stop();
    gate.before = Some(Box::new(move |_, name| {
        if name == "do 1" {
            stop.engage("fire", 0).unwrap();
            stop.resume(0).unwrap();
        }
    }));
    let outcome = controller.apply(&mut log, &mut gate, &mut probes, &repair()).unwrap();
    let ApplyOutcome::Open { change, why } = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("stopped and resumed meanwhile"), "{why}");
    // A person rolls it back.
    let outcome = controller.rollback(&mut log, &mut gate, &mut probes, &repair(), &change).unwrap();
    assert!(matches!(outcome, ApplyOutcome::Ended { end: End::RolledBack, .. }), "{outcome:?}");
}

#[test]
fn ch15_a_switch_that_cannot_be_read_is_on() {
    let controller = Controller::new(QUICK, MONDAY);
    let (mut log, world) = (controller.log(), world(&[&repair()]));
    std::fs::create_dir(controller.stop().file()).unwrap();
    is_denied(&apply(&controller, &mut log, &world, &repair()), Denial::Kill);
    // And the gate's own, on the target.
    std::fs::remove_dir(controller.stop().file()).unwrap();
    world.borrow_mut().disabled = true;
    is_denied(&apply(&controller, &mut log, &world, &repair()), Denial::Kill);
}

#[test]
fn ch16_a_gate_that_closes_half_way_leaves_an_open_change_that_is_reported() {
    let controller = Controller::new(QUICK, MONDAY);
    let (mut log, world) = (controller.log(), world(&[&repair()]));
    let (gate, mut probes) = controller.gate_and_probes(&world);
    let mut gate = Faulty::new(gate, Fault::DownFrom(8));
    let outcome = controller.apply(&mut log, &mut gate, &mut probes, &repair()).unwrap();
    let ApplyOutcome::Open { change, why } = outcome else { panic!("{outcome:?}: {:?}", gate.names) };
    assert!(why.contains("does not report the state of the change"), "{why}");
    assert!(log.change(&change).is_some_and(|state| state.status.is_open()));
    // Nothing else begins until the state is known.
    is_denied(&apply(&controller, &mut log, &world, &other()), Denial::OpenChange);
}
