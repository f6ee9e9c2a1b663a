//! A target in memory: objects with states, and a gate that does what the protocol says, and nothing more.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bailiwick_change::gate_client::{Closed, GateClient, GateClientError, GateRecord, GateState, Verifier};
use bailiwick_change::{Plan, Step};
use bailiwick_core::gate_protocol::Preview;
use bailiwick_core::model::{ChangeId, Inverse, Severity, State, Tainted, Way};
use bailiwick_journal::Observed;

/// What is on the target. A clone is another machine.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct World {
    /// The state of each object.
    pub objects: BTreeMap<String, State>,
    /// The records of the gate.
    pub changes: BTreeMap<ChangeId, Record>,
    /// Its open change.
    pub open: Option<ChangeId>,
    /// How many changes it has begun.
    pub begun: u32,
    /// Its maximum of changes.
    pub begun_max: u32,
    /// The file that disables it exists.
    pub disabled: bool,
    /// How often an object was really changed, in either direction.
    pub mutations: u32,
    /// How far its clock is ahead of the controller's, in seconds.
    pub ahead_s: i64,
    /// Signs of a person.
    pub people: Vec<String>,
    /// Objects that cannot be restored.
    pub jammed: BTreeSet<String>,
    /// The fix has no effect.
    pub useless: bool,
    /// The change breaks something else.
    pub harmful: bool,
    /// The gate does nothing, and reports that it did.
    pub lies: bool,
    /// The states that it reported falsely.
    pub reported: BTreeMap<String, State>,
}

/// A change, as the gate has recorded it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Record {
    plan: String,
    done: Vec<(u32, Way, Option<State>)>,
    steps: BTreeMap<u32, Step>,
    closed: Option<Closed>,
}

impl World {
    /// The objects before a plan.
    pub fn before(plan: &Plan) -> Self {
        let mut world = Self { begun_max: 1, ..Self::default() };
        for step in &plan.steps {
            world.objects.entry(step.change.object()).or_insert_with(|| step.before.clone());
        }
        world
    }

    /// The objects after a plan.
    pub fn after(plan: &Plan) -> BTreeMap<String, State> {
        plan.steps.iter().map(|step| (step.change.object(), step.after.clone())).collect()
    }

    fn state(&self, step: &Step) -> State {
        let object = step.change.object();
        self.reported.get(&object).or_else(|| self.objects.get(&object)).cloned().unwrap_or(State::Absent)
    }

    /// The target's own timer has expired: its open change is rolled back.
    pub fn dead_man(&mut self) {
        let Some(change) = self.open.take() else { return };
        let Some(record) = self.changes.get(&change).cloned() else { return };
        let mut closed = Closed::RolledBack;
        for (number, step) in record.steps.iter().rev().filter(|(_, step)| step.inverse != Inverse::Again) {
            if self.act(&change, *number, Way::Undo, step).is_err() {
                closed = Closed::Failed;
                break;
            }
        }
        if let Some(record) = self.changes.get_mut(&change) {
            record.closed = Some(closed);
        }
    }

    fn refused<T>(word: &str) -> Result<T, GateClientError> {
        Err(GateClientError::Refused { word: word.to_owned(), detail: Tainted::new("") })
    }

    fn begin(&mut self, change: &ChangeId, plan: &str) -> Result<(), GateClientError> {
        if self.disabled {
            return Self::refused("disabled");
        }
        if self.changes.contains_key(change) {
            return if self.open.as_ref() == Some(change) { Ok(()) } else { Self::refused("closed") };
        }
        if self.open.is_some() {
            return Self::refused("busy");
        }
        if self.begun >= self.begun_max {
            return Self::refused("budget");
        }
        self.begun += 1;
        self.open = Some(change.clone());
        self.changes.insert(change.clone(), Record { plan: plan.to_owned(), ..Record::default() });
        Ok(())
    }

    fn act(&mut self, change: &ChangeId, number: u32, way: Way, step: &Step) -> Result<State, GateClientError> {
        if self.disabled {
            return Self::refused("disabled");
        }
        let now = self.state(step);
        let Some(record) = self.changes.get(change) else { return Self::refused("unknown") };
        if let Some((_, _, result)) = record.done.iter().rev().find(|(step, done, _)| (*step, *done) == (number, way)) {
            return result.clone().map_or_else(|| Self::refused("conflict"), Ok);
        }
        let forwards = record.done.iter().find(|(step, done, _)| (*step, *done) == (number, Way::Do)).cloned();
        let object = step.change.object();
        let result = match way {
            Way::Do if record.closed.is_some() || self.open.as_ref() != Some(change) => return Self::refused("closed"),
            Way::Do => (now == step.before).then(|| step.after.clone()),
            Way::Undo | Way::Again => {
                let Some((_, _, Some(left))) = forwards else { return Self::refused("unknown") };
                match way {
                    Way::Again => Some(now.clone()),
                    _ if now == left && !self.jammed.contains(&object) => Some(step.before.clone()),
                    _ => None,
                }
            }
        };
        if let Some(state) = &result {
            if self.lies {
                self.reported.insert(object, state.clone());
            } else {
                self.mutations += 1;
                self.objects.insert(object, state.clone());
            }
        }
        let record = self.changes.entry(change.clone()).or_default();
        record.done.push((number, way, result.clone()));
        if way == Way::Do {
            record.steps.insert(number, step.clone());
        }
        result.map_or_else(|| Self::refused("conflict"), Ok)
    }

