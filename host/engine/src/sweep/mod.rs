//! Probes x targets, bounded; one slow host never stalls the rest.
//!
//! Knows: the order of things in a sweep. Must not know: how a target is reached, what a component does, how results
//! look. Attack answered: one target or one component that holds up the others (GR16, TG03).

mod fix;
mod module_cache;
mod past;
mod pool;
mod run;
mod fleet_runs;

pub use fix::{Decided, FixError, Fixer, NotPlanned, Planned};
pub use past::PastRuns;
pub use run::{Request, Settings, Watcher, sweep};
