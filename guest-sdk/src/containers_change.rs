//! Changes of containers that policy binds to a slot: `containers-change.*`. The functions only add a change to the plan.

use crate::fix::stage;

stage! {
    /// `containers-change.restart`: restarts the entry's container. Refused if policy does not call it stateless.
    "containers-change.restart" containers_change::restart(target, entry)
}
