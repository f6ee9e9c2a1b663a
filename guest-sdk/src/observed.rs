//! The answer of a verb, or the reason why there is none. Both hold the number of the call, as evidence for findings.

use std::{fmt, ops::Deref};

use crate::{Failure, VerbError, target::Entry};

/// The answer of a verb, with the number of the call. Dereferences to the answer itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed<T> {
    answer: T,
    call: u32,
}

impl<T> Observed<T> {
    /// The answer without its call number.
    pub fn into_inner(self) -> T {
        self.answer
    }
}

impl<T> Deref for Observed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.answer
    }
}

/// Why a verb gave no answer. `?` turns it into a [`Failure`]. If the error itself is a finding, match on
/// [`error`](Self::error).
#[derive(Debug, Clone, PartialEq)]
pub struct VerbFailure {
    verb: &'static str,
    literal: Option<String>,
    error: VerbError,
    call: u32,
}

impl VerbFailure {
    /// The error case of the contract.
    pub fn error(&self) -> VerbError {
        self.error
    }
}

impl fmt::Display for VerbFailure {
    /// One line, such as `services.status of cron.service: the target has no such object`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb)?;
        if let Some(literal) = &self.literal {
            f.write_str(" of ")?;
            f.write_str(literal)?;
        }
        f.write_str(words(self.error))
    }
}

/// The text of an error, to follow the name of the verb.
pub fn words(error: VerbError) -> &'static str {
    match error {
        VerbError::Refused => ": refused, not in this component's bailiwick",
        VerbError::NotFound => ": the target has no such object",
        VerbError::NotPermitted => ": the account on the target may not read it",
        VerbError::Unsupported => ": the target lacks the facility",
        VerbError::Unreachable => ": no connection to the target",
        VerbError::TimedOut => ": the target did not answer in time",
        VerbError::TooLarge => ": the answer is larger than the limit",
        VerbError::Garbled => ": the answer cannot be understood",
        VerbError::Exhausted => ": this run has used up its calls or bytes",
    }
}

impl std::error::Error for VerbFailure {}

impl From<VerbFailure> for Failure {
    fn from(failure: VerbFailure) -> Self {
        Failure { reason: failure.to_string(), error: Some(failure.error), call: Some(failure.call) }
    }
}

/// Evidence for a finding: an [`Observed`] answer, or a [`VerbFailure`].
pub trait Evidence {
    /// The number of the verb call in this run, starting with 1.
    fn call(&self) -> u32;
}

impl<T> Evidence for Observed<T> {
    fn call(&self) -> u32 {
        self.call
    }
}

impl Evidence for VerbFailure {
    fn call(&self) -> u32 {
        self.call
    }
}

/// Adds the number of the latest call to its answer.
pub(crate) fn observed<T>(
    verb: &'static str,
    entry: Option<&Entry>,
    answer: Result<T, VerbError>,
) -> Result<Observed<T>, VerbFailure> {
    #[cfg(target_arch = "wasm32")]
    let call = crate::bindings::bailiwick::ops::calls::last();
    #[cfg(not(target_arch = "wasm32"))]
    let call = crate::fixture::count_call();
    match answer {
        Ok(answer) => Ok(Observed { answer, call }),
        Err(error) => Err(VerbFailure { verb, literal: entry.map(|entry| entry.literal.clone()), error, call }),
    }
}

/// One public function per verb, each with only its own import: the linker drops the imports of functions
/// that a probe does not call, and the manifest must ask for exactly the remaining ones.
macro_rules! verb {
    ($(#[$doc:meta])* $id:literal $interface:ident::$name:ident($target:ident) -> $answer:ty) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// Any [`VerbError`](crate::VerbError), in a [`VerbFailure`](crate::VerbFailure).
        pub fn $name(
            $target: &crate::Target,
        ) -> Result<crate::Observed<$answer>, crate::VerbFailure> {
            #[cfg(target_arch = "wasm32")]
            let answer = crate::bindings::bailiwick::ops::$interface::$name($target.handle());
            #[cfg(not(target_arch = "wasm32"))]
            let answer = $target.fixture().answer($id, "");
            crate::observed::observed($id, None, answer)
        }
    };
    ($(#[$doc:meta])* $id:literal $interface:ident::$name:ident($target:ident, $entry:ident) -> $answer:ty) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// Any [`VerbError`](crate::VerbError), in a [`VerbFailure`](crate::VerbFailure); `NotFound` if the target
        /// reports that the object does not exist.
        pub fn $name(
            $target: &crate::Target,
            $entry: &crate::target::Entry,
        ) -> Result<crate::Observed<$answer>, crate::VerbFailure> {
            #[cfg(target_arch = "wasm32")]
            let answer = crate::bindings::bailiwick::ops::$interface::$name($target.handle(), &$entry.key);
            #[cfg(not(target_arch = "wasm32"))]
            let answer = $target.fixture().answer($id, &$entry.key);
            crate::observed::observed($id, Some($entry), answer)
        }
    };
}
pub(crate) use verb;
