//! The gate's script and changes: units, the operator's commands, the day's count, the kill switch, people at work, and a
//! kill, a full disk, a second session or a person's edit in the middle of a change.

mod steps;
mod limits;
mod ends;

use std::fs;
use std::path::Path;

use bailiwick_core::gate_protocol::{ChangeFacts, GateFacts, Outcome, Request};
use bailiwick_core::model::State;
use bailiwick_policy::gate::Limits;
use bailiwick_tests::gate::{Gate, SHELLS, named, place, shown, write};

fn state(text: &str) -> State {
    text.parse().unwrap()
}

fn outcome(gate: &Gate, request: Request) -> Outcome {
    Outcome::read(&gate.one("change-root", request).unwrap())
}

fn facts(gate: &Gate) -> GateFacts {
    let answer = gate.one("look", Request::Gate).unwrap();
    GateFacts::read(&answer.stdout).unwrap_or_else(|error| panic!("{error}: {}", shown(&answer)))
}

fn known(gate: &Gate, change: &str) -> ChangeFacts {
    let answer = gate.one("look", Request::Change(named(change))).unwrap();
    ChangeFacts::read(&answer.stdout).unwrap_or_else(|error| panic!("{error}: {}", shown(&answer)))
}

/// A unit's state, as the fake systemd keeps it.
fn toy(gate: &Gate, active: &str, enabled: &str) {
    fs::write(gate.at("toy.active"), active).unwrap();
    fs::write(gate.at("toy.enabled"), enabled).unwrap();
}

/// A gate with one file to write, the file, and its two states.
fn one_file(name: &str, limits: &Limits) -> (Gate, std::path::PathBuf, State, State) {
    let dir = place(name);
    let file = dir.join("file");
    fs::write(&file, "before\n").unwrap();
    let gate = Gate::new(&[write("w", &file, "after\n").unwrap()], limits, SHELLS[0].1).unwrap();
    let (before, after) = gate.preview("w").unwrap();
    (gate, file, before, after)
}

fn gone(file: &Path) {
    fs::remove_dir_all(file.parent().unwrap()).unwrap();
}
