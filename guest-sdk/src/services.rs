//! systemd units: `services.*`. The error is `Unsupported` if systemd is not running.

pub use crate::bindings::bailiwick::ops::services::{ActiveState, FailedUnit, LogEntry, StatusInfo, UsageInfo};
use crate::observed::verb;

verb! {
    /// `services.status`: the state of the entry's unit. At most 64 KiB, 10 s.
    "services.status" services::status(target, entry) -> StatusInfo
}
verb! {
    /// `services.failed`: the units in state `failed`. At most 256 KiB, 10 s.
    "services.failed" services::failed(target) -> Vec<FailedUnit>
}
verb! {
    /// `services.logs`: the journal of the entry's unit of the last 24 hours at priority warning or worse, oldest first, at
    /// most the newest 1,000 entries. At most 1 MiB, 20 s.
    "services.logs" services::logs(target, entry) -> Vec<LogEntry>
}
verb! {
    /// `services.usage`: the resource usage of the entry's unit. At most 64 KiB, 10 s.
    "services.usage" services::usage(target, entry) -> UsageInfo
}
