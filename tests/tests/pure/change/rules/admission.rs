//! Who may begin: one change of several controllers, and none under other rules or because something was omitted.

use std::cell::RefCell;
use std::rc::Rc;

use bailiwick_change::log::Log;
use bailiwick_change::{ApplyOutcome, ApplyRequest, Approval};
use bailiwick_core::model::State;
use bailiwick_journal::{Denial, End, Event, Journal, OpenError};
use bailiwick_tests::change::controller::Controller;
use bailiwick_tests::change::faulty::{Fault, Faulty};

use super::{MONDAY, QUICK, applied, apply, is_denied, other, repair, world};

#[test]
fn ch01_a_gate_that_cannot_begin_costs_no_place() {
    let controller = Controller::new(QUICK, MONDAY);
    let (mut log, world) = (controller.log(), world(&[&repair()]));
    world.borrow_mut().begun_max = 0;
    let outcome = apply(&controller, &mut log, &world, &repair());
    assert!(matches!(&outcome, ApplyOutcome::Ended { end: End::NotBegun, .. }), "{outcome:?}");
    assert_eq!(world.borrow().mutations, 0);
    world.borrow_mut().begun_max = 1;
    applied(&apply(&controller, &mut log, &world, &repair()));
}

#[test]
fn ch09_two_controllers_with_journals_of_their_own_make_one_change() {
    let (one, two) = (Controller::new(QUICK, MONDAY), Controller::new(QUICK, MONDAY));
    let world = world(&[&repair(), &other()]);
    world.borrow_mut().begun_max = 1;
    let (mut first, mut second) = (one.log(), two.log());
    applied(&apply(&one, &mut first, &world, &repair()));
    let outcome = apply(&two, &mut second, &world, &other());
    assert!(
        matches!(&outcome, ApplyOutcome::Ended { end: End::NotBegun, why: Some(why), .. } if why.contains("budget")),
        "{outcome:?}"
    );
    assert!(world.borrow().objects.get("file /etc/logrotate.d/app") == Some(&State::Absent));
}

#[test]
fn ch09_two_controllers_at_the_same_time_make_one_change() {
    let (one, two) = (Controller::new(QUICK, MONDAY), Controller::new(QUICK, MONDAY));
    let world = world(&[&repair(), &other()]);
    let mut first = one.log();
    let (gate, mut probes) = one.gate_and_probes(&world);
    let mut gate = Faulty::new(gate, Fault::None);
    let (there, outcome) = (Rc::clone(&world), Rc::new(RefCell::new(None)));
    let kept = Rc::clone(&outcome);
    // The second one starts after the first has begun.
    gate.before = Some(Box::new(move |_, name| {
        if name == "do 1" {
            let (mut gate, mut probes) = two.gate_and_probes(&there);
            let mut log = two.log();
            *kept.borrow_mut() = Some(two.apply(&mut log, &mut gate, &mut probes, &other()).unwrap());
        }
    }));
    applied(&one.apply(&mut first, &mut gate, &mut probes, &repair()).unwrap());
    let second = outcome.borrow_mut().take().unwrap();
    is_denied(&second, Denial::OpenChange);
}

#[test]
fn ag06_a_second_program_on_this_machine_waits_for_the_journal() {
    let controller = Controller::new(QUICK, MONDAY);
    let _first = controller.log();
    let second = Journal::open(&controller.journal(), std::time::Duration::ZERO);
    assert!(matches!(second, Err(OpenError::Locked { .. })), "{second:?}");
}

#[test]
fn ag11_a_never_rule_is_in_no_plan() {
    let controller = Controller::new(QUICK, MONDAY);
    let (mut log, world) = (controller.log(), world(&[&repair()]));
    let (mut gate, mut probes) = controller.gate_and_probes(&world);
    let plan = repair();
    let outcome = controller.apply_with(&mut log, (&mut gate, &mut probes), &plan, &controller.request, |admission| {
        let action = plan.steps[0].action.clone();
        admission.constraints.withheld.insert(action, "policy.toml:31 (never)".to_owned());
    });
    assert!(is_denied(&outcome.unwrap(), Denial::Policy).contains("policy.toml:31"));
    assert_eq!(world.borrow().mutations, 0);
}

