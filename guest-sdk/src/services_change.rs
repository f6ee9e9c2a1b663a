//! Changes of systemd units that policy bound to a slot: `services-change.*`. Every one only puts the change on the list of
//! the plan.

use crate::fix::stage;

stage! {
    /// `services-change.reload`: has the entry's unit read its configuration again.
    "services-change.reload" services_change::reload(target, entry)
}
stage! {
    /// `services-change.restart`: stops and starts the entry's unit. Refused for one that policy does not call stateless.
    "services-change.restart" services_change::restart(target, entry)
}
stage! {
    /// `services-change.enable`: has the entry's unit start at boot.
    "services-change.enable" services_change::enable(target, entry)
}
stage! {
    /// `services-change.start`: starts the entry's unit.
    "services-change.start" services_change::start(target, entry)
}
