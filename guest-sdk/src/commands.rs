//! Programs that the operator wrote down: `commands.*`. What one is, and that it only observes, policy says.

pub use crate::bindings::bailiwick::ops::commands::Output;
use crate::observed::verb;

verb! {
    /// `commands.run`: what the entry's program answers. At most 256 KiB, 30 s.
    "commands.run" commands::run(target, entry) -> Output
}
