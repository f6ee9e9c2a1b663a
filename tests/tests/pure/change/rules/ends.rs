//! How a change ends: a change that has no effect or does harm is rolled back, and every end is an entry.

use std::cell::RefCell;
use std::rc::Rc;

use bailiwick_change::gate_client::Verifier;
use bailiwick_change::{ApplyOutcome, Plan};
use bailiwick_journal::{Denial, End, Event, Observed};
use bailiwick_tests::change::controller::Controller;
use bailiwick_tests::change::faulty::{Fault, Faulty};
use bailiwick_tests::change::model::{Probes, World};
use bailiwick_tests::change::plans::{file, plan, write};

use super::{MONDAY, QUICK, applied, apply, is_denied, other, repair, world};

#[test]
fn ph11_a_fix_that_does_nothing_or_harm_is_rolled_back() {
    for harm in [false, true] {
        let controller = Controller::new(QUICK, MONDAY);
        let (mut log, world) = (controller.log(), world(&[&repair()]));
        world.borrow_mut().useless = !harm;
        world.borrow_mut().harmful = harm;
        let outcome = apply(&controller, &mut log, &world, &repair());
        let ApplyOutcome::Ended { end: End::RolledBack, why: Some(why), .. } = &outcome else { panic!("{outcome:?}") };
        assert!(why.contains(if harm { "load: warning high" } else { "verify" }), "{why}");
        assert_eq!(world.borrow().objects, World::before(&repair()).objects);
    }
}

#[test]
fn tg10_a_gate_that_lies_of_what_it_did_is_found_out_by_probes() {
    let controller = Controller::new(QUICK, MONDAY);
    let (mut log, world) = (controller.log(), world(&[&repair()]));
    world.borrow_mut().lies = true;
    let outcome = apply(&controller, &mut log, &world, &repair());
    let ApplyOutcome::Ended { end: End::RolledBack, why: Some(why), .. } = &outcome else { panic!("{outcome:?}") };
    assert!(why.contains("the proof failed"), "{why}");
    assert_eq!(world.borrow().objects, World::before(&repair()).objects, "it had done nothing");
    // The states that it made up are recorded as observed, beside the probes' results, which decided.
    let proved = controller.events().into_iter().find_map(|event| match event {
        Event::Proved { holds, proofs, .. } => Some((holds, proofs)),
        _ => None,
    });
    let (holds, proofs) = proved.unwrap();
    assert!(!holds && proofs.iter().any(|proof| proof.holds) && proofs.iter().any(|proof| !proof.holds), "{proofs:?}");
}

/// A verifier that takes its time.
struct Late<'a>(&'a Controller, Probes);

impl Verifier for Late<'_> {
    async fn check(&mut self, plan: &Plan) -> Result<Vec<Observed>, String> {
        self.0.clock.pass(30);
        self.1.check(plan).await
    }
    async fn verify(&mut self, plan: &Plan) -> Result<Vec<Observed>, String> {
        self.0.clock.pass(30);
        self.1.verify(plan).await
    }
}

#[test]
fn tg11_a_target_that_is_slow_when_it_is_checked_costs_one_change_of_its_day() {
    let controller = Controller::new(QUICK, MONDAY);
    let (mut log, world) = (controller.log(), world(&[&repair()]));
    world.borrow_mut().useless = true;
    let (mut gate, probes) = controller.gate_and_probes(&world);
    let mut verifier = Late(&controller, probes);
    let outcome = controller.apply(&mut log, &mut gate, &mut verifier, &repair()).unwrap();
    assert!(matches!(outcome, ApplyOutcome::Ended { end: End::RolledBack, .. }), "{outcome:?}");
    assert_eq!(world.borrow().objects, World::before(&repair()).objects);
    for _ in 0..3 {
        let again = controller.apply(&mut log, &mut gate, &mut verifier, &repair()).unwrap();
        is_denied(&again, Denial::Budget);
    }
    assert_eq!(world.borrow().begun, 1);
}

