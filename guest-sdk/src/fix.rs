//! The trait of fixes, their decisions, and the errors of changing verbs.

use std::fmt;

pub use crate::bindings::bailiwick::ops::reports::{Decision, Proposal, RefusalToFix};
pub use crate::bindings::fix::bailiwick::ops::changes::StageError;
use crate::{Evidence, Failure, Report, Target, VerbError, text};

/// A component that proposes a change to one target, and verifies it afterwards.
///
/// [`plan`](Self::plan) changes nothing: changing verbs ([`files_change`](crate::files_change),
/// [`services_change`](crate::services_change), …) add actions to the plan, in the order of the calls. A person or a policy
/// approves the plan. The host takes the snapshots, applies the steps, and undoes them in reverse order if one
/// fails. Component code takes no part in that.
///
/// Each function runs in a separate instance, so they share no state except the target.
pub trait Fix {
    /// Checks the target and decides. Propose a change only after checking that it is needed: a plan for a healthy target
    /// is a bug.
    ///
    /// # Errors
    /// If the target could not be checked. If a change would be wrong, return [`Decision::refuse`], not an error.
    fn plan(target: &Target) -> Result<Decision, Failure>;

    /// Checks whether the target is in the planned state: one finding for each object, ok if it is. The host rolls the
    /// change back if a finding is not ok.
    ///
    /// # Errors
    /// If the target could not be checked; the host then rolls the change back too.
    fn verify(target: &Target) -> Result<Report, Failure>;
}

impl Decision {
    /// Proposes the changes in the plan. `context` is the observation that justifies them now: one line, cut to 200 bytes.
    pub fn propose(context: impl AsRef<str>) -> Self {
        Decision::Propose(Proposal { context: text::one_line(context.as_ref()), evidence: Vec::new() })
    }

    /// There is nothing to do; the plan must be empty. `why` is one line, cut to 200 bytes.
    pub fn nothing(why: impl AsRef<str>) -> Self {
        Decision::NothingToDo(text::one_line(why.as_ref()))
    }

    /// Refuses to change this target: `owner` has to act instead. Use it if a change would hide the fault or do harm. Both
    /// texts are one line, cut to 200 bytes.
    pub fn refuse(reason: impl AsRef<str>, owner: impl AsRef<str>) -> Self {
        let (reason, owner) = (text::one_line(reason.as_ref()), text::one_line(owner.as_ref()));
        Decision::Refuse(RefusalToFix { reason, owner, evidence: Vec::new() })
    }

    /// Adds the evidence of the decision: a verb's answer, or its failure. It has no effect on a decision that there is
    /// nothing to do.
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

    /// The numbers of the calls that the decision is based on.
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

/// Why a change was not added to the plan. `?` ends the run with it, which is right if the plan needs that change.
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

    /// The error case of the contract.
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
            StageError::Exhausted => ": the plan has too many changes, or the content is too long",
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
