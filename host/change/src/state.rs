//! One change, as the journal records it: which event may follow which, and what is known of every step. Pure.
//!
//! Knows: the events. Must not know: gates, files. Attack answered: a record that differs from what the program does (CH06): writing
//! an entry and reading it back after a crash both go through [`ChangeState::advance`], and nothing else does.
//!
//! **Invariant:** after its last event a change is applied, rolled back, not begun, or stuck; before, it is open, and reported as open.

use jiff::civil::Date;

use bailiwick_core::model::{ChangeId, ComponentId, TargetName, Way};
use bailiwick_journal::{Consent, End, Event, Observed, StepEnd};

/// The status of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeStatus {
    /// It has its place in the budget, and nothing was sent.
    Reserved,
    /// The gate may have opened it.
    Begun,
    /// The gate has opened it, and steps are being done.
    Acting,
    /// Every proof holds.
    Proved,
    /// The order to keep it may have been sent to the gate.
    Keeping,
    /// Steps are being undone.
    RollingBack,
    /// The report that it is rolled back may have been sent to the gate.
    Dropping,
    /// It is applied.
    Applied,
    /// Every object has its former state.
    RolledBack,
    /// Nothing was done.
    NotBegun,
    /// None of these; a person must check the target.
    Stuck,
    /// It was stuck, and a person has unblocked the target.
    Released,
}

impl ChangeStatus {
    /// True for a change without an end: only its own program, or a person, continues it.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            Self::Reserved
                | Self::Begun
                | Self::Acting
                | Self::Proved
                | Self::Keeping
                | Self::RollingBack
                | Self::Dropping
        )
    }

    /// As people read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::RolledBack => "rolled back",
            Self::NotBegun => "not begun",
            Self::Stuck => "STUCK",
            Self::Released => "released",
            _ => "OPEN",
        }
    }
}

/// What is known of doing, undoing or repeating one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum StepStatus {
    /// It was never sent.
    #[default]
    No,
    /// It was sent, or is about to be; the outcome is unknown.
    Unknown,
    /// The gate has done it.
    Done,
    /// The gate has reported that it has not done it.
    NotDone,
}

/// What is known of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepState {
    /// Doing it.
    pub done: StepStatus,
    /// Undoing it.
    pub undone: StepStatus,
    /// Repeating it.
    pub again: StepStatus,
}

