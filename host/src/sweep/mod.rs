//! Probes x targets, bounded; one slow host never stalls the rest.

pub mod outcome;
