//! Changes that the operator wrote down, with the way back: `commands-change.*`. Each only puts the change on the list of the
//! plan.

use crate::fix::stage;

stage! {
    /// `commands-change.run`: has the entry's `[change-command]` done.
    "commands-change.run" commands_change::run(target, entry)
}