impl StepState {
    const fn status_mut(&mut self, way: Way) -> &mut StepStatus {
        match way {
            Way::Do => &mut self.done,
            Way::Undo => &mut self.undone,
            Way::Again => &mut self.again,
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeState {
    /// Its id.
    pub id: ChangeId,
    /// Its plan.
    pub plan: String,
    /// The target.
    pub target: TargetName,
    /// The day whose budget it took; none for a rehearsal.
    pub day: Option<Date>,
    /// Its fix, once it has begun.
    pub fix: Option<ComponentId>,
    /// The objects that no other change may touch while it is open.
    pub objects: Vec<String>,
    /// Who approved it, once it has begun.
    pub consent: Option<Consent>,
    /// The results of the probes before it.
    pub baseline: Vec<Observed>,
    /// How far it is.
    pub status: ChangeStatus,
    /// Each step.
    pub steps: Vec<StepState>,
    /// The latest reason for what became of it.
    pub why: Option<String>,
}

/// An event that may not follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("change {change}: event `{event}` must not follow status {status:?}")]
pub struct Illegal {
    /// The change.
    pub change: ChangeId,
    /// The event.
    pub event: &'static str,
    /// The status of the change.
    pub status: ChangeStatus,
}

impl ChangeState {
    /// A change begins with its place in the budget.
    #[must_use]
    pub fn begin(event: &Event) -> Option<Self> {
        let Event::Budget { change, plan, target, day, .. } = event else { return None };
        Some(Self {
            id: change.clone(),
            plan: plan.clone(),
            target: target.clone(),
            day: *day,
            fix: None,
            objects: Vec::new(),
            consent: None,
            baseline: Vec::new(),
            status: ChangeStatus::Reserved,
            steps: Vec::new(),
            why: None,
        })
    }

    /// Advances by one event.
    ///
    /// # Errors
    /// When it must not follow. Then nothing has changed.
    pub fn advance(&mut self, event: &Event) -> Result<(), Illegal> {
        let (id, status) = (self.id.clone(), self.status);
        let illegal = |event| Err(Illegal { change: id.clone(), event, status });
        match (self.status, event) {
            (ChangeStatus::Reserved, Event::Begun { fix, objects, steps, consent, baseline, .. }) => {
                self.fix = Some(fix.clone());
                self.objects.clone_from(objects);
                self.consent = Some(consent.clone());
                self.baseline.clone_from(baseline);
                self.steps = vec![StepState::default(); usize::try_from(*steps).unwrap_or_default().min(STEPS_MAX)];
                self.status = ChangeStatus::Begun;
            }
            (ChangeStatus::Begun, Event::Opened { .. }) => self.status = ChangeStatus::Acting,
            (ChangeStatus::Acting | ChangeStatus::RollingBack, Event::StepIntent { step, way, .. }) => {
                if self.step_mut(*step, *way).is_none_or(|step| *step == StepStatus::Done) {
                    return illegal("step-intent");
                }
                self.set(*step, *way, StepStatus::Unknown);
            }
            (ChangeStatus::Acting | ChangeStatus::RollingBack, Event::StepOutcome { step, way, outcome, .. }) => {
                if self.step_mut(*step, *way).is_none_or(|step| *step != StepStatus::Unknown) {
                    return illegal("step-outcome");
                }
                let status = match outcome {
                    StepEnd::Done { .. } => StepStatus::Done,
                    StepEnd::NotDone { .. } => StepStatus::NotDone,
                    StepEnd::Unknown { .. } => StepStatus::Unknown,
                };
                self.set(*step, *way, status);
            }
            (ChangeStatus::Acting, Event::Proved { holds: true, .. }) => {
                if self.steps.iter().any(|step| step.done != StepStatus::Done) {
                    return illegal("proved");
                }
                self.status = ChangeStatus::Proved;
            }
            // A check that failed, or a later check.
            (ChangeStatus::Acting | ChangeStatus::RollingBack | ChangeStatus::Applied, Event::Proved { .. }) => {}
            (ChangeStatus::Proved, Event::Closing { keep: true, .. }) => self.status = ChangeStatus::Keeping,
            (ChangeStatus::RollingBack, Event::Closing { keep: false, .. }) => self.status = ChangeStatus::Dropping,
            // The status stays, with a reason. Recovery does not change it either.
            (status, Event::Paused { why, .. }) if status.is_open() => self.why = Some(why.clone()),
            (_, Event::Inspected { .. }) => {}
            (
                ChangeStatus::Begun | ChangeStatus::Acting | ChangeStatus::Proved | ChangeStatus::RollingBack | ChangeStatus::Dropping | ChangeStatus::Applied
                // Kept or not: a rollback queries the gate first.
                | ChangeStatus::Keeping,
                Event::RollingBack { why, .. },
            ) => {
                self.why = Some(why.clone());
                self.status = ChangeStatus::RollingBack;
                for step in &mut self.steps {
                    if step.undone != StepStatus::Done {
                        step.undone = StepStatus::No;
                    }
                    step.again = StepStatus::No;
                }
            }
            (_, Event::Ended { end, why, .. }) => {
                let fits = match end {
                    End::NotBegun => matches!(self.status, ChangeStatus::Reserved | ChangeStatus::Begun),
                    End::Applied => self.status == ChangeStatus::Keeping,
                    // The target may have rolled it back while it was not reachable.
                    End::RolledBack => self.status.is_open() && self.status != ChangeStatus::Reserved,
                    End::Stuck => self.status.is_open(),
                };
                if !fits {
                    return illegal("ended");
                }
                if why.is_some() {
                    self.why.clone_from(why);
                }
                self.status = match end {
                    End::Applied => ChangeStatus::Applied,
                    End::RolledBack => ChangeStatus::RolledBack,
                    End::NotBegun => ChangeStatus::NotBegun,
                    End::Stuck => ChangeStatus::Stuck,
                };
            }
            (ChangeStatus::Stuck, Event::Unblocked { why, .. }) => {
                self.why = Some(why.clone());
                self.status = ChangeStatus::Released;
            }
            (_, event) => return illegal(name(event)),
        }
        Ok(())
    }

    /// What is known of a step; from 1.
    #[must_use]
    pub fn step(&self, step: u32) -> Option<StepState> {
        self.steps.get(usize::try_from(step).ok()?.checked_sub(1)?).copied()
    }

    fn step_mut(&mut self, step: u32, way: Way) -> Option<&mut StepStatus> {
        let index = usize::try_from(step).ok()?.checked_sub(1)?;
        Some(self.steps.get_mut(index)?.status_mut(way))
    }

    fn set(&mut self, step: u32, way: Way, status: StepStatus) {
        if let Some(place) = self.step_mut(step, way) {
            *place = status;
        }
        // A step that is done again after it was undone must be undone again.
        if way == Way::Do
            && status == StepStatus::Done
            && let Some(undone) = self.step_mut(step, Way::Undo)
        {
            *undone = StepStatus::No;
        }
    }
}

/// More steps than any plan has; an entry may come from an attacker.
const STEPS_MAX: usize = 64;

/// The word of the journal's format for an event.
fn name(event: &Event) -> &'static str {
    match event {
        Event::Budget { .. } => "budget",
        Event::Begun { .. } => "begun",
        Event::Opened { .. } => "opened",
        Event::StepIntent { .. } => "step-intent",
        Event::StepOutcome { .. } => "step-outcome",
        Event::Paused { .. } => "held",
        Event::Proved { .. } => "proved",
        Event::Closing { .. } => "closing",
        Event::RollingBack { .. } => "undoing",
        Event::Ended { .. } => "ended",
        Event::Inspected { .. } => "found",
        Event::Unblocked { .. } => "released",
        _ => "not about a change",
    }
}
