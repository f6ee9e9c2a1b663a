//! Changes without machines: a gate in memory, faults, a clock that a test turns, and the theorems that hold for every plan.
//!
//! What the gate in memory promises, the real one is held to by the tests against its script; here it is the order of things.

pub mod faulty;
pub mod model;
pub mod plans;
pub mod script;
pub mod controller;
pub mod theorems;
