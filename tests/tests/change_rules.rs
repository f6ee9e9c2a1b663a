//! Each rule that a change is stopped by, before it begins and on its way: time, budget, switch, people, approvals. Against a target
//! in memory; the clock is the test's.

#![cfg(test)]

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use bailiwick_change::gate_client::Verifier;
use bailiwick_change::log::Log;
use bailiwick_change::state::ChangeStatus as At;
use bailiwick_change::{ApplyOutcome, ApplyRequest, Approval, Plan};
use bailiwick_core::model::{ChangeId, State, UnitAct};
use bailiwick_journal::{Denial, End, Event, Journal, OpenError, Seen};
use bailiwick_tests::change::faulty::{Fault, Faulty};
use bailiwick_tests::change::model::{Probes, World};
use bailiwick_tests::change::plans::{act, file, plan, write};
use bailiwick_tests::change::stage::ChangeStatus;

const MONDAY: &str = "2030-06-03T10:00:00Z";
const QUICK: &str = "[change]\nverify-seconds = 10\n";

/// A file and the unit that reads it.
fn repair() -> Plan {
    let on = ("active", "enabled");
    plan(
        "prometheus-base-rules",
        vec![
            write("/etc/prometheus/rules/base.yml", Some("old"), "new"),
            act("prometheus.service", UnitAct::Reload, on, on),
        ],
    )
}

/// Another one, of another file.
fn other() -> Plan {
    plan("log-rotation", vec![write("/etc/logrotate.d/app", None, "weekly")])
}

fn world(plans: &[&Plan]) -> Rc<RefCell<World>> {
    let mut all = World { begun_max: 99, ..World::default() };
    for plan in plans {
        all.objects.extend(World::before(plan).objects);
    }
    Rc::new(RefCell::new(all))
}

fn apply(stage: &ChangeStatus, log: &mut Log, world: &Rc<RefCell<World>>, plan: &Plan) -> ApplyOutcome {
    let (mut gate, mut probes) = stage.doors(world);
    stage.apply(log, &mut gate, &mut probes, plan).unwrap()
}

fn applied(came: &ApplyOutcome) -> ChangeId {
    match came {
        ApplyOutcome::Ended { change, end: End::Applied, .. } => change.clone(),
        other => panic!("{other:?}"),
    }
}

