//! One change, as the journal tells it: which word may follow which, and what is known of every step. Pure.
//!
//! Knows: the words. Must not know: gates, files. Attack answered: a record that says one thing and a program that does another
//! (CH06): what writes an entry and what reads it back after a crash go through [`ChangeState::take`], and there is no third.
//!
//! **Invariant:** after its last word a change is applied, rolled back, not begun, or stuck; before, it is open, and is told as open.

use jiff::civil::Date;

use bailiwick_core::model::{ChangeId, ComponentId, TargetName, Way};
use bailiwick_journal::{Consent, End, Event, Observed, StepEnd};

/// How far a change has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeStatus {
    /// It has its place in the budget, and nothing else.
    Reserved,
    /// The gate may have opened it.
    Begun,
    /// The gate has, and steps are done.
    Acting,
    /// Every proof holds.
    Proved,
    /// The gate may have been told to keep it.
    Keeping,
    /// Steps are undone.
    Undoing,
    /// The gate may have been told that it is undone.
    Dropping,
    /// It is done.
    Applied,
    /// Everything is as it was.
    RolledBack,
    /// Nothing was ever done.
    NotBegun,
    /// Neither; a person has to look.
    Stuck,
    /// It was stuck, and a person has looked.
    Released,
}

impl ChangeStatus {
    /// It has no end yet: nobody but its own program, or a person, goes on with it.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(
            self,
            Self::Reserved | Self::Begun | Self::Acting | Self::Proved | Self::Keeping | Self::Undoing | Self::Dropping
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

/// What is known of one way of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum StepStatus {
    /// It was never sent.
    #[default]
    No,
    /// It was sent, or is about to be, and nobody knows more.
    Unknown,
    /// The gate has done it.
    Done,
    /// The gate has said that it has not.
    NotDone,
}

/// What is known of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepState {
    /// Forwards.
    pub done: StepStatus,
    /// Back.
    pub undone: StepStatus,
    /// Once more.
    pub again: StepStatus,
}

