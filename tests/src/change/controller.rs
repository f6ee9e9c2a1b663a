//! A controller without a program: a journal in a folder, a clock that the test sets, a target in memory.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bailiwick_change::check::Constraints;
use bailiwick_change::clock::Clock;
use bailiwick_change::gate_client::{GateClient, Verifier};
use bailiwick_change::log::{Log, LogError};
use bailiwick_change::stop::Stop;
use bailiwick_change::{Admission, ApplyOutcome, ApplyRequest, Approval, CurrentState, Plan, apply, rollback};
use bailiwick_core::fleet::{Fleet, Target};
use bailiwick_core::model::ChangeId;
use bailiwick_core::source::Source;
use bailiwick_journal::{Boot, Entry, Event, Journal, Reading};
use bailiwick_policy::policy;
use bailiwick_policy::policy::Policy;
use jiff::Timestamp;
use tempfile::TempDir;

use super::model::{MemoryGate, Probes, World};
use super::plans;

/// A clock that the test sets. It has two readings: the wall clock, and the time since the boot.
#[derive(Debug, Clone)]
pub struct TestClock {
    /// Seconds since 1970.
    pub wall_s: Rc<Cell<i64>>,
    /// Seconds since the boot.
    pub up_s: Rc<Cell<u64>>,
    /// Which boot.
    pub boot: Rc<RefCell<String>>,
}

impl TestClock {
    /// A clock at this time.
    pub fn at(time: &str) -> Self {
        let wall: Timestamp = time.parse().expect("a time");
        Self {
            wall_s: Rc::new(Cell::new(wall.as_second())),
            up_s: Rc::new(Cell::new(1000)),
            boot: Rc::new(RefCell::new("a".to_owned())),
        }
    }

    /// Lets time pass.
    pub fn pass(&self, seconds: u32) {
        self.wall_s.set(self.wall_s.get() + i64::from(seconds));
        self.up_s.set(self.up_s.get() + u64::from(seconds));
    }

    /// Sets the wall clock, as a person does.
    pub fn set(&self, time: &str) {
        let wall: Timestamp = time.parse().expect("a time");
        self.wall_s.set(wall.as_second());
    }
}

impl Clock for TestClock {
    fn read(&self) -> Reading {
        let wall = Timestamp::from_second(self.wall_s.get()).expect("a time");
        let boot = Boot { id: self.boot.borrow().clone(), up_ms: self.up_s.get() * 1000 };
        Reading { wall, boot: Some(boot) }
    }

    async fn sleep(&self, time: Duration) {
        self.pass(u32::try_from(time.as_secs()).expect("a short time"));
    }
}

/// The controller of a test: journal, clock, policy and fleet.
pub struct Controller {
    /// The state folder.
    pub state: TempDir,
    /// Another state folder instead, which stays when this value is dropped.
    reopened: Option<std::path::PathBuf>,
    /// The clock.
    pub clock: TestClock,
    /// The rules.
    pub policy: Policy,
    /// The machines.
    pub fleet: Fleet,
    /// Who requests changes.
    pub request: ApplyRequest,
    /// Whether the operator has interrupted it.
    pub interrupted: Arc<AtomicBool>,
}

/// The fleet of all tests here.
const FLEET: &str = r#"
[targets.web01]
address = "10.77.0.11"
user = "bw-read"
identity = "~/.ssh/id"
host-key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
tags = ["linux"]
"#;

impl Controller {
    /// A controller with an empty journal and this policy.
    pub fn new(policy: &str, now: &str) -> Self {
        // In memory where possible: each entry of a journal waits for the disk, and the tests write a hundred thousand.
        let memory = Path::new("/dev/shm");
        let state = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let state = state.expect("a folder");
        let fleet = Source::embedded("fleet.toml", FLEET);
        let fleet =
            bailiwick_core::fleet::parse(&fleet, Path::new("/ops"), Some(Path::new("/home/op"))).expect("a fleet");
        let policy = policy::parse(&Source::embedded("policy.toml", policy)).expect("a policy");
        policy::check_windows(&policy.change, &policy.windows, &policy.calendar, &fleet).expect("its targets");
        let request = ApplyRequest { who: "alice".to_owned(), approval: Approval::Terminal };
        Self { state, reopened: None, clock: TestClock::at(now), policy, fleet, request, interrupted: Arc::default() }
    }

    /// A controller whose state already exists, and stays: for a process that is killed.
    pub fn reopen(state: &Path, policy: &str, now: &str) -> Self {
        let mut controller = Self::new(policy, now);
        controller.reopened = Some(state.to_owned());
        controller
    }

