//! Each rule that stops a change, before it begins and while it runs: time, budget, switch, people, approvals. Against a target
//! in memory; the test sets the clock.

mod time;
mod switch;
mod people;
mod admission;
mod ends;

use std::cell::RefCell;
use std::rc::Rc;

use bailiwick_change::log::Log;
use bailiwick_change::{ApplyOutcome, Plan};
use bailiwick_core::model::{ChangeId, UnitAct};
use bailiwick_journal::{Denial, End};
use bailiwick_tests::change::controller::Controller;
use bailiwick_tests::change::model::World;
use bailiwick_tests::change::plans::{act, plan, write};

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

fn apply(controller: &Controller, log: &mut Log, world: &Rc<RefCell<World>>, plan: &Plan) -> ApplyOutcome {
    let (mut gate, mut probes) = controller.gate_and_probes(world);
    controller.apply(log, &mut gate, &mut probes, plan).unwrap()
}

fn applied(outcome: &ApplyOutcome) -> ChangeId {
    match outcome {
        ApplyOutcome::Ended { change, end: End::Applied, .. } => change.clone(),
        other => panic!("{other:?}"),
    }
}

fn denied(outcome: &ApplyOutcome) -> (Denial, String) {
    match outcome {
        ApplyOutcome::Denied { code, why, .. } => (*code, why.clone()),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn is_denied(outcome: &ApplyOutcome, code: Denial) -> String {
    let (found, why) = denied(outcome);
    assert_eq!(found, code, "{why}");
    why
}