    fn close(&mut self, change: &ChangeId, keep: bool) -> Result<(), GateClientError> {
        let Some(record) = self.changes.get_mut(change) else { return Self::refused("unknown") };
        match (record.closed, keep) {
            (None, _) => {
                record.closed = Some(if keep { Closed::Confirmed } else { Closed::RolledBack });
                self.open = None;
                Ok(())
            }
            (Some(Closed::Confirmed), true) | (Some(Closed::RolledBack), false) => Ok(()),
            // Rolled back later.
            (Some(Closed::Confirmed), false) => {
                record.closed = Some(Closed::RolledBack);
                Ok(())
            }
            _ => Self::refused("closed"),
        }
    }
}

/// The gate of a world, and the probes that check it.
#[derive(Debug, Clone)]
pub struct MemoryGate {
    /// The target.
    pub world: Rc<RefCell<World>>,
    /// The digest of its list.
    pub list: String,
    /// The controller's clock, in seconds.
    pub now_s: Rc<std::cell::Cell<i64>>,
}

impl GateClient for MemoryGate {
    async fn gate(&mut self) -> Result<GateState, GateClientError> {
        let world = self.world.borrow();
        Ok(GateState {
            list: self.list.clone(),
            script: "5".repeat(64),
            disabled: world.disabled,
            open: world.open.clone(),
            clock_seconds: self.now_s.get().saturating_add(world.ahead_s),
            boot: "a-boot".to_owned(),
        })
    }

    async fn preview(&mut self, step: &Step) -> Result<Preview, GateClientError> {
        let before = self.world.borrow().state(step);
        let shown = Tainted::new(format!("-{before}\n+{}\n", step.after));
        Ok(Preview { before, after: step.after.clone(), shown })
    }

    async fn people(&mut self, _: &Plan) -> Result<Vec<Tainted>, GateClientError> {
        Ok(self.world.borrow().people.iter().map(Tainted::new).collect())
    }

    async fn record(&mut self, change: &ChangeId) -> Result<Option<GateRecord>, GateClientError> {
        let world = self.world.borrow();
        Ok(world.changes.get(change).map(|record| GateRecord {
            plan: record.plan.clone(),
            done: record.done.clone(),
            closed: record.closed,
        }))
    }

    async fn begin(&mut self, change: &ChangeId, plan: &str, _: u32) -> Result<(), GateClientError> {
        self.world.borrow_mut().begin(change, plan)
    }

    async fn act(&mut self, change: &ChangeId, number: u32, way: Way, step: &Step) -> Result<State, GateClientError> {
        self.world.borrow_mut().act(change, number, way, step)
    }

    async fn close(&mut self, change: &ChangeId, keep: bool) -> Result<(), GateClientError> {
        self.world.borrow_mut().close(change, keep)
    }

    async fn renew(&mut self) -> Result<(), GateClientError> {
        Ok(())
    }
}

/// Probes that check a world: they report the finding until every object is as the plan wants it.
#[derive(Debug, Clone)]
pub struct Probes {
    /// The target.
    pub world: Rc<RefCell<World>>,
}

impl Probes {
    fn works(&self, plan: &Plan) -> bool {
        let world = self.world.borrow();
        !world.useless && World::after(plan).iter().all(|(object, state)| world.objects.get(object) == Some(state))
    }
}

impl Verifier for Probes {
    async fn check(&mut self, plan: &Plan) -> Result<Vec<Observed>, String> {
        let works = self.works(plan);
        let mut seen: Vec<_> = plan
            .raised
            .iter()
            .map(|raised| Observed {
                probe: raised.probe.clone(),
                severity: Some(if works { Severity::Ok } else { Severity::Critical }),
                code: if works { String::new() } else { raised.code.clone() },
                subject: Tainted::new(""),
            })
            .collect();
        let harmed = self.world.borrow().harmful && self.world.borrow().mutations > 0;
        seen.push(Observed {
            probe: super::plans::id("load"),
            severity: Some(if harmed { Severity::Warning } else { Severity::Ok }),
            code: if harmed { "high".to_owned() } else { String::new() },
            subject: Tainted::new(""),
        });
        Ok(seen)
    }

    async fn verify(&mut self, plan: &Plan) -> Result<Vec<Observed>, String> {
        let works = self.works(plan);
        let severity = Some(if works { Severity::Ok } else { Severity::Critical });
        Ok(vec![Observed { probe: plan.fix.clone(), severity, code: String::new(), subject: Tainted::new("") }])
    }
}