impl StepState {
    const fn mark(&mut self, way: Way) -> &mut StepStatus {
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
    /// Where.
    pub target: TargetName,
    /// The day whose budget it took; none: a rehearsal's.
    pub day: Option<Date>,
    /// Its fix, once it has begun.
    pub fix: Option<ComponentId>,
    /// What others must leave alone while it is open.
    pub objects: Vec<String>,
    /// Who said yes, once it has begun.
    pub consent: Option<Consent>,
    /// What the probes said before.
    pub baseline: Vec<Observed>,
    /// How far it is.
    pub stage: ChangeStatus,
    /// Each step.
    pub steps: Vec<StepState>,
    /// The latest reason for what became of it.
    pub why: Option<String>,
}

/// An entry that cannot follow what is there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("change {change}: `{event}` cannot follow where it is ({stage:?})")]
pub struct Illegal {
    /// The change.
    pub change: ChangeId,
    /// What was said.
    pub event: &'static str,
    /// Where it was.
    pub stage: ChangeStatus,
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
            stage: ChangeStatus::Reserved,
            steps: Vec::new(),
            why: None,
        })
    }

    /// Goes on by one word.
    ///
    /// # Errors
    /// When it cannot follow. Then nothing has changed.
    pub fn take(&mut self, event: &Event) -> Result<(), Illegal> {
        let (id, stage) = (self.id.clone(), self.stage);
        let illegal = |event| Err(Illegal { change: id.clone(), event, stage });
        match (self.stage, event) {
            (ChangeStatus::Reserved, Event::Begun { fix, objects, steps, consent, baseline, .. }) => {
                self.fix = Some(fix.clone());
                self.objects.clone_from(objects);
                self.consent = Some(consent.clone());
                self.baseline.clone_from(baseline);
                self.steps = vec![StepState::default(); usize::try_from(*steps).unwrap_or_default().min(STEPS_MAX)];
                self.stage = ChangeStatus::Begun;
            }
            (ChangeStatus::Begun, Event::Opened { .. }) => self.stage = ChangeStatus::Acting,
            (ChangeStatus::Acting | ChangeStatus::Undoing, Event::StepIntent { step, way, .. }) => {
                if self.mark(*step, *way).is_none_or(|mark| *mark == StepStatus::Done) {
                    return illegal("step-intent");
                }
                self.set(*step, *way, StepStatus::Unknown);
            }
            (ChangeStatus::Acting | ChangeStatus::Undoing, Event::StepOutcome { step, way, outcome, .. }) => {
                if self.mark(*step, *way).is_none_or(|mark| *mark != StepStatus::Unknown) {
                    return illegal("step-outcome");
                }
                let mark = match outcome {
                    StepEnd::Done { .. } => StepStatus::Done,
                    StepEnd::NotDone { .. } => StepStatus::NotDone,
                    StepEnd::Unknown { .. } => StepStatus::Unknown,
                };
                self.set(*step, *way, mark);
            }
            (ChangeStatus::Acting, Event::Proved { holds: true, .. }) => {
                if self.steps.iter().any(|step| step.done != StepStatus::Done) {
                    return illegal("proved");
                }
                self.stage = ChangeStatus::Proved;
            }
            // What was seen and is not enough; or what was seen again later.
            (ChangeStatus::Acting | ChangeStatus::Undoing | ChangeStatus::Applied, Event::Proved { .. }) => {}
            (ChangeStatus::Proved, Event::Closing { keep: true, .. }) => self.stage = ChangeStatus::Keeping,
            (ChangeStatus::Undoing, Event::Closing { keep: false, .. }) => self.stage = ChangeStatus::Dropping,
            // It stays where it is, with a reason; so does one of which something was found out.
            (stage, Event::Paused { why, .. }) if stage.is_open() => self.why = Some(why.clone()),
            (_, Event::Inspected { .. }) => {}
            (
                ChangeStatus::Begun | ChangeStatus::Acting | ChangeStatus::Proved | ChangeStatus::Undoing | ChangeStatus::Dropping | ChangeStatus::Applied
                // Kept or not: whoever undoes it asks the gate first.
                | ChangeStatus::Keeping,
                Event::RollingBack { why, .. },
            ) => {
                self.why = Some(why.clone());
                self.stage = ChangeStatus::Undoing;
                for step in &mut self.steps {
                    if step.undone != StepStatus::Done {
                        step.undone = StepStatus::No;
                    }
                    step.again = StepStatus::No;
                }
            }
            (_, Event::Ended { end, why, .. }) => {
                let fits = match end {
                    End::NotBegun => matches!(self.stage, ChangeStatus::Reserved | ChangeStatus::Begun),
                    End::Applied => self.stage == ChangeStatus::Keeping,
                    // The target may have undone it while nobody could be reached.
                    End::RolledBack => self.stage.is_open() && self.stage != ChangeStatus::Reserved,
                    End::Stuck => self.stage.is_open(),
                };
                if !fits {
                    return illegal("ended");
                }
                if why.is_some() {
                    self.why.clone_from(why);
                }
                self.stage = match end {
                    End::Applied => ChangeStatus::Applied,
                    End::RolledBack => ChangeStatus::RolledBack,
                    End::NotBegun => ChangeStatus::NotBegun,
                    End::Stuck => ChangeStatus::Stuck,
                };
            }
            (ChangeStatus::Stuck, Event::Unblocked { why, .. }) => {
                self.why = Some(why.clone());
                self.stage = ChangeStatus::Released;
            }
            (_, event) => return illegal(name(event)),
        }
        Ok(())
    }

    /// What is known of a step; from 1.
    #[must_use]
    pub fn track(&self, step: u32) -> Option<StepState> {
        self.steps.get(usize::try_from(step).ok()?.checked_sub(1)?).copied()
    }

    fn mark(&mut self, step: u32, way: Way) -> Option<&mut StepStatus> {
        let index = usize::try_from(step).ok()?.checked_sub(1)?;
        Some(self.steps.get_mut(index)?.mark(way))
    }

    fn set(&mut self, step: u32, way: Way, mark: StepStatus) {
        if let Some(place) = self.mark(step, way) {
            *place = mark;
        }
        // Done again after it was undone: it has to be undone again.
        if way == Way::Do
            && mark == StepStatus::Done
            && let Some(undone) = self.mark(step, Way::Undo)
        {
            *undone = StepStatus::No;
        }
    }
}

/// More steps than any plan has: an entry may be anybody's.
const STEPS_MAX: usize = 64;

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
        _ => "what is about no change",
    }
}
