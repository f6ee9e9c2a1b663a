//! Containers of podman and docker: `containers.*`. The error is `Unsupported` where the runtime is not installed.
//!
//! An account sees its own containers with podman, and all with docker if it is in its group: an empty list is no proof
//! that nothing runs.

pub use crate::bindings::bailiwick::ops::containers::{Channel, Container, Health, LogLine, State, StatusInfo};
use crate::observed::verb;

verb! {
    /// `containers.list`: all containers of the entry's runtime, those that do not run too. At most 1 MiB, 20 s.
    "containers.list" containers::list(target, entry) -> Vec<Container>
}
verb! {
    /// `containers.status`: the state of the entry's container, with restarts and what its check printed. At most 1 MiB,
    /// 20 s.
    "containers.status" containers::status(target, entry) -> StatusInfo
}
verb! {
    /// `containers.logs`: what the entry's container wrote in the last 24 hours, oldest first, the newest 1,000 lines at
    /// most. At most 1 MiB, 20 s.
    "containers.logs" containers::logs(target, entry) -> Vec<LogLine>
}

impl State {
    /// The word that people know it by.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Stopping => "stopping",
            Self::Exited => "exited",
            Self::Removing => "being removed",
            Self::Dead => "dead",
            Self::Other => "in an unknown state",
        }
    }
}
