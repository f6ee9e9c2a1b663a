//! What a fix is, what it decides, and what becomes of a change that it asks for.

use std::fmt;

pub use crate::bindings::bailiwick::ops::reports::{Decision, Proposal, RefusalToFix};
pub use crate::bindings::fix::bailiwick::ops::changes::StageError;
use crate::{Evidence, Failure, Report, Target, VerbError, text};

/// A component that proposes a change to one target, and says afterwards whether it holds.
///
/// Nothing changes when [`plan`](Self::plan) runs: changing verbs ([`files_change`](crate::files_change),
/// [`services_change`](crate::services_change), …) put actions on a list, in the order of the calls, and a person or a policy
/// decides what becomes of it. The host keeps what was there, does the steps, and takes them back in reverse if anything
/// fails; a fix has no part in that, and no way to hurry it.
///
/// Both functions run in instances of their own: what one knows, the other has to ask the target for.
pub trait Fix {
    /// Looks, and decides. Ask for a change only after looking whether it is needed: a plan for a target on which all is well
    /// is a mistake.
    ///
    /// # Errors
    /// When it could not look. That a change here would be wrong is a [`Decision::refuse`], not an error.
    fn plan(target: &Target) -> Result<Decision, Failure>;

    /// Looks whether the target is as the plan wants it: one finding for each thing, ok where it is. A finding that is not ok
    /// takes the change back.
    ///
    /// # Errors
    /// When it could not look, which takes the change back too.
    fn verify(target: &Target) -> Result<Report, Failure>;
}

impl Decision {
    /// To do what was put on the list. `context` is what was seen that makes it right now: one line, cut to 200 bytes.
    pub fn propose(context: impl AsRef<str>) -> Self {
        Decision::Propose(Proposal { context: text::one_line(context.as_ref()), evidence: Vec::new() })
    }

    /// All is as it should be; nothing may be on the list.
    pub fn nothing(why: impl AsRef<str>) -> Self {
        Decision::NothingToDo(text::one_line(why.as_ref()))
    }

    /// Nothing on this target is to be changed for what was found: `owner` has to do something instead. Say so where a change
    /// would hide the fault, or do harm.
    pub fn refuse(reason: impl AsRef<str>, owner: impl AsRef<str>) -> Self {
        let (reason, owner) = (text::one_line(reason.as_ref()), text::one_line(owner.as_ref()));
        Decision::Refuse(RefusalToFix { reason, owner, evidence: Vec::new() })
    }

    /// Names what the decision rests on: a verb's answer, or its failure. That there is nothing to do rests on no more than
    /// its sentence.
    #[must_use]
    pub fn because(mut self, evidence: &impl Evidence) -> Self {
        let call = evidence.call();
        if let Decision::Propose(Proposal { evidence, .. }) | Decision::Refuse(RefusalToFix { evidence, .. }) =
            &mut self
            && !evidence.contains(&call)
        {
            evidence.push(call);
        }
        self
    }

    /// The calls that it rests on, by their numbers.
    pub fn evidence(&self) -> &[u32] {
        match self {
            Decision::Propose(Proposal { evidence, .. }) | Decision::Refuse(RefusalToFix { evidence, .. }) => evidence,
            Decision::NothingToDo(_) => &[],
        }
    }

    pub(crate) fn fit(mut self) -> Self {
        match &mut self {
            Decision::Propose(proposal) => proposal.context = text::one_line(&proposal.context),
            Decision::NothingToDo(why) => *why = text::one_line(why),
            Decision::Refuse(refusal) => {
                refusal.reason = text::one_line(&refusal.reason);
                refusal.owner = text::one_line(&refusal.owner);
            }
        }
        self
    }
}

/// Why a change was not put on the list. `?` makes the run fail with it, which is right where the plan is nothing without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageFailure {
    verb: &'static str,
    literal: String,
    error: StageError,
}

impl StageFailure {
    #[doc(hidden)]
    pub fn new(verb: &'static str, literal: &str, error: StageError) -> Self {
        StageFailure { verb, literal: literal.to_owned(), error }
    }

    /// The case, as the contract names it.
    pub fn error(&self) -> StageError {
        self.error
    }
}

impl fmt::Display for StageFailure {
    /// One line, such as `services-change.restart of nginx.service: refused, not in this component's bailiwick`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb)?;
        f.write_str(" of ")?;
        f.write_str(&self.literal)?;
        f.write_str(match self.error {
            StageError::Refused => ": refused, not in this component's bailiwick",
            StageError::WrongPhase => ": only `plan` may propose a change",
            StageError::Exhausted => ": the list is full, or the bytes are too many",
        })
    }
}

impl std::error::Error for StageFailure {}

impl From<StageFailure> for Failure {
    fn from(failure: StageFailure) -> Self {
        let error = match failure.error {
            StageError::Refused | StageError::WrongPhase => VerbError::Refused,
            StageError::Exhausted => VerbError::Exhausted,
        };
        Failure { error: Some(error), ..Failure::new(failure.to_string()) }
    }
}

/// The component's exports.
#[cfg(target_arch = "wasm32")]
pub fn plan<F: Fix>(target: crate::bindings::bailiwick::ops::types::Target) -> Result<Decision, Failure> {
    F::plan(&Target::new(target)).map(Decision::fit).map_err(Failure::fit)
}

/// See [`plan`].
#[cfg(target_arch = "wasm32")]
pub fn verify<F: Fix>(target: crate::bindings::bailiwick::ops::types::Target) -> Result<Report, Failure> {
    F::verify(&Target::new(target)).map(Report::fit).map_err(Failure::fit)
}

/// One public function per changing verb, each calling its own import and no other, as for verbs that observe.
macro_rules! stage {
    ($(#[$doc:meta])* $id:literal $interface:ident::$name:ident($target:ident, $entry:ident $(, $given:ident: $type:ty)?)) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// Any [`StageError`](crate::StageError), in a [`StageFailure`](crate::StageFailure).
        pub fn $name(
            $target: &crate::Target,
            $entry: &crate::target::Entry,
            $($given: $type,)?
        ) -> Result<(), crate::StageFailure> {
            #[cfg(target_arch = "wasm32")]
            let staged =
                crate::bindings::fix::bailiwick::ops::$interface::$name($target.handle(), &$entry.key $(, $given)?);
            #[cfg(not(target_arch = "wasm32"))]
            let staged = {
                let staged = crate::fixture::Staged::new($id, &$entry.key);
                $(let staged = crate::fixture::Given::put($given, staged);)?
                $target.fixture().stage(staged)
            };
            staged.map_err(|error| crate::StageFailure::new($id, &$entry.literal, error))
        }
    };
}
pub(crate) use stage;
