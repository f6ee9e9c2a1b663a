//! Approvals by the real `ssh-keygen`: a signature counts once, for one plan, for a limited time, and only by an allowed signer.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::rc::Rc;

use bailiwick_change::approval::{NAMESPACE, Statement};
use bailiwick_change::log::Log;
use bailiwick_change::{ApplyOutcome, ApplyRequest, Approval, Plan, digest};
use bailiwick_core::source::Source;
use bailiwick_journal::{Consent, Denial, End, Event};
use bailiwick_policy::signature::AllowedSigners;
use bailiwick_tests::change::controller::Controller;
use bailiwick_tests::change::model::World;
use bailiwick_tests::change::plans::{plan, write};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

const NOW: &str = "2030-06-03T10:00:00Z";
const POLICY: &str = "[change]\nverify-seconds = 10\nper-day = 5\nmin-hours-between = 0\n";

/// Keys: `alice` approves; `carol` made the plan, and may approve others'; `mallory` has no role.
struct Keys(tempfile::TempDir);

impl Keys {
    fn new() -> Self {
        let keys = Self(tempfile::tempdir().unwrap());
        for name in ["alice", "carol", "mallory"] {
            let words = ["-q", "-t", "ed25519", "-N", "", "-C", "a comment", "-f"];
            let made = Command::new("ssh-keygen").args(words).arg(keys.path(name)).status().unwrap();
            assert!(made.success());
        }
        keys
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn public(&self, name: &str) -> String {
        let public = fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap();
        public.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    /// As an approver does it: a file, and the signature beside it.
    fn sign(&self, name: &str, namespace: &str, statement: &[u8]) -> Vec<u8> {
        let file = self.path("statement");
        fs::write(&file, statement).unwrap();
        let _ = fs::remove_file(self.path("statement.sig"));
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-Y", "sign", "-n", namespace, "-f"]).arg(self.path(name)).arg(&file);
        assert!(command.stdin(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
        fs::read(self.path("statement.sig")).unwrap()
    }

    /// Whether `ssh-keygen -Y verify` takes it: what the gate asks too.
    fn theirs(&self, name: &str, approvers: &str, statement: &[u8], signature: &[u8]) -> bool {
        fs::write(self.path("approvers"), approvers).unwrap();
        fs::write(self.path("their.sig"), signature).unwrap();
        fs::write(self.path("statement"), statement).unwrap();
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-Y", "verify", "-n", NAMESPACE, "-I", name, "-f"]).arg(self.path("approvers"));
        command.arg("-s").arg(self.path("their.sig")).stdin(fs::File::open(self.path("statement")).unwrap());
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }

    fn approvers(&self) -> String {
        format!(
            "alice@example.org namespaces=\"{NAMESPACE}\" {}\ncarol@example.org {}\n",
            self.public("alice"),
            self.public("carol")
        )
    }
}

fn parsed(text: &str) -> AllowedSigners {
    AllowedSigners::parse(&Source::embedded("approvers", text), &TimeZone::UTC).unwrap()
}

fn repair() -> Plan {
    plan("log-rotation", vec![write("/etc/logrotate.d/app", None, "weekly")])
}

struct Scene {
    controller: Controller,
    log: Log,
    world: Rc<RefCell<World>>,
    keys: Keys,
    plan: Plan,
}

impl Scene {
    fn new() -> Self {
        let controller = Controller::new(POLICY, NOW);
        let plan = repair();
        let mut log = controller.log();
        controller.planned(&mut log, &plan);
        let world = Rc::new(RefCell::new(World { begun_max: 99, ..World::before(&plan) }));
        Self { controller, log, world, keys: Keys::new(), plan }
    }

    fn statement(&self, hours: i64) -> Vec<u8> {
        let digest = digest(&self.plan.bytes().unwrap());
        let now: Timestamp = NOW.parse().unwrap();
        Statement::new(&self.plan, &digest, now + SignedDuration::from_hours(hours)).text().into_bytes()
    }

    fn apply(&mut self, statement: &[u8], signature: &[u8]) -> ApplyOutcome {
        let approvers = Some(parsed(&self.keys.approvers()));
        let (statement, signature) = (statement.to_vec(), signature.to_vec());
        let request =
            ApplyRequest { who: "agent".to_owned(), approval: Approval::Signed { statement, signature, approvers } };
        let (mut gate, mut probes) = self.controller.gate_and_probes(&self.world);
        self.controller.apply_with(&mut self.log, (&mut gate, &mut probes), &self.plan, &request, |_| {}).unwrap()
    }

    #[track_caller]
    fn refused(&mut self, statement: &[u8], signature: &[u8], why: &str) {
        let mutations = self.world.borrow().mutations;
        match self.apply(statement, signature) {
            ApplyOutcome::Denied { code: Denial::Approval, why: found, .. } => {
                assert!(found.contains(why), "{found}, and not {why}");
            }
            other => panic!("{why}: {other:?}"),
        }
        assert_eq!(self.world.borrow().mutations, mutations);
    }
}

#[test]
fn ag03_an_approval_counts_once_for_one_plan_and_for_a_while() {
    let mut scene = Scene::new();
    let statement = scene.statement(8);
    let signature = scene.keys.sign("alice", NAMESPACE, &statement);
    assert!(scene.keys.theirs("alice@example.org", &scene.keys.approvers(), &statement, &signature));
    let ApplyOutcome::Ended { change, end: End::Applied, .. } = scene.apply(&statement, &signature) else {
        panic!("refused")
    };
    let consent = scene.log.change(&change).unwrap().consent.clone();
    assert!(matches!(consent, Some(Consent::Signature { principal, .. }) if principal == "alice@example.org"));
    // Again, after the rollback: the same statement has been used.
    let (mut gate, mut probes) = scene.controller.gate_and_probes(&scene.world);
    scene.controller.rollback(&mut scene.log, &mut gate, &mut probes, &scene.plan, &change).unwrap();
    scene.refused(&statement, &signature, "has already been used");
    // From the journal alone, after a restart.
    let Scene { controller, log, world, keys, plan } = scene;
    drop(log);
    let log = controller.log();
    let mut scene = Scene { controller, log, world, keys, plan };
    scene.refused(&statement, &signature, "has already been used");
    // A new one counts again.
    let statement = scene.statement(9);
    let signature = scene.keys.sign("alice", NAMESPACE, &statement);
    assert!(matches!(scene.apply(&statement, &signature), ApplyOutcome::Ended { end: End::Applied, .. }));
}

#[test]
fn ag03_an_approval_of_anything_else_is_none() {
    let mut scene = Scene::new();
    let statement = String::from_utf8(scene.statement(8)).unwrap();
    let other = "e".repeat(64);
    for (line, value, why) in [
        ("plan", other.as_str(), "does not match the plan"),
        ("target", "web02", "the target in the approval"),
        ("host-key", "ssh-ed25519 BBBB", "the host key in the approval"),
        ("component", other.as_str(), "the component in the approval"),
        ("policy", other.as_str(), "the policy in the approval"),
    ] {
        let edited: String = statement
            .lines()
            .map(|found| {
                if found.starts_with(&format!("{line} ")) { format!("{line} {value}\n") } else { format!("{found}\n") }
            })
            .collect();
        let signature = scene.keys.sign("alice", NAMESPACE, edited.as_bytes());
        scene.refused(edited.as_bytes(), &signature, why);
    }
    // Expired, and for ever.
    for (hours, why) in [(-1, "the approval expired at"), (24 * 365, "which is too far away")] {
        let statement = scene.statement(hours);
        let signature = scene.keys.sign("alice", NAMESPACE, &statement);
        scene.refused(&statement, &signature, why);
    }
    // Edited after it was signed; a line more; another order; nothing.
    let signature = scene.keys.sign("alice", NAMESPACE, statement.as_bytes());
    let later = statement.replace("not-after 2030-06-03T18", "not-after 2030-06-03T19");
    assert_ne!(later, statement);
    scene.refused(later.as_bytes(), &signature, "not a signature of this file");
    for odd in [format!("{statement}x y\n"), statement.replace('\n', "\r\n"), statement.to_uppercase(), String::new()] {
        let signature = scene.keys.sign("alice", NAMESPACE, odd.as_bytes());
        scene.refused(odd.as_bytes(), &signature, "is not a statement about a plan");
    }
}

#[test]
fn ag02_what_an_agent_can_read_approves_nothing() {
    let mut scene = Scene::new();
    let statement = scene.statement(8);
    // An unknown key; a key for another purpose; a signature of a component; the proposer's own; none.
    for (who, namespace, why) in [
        ("mallory", NAMESPACE, "no line lists its key"),
        ("alice", "bailiwick-component", "it was made for"),
        ("alice", "git", "it was made for"),
        ("carol", NAMESPACE, "made the plan"),
    ] {
        let signature = scene.keys.sign(who, namespace, &statement);
        scene.refused(&statement, &signature, why);
    }
    for nothing in [&b""[..], b"yes", &statement.clone()] {
        scene.refused(&statement, nothing, "the signature is not accepted");
    }
    // A key that may sign components, and not approve.
    let list = format!("alice@example.org namespaces=\"bailiwick-component\" {}\n", scene.keys.public("alice"));
    let signature = scene.keys.sign("alice", NAMESPACE, &statement);
    assert!(!scene.keys.theirs("alice@example.org", &list, &statement, &signature), "nor for ssh-keygen");
    let approval = Approval::Signed { statement: statement.clone(), signature, approvers: Some(parsed(&list)) };
    let request = ApplyRequest { who: "agent".to_owned(), approval };
    let (mut gate, mut probes) = scene.controller.gate_and_probes(&scene.world);
    let outcome =
        scene.controller.apply_with(&mut scene.log, (&mut gate, &mut probes), &scene.plan, &request, |_| {}).unwrap();
    assert!(matches!(outcome, ApplyOutcome::Denied { code: Denial::Approval, .. }), "{outcome:?}");
    assert_eq!(scene.world.borrow().mutations, 0);
    let denials = scene.controller.events().iter().filter(|event| matches!(event, Event::Denied { .. })).count();
    assert_eq!(denials, 8, "each is an entry");
}

#[test]
fn ag02_a_plan_without_a_request_has_no_proposer_and_no_approval() {
    let mut scene = Scene::new();
    scene.plan.contract.intent = "something else".to_owned();
    let statement = scene.statement(8);
    let signature = scene.keys.sign("alice", NAMESPACE, &statement);
    scene.refused(&statement, &signature, "this plan is not in the journal");
}
