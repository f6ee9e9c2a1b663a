//! What holds for every change under every fault (promise 10): before, after, or stuck and reported; one a day; a true journal.

use bailiwick_tests::change::plans;
use bailiwick_tests::change::theorems::{Tally, faults, jams, kills, twice};

/// Runs one kind of fault over every combination of changes and over every fix, and prints how many ran.
fn over_every_plan(theorem: fn(&bailiwick_change::Plan, &mut Tally), least: u32) {
    let mut tally = Tally::new();
    let fixes = plans::of_every_fix();
    assert!(fixes.len() >= 6, "the fixes that are built in: {}", fixes.len());
    for plan in plans::every().into_iter().chain(fixes) {
        theorem(&plan, &mut tally);
    }
    let total: u32 = tally.values().sum();
    println!("{tally:#?}\n{total} combinations");
    assert!(total >= least, "only {total} combinations ran");
}

#[test]
fn ch07_fail_at_each_request_and_cut_the_network_there() {
    over_every_plan(faults, 1000);
}

#[test]
fn ch06_kill_the_controller_between_any_two_things_that_it_does() {
    over_every_plan(kills, 500);
}

#[test]
fn ch08_each_step_and_its_undo_twice() {
    over_every_plan(twice, 20);
}

#[test]
fn ch03_undo_fails() {
    over_every_plan(jams, 7);
}
