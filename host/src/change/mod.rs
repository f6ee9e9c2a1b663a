//! Changes: what is planned, who may say yes, and what is then done, proved and taken back.
//!
//! Knows: plans, gates, windows, budgets. Must not know: wasm; a plan is data by the time it comes here. Attacks answered:
//! a change that nobody saw, twice, at the wrong time, over somebody's work, or without a way back (CH01–CH20, PH06, PH07).

mod plan;

pub use plan::{Contract, FORMAT, Plan, PlanError, Proof, Raised, Step, digest};
