//! What a change needs of a target, and of the probes that check it: two traits, so that the order of events can be tested without
//! either. The real ones are a gate's session and a sweep.
//!
//! Knows: what is requested and which answers are possible. Must not know: frames, connections. Attack answered: an answer that was lost
//! and passes for a refusal (CH07): "the gate did not do it" and "it is unknown whether the gate did it" are two answers.

use bailiwick_core::gate_protocol::Preview;
use bailiwick_core::model::{ChangeId, State, Tainted, Way};
use bailiwick_journal::Observed;

use super::plan::{Plan, Step};

/// What a gate reports of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateState {
    /// Digest of its list.
    pub list: String,
    /// Digest of its script.
    pub script: String,
    /// True if a file on the target disables it.
    pub disabled: bool,
    /// The change that is open there.
    pub open: Option<ChangeId>,
    /// Its clock, in seconds since 1970.
    pub clock_seconds: i64,
    /// The target's boot.
    pub boot: String,
}

/// A gate's record of a change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GateRecord {
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
    /// The controller ordered it to keep the change.
    Confirmed,
    /// The change is rolled back, by the controller or by the target.
    RolledBack,
    /// The target could not roll it back.
    Failed,
}

impl Closed {
    /// As people read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Confirmed => "kept",
            Self::RolledBack => "rolled back",
            Self::Failed => "failed",
        }
    }
}

/// Why a gate did not do what was requested.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateClientError {
    /// The gate refused, and has done nothing.
    #[error("the gate refuses: {word}")]
    Refused {
        /// Its word: `disabled`, `busy`, `budget`, `conflict` …
        word: String,
        /// The rest of its answer.
        detail: Tainted,
    },
    /// It is unknown whether the gate did it: no answer came, or none that can be read.
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
    /// What the gate reports of itself.
    fn gate(&mut self) -> impl Future<Output = Result<GateState, GateClientError>>;
    /// What a step would do now.
    fn preview(&mut self, step: &Step) -> impl Future<Output = Result<Preview, GateClientError>>;
    /// Signs of a person at work on the target, or on the plan's objects.
    fn people(&mut self, plan: &Plan) -> impl Future<Output = Result<Vec<Tainted>, GateClientError>>;
    /// The gate's record of a change; none if it has no such change.
    fn record(&mut self, change: &ChangeId) -> impl Future<Output = Result<Option<GateRecord>, GateClientError>>;
    /// Opens a change, and starts the target's timer, which rolls the change back when it runs out.
    fn begin(
        &mut self,
        change: &ChangeId,
        plan: &str,
        seconds: u32,
    ) -> impl Future<Output = Result<(), GateClientError>>;
    /// Does, undoes or repeats a step; gives the state of the object afterwards.
    fn act(
        &mut self,
        change: &ChangeId,
        number: u32,
        way: Way,
        step: &Step,
    ) -> impl Future<Output = Result<State, GateClientError>>;
    /// Closes a change: as kept, or as rolled back.
    fn close(&mut self, change: &ChangeId, keep: bool) -> impl Future<Output = Result<(), GateClientError>>;
    /// Drops the connection and opens another.
    fn renew(&mut self) -> impl Future<Output = Result<(), GateClientError>>;
}

/// Checks what a change does.
pub trait Verifier {
    /// The results of the probes that check an object of the plan, and of those that raised its findings.
    fn check(&mut self, plan: &Plan) -> impl Future<Output = Result<Vec<Observed>, String>>;
    /// The results of the fix's own verify.
    fn verify(&mut self, plan: &Plan) -> impl Future<Output = Result<Vec<Observed>, String>>;
}
