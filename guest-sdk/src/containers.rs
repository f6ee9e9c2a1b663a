//! Containers of podman and docker: `containers.*`. The error is `Unsupported` if the runtime is not installed.
//!
//! With podman, an account sees only its own containers; with docker, members of its group see all. An empty list does not
//! prove that nothing is running.

pub use crate::bindings::bailiwick::ops::containers::{Channel, Container, Health, LogLine, State, StatusInfo};
use crate::observed::verb;

verb! {
    /// `containers.list`: all containers of the entry's runtime, including those that are not running. At most 1 MiB, 20 s.
    "containers.list" containers::list(target, entry) -> Vec<Container>
}
verb! {
    /// `containers.status`: the state of the entry's container, with restarts and the output of its health check. At most
    /// 1 MiB, 20 s.
    "containers.status" containers::status(target, entry) -> StatusInfo
}
verb! {
    /// `containers.logs`: what the entry's container wrote in the last 24 hours, oldest first, at most the newest 1,000
    /// lines. At most 1 MiB, 20 s.
    "containers.logs" containers::logs(target, entry) -> Vec<LogLine>
}

impl State {
    /// The state as a word for titles, such as `running`.
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
