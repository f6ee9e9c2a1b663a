//! Changes: how a plan is made and checked, when it may be applied, how it is applied, verified and rolled back.
//!
//! Knows: plans, gates, windows, budgets. Must not know: wasm; a plan is data by the time it comes here. Attacks answered: a change
//! that the operator did not see, that happens twice or at the wrong time, that overwrites a person's work, or that cannot be rolled
//! back (CH01–CH20, PH06, PH07).
//!
//! Start reading at `state.rs` (which event may follow which), then `admit.rs`, `apply.rs`, `rollback.rs`, `recover.rs` (the order of
//! events).

mod admit;
mod apply;
pub mod approval;
pub mod budget;
pub mod check;
pub mod clock;
mod execution;
pub mod gate_client;
pub mod ledger;
pub mod log;
pub mod make;
mod plan;
pub mod receipt;
mod recover;
pub mod remote_gate;
mod rollback;
pub mod state;
pub mod stop;
pub mod store;
pub mod verifier;
pub mod verify;
pub mod window;

pub use admit::{Admission, ApplyRequest, Approval, CurrentState};
pub use apply::apply;
pub use execution::ApplyOutcome;
pub use plan::{Contract, FORMAT, Plan, PlanError, Proof, Raised, Step, digest};
pub use recover::{Recovered, recover};
pub use rollback::rollback;