#[test]
fn ph11_what_already_exists_is_a_no_op_and_costs_nothing() {
    let plan = plan("one-file", vec![write("/etc/a", Some("old"), "new")]);
    let controller = Controller::new(QUICK, MONDAY);
    let (mut log, world) = (controller.log(), world(&[&plan, &other()]));
    world.borrow_mut().objects.insert("file /etc/a".to_owned(), file("new"));
    assert_eq!(apply(&controller, &mut log, &world, &plan), ApplyOutcome::NoOp);
    assert!(controller.events().iter().any(|event| matches!(event, Event::NoOp { .. })));
    applied(&apply(&controller, &mut log, &world, &other()));
}

#[test]
fn jr13_every_no_is_an_entry_with_its_rule() {
    let controller = Controller::new(QUICK, MONDAY);
    let (mut log, world) = (controller.log(), world(&[&repair()]));
    world.borrow_mut().people = vec!["a person is at work".to_owned()];
    is_denied(&apply(&controller, &mut log, &world, &repair()), Denial::People);
    let found = controller.events().into_iter().find_map(|event| match event {
        Event::Denied { code, why, who, .. } => Some((code, why, who)),
        _ => None,
    });
    let (code, why, who) = found.unwrap();
    assert_eq!((code, who.as_str()), (Denial::People, "alice"));
    assert!(why.contains("a person is at work"), "{why}");
}

#[test]
fn jr03_a_journal_that_breaks_stops_what_is_not_written_yet() {
    let calls = {
        let controller = Controller::new(QUICK, MONDAY);
        let (mut log, world) = (controller.log(), world(&[&repair()]));
        let (gate, mut probes) = controller.gate_and_probes(&world);
        let mut gate = Faulty::new(gate, Fault::None);
        applied(&controller.apply(&mut log, &mut gate, &mut probes, &repair()).unwrap());
        gate.names.borrow().clone()
    };
    for (at, name) in (1_u32..).zip(&calls) {
        let controller = Controller::new(QUICK, MONDAY);
        let (mut log, world) = (controller.log(), world(&[&repair()]));
        let (gate, mut probes) = controller.gate_and_probes(&world);
        let mut gate = Faulty::new(gate, Fault::None);
        let (journal, evidence) = (log.journal().clone(), controller.journal().join(bailiwick_journal::FOLDER));
        let (there, before) = (Rc::clone(&world), Rc::new(RefCell::new(0)));
        let then = Rc::clone(&before);
        gate.before = Some(Box::new(move |call, _| {
            if call == at {
                // What cannot be kept breaks a journal for good, as a disk that is full does.
                let _ = std::fs::remove_dir_all(&evidence);
                std::fs::write(&evidence, "in its place").unwrap();
                journal.keep(&[7; 4096]).unwrap_err();
                *then.borrow_mut() = there.borrow().mutations;
            }
        }));
        let broken = controller.apply(&mut log, &mut gate, &mut probes, &repair());
        let more = world.borrow().mutations - *before.borrow();
        assert!(broken.is_err(), "{name}: {broken:?}");
        assert!(more <= 1, "{name}: {more} steps that no entry announces");
        let later = gate.names.borrow().iter().skip(at as usize).cloned().collect::<Vec<_>>();
        let reads = |name: &String| name.starts_with("preview") || name == "people";
        assert!(later.iter().all(reads), "{name}: it went on with {later:?}");
        // Restarted, with a disk that works: nothing is hidden, and nothing is done.
        drop((log, gate));
        std::fs::remove_file(controller.journal().join(bailiwick_journal::FOLDER)).unwrap();
        let mut log = controller.log();
        let open: Vec<_> = log.ledger().open().map(|state| state.id.clone()).collect();
        let mutations = world.borrow().mutations;
        for change in open {
            let (mut gate, _) = controller.gate_and_probes(&world);
            let found = bailiwick_tests::change::controller::run(bailiwick_change::recover(
                &mut log,
                &mut gate,
                Some(&repair()),
                &change,
            ));
            found.unwrap();
        }
        assert_eq!(world.borrow().mutations, mutations, "{name}");
        assert_eq!(
            world.borrow().open.is_some(),
            log.ledger().open().next().is_some(),
            "{name}: what is open is reported"
        );
    }
}