fn denied(came: &ApplyOutcome) -> (Denial, String) {
    match came {
        ApplyOutcome::Denied { code, why, .. } => (*code, why.clone()),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn is_denied(came: &ApplyOutcome, code: Denial) -> String {
    let (found, why) = denied(came);
    assert_eq!(found, code, "{why}");
    why
}

#[test]
fn ch11_ten_seconds_before_midnight_and_ten_after() {
    let stage = ChangeStatus::new(QUICK, "2030-06-03T23:59:50Z");
    let (mut log, world) = (stage.log(), world(&[&repair(), &other()]));
    applied(&apply(&stage, &mut log, &world, &repair()));
    stage.clock.set("2030-06-04T00:00:10Z");
    let why = is_denied(&apply(&stage, &mut log, &world, &other()), Denial::Budget);
    assert!(why.contains("12 h have to be between two"), "{why}");
    stage.clock.pass(12 * 3600);
    applied(&apply(&stage, &mut log, &world, &other()));
}

#[test]
fn ch11_the_day_is_that_of_the_zone() {
    let policy = "[change]\nverify-seconds = 10\nzone = \"Europe/Berlin\"\nmin-hours-between = 0\n";
    let stage = ChangeStatus::new(policy, "2030-06-03T21:00:00Z");
    let (mut log, world) = (stage.log(), world(&[&repair(), &other()]));
    applied(&apply(&stage, &mut log, &world, &repair()));
    stage.clock.pass(3000);
    is_denied(&apply(&stage, &mut log, &world, &other()), Denial::Budget);
    // Midnight in Berlin, and not yet in Greenwich.
    stage.clock.pass(700);
    applied(&apply(&stage, &mut log, &world, &other()));
}

#[test]
fn ch12_a_clock_set_back_across_midnight_frees_no_budget() {
    let policy = "[change]\nverify-seconds = 10\nmin-hours-between = 0\n";
    let stage = ChangeStatus::new(policy, "2030-06-04T00:05:00Z");
    let (mut log, world) = (stage.log(), world(&[&repair(), &other()]));
    applied(&apply(&stage, &mut log, &world, &repair()));
    for back in ["2030-06-03T23:50:00Z", "2030-06-03T10:00:00Z", "2026-12-24T10:00:00Z"] {
        stage.clock.set(back);
        is_denied(&apply(&stage, &mut log, &world, &other()), Denial::Clock);
    }
    // After a restart, from the journal alone, with another boot.
    *stage.clock.boot.borrow_mut() = "b".to_owned();
    drop(log);
    let mut log = stage.log();
    is_denied(&apply(&stage, &mut log, &world, &other()), Denial::Clock);
    // A person says that this is the time.
    let clock = bailiwick_change::clock::Clock::read(&stage.clock);
    let (who, why) = ("alice".to_owned(), "the battery was empty".to_owned());
    log.write(Event::ClockConfirmed { clock, who, why }).unwrap();
    applied(&apply(&stage, &mut log, &world, &other()));
}

#[test]
fn ch13_a_clock_set_forward_by_a_day_or_a_year_frees_no_budget() {
    for forward in ["2030-06-04T10:05:00Z", "2031-06-03T10:00:00Z"] {
        let stage = ChangeStatus::new(QUICK, MONDAY);
        let (mut log, world) = (stage.log(), world(&[&repair(), &other()]));
        applied(&apply(&stage, &mut log, &world, &repair()));
        stage.clock.set(forward);
        let why = is_denied(&apply(&stage, &mut log, &world, &other()), Denial::Clock);
        assert!(why.contains("more than time itself"), "{why}");
        // Another boot, so that this machine has no witness: the target's clock is one. It goes on from where both were.
        *stage.clock.boot.borrow_mut() = "b".to_owned();
        let there = "2030-06-03T10:05:00Z".parse::<jiff::Timestamp>().unwrap().as_second();
        world.borrow_mut().ahead_s = there - stage.clock.wall_s.get();
        let why = is_denied(&apply(&stage, &mut log, &world, &other()), Denial::Clock);
        assert!(why.contains("the target's says"), "{why}");
    }
}

/// Nights of Berlin on which an hour is there twice, and on which one is missing.
const NIGHTS: &str = r#"
[change]
verify-seconds = 10
dead-man-seconds = 60
zone = "Europe/Berlin"
[[window]]
on = ["tag:linux"]
from = "00:30"
to = "06:00"
"#;

#[test]
fn ch12_an_hour_that_is_there_twice_opens_nothing() {
    // On 2030-10-27 it is 02:00 to 03:00 twice: from 00:00Z to 01:00Z, and from 01:00Z to 02:00Z.
    for (at, open) in [
        ("2030-10-26T23:30:00Z", true),
        ("2030-10-26T23:59:00Z", true),
        ("2030-10-27T00:30:00Z", false),
        ("2030-10-27T01:00:00Z", false),
        ("2030-10-27T01:59:00Z", false),
        ("2030-10-27T02:01:00Z", true),
    ] {
        let stage = ChangeStatus::new(NIGHTS, at);
        let (mut log, world) = (stage.log(), world(&[&repair()]));
        let came = apply(&stage, &mut log, &world, &repair());
        if open {
            applied(&came);
        } else {
            let why = is_denied(&came, Denial::Window);
            assert!(why.contains("there twice"), "{at}: {why}");
        }
    }
}

#[test]
fn ch12_a_window_with_an_end_in_a_missing_hour_stays_shut() {
    // On 2030-03-31 there is no 02:30 in Berlin.
    let policy = NIGHTS.replace("06:00", "02:30");
    let stage = ChangeStatus::new(&policy, "2030-03-31T00:00:00Z");
    let (mut log, there) = (stage.log(), world(&[&repair()]));
    is_denied(&apply(&stage, &mut log, &there, &repair()), Denial::Window);
    // A week later there is.
    let stage = ChangeStatus::new(&policy, "2030-04-07T00:00:00Z");
    let (mut log, there) = (stage.log(), world(&[&repair()]));
    applied(&apply(&stage, &mut log, &there, &repair()));
}

const DAYTIME: &str = r#"
[change]
verify-seconds = 10
dead-man-seconds = 300
[[window]]
on = ["web01"]
days = ["mon", "tue"]
from = "09:00"
to = "11:00"
"#;

#[test]
fn ch12_windows_open_and_shut_when_they_say() {
    for (at, open) in [
        ("2030-06-03T08:59:59Z", false),
        ("2030-06-03T09:00:00Z", true),
        ("2030-06-03T10:54:00Z", true),
        // What would still be under way when it shuts does not begin.
        ("2030-06-03T10:56:00Z", false),
        ("2030-06-03T11:00:00Z", false),
        ("2030-06-05T10:00:00Z", false),
    ] {
        let stage = ChangeStatus::new(DAYTIME, at);
        let (mut log, world) = (stage.log(), world(&[&repair()]));
        let came = apply(&stage, &mut log, &world, &repair());
        assert_eq!(matches!(came, ApplyOutcome::Ended { end: End::Applied, .. }), open, "{at}: {came:?}");
    }
}

#[test]
fn ch12_a_window_that_shuts_during_a_change_ends_it() {
    let stage = ChangeStatus::new(DAYTIME, "2030-06-03T10:50:00Z");
    let (mut log, world) = (stage.log(), world(&[&repair()]));
    let (gate, mut probes) = stage.doors(&world);
    let mut gate = Faulty::new(gate, Fault::None);
    let clock = stage.clock.clone();
    // The target takes its time over the first step.
    gate.before = Some(Box::new(move |_, name| {
        if name == "do 1" {
            clock.pass(700)
        }
    }));
    let came = stage.apply(&mut log, &mut gate, &mut probes, &repair()).unwrap();
    assert!(matches!(&came, ApplyOutcome::Ended { end: End::RolledBack, .. }), "{came:?}");
    assert_eq!(world.borrow().objects, World::before(&repair()).objects);
}

#[test]
fn ch12_other_peoples_jobs_are_kept_away_from() {
    let policy =
        format!("{QUICK}\n[[calendar]]\nwhat = \"timescale policy\"\non = [\"web01\"]\nat = \"06:00\"\nminutes = 60\n");
    for (at, free) in [
        ("2030-06-03T05:49:00Z", true),
        ("2030-06-03T05:51:00Z", false),
        ("2030-06-03T06:30:00Z", false),
        ("2030-06-03T06:59:59Z", false),
        ("2030-06-03T07:00:00Z", true),
    ] {
        let stage = ChangeStatus::new(&policy, at);
        let (mut log, world) = (stage.log(), world(&[&repair()]));
        let came = apply(&stage, &mut log, &world, &repair());
        if free {
            applied(&came);
        } else {
            assert!(is_denied(&came, Denial::Window).contains("timescale policy"), "{at}");
        }
    }
}

#[test]
fn ch15_the_switch_before_and_at_every_moment_of_a_change() {
    let names = {
        let stage = ChangeStatus::new(QUICK, MONDAY);
        let (mut log, world) = (stage.log(), world(&[&repair()]));
        let (gate, mut probes) = stage.doors(&world);
        let mut gate = Faulty::new(gate, Fault::None);
        applied(&stage.apply(&mut log, &mut gate, &mut probes, &repair()).unwrap());
        gate.names.borrow().clone()
    };
    for roll_back in [false, true] {
        for at in 1..=u32::try_from(names.len()).unwrap() {
            let policy = format!("{QUICK}hold-on-stop = {}\n", !roll_back);
            let stage = ChangeStatus::new(&policy, MONDAY);
            let (mut log, world) = (stage.log(), world(&[&repair()]));
            let (gate, mut probes) = stage.doors(&world);
            let mut gate = Faulty::new(gate, Fault::None);
            let (stop, there) = (stage.stop(), Rc::clone(&world));
            let mutations = Rc::new(RefCell::new(0));
            let then = Rc::clone(&mutations);
            gate.before = Some(Box::new(move |call, _| {
                if call == at {
                    stop.engage("fire", 0).unwrap();
                    *then.borrow_mut() = there.borrow().mutations;
                }
            }));
            let came = stage.apply(&mut log, &mut gate, &mut probes, &repair()).unwrap();
            let label = format!("{} ({at}), roll back {roll_back}: {came:?}", names[at as usize - 1]);
            let more = world.borrow().mutations - *mutations.borrow();
            match &came {
                ApplyOutcome::Denied { code: Denial::Kill, .. } | ApplyOutcome::Ended { end: End::NotBegun, .. } => {
                    assert_eq!(more, 0, "{label}");
                }
                // It was on its way to the target when the switch was thrown; nothing after it was sent.
                ApplyOutcome::Open { .. } => assert!(!roll_back && more <= 1, "{label}"),
                ApplyOutcome::Ended { end: End::RolledBack, .. } => {
                    assert!(roll_back, "{label}");
                    assert_eq!(world.borrow().objects, World::before(&repair()).objects, "{label}");
                }
                // All was proved, and only the last word was missing.
                ApplyOutcome::Ended { end: End::Applied, .. } => {
                    assert!(names[at as usize - 1].starts_with("close"), "{label}")
                }
                _ => panic!("{label}"),
            }
            // While it is on, nothing begins, and nothing is taken back either.
            let again = stage.apply(&mut log, &mut gate, &mut probes, &repair()).unwrap();
            is_denied(&again, Denial::Kill);
        }
    }
}

#[test]
fn an_interruption_at_every_moment_ends_before_or_after() {
    for at in 1.. {
        let stage = ChangeStatus::new(&format!("{QUICK}hold-on-stop = true\n"), MONDAY);
        let (mut log, world) = (stage.log(), world(&[&repair()]));
        let (gate, mut probes) = stage.doors(&world);
        let mut gate = Faulty::new(gate, Fault::None);
        let flag = std::sync::Arc::clone(&stage.interrupted);
        gate.before = Some(Box::new(move |call, _| flag.store(call >= at, Ordering::Relaxed)));
        let came = stage.apply(&mut log, &mut gate, &mut probes, &repair()).unwrap();
        if gate.calls.get() < at {
            assert!(at > 8, "that many calls make a change");
            break;
        }
        let is_before = world.borrow().objects == World::before(&repair()).objects;
        match &came {
            ApplyOutcome::Denied { code: Denial::Interrupted, .. }
            | ApplyOutcome::Ended { end: End::NotBegun | End::RolledBack, .. } => assert!(is_before, "{at}: {came:?}"),
            // Everything was proved, and the gate already told.
            ApplyOutcome::Ended { end: End::Applied, .. } => {
                assert!(gate.names.borrow()[at as usize - 1].starts_with("close"), "{at}: {came:?}");
            }
            _ => panic!("{at}: {came:?}"),
        }
    }
}

#[test]
fn ch15_a_switch_that_went_on_and_off_is_noticed() {
    let stage = ChangeStatus::new(QUICK, MONDAY);
    let (mut log, world) = (stage.log(), world(&[&repair()]));
    let (gate, mut probes) = stage.doors(&world);
    let mut gate = Faulty::new(gate, Fault::None);
    let stop = stage.stop();
    gate.before = Some(Box::new(move |_, name| {
        if name == "do 1" {
            stop.engage("fire", 0).unwrap();
            stop.release(0).unwrap();
        }
    }));
    let came = stage.apply(&mut log, &mut gate, &mut probes, &repair()).unwrap();
    let ApplyOutcome::Open { change, why } = came else { panic!("{came:?}") };
    assert!(why.contains("released, meanwhile"), "{why}");
    // A person takes it back.
    let came = stage.rollback(&mut log, &mut gate, &mut probes, &repair(), &change).unwrap();
    assert!(matches!(came, ApplyOutcome::Ended { end: End::RolledBack, .. }), "{came:?}");
}

#[test]
fn ch15_a_switch_that_cannot_be_read_is_on() {
    let stage = ChangeStatus::new(QUICK, MONDAY);
    let (mut log, world) = (stage.log(), world(&[&repair()]));
    std::fs::create_dir(stage.stop().file()).unwrap();
    is_denied(&apply(&stage, &mut log, &world, &repair()), Denial::Kill);
    // And the gate's own, on the target.
    std::fs::remove_dir(stage.stop().file()).unwrap();
    world.borrow_mut().disabled = true;
    is_denied(&apply(&stage, &mut log, &world, &repair()), Denial::Kill);
}

#[test]
fn ch16_a_gate_that_closes_half_way_leaves_an_open_change_that_says_so() {
    let stage = ChangeStatus::new(QUICK, MONDAY);
    let (mut log, world) = (stage.log(), world(&[&repair()]));
    let (gate, mut probes) = stage.doors(&world);
    let mut gate = Faulty::new(gate, Fault::DownFrom(8));
    let came = stage.apply(&mut log, &mut gate, &mut probes, &repair()).unwrap();
    let ApplyOutcome::Open { change, why } = came else { panic!("{came:?}: {:?}", gate.names) };
    assert!(why.contains("cannot be asked"), "{why}");
    assert!(log.course(&change).is_some_and(|course| course.stage.is_open()));
    // Nothing else begins until somebody knows.
    is_denied(&apply(&stage, &mut log, &world, &other()), Denial::OpenChange);
}

#[test]
fn ch17_signs_of_a_person_postpone() {
    let stage = ChangeStatus::new(QUICK, MONDAY);
    let (mut log, world) = (stage.log(), world(&[&repair()]));
    world.borrow_mut().people = vec!["session root pts/0 since 09:58".to_owned(), "dpkg lock held\u{1b}[2J".to_owned()];
    let why = is_denied(&apply(&stage, &mut log, &world, &repair()), Denial::People);
    assert!(why.contains("pts/0") && !why.contains('\u{1b}'), "{why}");
    world.borrow_mut().people.clear();
    applied(&apply(&stage, &mut log, &world, &repair()));
}

#[test]
fn ag14_a_persons_edit_between_plan_and_apply_stops_it_and_is_shown() {
    let stage = ChangeStatus::new(QUICK, MONDAY);
    let (mut log, world) = (stage.log(), world(&[&repair()]));
    let edited = file("a person's work");
    world.borrow_mut().objects.insert("file /etc/prometheus/rules/base.yml".to_owned(), edited.clone());
    let ApplyOutcome::Denied { code: Denial::Conflict, why, shown } = apply(&stage, &mut log, &world, &repair()) else {
        panic!("it went on")
    };
    assert!(why.contains("somebody or something has changed it") && shown.is_some(), "{why}");
    assert_eq!(world.borrow().objects.get("file /etc/prometheus/rules/base.yml"), Some(&edited));
    assert_eq!(world.borrow().mutations, 0);
}

#[test]
fn ch17_a_persons_edit_during_apply_stays_and_the_rest_is_taken_back() {
    let two = plan("two-files", vec![write("/etc/a", Some("old"), "new"), write("/etc/b", Some("old"), "new")]);
    let stage = ChangeStatus::new(QUICK, MONDAY);
    let (mut log, world) = (stage.log(), world(&[&two]));
    let (gate, mut probes) = stage.doors(&world);
    let mut gate = Faulty::new(gate, Fault::None);
    let (there, edited) = (Rc::clone(&world), file("a person's work"));
    let theirs = edited.clone();
    gate.before = Some(Box::new(move |_, name| {
        if name == "do 2" {
            there.borrow_mut().objects.insert("file /etc/b".to_owned(), theirs.clone());
        }
    }));
    let came = stage.apply(&mut log, &mut gate, &mut probes, &two).unwrap();
    // Not as it was: the person has changed it. So somebody has to say that this is all right.
    assert!(matches!(&came, ApplyOutcome::Ended { end: End::Stuck, .. }), "{came:?}");
    let objects = world.borrow().objects.clone();
    assert_eq!(objects.get("file /etc/a"), Some(&file("old")), "ours is back");
    assert_eq!(objects.get("file /etc/b"), Some(&edited), "theirs is theirs");
}

#[test]
fn ch04_a_persons_edit_before_rollback_stops_it_and_is_shown() {
    let stage = ChangeStatus::new(QUICK, MONDAY);
    let (mut log, world) = (stage.log(), world(&[&repair()]));
    let change = applied(&apply(&stage, &mut log, &world, &repair()));
    let edited = file("a person's work");
    world.borrow_mut().objects.insert("file /etc/prometheus/rules/base.yml".to_owned(), edited.clone());
    let (mut gate, mut probes) = stage.doors(&world);
    let came = stage.rollback(&mut log, &mut gate, &mut probes, &repair(), &change).unwrap();
    let ApplyOutcome::Denied { code: Denial::Conflict, shown: Some(_), .. } = came else { panic!("{came:?}") };
    assert_eq!(world.borrow().objects.get("file /etc/prometheus/rules/base.yml"), Some(&edited));
    assert_eq!(log.course(&change).unwrap().stage, At::Applied, "it is still what it was");
    // The person puts it right; then it goes, at any time, and costs no budget.
    world.borrow_mut().objects.insert("file /etc/prometheus/rules/base.yml".to_owned(), file("new"));
    stage.clock.pass(86_400 * 40);
    let came = stage.rollback(&mut log, &mut gate, &mut probes, &repair(), &change).unwrap();
    assert!(matches!(came, ApplyOutcome::Ended { end: End::RolledBack, .. }), "{came:?}");
    assert_eq!(world.borrow().objects, World::before(&repair()).objects);
}

#[test]
fn ch01_a_gate_that_cannot_begin_costs_no_place() {
    let stage = ChangeStatus::new(QUICK, MONDAY);
    let (mut log, world) = (stage.log(), world(&[&repair()]));
    world.borrow_mut().begun_max = 0;
    let came = apply(&stage, &mut log, &world, &repair());
    assert!(matches!(&came, ApplyOutcome::Ended { end: End::NotBegun, .. }), "{came:?}");
    assert_eq!(world.borrow().mutations, 0);
    world.borrow_mut().begun_max = 1;
    applied(&apply(&stage, &mut log, &world, &repair()));
}

#[test]
fn ch09_two_controllers_with_journals_of_their_own_make_one_change() {
    let (one, two) = (ChangeStatus::new(QUICK, MONDAY), ChangeStatus::new(QUICK, MONDAY));
    let world = world(&[&repair(), &other()]);
    world.borrow_mut().begun_max = 1;
    let (mut first, mut second) = (one.log(), two.log());
    applied(&apply(&one, &mut first, &world, &repair()));
    let came = apply(&two, &mut second, &world, &other());
    assert!(
        matches!(&came, ApplyOutcome::Ended { end: End::NotBegun, why: Some(why), .. } if why.contains("budget")),
        "{came:?}"
    );
    assert!(world.borrow().objects.get("file /etc/logrotate.d/app") == Some(&State::Absent));
}

#[test]
fn ch09_two_controllers_at_the_same_time_make_one_change() {
    let (one, two) = (ChangeStatus::new(QUICK, MONDAY), ChangeStatus::new(QUICK, MONDAY));
    let world = world(&[&repair(), &other()]);
    let mut first = one.log();
    let (gate, mut probes) = one.doors(&world);
    let mut gate = Faulty::new(gate, Fault::None);
    let (there, came) = (Rc::clone(&world), Rc::new(RefCell::new(None)));
    let kept = Rc::clone(&came);
    // The second one comes while the first has begun.
    gate.before = Some(Box::new(move |_, name| {
        if name == "do 1" {
            let (mut gate, mut probes) = two.doors(&there);
            let mut log = two.log();
            *kept.borrow_mut() = Some(two.apply(&mut log, &mut gate, &mut probes, &other()).unwrap());
        }
    }));
    applied(&one.apply(&mut first, &mut gate, &mut probes, &repair()).unwrap());
    let second = came.borrow_mut().take().unwrap();
    is_denied(&second, Denial::OpenChange);
}

#[test]
fn ag06_a_second_program_on_this_machine_waits_for_the_journal() {
    let stage = ChangeStatus::new(QUICK, MONDAY);
    let _first = stage.log();
    let second = Journal::open(&stage.journal(), std::time::Duration::ZERO);
    assert!(matches!(second, Err(OpenError::Locked { .. })), "{second:?}");
}

#[test]
fn ag11_a_never_rule_is_in_no_plan() {
    let stage = ChangeStatus::new(QUICK, MONDAY);
    let (mut log, world) = (stage.log(), world(&[&repair()]));
    let (mut gate, mut probes) = stage.doors(&world);
    let plan = repair();
    let came = stage.apply_with(&mut log, (&mut gate, &mut probes), &plan, &stage.ask, |desk| {
        let action = plan.steps[0].action.clone();
        desk.ground.withheld.insert(action, "policy.toml:31 (never)".to_owned());
    });
    assert!(is_denied(&came.unwrap(), Denial::Policy).contains("policy.toml:31"));
    assert_eq!(world.borrow().mutations, 0);
}

#[test]
fn ag03_a_plan_made_under_other_rules_is_not_carried_out() {
    let plan = repair();
    let stage = ChangeStatus::new(QUICK, MONDAY);
    let (mut log, world) = (stage.log(), world(&[&plan]));
    let other = || "e".repeat(64);
    for what in ["component", "no component", "grant", "policy", "host key", "gate"] {
        let (mut gate, mut probes) = stage.doors(&world);
        let came = stage.apply_with(&mut log, (&mut gate, &mut probes), &plan, &stage.ask, |desk| match what {
            "component" => desk.today.component = Some(other()),
            "no component" => desk.today.component = None,
            "grant" => desk.today.grant = Some(other()),
            "policy" => desk.today.policy = other(),
            "host key" => desk.today.host_key = "ssh-ed25519 BBBB".to_owned(),
            _ => desk.today.gate = Some(other()),
        });
        let why = is_denied(&came.unwrap(), Denial::Conflict);
        assert!(why.contains("plan again"), "{what}: {why}");
    }
    assert_eq!(world.borrow().mutations, 0);
}

#[test]
fn ag13_nothing_changes_by_forgetting_to_say_something() {
    let stage = ChangeStatus::new(QUICK, MONDAY);
    let (mut log, world) = (stage.log(), world(&[&repair()]));
    let (mut gate, mut probes) = stage.doors(&world);
    let nobody = ApplyRequest { who: "cron".to_owned(), yes: Approval::Nobody { allowed: false } };
    let came = stage.apply_with(&mut log, (&mut gate, &mut probes), &repair(), &nobody, |_| {});
    // No window speaks of it: unattended that alone is a no.
    is_denied(&came.unwrap(), Denial::Window);
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
    let stage = ChangeStatus::new(UNATTENDED, MONDAY);
    let (mut log, world) = (stage.log(), world(&[&repair()]));
    let (mut gate, mut probes) = stage.doors(&world);
    let nobody = |allowed| ApplyRequest { who: "cron".to_owned(), yes: Approval::Nobody { allowed } };
    let mut ask = |log: &mut Log, allowed| {
        let asked = nobody(allowed);
        stage.apply_with(log, (&mut gate, &mut probes), &repair(), &asked, |_| {}).unwrap()
    };
    is_denied(&ask(&mut log, false), Denial::Approval);
    is_denied(&ask(&mut log, true), Denial::Rehearsal);
    let rehearsed = |log: &mut Log, component: char, holds| {
        let plan = repair();
        let (fix, target) = (plan.fix, plan.target);
        let (component, gate) = (component.to_string().repeat(64), "5".repeat(64));
        log.write(Event::Rehearsed { fix, component, target, gate, changes: Vec::new(), holds }).unwrap();
    };
    rehearsed(&mut log, 'f', true);
    is_denied(&ask(&mut log, true), Denial::Rehearsal);
    rehearsed(&mut log, 'a', true);
    rehearsed(&mut log, 'a', false);
    is_denied(&ask(&mut log, true), Denial::Rehearsal);
    rehearsed(&mut log, 'a', true);
    let came = ask(&mut log, true);
    // An entry's time is the real one, years before this test's: too old.
    assert!(is_denied(&came, Denial::Rehearsal).contains("days old"));
}

#[test]
fn ph11_a_fix_that_does_nothing_or_harm_is_taken_back() {
    for harm in [false, true] {
        let stage = ChangeStatus::new(QUICK, MONDAY);
        let (mut log, world) = (stage.log(), world(&[&repair()]));
        world.borrow_mut().useless = !harm;
        world.borrow_mut().harmful = harm;
        let came = apply(&stage, &mut log, &world, &repair());
        let ApplyOutcome::Ended { end: End::RolledBack, why: Some(why), .. } = &came else { panic!("{came:?}") };
        assert!(why.contains(if harm { "load: warning high" } else { "verify" }), "{why}");
        assert_eq!(world.borrow().objects, World::before(&repair()).objects);
    }
}

#[test]
fn tg10_a_gate_that_lies_of_what_it_did_is_found_out_by_probes() {
    let stage = ChangeStatus::new(QUICK, MONDAY);
    let (mut log, world) = (stage.log(), world(&[&repair()]));
    world.borrow_mut().lies = true;
    let came = apply(&stage, &mut log, &world, &repair());
    let ApplyOutcome::Ended { end: End::RolledBack, why: Some(why), .. } = &came else { panic!("{came:?}") };
    assert!(why.contains("it does not hold"), "{why}");
    assert_eq!(world.borrow().objects, World::before(&repair()).objects, "it had done nothing");
    // The states that it made up are told as what was seen of the state, beside the probes' word that decided.
    let proved = stage.events().into_iter().find_map(|event| match event {
        Event::Proved { holds, proofs, .. } => Some((holds, proofs)),
        _ => None,
    });
    let (holds, proofs) = proved.unwrap();
    assert!(!holds && proofs.iter().any(|proof| proof.holds) && proofs.iter().any(|proof| !proof.holds), "{proofs:?}");
}

/// Looks as another does, and takes its time.
struct Late<'a>(&'a ChangeStatus, Probes);

impl Verifier for Late<'_> {
    async fn look(&mut self, plan: &Plan) -> Result<Vec<Seen>, String> {
        self.0.clock.pass(30);
        self.1.look(plan).await
    }
    async fn verify(&mut self, plan: &Plan) -> Result<Vec<Seen>, String> {
        self.0.clock.pass(30);
        self.1.verify(plan).await
    }
}

