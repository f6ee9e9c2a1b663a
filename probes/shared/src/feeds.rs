//! What a collector notes of its feeds, and what an HTTP status says about whose fault it is.

pub mod state;
pub mod status;
