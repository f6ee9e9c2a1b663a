//! A collector's state file, and what an HTTP status says about who has to act.

pub mod state;
pub mod status;
