//! Programs that the operator defines in policy and declares to be read-only: `commands.*`.

pub use crate::bindings::bailiwick::ops::commands::Output;
use crate::observed::verb;

verb! {
    /// `commands.run`: exit status and output of the entry's program. At most 256 KiB, 30 s.
    "commands.run" commands::run(target, entry) -> Output
}
