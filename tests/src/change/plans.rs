//! Plans: one for each way in which changes are combined.

use std::path::Path;

use bailiwick_change::{Contract, FORMAT, Plan, Proof, Raised, Step, digest};
use bailiwick_core::model::{
    AbsolutePath, ActionId, At, Change, ComponentId, Container, Effect, Literal, State, Tainted, TargetName, UnitAct,
    UnitName, Verb, World,
};
use bailiwick_core::source::Source;
use bailiwick_policy::grant::{Grant, Granted};
use bailiwick_policy::library::Library;
use bailiwick_policy::ops::Ops;

/// A component's id.
pub fn id(text: &str) -> ComponentId {
    ComponentId::new(text).expect("a test's own name")
}

/// The digest of the gate's list, in all plans.
pub fn list() -> String {
    "d".repeat(64)
}

/// A file's state.
pub fn file(text: &str) -> State {
    State::File { sha256: digest(text.as_bytes()), bytes: text.len() as u64, mode: 0o644, uid: 0, gid: 0 }
}

fn unit(active: &str, enabled: &str) -> State {
    State::Unit { active: active.to_owned(), enabled: enabled.to_owned() }
}

fn path(text: &str) -> AbsolutePath {
    AbsolutePath::new(text).expect("a test's own path")
}

fn name(text: &str) -> UnitName {
    UnitName::new(text).expect("a test's own unit")
}

/// A step.
pub fn step(action: &str, change: Change, before: State, after: State) -> Step {
    let action: ActionId = serde_json::from_value(action.into()).expect("an id is a text");
    let inverse = change.inverse();
    Step { action, inverse, change, before, after, computed: None, shown: Tainted::new("a difference") }
}

/// Writes a whole file.
pub fn write(at: &str, old: Option<&str>, new: &str) -> Step {
    let change = Change::Write { path: path(at), text: new.to_owned() };
    step(&format!("files-change.write:{at}=x"), change, old.map_or(State::Absent, file), file(new))
}

/// A change of a unit.
pub fn act(unit_name: &str, act: UnitAct, before: (&str, &str), after: (&str, &str)) -> Step {
    let change = Change::Unit { unit: name(unit_name), act };
    let action = format!("services-change.{}:{unit_name}", act.word());
    step(&action, change, unit(before.0, before.1), unit(after.0, after.1))
}

/// A plan of these steps.
pub fn plan(fix: &str, steps: Vec<Step>) -> Plan {
    Plan {
        format: FORMAT.to_owned(),
        made: "2030-06-03T08:00:00Z".parse().expect("a time"),
        fix: id(fix),
        version: "1.0.0".to_owned(),
        component: "a".repeat(64),
        target: TargetName::new("web01").expect("a name"),
        host_key: "ssh-ed25519 AAAA".to_owned(),
        grant: "b".repeat(64),
        gate: list(),
        policy: "c".repeat(64),
        run: 7,
        contract: Contract {
            context: Tainted::new("the probe says so"),
            intent: "mend it".to_owned(),
            rationale: "because".to_owned(),
            if_reverted: "it is broken again".to_owned(),
            constraints: vec!["no restart".to_owned()],
        },
        raised: vec![Raised { probe: id("prometheus-rules"), code: "none".to_owned() }],
        steps,
        proof: vec![Proof::BeforeAfter, Proof::LiveStatus, Proof::RollbackArtefact, Proof::Unharmed],
    }
}

/// One plan for each combination of changes.
pub fn every() -> Vec<Plan> {
    let line = |at: &str, before: &str, after: &str| {
        let change = Change::EnsureLine { path: path(at), line: "a line".to_owned(), at: At::End };
        step(&format!("files-change.ensure-line:{at}=x"), change, file(before), file(after))
    };
    let gone = |at: &str, before: &str, after: &str| {
        let change = Change::RemoveLine { path: path(at), line: "a line".to_owned() };
        step(&format!("files-change.remove-line:{at}=x"), change, file(before), file(after))
    };
    let aside = |at: &str| {
        let change = Change::SetAside { path: path(at) };
        step(&format!("files-change.set-aside:{at}"), change, file("stale"), State::Absent)
    };
    let word = |text: &str| vec![text.to_owned()];
    let command = |name: &str| {
        let (does, undoes, checks) = (word("/bin/do"), word("/bin/undo"), word("/bin/check"));
        let change = Change::Command { name: name.to_owned(), does, undoes, checks };
        let action = format!("commands-change.run:{name}#x");
        step(&action, change, State::Command { done: false }, State::Command { done: true })
    };
    let container = || {
        let container = Container::new("podman/quote-api").expect("a name");
        let running = || State::Container { status: "running".to_owned() };
        step("containers-change.restart:podman/quote-api", Change::RestartContainer { container }, running(), running())
    };
    let on = ("active", "enabled");
    vec![
        plan("new-file", vec![write("/etc/a.conf", None, "new")]),
        plan(
            "new-file-and-reload",
            vec![
                write("/etc/prometheus/rules/base.yml", Some("old"), "new"),
                act("prometheus.service", UnitAct::Reload, on, on),
            ],
        ),
        plan(
            "role-line-reload-repoint",
            vec![
                command("exporter-role"),
                line("/etc/postgresql/pg_hba.conf", "x\n", "x\na line\n"),
                act("postgresql.service", UnitAct::Reload, on, on),
                write("/etc/default/exporter", Some("old"), "new"),
                act("prometheus-postgres-exporter.service", UnitAct::Restart, on, on),
            ],
        ),
        plan("stale-file", vec![aside("/run/app/stale.pid")]),
        plan("crashed-service", vec![act("app.service", UnitAct::Start, ("failed", "enabled"), on)]),
        plan(
            "enable-and-start",
            vec![
                act("app.service", UnitAct::Enable, ("inactive", "disabled"), ("inactive", "enabled")),
                act("app.service", UnitAct::Start, ("inactive", "enabled"), on),
            ],
        ),
        plan("line-away-and-container", vec![gone("/etc/b.conf", "x\na line\n", "x\n"), container()]),
    ]
}