#[test]
fn ag03_a_plan_made_under_other_rules_is_not_applied() {
    let plan = repair();
    let controller = Controller::new(QUICK, MONDAY);
    let (mut log, world) = (controller.log(), world(&[&plan]));
    let other = || "e".repeat(64);
    for what in ["component", "no component", "grant", "policy", "host key", "gate"] {
        let (mut gate, mut probes) = controller.gate_and_probes(&world);
        let outcome = controller.apply_with(
            &mut log,
            (&mut gate, &mut probes),
            &plan,
            &controller.request,
            |admission| match what {
                "component" => admission.current.component = Some(other()),
                "no component" => admission.current.component = None,
                "grant" => admission.current.grant = Some(other()),
                "policy" => admission.current.policy = other(),
                "host key" => admission.current.host_key = "ssh-ed25519 BBBB".to_owned(),
                _ => admission.current.gate = Some(other()),
            },
        );
        let why = is_denied(&outcome.unwrap(), Denial::Conflict);
        assert!(why.contains("plan again"), "{what}: {why}");
    }
    assert_eq!(world.borrow().mutations, 0);
}

#[test]
fn ag13_nothing_changes_by_forgetting_to_say_something() {
    let controller = Controller::new(QUICK, MONDAY);
    let (mut log, world) = (controller.log(), world(&[&repair()]));
    let (mut gate, mut probes) = controller.gate_and_probes(&world);
    let unattended = ApplyRequest { who: "cron".to_owned(), approval: Approval::Unattended { allowed: false } };
    let outcome = controller.apply_with(&mut log, (&mut gate, &mut probes), &repair(), &unattended, |_| {});
    // No window names it: for an unattended change, this alone denies it.
    is_denied(&outcome.unwrap(), Denial::Window);
    assert_eq!(world.borrow().mutations, 0);
}

const UNATTENDED: &str = r#"
[change]
verify-seconds = 10
rehearsal-days = 30
[[window]]
on = ["web01"]
from = "09:00"
to = "12:00"
"#;

#[test]
fn ch05_unattended_only_what_was_rehearsed_lately() {
    let controller = Controller::new(UNATTENDED, MONDAY);
    let (mut log, world) = (controller.log(), world(&[&repair()]));
    let (mut gate, mut probes) = controller.gate_and_probes(&world);
    let unattended = |allowed| ApplyRequest { who: "cron".to_owned(), approval: Approval::Unattended { allowed } };
    let mut attempt = |log: &mut Log, allowed| {
        let asked = unattended(allowed);
        controller.apply_with(log, (&mut gate, &mut probes), &repair(), &asked, |_| {}).unwrap()
    };
    is_denied(&attempt(&mut log, false), Denial::Approval);
    is_denied(&attempt(&mut log, true), Denial::Rehearsal);
    let rehearsed = |log: &mut Log, component: char, holds| {
        let plan = repair();
        let (fix, target) = (plan.fix, plan.target);
        let (component, gate) = (component.to_string().repeat(64), "5".repeat(64));
        log.write(Event::Rehearsed { fix, component, target, gate, changes: Vec::new(), holds }).unwrap();
    };
    rehearsed(&mut log, 'f', true);
    is_denied(&attempt(&mut log, true), Denial::Rehearsal);
    rehearsed(&mut log, 'a', true);
    rehearsed(&mut log, 'a', false);
    is_denied(&attempt(&mut log, true), Denial::Rehearsal);
    rehearsed(&mut log, 'a', true);
    let outcome = attempt(&mut log, true);
    // An entry's time is the real one, years before this test's: too old.
    assert!(is_denied(&outcome, Denial::Rehearsal).contains("days old"));
}