#[test]
fn tg11_a_target_that_is_slow_when_it_is_looked_at_costs_one_change_of_its_day() {
    let stage = ChangeStatus::new(QUICK, MONDAY);
    let (mut log, world) = (stage.log(), world(&[&repair()]));
    world.borrow_mut().useless = true;
    let (mut gate, probes) = stage.doors(&world);
    let mut eyes = Late(&stage, probes);
    let came = stage.apply(&mut log, &mut gate, &mut eyes, &repair()).unwrap();
    assert!(matches!(came, ApplyOutcome::Ended { end: End::RolledBack, .. }), "{came:?}");
    assert_eq!(world.borrow().objects, World::before(&repair()).objects);
    for _ in 0..3 {
        let again = stage.apply(&mut log, &mut gate, &mut eyes, &repair()).unwrap();
        is_denied(&again, Denial::Budget);
    }
    assert_eq!(world.borrow().begun, 1);
}

#[test]
fn ph11_what_is_there_already_is_a_no_op_and_costs_nothing() {
    let plan = plan("one-file", vec![write("/etc/a", Some("old"), "new")]);
    let stage = ChangeStatus::new(QUICK, MONDAY);
    let (mut log, world) = (stage.log(), world(&[&plan, &other()]));
    world.borrow_mut().objects.insert("file /etc/a".to_owned(), file("new"));
    assert_eq!(apply(&stage, &mut log, &world, &plan), ApplyOutcome::NoOp);
    assert!(stage.events().iter().any(|event| matches!(event, Event::NoOp { .. })));
    applied(&apply(&stage, &mut log, &world, &other()));
}

