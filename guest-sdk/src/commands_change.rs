//! Changes that the operator defines in policy, with their undo: `commands-change.*`. The functions only add a change to the
//! plan.

use crate::fix::stage;

stage! {
    /// `commands-change.run`: runs the entry's `[change-command]`.
    "commands-change.run" commands_change::run(target, entry)
}
