//! Changes: what is planned, who may say yes, and what is then done, proved and taken back.
//!
//! Knows: plans, gates, windows, budgets. Must not know: wasm; a plan is data by the time it comes here. Attacks answered:
//! a change that nobody saw, twice, at the wrong time, over somebody's work, or without a way back (CH01–CH20, PH06, PH07).
//!
//! Start reading at `course.rs` (what may follow what), then `admit.rs`, `apply.rs`, `undo.rs`, `recover.rs` (the order of things).

mod admit;
mod apply;
pub mod approval;
pub mod budget;
pub mod check;
pub mod clock;
pub mod state;
pub mod verifier;
pub mod remote_gate;
pub mod gate_client;
pub mod ledger;
pub mod log;
pub mod make;
mod plan;
pub mod verify;
pub mod receipt;
mod recover;
pub mod stop;
pub mod store;
mod undo;
pub mod window;

pub use admit::{Admission, ApplyRequest, Approval, CurrentState};
pub use apply::{ApplyOutcome, apply};
pub use plan::{Contract, FORMAT, Plan, PlanError, Proof, Raised, Step, digest};
pub use recover::{Found, recover};
pub use undo::rollback;
