//! The state of everything, from the journal alone: changes, budget, approvals used, rehearsals, clocks.
//!
//! Knows: how to read the journal from its beginning. Must not know: targets, policy. Attacks answered: a second record that
//! disagrees with the first (CH09, AG03): there is no database of changes, only the journal, whose chain is checked on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;

use super::clock::Watch;
use super::state::{ChangeState, ChangeStatus, Illegal};
use bailiwick_core::model::{ChangeId, ComponentId, TargetName};
use bailiwick_journal::{Consent, End, Entry, Event, ReadError, Reader, Reading, Record};

/// All that the journal says of changes.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Every change, in the order of their ids' first entries.
    pub changes: BTreeMap<ChangeId, ChangeState>,
    /// When each took its place in the budget.
    pub begun: BTreeMap<ChangeId, Timestamp>,
    /// Places in the budget, in order.
    rows: Vec<Row>,
    /// Statements whose signatures have been used.
    used: BTreeSet<String>,
    /// Who made each plan.
    pub planned: BTreeMap<String, Planned>,
    /// The latest rehearsal that held, of each component.
    rehearsed: BTreeMap<(ComponentId, String), Rehearsal>,
    /// What the clocks have said.
    pub watch: Watch,
    /// The latest word on the kill switch: its epoch.
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
    /// Where.
    pub target: TargetName,
}

/// A rehearsal that held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// Its entry.
    pub seq: u64,
    /// When.
    pub when: Timestamp,
    /// The stand-in.
    pub target: TargetName,
    /// The program of its gate.
    pub gate: String,
}

/// A place in the budget.
#[derive(Debug, Clone)]
struct Row {
    change: ChangeId,
    day: Date,
    clock: Reading,
}

/// Why the journal says nothing that can be relied on (E-JOURNAL).
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It cannot be read to its end, or is not what was written.
    #[error("the journal cannot be relied on")]
    Read(#[from] ReadError),
    /// Its words do not follow one another.
    #[error("entry {seq} of the journal cannot be")]
    Illegal {
        /// The entry.
        seq: u64,
        /// Why not.
        source: Illegal,
    },
    /// Two changes of one name, or one that begins in its middle.
    #[error("entry {seq} of the journal speaks of a change that {what}")]
    Stray {
        /// The entry.
        seq: u64,
        /// `is there already`, `never began`.
        what: &'static str,
    },
}

impl Ledger {
    /// Reads the whole journal.
    ///
    /// # Errors
    /// When it is not what was written, or does not hang together: then nothing is changed anywhere.
    pub fn read(folder: &Path) -> Result<Self, LedgerError> {
        let mut ledger = Self::default();
        for record in Reader::open(folder)? {
            ledger.take(&record?)?;
        }
        Ok(ledger)
    }

    /// Goes on by one entry.
    ///
    /// # Errors
    /// When it cannot follow.
    pub fn take(&mut self, record: &Record) -> Result<(), LedgerError> {
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
                let course = ChangeState::begin(event).filter(|_| !self.changes.contains_key(change));
                let course = course.ok_or(LedgerError::Stray { seq: record.seq, what: "is there already" })?;
                self.changes.insert(change.clone(), course);
                self.begun.insert(change.clone(), clock.wall);
                self.rows.extend(day.map(|day| Row { change: change.clone(), day, clock: clock.clone() }));
                return Ok(());
            }
            Event::Begun { consent: Consent::Signature { statement, .. }, .. } => {
                self.used.insert(statement.clone());
            }
            Event::Planned { plan, who, fix, target, .. } => {
                let (who, fix, target) = (who.clone(), fix.clone(), target.clone());
                // Who made it first made it.
                self.planned.entry(plan.clone()).or_insert(Planned { who, when: record.time, fix, target });
            }
            Event::Rehearsed { fix, component, target, gate, holds, .. } => {
                let key = (fix.clone(), component.clone());
                if *holds {
                    let (target, gate) = (target.clone(), gate.clone());
                    self.rehearsed.insert(key, Rehearsal { seq: record.seq, when: record.time, target, gate });
                } else {
                    // One that failed ends what an earlier one said.
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
            // The gate did nothing, and so did nobody: the place is free again (CH01).
            self.rows.retain(|row| row.change != *change);
        }
        if let Some(change) = event.change() {
            let course = self.changes.get_mut(change);
            let course = course.ok_or(LedgerError::Stray { seq: record.seq, what: "never began" })?;
            course.take(event).map_err(|source| LedgerError::Illegal { seq: record.seq, source })?;
        }
        Ok(())
    }

    /// Changes that have no end.
    pub fn open(&self) -> impl Iterator<Item = &ChangeState> {
        self.changes.values().filter(|course| course.stage.is_open())
    }

    /// The change on account of which a target is left alone until a person releases it.
    #[must_use]
    pub fn frozen(&self, target: &TargetName) -> Option<&ChangeState> {
        self.changes.values().find(|course| course.target == *target && course.stage == ChangeStatus::Stuck)
    }

    /// How many changes a day has had.
    #[must_use]
    pub fn of_day(&self, day: Date) -> usize {
        self.rows.iter().filter(|row| row.day == day).count()
    }

    /// When the latest change took its place.
    #[must_use]
    pub fn latest(&self) -> Option<&Reading> {
        self.rows.iter().map(|row| &row.clock).max_by_key(|clock| clock.wall)
    }

    /// True if a signature has been used that is over this statement.
    #[must_use]
    pub fn is_used(&self, statement: &str) -> bool {
        self.used.contains(statement)
    }

    /// The latest rehearsal of a component that held.
    #[must_use]
    pub fn rehearsal(&self, fix: &ComponentId, component: &str) -> Option<&Rehearsal> {
        self.rehearsed.get(&(fix.clone(), component.to_owned()))
    }

    /// A name for a change that no other has: the day, and the beginning of its plan's digest.
    #[must_use]
    pub fn name(&self, day: Date, plan: &str) -> Option<ChangeId> {
        let plan = plan.get(..8)?;
        let day = day.strftime("%Y%m%d");
        let names = std::iter::once(String::new()).chain((2..1000).map(|n| format!("-{n}")));
        names
            .filter_map(|n| ChangeId::new(&format!("c-{day}-{plan}{n}")).ok())
            .find(|id| !self.changes.contains_key(id))
    }
}
