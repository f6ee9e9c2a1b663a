//! Changes of systemd units that policy binds to a slot: `services-change.*`. The functions only add a change to the plan.

use crate::fix::stage;

stage! {
    /// `services-change.reload`: reloads the configuration of the entry's unit.
    "services-change.reload" services_change::reload(target, entry)
}
stage! {
    /// `services-change.restart`: restarts the entry's unit. Refused if policy does not call it stateless.
    "services-change.restart" services_change::restart(target, entry)
}
stage! {
    /// `services-change.enable`: enables the entry's unit, so that it starts at boot.
    "services-change.enable" services_change::enable(target, entry)
}
stage! {
    /// `services-change.start`: starts the entry's unit.
    "services-change.start" services_change::start(target, entry)
}
