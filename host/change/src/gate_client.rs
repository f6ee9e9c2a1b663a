//! What a change needs of a target, and of those who look at it: two doors, so that the order of things can be tested without
//! either. The real ones are a gate's session and a sweep.
//!
//! Knows: what is asked and how it can be answered. Must not know: frames, connections. Attack answered: an answer that was lost
//! and passes for a no (CH07): whether something was not done, or nobody knows, are two answers.

use bailiwick_core::gate_protocol::Preview;
use bailiwick_core::model::{ChangeId, State, Tainted, Way};
use bailiwick_journal::Observed;

use super::plan::{Plan, Step};

/// What a gate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateState {
    /// Digest of its list.
    pub list: String,
    /// Digest of its program.
    pub script: String,
    /// Why it changes nothing, if it does not: a file on the target.
    pub disabled: bool,
    /// The change that is open there.
    pub open: Option<ChangeId>,
    /// Its clock, in seconds since 1970.
    pub clock_seconds: i64,
    /// The target's boot.
    pub boot: String,
}

/// What a gate knows of a change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// The plan that it was begun for.
    pub plan: String,
    /// What it has done, in order: step, way, and the state that it left; none if it did not do it.
    pub done: Vec<(u32, Way, Option<State>)>,
    /// How it was closed, if it was.
    pub closed: Option<Closed>,
}

/// How a gate has closed a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// It was told to keep it.
    Kept,
    /// It is undone; by whom does not matter.
    Undone,
    /// It could not undo it all.
    Failed,
}

/// Why a gate did not do as it was told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateClientError {
    /// It says no, and has done nothing.
    #[error("the gate refuses: {word}")]
    Refused {
        /// Its word: `disabled`, `busy`, `budget`, `conflict` …
        word: String,
        /// What it says besides.
        said: Tainted,
    },
    /// Nobody knows whether it did: no answer came, or none that can be read.
    #[error("{0}")]
    Lost(String),
}

impl GateClientError {
    /// The gate's word, if it gave one.
    #[must_use]
    pub fn word(&self) -> Option<&str> {
        match self {
            Self::Refused { word, .. } => Some(word),
            Self::Lost(_) => None,
        }
    }
}

/// What a change needs of a target. Every call may take as long as the gate takes, and has a limit of its own.
pub trait GateClient {
    /// What the gate says of itself.
    fn gate(&mut self) -> impl Future<Output = Result<GateState, GateClientError>>;
    /// What a step would do now.
    fn preview(&mut self, step: &Step) -> impl Future<Output = Result<Preview, GateClientError>>;
    /// Signs of a person at work on the target, or on the plan's objects.
    fn people(&mut self, plan: &Plan) -> impl Future<Output = Result<Vec<Tainted>, GateClientError>>;
    /// What the gate knows of a change; none if it has never heard of it.
    fn known(&mut self, change: &ChangeId) -> impl Future<Output = Result<Option<Known>, GateClientError>>;
    /// Opens a change, and has the target count the seconds until it undoes it.
    fn begin(
        &mut self,
        change: &ChangeId,
        plan: &str,
        seconds: u32,
    ) -> impl Future<Output = Result<(), GateClientError>>;
    /// Carries out a step, one way; gives the state of the object afterwards.
    fn act(
        &mut self,
        change: &ChangeId,
        number: u32,
        way: Way,
        step: &Step,
    ) -> impl Future<Output = Result<State, GateClientError>>;
    /// Closes a change: to keep it, or as undone.
    fn close(&mut self, change: &ChangeId, keep: bool) -> impl Future<Output = Result<(), GateClientError>>;
    /// Lets the connection go and makes another.
    fn renew(&mut self) -> impl Future<Output = Result<(), GateClientError>>;
}

/// Who looks at what a change does.
pub trait Verifier {
    /// What the probes say that look at anything the plan touches, and those that raised its findings.
    fn look(&mut self, plan: &Plan) -> impl Future<Output = Result<Vec<Observed>, String>>;
    /// What the fix itself says of its work.
    fn verify(&mut self, plan: &Plan) -> impl Future<Output = Result<Vec<Observed>, String>>;
}
