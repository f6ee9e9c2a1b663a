//! The journal between two runs: `logs.*`. Not to be confused with [`log`](crate::log), the probe's own notes.

pub use crate::bindings::bailiwick::ops::logs::{Entry, NewEntries};
use crate::observed::verb;

verb! {
    /// `logs.since-last-run`: what the entry's unit logged at priority warning or worse since this component's last run on
    /// the target, oldest first, the newest 1,000 entries at most. [`NewEntries::complete`] says whether that is all.
    /// At most 1 MiB, 20 s.
    "logs.since-last-run" logs::since_last_run(target, entry) -> NewEntries
}
