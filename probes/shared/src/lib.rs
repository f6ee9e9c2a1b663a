//! What several probes read in the same way. No component of its own.

pub mod certificates;
pub mod exposition;
pub mod prometheus;
