//! Changes of containers that policy bound to a slot: `containers-change.*`. Each only puts the change on the list of the plan.

use crate::fix::stage;

stage! {
    /// `containers-change.restart`: restarts the entry's container. Refused for one that policy does not call stateless.
    "containers-change.restart" containers_change::restart(target, entry)
}