    /// Its state folder.
    pub fn folder(&self) -> &Path {
        self.reopened.as_deref().unwrap_or_else(|| self.state.path())
    }

    /// The kill switch.
    pub fn stop(&self) -> Stop {
        Stop::at(self.folder())
    }

    /// The target.
    pub fn target(&self) -> &Target {
        self.fleet.targets.get("web01").expect("it is there")
    }

    /// The journal's folder.
    pub fn journal(&self) -> std::path::PathBuf {
        self.folder().join("journal")
    }

    /// Opens the journal as a program does that starts.
    pub fn log(&self) -> Log {
        let (journal, _) = Journal::open(&self.journal(), Duration::ZERO).expect("a journal");
        Log::open(Arc::new(journal)).expect("a consistent journal")
    }

    /// A gate and probes for a world.
    pub fn gate_and_probes(&self, world: &Rc<RefCell<World>>) -> (MemoryGate, Probes) {
        let now_s = Rc::clone(&self.clock.wall_s);
        (MemoryGate { world: Rc::clone(world), list: plans::list(), now_s }, Probes { world: Rc::clone(world) })
    }

    fn admission<'a>(&'a self, stop: &'a Stop, plan: &Plan) -> Admission<'a, TestClock> {
        let granted: BTreeMap<_, _> =
            plan.steps.iter().map(|step| (step.action.clone(), step.change.clone())).collect();
        Admission {
            clock: &self.clock,
            stop,
            interrupted: &self.interrupted,
            rules: &self.policy.change,
            windows: &self.policy.windows,
            calendar: &self.policy.calendar,
            target: self.target(),
            current: CurrentState {
                component: Some(plan.component.clone()),
                grant: Some(plan.grant.clone()),
                policy: plan.policy.clone(),
                host_key: plan.host_key.clone(),
                gate: Some(plans::list()),
            },
            constraints: Constraints { granted, ..Constraints::default() },
        }
    }

    /// Records who made a plan, as `bailiwick plan` does.
    pub fn planned(&self, log: &mut Log, plan: &Plan) -> String {
        let plan_digest = bailiwick_change::digest(&plan.bytes().expect("a plan"));
        let (fix, target, run, who) = (plan.fix.clone(), plan.target.clone(), plan.run, "carol".to_owned());
        log.write(Event::Planned { plan: plan_digest.clone(), fix, target, run, who }).expect("written");
        plan_digest
    }

    /// Applies a plan.
    pub fn apply<H: GateClient, E: Verifier>(
        &self,
        log: &mut Log,
        gate: &mut H,
        verifier: &mut E,
        plan: &Plan,
    ) -> Result<ApplyOutcome, LogError> {
        let stop = self.stop();
        let digest = bailiwick_change::digest(&plan.bytes().expect("a plan"));
        run(apply(&self.admission(&stop, plan), log, gate, verifier, plan, &digest, &self.request))
    }

    /// The same with another admission.
    pub fn apply_with<H: GateClient, E: Verifier>(
        &self,
        log: &mut Log,
        clients: (&mut H, &mut E),
        plan: &Plan,
        request: &ApplyRequest,
        change: impl FnOnce(&mut Admission<'_, TestClock>),
    ) -> Result<ApplyOutcome, LogError> {
        let stop = self.stop();
        let digest = bailiwick_change::digest(&plan.bytes().expect("a plan"));
        let mut admission = self.admission(&stop, plan);
        change(&mut admission);
        run(apply(&admission, log, clients.0, clients.1, plan, &digest, request))
    }

    /// Rolls a change back.
    pub fn rollback<H: GateClient, E: Verifier>(
        &self,
        log: &mut Log,
        gate: &mut H,
        verifier: &mut E,
        plan: &Plan,
        change: &ChangeId,
    ) -> Result<ApplyOutcome, LogError> {
        let stop = self.stop();
        run(rollback(&self.admission(&stop, plan), log, gate, verifier, plan, change, &self.request))
    }

    /// All events of changes in the journal.
    pub fn events(&self) -> Vec<Event> {
        let reader = bailiwick_journal::Reader::open(&self.journal()).expect("a journal");
        let events = reader.map(|record| record.expect("an entry").entry);
        events.filter_map(|entry| if let Entry::Change(event) = entry { Some(event) } else { None }).collect()
    }
}

/// Runs a future to its end. Inside another runtime it must not wait: there it is polled once.
///
/// # Panics
/// When it waits there for something.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    if tokio::runtime::Handle::try_current().is_err() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        return runtime.block_on(future);
    }
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("the future waits for something"),
    }
}
