//! The state of all changes, from the journal alone: changes, budget, used approvals, rehearsals, clocks.
//!
//! Knows: how to read the journal from its beginning. Must not know: targets, policy. Attack answered: a second record that
//! contradicts the first (CH09, AG03): there is no database of changes, only the journal, whose chain is checked while it is read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;

use super::clock::Watch;
use super::state::{ChangeState, ChangeStatus, Illegal};
use bailiwick_core::model::{ChangeId, ComponentId, TargetName};
use bailiwick_journal::{Consent, End, Entry, Event, ReadError, Reader, Reading, Record};

/// All that the journal records about changes.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Every change, in the order of their ids' first entries.
    pub changes: BTreeMap<ChangeId, ChangeState>,
    /// When each took its place in the budget.
    pub begun: BTreeMap<ChangeId, Timestamp>,
    /// Places in the budget, in order.
    budget: Vec<BudgetEntry>,
    /// Digests of the statements whose signatures have been used.
    used: BTreeSet<String>,
    /// Who made each plan.
    pub planned: BTreeMap<String, Planned>,
    /// The latest successful rehearsal of each component.
    rehearsed: BTreeMap<(ComponentId, String), Rehearsal>,
    /// The readings of the clocks.
    pub watch: Watch,
    /// The latest epoch of the kill switch.
    pub stop_epoch: u64,
    /// The latest round.
    pub round: Option<(Date, u64)>,
}

/// Who made a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The account.
    pub who: String,
    /// When.
    pub when: Timestamp,
    /// The fix.
    pub fix: ComponentId,
    /// The target.
    pub target: TargetName,
}

/// A successful rehearsal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// Its entry in the journal.
    pub seq: u64,
    /// When.
    pub when: Timestamp,
    /// The staging target.
    pub target: TargetName,
    /// Digest of the script of its gate.
    pub gate: String,
}

/// A place in the budget.
#[derive(Debug, Clone)]
struct BudgetEntry {
    change: ChangeId,
    day: Date,
    clock: Reading,
}

/// Why the journal is not reliable (E-JOURNAL).
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It is not readable to its end, or was edited.
    #[error("the journal is not reliable")]
    Read(#[from] ReadError),
    /// Its events do not follow one another.
    #[error("entry {seq} of the journal contradicts earlier entries")]
    Illegal {
        /// The entry.
        seq: u64,
        /// The contradiction.
        source: Illegal,
    },
    /// Two changes with one id, or one without a beginning.
    #[error("entry {seq} of the journal is about a change that {what}")]
    Stray {
        /// The entry.
        seq: u64,
        /// `already exists`, `never began`.
        what: &'static str,
    },
}

impl Ledger {
    /// Reads the whole journal.
    ///
    /// # Errors
    /// When it was edited, or contradicts itself: then nothing is changed anywhere.
    pub fn read(folder: &Path) -> Result<Self, LedgerError> {
        let mut ledger = Self::default();
        for record in Reader::open(folder)? {
            ledger.add(&record?)?;
        }
        Ok(ledger)
    }

    /// Adds one entry.
    ///
    /// # Errors
    /// When it must not follow the entries before it.
    pub fn add(&mut self, record: &Record) -> Result<(), LedgerError> {
        let Entry::Change(event) = &record.entry else {
            self.watch.entry(record.time);
            return Ok(());
        };
        if let Event::ClockConfirmed { clock, .. } = event {
            self.watch.confirmed(clock);
            return Ok(());
        }
        self.watch.entry(record.time);
        if let Some(clock) = event.clock() {
            self.watch.reading(clock);
        }
        match event {
            Event::Budget { change, day, clock, .. } => {
                let state = ChangeState::begin(event).filter(|_| !self.changes.contains_key(change));
                let state = state.ok_or(LedgerError::Stray { seq: record.seq, what: "already exists" })?;
                self.changes.insert(change.clone(), state);
                self.begun.insert(change.clone(), clock.wall);
                self.budget.extend(day.map(|day| BudgetEntry { change: change.clone(), day, clock: clock.clone() }));
                return Ok(());
            }
            Event::Begun { consent: Consent::Signature { statement, .. }, .. } => {
                self.used.insert(statement.clone());
            }
            Event::Planned { plan, who, fix, target, .. } => {
                let (who, fix, target) = (who.clone(), fix.clone(), target.clone());
                // The first to make a plan is its maker.
                self.planned.entry(plan.clone()).or_insert(Planned { who, when: record.time, fix, target });
            }
            Event::Rehearsed { fix, component, target, gate, holds, .. } => {
                let key = (fix.clone(), component.clone());
                if *holds {
                    let (target, gate) = (target.clone(), gate.clone());
                    self.rehearsed.insert(key, Rehearsal { seq: record.seq, when: record.time, target, gate });
                } else {
                    // A failed rehearsal cancels an earlier successful one.
                    self.rehearsed.remove(&key);
                }
            }
            Event::Stopped { epoch, .. } | Event::Resumed { epoch, .. } => {
                self.stop_epoch = self.stop_epoch.max(*epoch);
            }
            Event::Round { day, .. } => self.round = Some((*day, record.seq)),
            _ => {}
        }
        if let Event::Ended { change, end: End::NotBegun, .. } = event {
            // The gate did nothing, so the place in the budget is free again (CH01).
            self.budget.retain(|entry| entry.change != *change);
        }
        if let Some(change) = event.change() {
            let state = self.changes.get_mut(change);
            let state = state.ok_or(LedgerError::Stray { seq: record.seq, what: "never began" })?;
            state.advance(event).map_err(|source| LedgerError::Illegal { seq: record.seq, source })?;
        }
        Ok(())
    }

    /// Changes that have no end.
    pub fn open(&self) -> impl Iterator<Item = &ChangeState> {
        self.changes.values().filter(|state| state.status.is_open())
    }

    /// The stuck change that blocks a target until a person unblocks it.
    #[must_use]
    pub fn blocked(&self, target: &TargetName) -> Option<&ChangeState> {
        self.changes.values().find(|state| state.target == *target && state.status == ChangeStatus::Stuck)
    }

    /// The number of changes on a day.
    #[must_use]
    pub fn count_on(&self, day: Date) -> usize {
        self.budget.iter().filter(|entry| entry.day == day).count()
    }

    /// When the latest change took its place in the budget.
    #[must_use]
    pub fn latest(&self) -> Option<&Reading> {
        self.budget.iter().map(|entry| &entry.clock).max_by_key(|clock| clock.wall)
    }

    /// True if a signature under this statement has been used.
    #[must_use]
    pub fn is_used(&self, statement: &str) -> bool {
        self.used.contains(statement)
    }

    /// The latest rehearsal of a component, if it was successful.
    #[must_use]
    pub fn rehearsal(&self, fix: &ComponentId, component: &str) -> Option<&Rehearsal> {
        self.rehearsed.get(&(fix.clone(), component.to_owned()))
    }

    /// A new id for a change: the day, and the beginning of its plan's digest.
    #[must_use]
    pub fn new_id(&self, day: Date, plan: &str) -> Option<ChangeId> {
        let plan = plan.get(..8)?;
        let day = day.strftime("%Y%m%d");
        let suffixes = std::iter::once(String::new()).chain((2..1000).map(|n| format!("-{n}")));
        suffixes
            .filter_map(|n| ChangeId::new(&format!("c-{day}-{plan}{n}")).ok())
            .find(|id| !self.changes.contains_key(id))
    }
}
