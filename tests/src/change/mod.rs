//! Changes without machines: a gate in memory, faults, a clock that the test sets, and the theorems that hold for every plan.
//!
//! The tests of the script hold the real gate to what the gate in memory promises. Here the order of events is tested.

pub mod faulty;
pub mod model;
pub mod plans;
pub mod script;
pub mod controller;
pub mod theorems;
