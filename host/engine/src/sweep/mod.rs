//! Runs probes on targets, several targets at once; a slow target does not delay the others.
//!
//! Knows: the order of work in a sweep. Must not know: how a target is reached, what a component does, how results are
//! shown. Attack answered: one target or one component that delays the others (GR16, TG03).

mod fix;
mod module_cache;
mod past;
mod pool;
mod run;
mod fleet_runs;

pub use fix::{Decided, FixError, Fixer, NotPlanned, Planned};
pub use past::PastRuns;
pub use run::{Request, Settings, Watcher, sweep};
