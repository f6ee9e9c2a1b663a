//! Code that several probes share. It is not a component itself.

pub mod certificates;
pub mod containers;
pub mod errors;
pub mod exposition;
pub mod feeds;
pub mod filesystems;
pub mod prometheus;
