//! What several probes read in the same way. No component of its own.

pub mod certificates;
pub mod containers;
pub mod errors;
pub mod exposition;
pub mod feeds;
pub mod filesystems;
pub mod prometheus;