/// One plan for each built-in fix: everything that it may do on the first target where the lab's policy grants it. Computed
/// content counts as declared: another test is about its approval.
pub fn of_every_fix() -> Vec<Plan> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder above");
    let read = |name: &str| std::fs::read_to_string(root.join("policies/lab").join(name)).expect("the lab's files");
    // The staging target is in the lab that `tests/lab/gates` makes, and not in its list of machines.
    let staging = "[targets.stage01]\naddress = \"10.77.0.99\"\nuser = \"bw-read\"\nidentity = \"/keys/read\"\ntags = [\"linux\"]\n";
    let fleet = read("fleet.toml");
    let fleet = gated(&if fleet.contains("[targets.stage01]") { fleet } else { format!("{fleet}\n{staging}") });
    // The lab has no clock that it may set; the fix has its author's defaults.
    let policy = format!("{}\n[[grant]]\ncomponent = \"time-source\"\non = [\"collect01\"]\n", read("changes.toml"));
    let (fleet, policy) = (Source::embedded("fleet.toml", &fleet), Source::embedded("policy.toml", &policy));
    let library = Library::built_in().expect("what is built in");
    // Other tests find mistakes in the lab's policy.
    let ops = Ops::assemble(Some(&root.join("policies/lab")), Some(Path::new("/home/op")), library, &fleet, &policy);
    let ops = ops.unwrap_or_else(|error| panic!("{error}: {:?}", error.problems()));
    let mut plans = Vec::new();
    for (fix, file) in ops.library.components().iter().filter(|(_, file)| file.manifest.world == World::Fix) {
        let grants = ops.assignments.keys().filter_map(|target| ops.grant(fix, target));
        let changes = |grant: &Grant| -> Vec<(ActionId, Change)> {
            let example = |granted: &Granted| match &granted.action.literal {
                Some(Literal::Change(changing)) => Some((granted.action.id.clone(), changing.change().clone())),
                _ => None,
            };
            grant.entries().filter_map(example).collect()
        };
        let Some(grant) = grants.into_iter().find(|grant| !changes(grant).is_empty()) else {
            // A fix that only names the owner of the problem.
            assert!(
                file.manifest.slots.values().all(|slot| !slot.verbs.iter().any(|verb| is_changing(*verb))),
                "{fix}"
            );
            continue;
        };
        let mut seen = std::collections::BTreeSet::new();
        let steps = changes(&grant).into_iter().map(|(action, change)| invented(action, change));
        let steps: Vec<_> = steps.filter(|step| seen.insert(step.change.object())).collect();
        plans.push(plan(fix.as_str(), steps));
    }
    plans
}

fn is_changing(verb: Verb) -> bool {
    bailiwick_core::verbs::spec(verb).effect == Effect::Change
}

/// The lab's fleet, each machine with a gate.
fn gated(fleet: &str) -> String {
    let mut text = String::new();
    // Keys that a lab makes do not exist here; no test connects.
    for line in fleet.lines().filter(|line| !line.contains("@key:")) {
        text.push_str(line);
        text.push('\n');
    }
    let names = fleet.lines().filter_map(|line| line.strip_prefix("[targets.")?.strip_suffix(']'));
    for name in names.filter(|name| !name.ends_with(".gate") && !fleet.contains(&format!("[targets.{name}.gate]"))) {
        text.push_str(&format!("[targets.{name}.gate]\nuser = \"bw-change\"\nidentity = \"/keys/change\"\n"));
    }
    text
}

/// A step between two states that fit its kind of change.
fn invented(action: ActionId, change: Change) -> Step {
    let on = || unit("active", "enabled");
    let (change, before, after) = match change {
        Change::WriteComputed { path, .. } => {
            let change = Change::Write { path, text: "made\n".to_owned() };
            (change, file("old\n"), file("made\n"))
        }
        Change::Write { ref text, .. } => {
            let after = file(text);
            (change, State::Absent, after)
        }
        Change::EnsureLine { .. } => (change, file("x\n"), file("x\na line\n")),
        Change::RemoveLine { .. } => (change, file("x\na line\n"), file("x\n")),
        Change::SetAside { .. } => (change, file("stale\n"), State::Absent),
        Change::Unit { act: UnitAct::Start, .. } => (change, unit("failed", "enabled"), on()),
        Change::Unit { act: UnitAct::Enable, .. } => (change, unit("active", "disabled"), on()),
        Change::Unit { .. } => (change, on(), on()),
        Change::RestartContainer { .. } => {
            let running = || State::Container { status: "running".to_owned() };
            (change, running(), running())
        }
        Change::Command { .. } => (change, State::Command { done: false }, State::Command { done: true }),
    };
    step(action.as_str(), change, before, after)
}