#[test]
fn jr13_every_no_is_an_entry_with_its_rule() {
    let stage = ChangeStatus::new(QUICK, MONDAY);
    let (mut log, world) = (stage.log(), world(&[&repair()]));
    world.borrow_mut().people = vec!["somebody".to_owned()];
    is_denied(&apply(&stage, &mut log, &world, &repair()), Denial::People);
    let found = stage.events().into_iter().find_map(|event| match event {
        Event::Denied { code, why, who, .. } => Some((code, why, who)),
        _ => None,
    });
    let (code, why, who) = found.unwrap();
    assert_eq!((code, who.as_str()), (Denial::People, "alice"));
    assert!(why.contains("somebody"), "{why}");
}

#[test]
fn jr03_a_journal_that_breaks_stops_what_is_not_written_yet() {
    let calls = {
        let stage = ChangeStatus::new(QUICK, MONDAY);
        let (mut log, world) = (stage.log(), world(&[&repair()]));
        let (gate, mut probes) = stage.doors(&world);
        let mut gate = Faulty::new(gate, Fault::None);
        applied(&stage.apply(&mut log, &mut gate, &mut probes, &repair()).unwrap());
        gate.names.borrow().clone()
    };
    for (at, name) in (1_u32..).zip(&calls) {
        let stage = ChangeStatus::new(QUICK, MONDAY);
        let (mut log, world) = (stage.log(), world(&[&repair()]));
        let (gate, mut probes) = stage.doors(&world);
        let mut gate = Faulty::new(gate, Fault::None);
        let (journal, evidence) = (log.journal().clone(), stage.journal().join(bailiwick_journal::FOLDER));
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
        let broken = stage.apply(&mut log, &mut gate, &mut probes, &repair());
        let more = world.borrow().mutations - *before.borrow();
        assert!(broken.is_err(), "{name}: {broken:?}");
        assert!(more <= 1, "{name}: {more} steps that no entry announces");
        let later = gate.names.borrow().iter().skip(at as usize).cloned().collect::<Vec<_>>();
        let looks = |name: &String| name.starts_with("preview") || name == "people";
        assert!(later.iter().all(looks), "{name}: it went on with {later:?}");
        // Started anew, with a disk that works: nothing is hidden, and nothing is done.
        drop((log, gate));
        std::fs::remove_file(stage.journal().join(bailiwick_journal::FOLDER)).unwrap();
        let mut log = stage.log();
        let open: Vec<_> = log.ledger().open().map(|course| course.id.clone()).collect();
        let mutations = world.borrow().mutations;
        for change in open {
            let (mut gate, _) = stage.doors(&world);
            let found = bailiwick_tests::change::stage::run(bailiwick_change::recover(
                &mut log,
                &mut gate,
                Some(&repair()),
                &change,
            ));
            found.unwrap();
        }
        assert_eq!(world.borrow().mutations, mutations, "{name}");
        assert_eq!(world.borrow().open.is_some(), log.ledger().open().next().is_some(), "{name}: what is open is told");
    }
}
