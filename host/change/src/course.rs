//! One change, as the journal tells it: which word may follow which, and what is known of every step. Pure.
//!
//! Knows: the words. Must not know: gates, files. Attack answered: a record that says one thing and a program that does another
//! (CH06): what writes an entry and what reads it back after a crash go through [`Course::take`], and there is no third.
//!
//! **Invariant:** after its last word a change is applied, rolled back, not begun, or stuck; before, it is open, and is told as open.

use jiff::civil::Date;

use bailiwick_core::model::{ChangeId, ComponentId, TargetName, Way};
use bailiwick_journal::{Consent, End, Event, Seen, StepEnd};

/// How far a change has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
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

impl Stage {
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
pub enum Mark {
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
pub struct Track {
    /// Forwards.
    pub done: Mark,
    /// Back.
    pub undone: Mark,
    /// Once more.
    pub again: Mark,
}

impl Track {
    const fn mark(&mut self, way: Way) -> &mut Mark {
        match way {
            Way::Do => &mut self.done,
            Way::Undo => &mut self.undone,
            Way::Again => &mut self.again,
        }
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
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
    pub baseline: Vec<Seen>,
    /// How far it is.
    pub stage: Stage,
    /// Each step.
    pub steps: Vec<Track>,
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
    pub stage: Stage,
}

impl Course {
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
            stage: Stage::Reserved,
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
            (Stage::Reserved, Event::Begun { fix, objects, steps, consent, baseline, .. }) => {
                self.fix = Some(fix.clone());
                self.objects.clone_from(objects);
                self.consent = Some(consent.clone());
                self.baseline.clone_from(baseline);
                self.steps = vec![Track::default(); usize::try_from(*steps).unwrap_or_default().min(STEPS_MAX)];
                self.stage = Stage::Begun;
            }
            (Stage::Begun, Event::Opened { .. }) => self.stage = Stage::Acting,
            (Stage::Acting | Stage::Undoing, Event::StepIntent { step, way, .. }) => {
                if self.mark(*step, *way).is_none_or(|mark| *mark == Mark::Done) {
                    return illegal("step-intent");
                }
                self.set(*step, *way, Mark::Unknown);
            }
            (Stage::Acting | Stage::Undoing, Event::StepOutcome { step, way, outcome, .. }) => {
                if self.mark(*step, *way).is_none_or(|mark| *mark != Mark::Unknown) {
                    return illegal("step-outcome");
                }
                let mark = match outcome {
                    StepEnd::Done { .. } => Mark::Done,
                    StepEnd::NotDone { .. } => Mark::NotDone,
                    StepEnd::Unknown { .. } => Mark::Unknown,
                };
                self.set(*step, *way, mark);
            }
            (Stage::Acting, Event::Proved { holds: true, .. }) => {
                if self.steps.iter().any(|step| step.done != Mark::Done) {
                    return illegal("proved");
                }
                self.stage = Stage::Proved;
            }
            // What was seen and is not enough; or what was seen again later.
            (Stage::Acting | Stage::Undoing | Stage::Applied, Event::Proved { .. }) => {}
            (Stage::Proved, Event::Closing { keep: true, .. }) => self.stage = Stage::Keeping,
            (Stage::Undoing, Event::Closing { keep: false, .. }) => self.stage = Stage::Dropping,
            // It stays where it is, with a reason; so does one of which something was found out.
            (stage, Event::Held { why, .. }) if stage.is_open() => self.why = Some(why.clone()),
            (_, Event::Found { .. }) => {}
            (
                Stage::Begun | Stage::Acting | Stage::Proved | Stage::Undoing | Stage::Dropping | Stage::Applied
                // Kept or not: whoever undoes it asks the gate first.
                | Stage::Keeping,
                Event::Undoing { why, .. },
            ) => {
                self.why = Some(why.clone());
                self.stage = Stage::Undoing;
                for step in &mut self.steps {
                    if step.undone != Mark::Done {
                        step.undone = Mark::No;
                    }
                    step.again = Mark::No;
                }
            }
            (_, Event::Ended { end, why, .. }) => {
                let fits = match end {
                    End::NotBegun => matches!(self.stage, Stage::Reserved | Stage::Begun),
                    End::Applied => self.stage == Stage::Keeping,
                    // The target may have undone it while nobody could be reached.
                    End::RolledBack => self.stage.is_open() && self.stage != Stage::Reserved,
                    End::Stuck => self.stage.is_open(),
                };
                if !fits {
                    return illegal("ended");
                }
                if why.is_some() {
                    self.why.clone_from(why);
                }
                self.stage = match end {
                    End::Applied => Stage::Applied,
                    End::RolledBack => Stage::RolledBack,
                    End::NotBegun => Stage::NotBegun,
                    End::Stuck => Stage::Stuck,
                };
            }
            (Stage::Stuck, Event::Released { why, .. }) => {
                self.why = Some(why.clone());
                self.stage = Stage::Released;
            }
            (_, event) => return illegal(name(event)),
        }
        Ok(())
    }

    /// What is known of a step; from 1.
    #[must_use]
    pub fn track(&self, step: u32) -> Option<Track> {
        self.steps.get(usize::try_from(step).ok()?.checked_sub(1)?).copied()
    }

    fn mark(&mut self, step: u32, way: Way) -> Option<&mut Mark> {
        let index = usize::try_from(step).ok()?.checked_sub(1)?;
        Some(self.steps.get_mut(index)?.mark(way))
    }

    fn set(&mut self, step: u32, way: Way, mark: Mark) {
        if let Some(place) = self.mark(step, way) {
            *place = mark;
        }
        // Done again after it was undone: it has to be undone again.
        if way == Way::Do
            && mark == Mark::Done
            && let Some(undone) = self.mark(step, Way::Undo)
        {
            *undone = Mark::No;
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
        Event::Held { .. } => "held",
        Event::Proved { .. } => "proved",
        Event::Closing { .. } => "closing",
        Event::Undoing { .. } => "undoing",
        Event::Ended { .. } => "ended",
        Event::Found { .. } => "found",
        Event::Released { .. } => "released",
        _ => "what is about no change",
    }
}
