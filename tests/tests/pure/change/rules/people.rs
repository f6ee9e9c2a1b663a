//! People at work on the same object, before a change, during it and before its rollback.

use std::rc::Rc;

use bailiwick_change::ApplyOutcome;
use bailiwick_change::state::ChangeStatus as At;
use bailiwick_journal::{Denial, End};
use bailiwick_tests::change::controller::Controller;
use bailiwick_tests::change::faulty::{Fault, Faulty};
use bailiwick_tests::change::model::World;
use bailiwick_tests::change::plans::{file, plan, write};

use super::{MONDAY, QUICK, applied, apply, is_denied, repair, world};

#[test]
fn ch17_signs_of_a_person_postpone() {
    let controller = Controller::new(QUICK, MONDAY);
    let (mut log, world) = (controller.log(), world(&[&repair()]));
    world.borrow_mut().people = vec!["session root pts/0 since 09:58".to_owned(), "dpkg lock held\u{1b}[2J".to_owned()];
    let why = is_denied(&apply(&controller, &mut log, &world, &repair()), Denial::People);
    assert!(why.contains("pts/0") && !why.contains('\u{1b}'), "{why}");
    world.borrow_mut().people.clear();
    applied(&apply(&controller, &mut log, &world, &repair()));
}

#[test]
fn ag14_a_persons_edit_between_plan_and_apply_stops_it_and_is_shown() {
    let controller = Controller::new(QUICK, MONDAY);
    let (mut log, world) = (controller.log(), world(&[&repair()]));
    let edited = file("a person's work");
    world.borrow_mut().objects.insert("file /etc/prometheus/rules/base.yml".to_owned(), edited.clone());
    let ApplyOutcome::Denied { code: Denial::Conflict, why, shown } = apply(&controller, &mut log, &world, &repair())
    else {
        panic!("it went on")
    };
    assert!(why.contains("the target has changed since the plan was made") && shown.is_some(), "{why}");
    assert_eq!(world.borrow().objects.get("file /etc/prometheus/rules/base.yml"), Some(&edited));
    assert_eq!(world.borrow().mutations, 0);
}

#[test]
fn ch17_a_persons_edit_during_apply_stays_and_the_rest_is_rolled_back() {
    let two = plan("two-files", vec![write("/etc/a", Some("old"), "new"), write("/etc/b", Some("old"), "new")]);
    let controller = Controller::new(QUICK, MONDAY);
    let (mut log, world) = (controller.log(), world(&[&two]));
    let (gate, mut probes) = controller.gate_and_probes(&world);
    let mut gate = Faulty::new(gate, Fault::None);
    let (there, edited) = (Rc::clone(&world), file("a person's work"));
    let theirs = edited.clone();
    gate.before = Some(Box::new(move |_, name| {
        if name == "do 2" {
            there.borrow_mut().objects.insert("file /etc/b".to_owned(), theirs.clone());
        }
    }));
    let outcome = controller.apply(&mut log, &mut gate, &mut probes, &two).unwrap();
    // It differs: the person has changed it. So a person must decide whether it is right.
    assert!(matches!(&outcome, ApplyOutcome::Ended { end: End::Stuck, .. }), "{outcome:?}");
    let objects = world.borrow().objects.clone();
    assert_eq!(objects.get("file /etc/a"), Some(&file("old")), "ours is back");
    assert_eq!(objects.get("file /etc/b"), Some(&edited), "theirs is theirs");
}

#[test]
fn ch04_a_persons_edit_before_rollback_stops_it_and_is_shown() {
    let controller = Controller::new(QUICK, MONDAY);
    let (mut log, world) = (controller.log(), world(&[&repair()]));
    let change = applied(&apply(&controller, &mut log, &world, &repair()));
    let edited = file("a person's work");
    world.borrow_mut().objects.insert("file /etc/prometheus/rules/base.yml".to_owned(), edited.clone());
    let (mut gate, mut probes) = controller.gate_and_probes(&world);
    let outcome = controller.rollback(&mut log, &mut gate, &mut probes, &repair(), &change).unwrap();
    let ApplyOutcome::Denied { code: Denial::Conflict, shown: Some(_), .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(world.borrow().objects.get("file /etc/prometheus/rules/base.yml"), Some(&edited));
    assert_eq!(log.change(&change).unwrap().status, At::Applied, "it is still what it was");
    // The person restores it; then the rollback works, at any time, and costs no budget.
    world.borrow_mut().objects.insert("file /etc/prometheus/rules/base.yml".to_owned(), file("new"));
    controller.clock.pass(86_400 * 40);
    let outcome = controller.rollback(&mut log, &mut gate, &mut probes, &repair(), &change).unwrap();
    assert!(matches!(outcome, ApplyOutcome::Ended { end: End::RolledBack, .. }), "{outcome:?}");
    assert_eq!(world.borrow().objects, World::before(&repair()).objects);
}
