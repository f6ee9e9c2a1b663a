//! Days, windows and clocks: when a change may begin, and when a running change is ended.

use bailiwick_change::ApplyOutcome;
use bailiwick_journal::{Denial, End, Event};
use bailiwick_tests::change::controller::Controller;
use bailiwick_tests::change::faulty::{Fault, Faulty};
use bailiwick_tests::change::model::World;

use super::{MONDAY, QUICK, applied, apply, is_denied, other, repair, world};

#[test]
fn ch11_ten_seconds_before_midnight_and_ten_after() {
    let controller = Controller::new(QUICK, "2030-06-03T23:59:50Z");
    let (mut log, world) = (controller.log(), world(&[&repair(), &other()]));
    applied(&apply(&controller, &mut log, &world, &repair()));
    controller.clock.set("2030-06-04T00:00:10Z");
    let why = is_denied(&apply(&controller, &mut log, &world, &other()), Denial::Budget);
    assert!(why.contains("at least 12 h must pass between two"), "{why}");
    controller.clock.pass(12 * 3600);
    applied(&apply(&controller, &mut log, &world, &other()));
}

#[test]
fn ch11_the_day_is_that_of_the_zone() {
    let policy = "[change]\nverify-seconds = 10\nzone = \"Europe/Berlin\"\nmin-hours-between = 0\n";
    let controller = Controller::new(policy, "2030-06-03T21:00:00Z");
    let (mut log, world) = (controller.log(), world(&[&repair(), &other()]));
    applied(&apply(&controller, &mut log, &world, &repair()));
    controller.clock.pass(3000);
    is_denied(&apply(&controller, &mut log, &world, &other()), Denial::Budget);
    // Midnight in Berlin, and not yet in Greenwich.
    controller.clock.pass(700);
    applied(&apply(&controller, &mut log, &world, &other()));
}

#[test]
fn ch12_a_clock_set_back_across_midnight_frees_no_budget() {
    let policy = "[change]\nverify-seconds = 10\nmin-hours-between = 0\n";
    let controller = Controller::new(policy, "2030-06-04T00:05:00Z");
    let (mut log, world) = (controller.log(), world(&[&repair(), &other()]));
    applied(&apply(&controller, &mut log, &world, &repair()));
    for back in ["2030-06-03T23:50:00Z", "2030-06-03T10:00:00Z", "2026-12-24T10:00:00Z"] {
        controller.clock.set(back);
        is_denied(&apply(&controller, &mut log, &world, &other()), Denial::Clock);
    }
    // After a restart, from the journal alone, with another boot.
    *controller.clock.boot.borrow_mut() = "b".to_owned();
    drop(log);
    let mut log = controller.log();
    is_denied(&apply(&controller, &mut log, &world, &other()), Denial::Clock);
    // A person confirms the clock.
    let clock = bailiwick_change::clock::Clock::read(&controller.clock);
    let (who, why) = ("alice".to_owned(), "the battery was empty".to_owned());
    log.write(Event::ClockConfirmed { clock, who, why }).unwrap();
    applied(&apply(&controller, &mut log, &world, &other()));
}

#[test]
fn ch13_a_clock_set_forward_by_a_day_or_a_year_frees_no_budget() {
    for forward in ["2030-06-04T10:05:00Z", "2031-06-03T10:00:00Z"] {
        let controller = Controller::new(QUICK, MONDAY);
        let (mut log, world) = (controller.log(), world(&[&repair(), &other()]));
        applied(&apply(&controller, &mut log, &world, &repair()));
        controller.clock.set(forward);
        let why = is_denied(&apply(&controller, &mut log, &world, &other()), Denial::Clock);
        assert!(why.contains("more than this machine's uptime"), "{why}");
        // Another boot, so this machine has no second clock: the target's clock is the second one. Both continue.
        *controller.clock.boot.borrow_mut() = "b".to_owned();
        let there = "2030-06-03T10:05:00Z".parse::<jiff::Timestamp>().unwrap().as_second();
        world.borrow_mut().ahead_s = there - controller.clock.wall_s.get();
        let why = is_denied(&apply(&controller, &mut log, &world, &other()), Denial::Clock);
        assert!(why.contains("the target's clock at"), "{why}");
    }
}

/// Nights in Berlin in which an hour exists twice, and in which one is missing.
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
fn ch12_an_hour_that_exists_twice_opens_nothing() {
    // On 2030-10-27 the hour from 02:00 to 03:00 exists twice: from 00:00Z to 01:00Z, and from 01:00Z to 02:00Z.
    for (at, open) in [
        ("2030-10-26T23:30:00Z", true),
        ("2030-10-26T23:59:00Z", true),
        ("2030-10-27T00:30:00Z", false),
        ("2030-10-27T01:00:00Z", false),
        ("2030-10-27T01:59:00Z", false),
        ("2030-10-27T02:01:00Z", true),
    ] {
        let controller = Controller::new(NIGHTS, at);
        let (mut log, world) = (controller.log(), world(&[&repair()]));
        let outcome = apply(&controller, &mut log, &world, &repair());
        if open {
            applied(&outcome);
        } else {
            let why = is_denied(&outcome, Denial::Window);
            assert!(why.contains("occurs twice"), "{at}: {why}");
        }
    }
}

#[test]
fn ch12_a_window_with_an_end_in_a_missing_hour_stays_shut() {
    // On 2030-03-31 there is no 02:30 in Berlin.
    let policy = NIGHTS.replace("06:00", "02:30");
    let controller = Controller::new(&policy, "2030-03-31T00:00:00Z");
    let (mut log, there) = (controller.log(), world(&[&repair()]));
    is_denied(&apply(&controller, &mut log, &there, &repair()), Denial::Window);
    // A week later there is.
    let controller = Controller::new(&policy, "2030-04-07T00:00:00Z");
    let (mut log, there) = (controller.log(), world(&[&repair()]));
    applied(&apply(&controller, &mut log, &there, &repair()));
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
        // A change that would still be running when it closes does not begin.
        ("2030-06-03T10:56:00Z", false),
        ("2030-06-03T11:00:00Z", false),
        ("2030-06-05T10:00:00Z", false),
    ] {
        let controller = Controller::new(DAYTIME, at);
        let (mut log, world) = (controller.log(), world(&[&repair()]));
        let outcome = apply(&controller, &mut log, &world, &repair());
        assert_eq!(matches!(outcome, ApplyOutcome::Ended { end: End::Applied, .. }), open, "{at}: {outcome:?}");
    }
}

#[test]
fn ch12_a_window_that_shuts_during_a_change_ends_it() {
    let controller = Controller::new(DAYTIME, "2030-06-03T10:50:00Z");
    let (mut log, world) = (controller.log(), world(&[&repair()]));
    let (gate, mut probes) = controller.gate_and_probes(&world);
    let mut gate = Faulty::new(gate, Fault::None);
    let clock = controller.clock.clone();
    // The target is slow at the first step.
    gate.before = Some(Box::new(move |_, name| {
        if name == "do 1" {
            clock.pass(700)
        }
    }));
    let outcome = controller.apply(&mut log, &mut gate, &mut probes, &repair()).unwrap();
    assert!(matches!(&outcome, ApplyOutcome::Ended { end: End::RolledBack, .. }), "{outcome:?}");
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
        let controller = Controller::new(&policy, at);
        let (mut log, world) = (controller.log(), world(&[&repair()]));
        let outcome = apply(&controller, &mut log, &world, &repair());
        if free {
            applied(&outcome);
        } else {
            assert!(is_denied(&outcome, Denial::Window).contains("timescale policy"), "{at}");
        }
    }
}
