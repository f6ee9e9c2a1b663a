//! The target's journal since the last run: `logs.*`. The module [`log`](crate::log) is for the probe's own notes.

pub use crate::bindings::bailiwick::ops::logs::{Entry, NewEntries};
use crate::observed::verb;

verb! {
    /// `logs.since-last-run`: what the entry's unit logged at priority warning or worse since this component's last run on
    /// the target, oldest first, at most the newest 1,000 entries. [`NewEntries::complete`] is true if these are all.
    /// At most 1 MiB, 20 s.
    "logs.since-last-run" logs::since_last_run(target, entry) -> NewEntries
}
