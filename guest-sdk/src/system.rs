//! The machine as a whole: `system.*`.

pub use crate::bindings::bailiwick::ops::system::{
    Filesystem, IdentityInfo, Inodes, LoadInfo, Login, MemoryInfo, TimeSyncInfo, UptimeInfo,
};
use crate::observed::verb;

verb! {
    /// `system.identity`: host name, kernel release and os-release. At most 64 KiB, 10 s.
    "system.identity" system::identity(target) -> IdentityInfo
}
verb! {
    /// `system.uptime`: seconds since boot, and whether the distribution asks for a reboot. At most 64 KiB, 10 s.
    "system.uptime" system::uptime(target) -> UptimeInfo
}
verb! {
    /// `system.load`: load averages and the number of processors online. At most 64 KiB, 10 s.
    "system.load" system::load(target) -> LoadInfo
}
verb! {
    /// `system.memory`: memory and swap, in bytes. At most 64 KiB, 10 s.
    "system.memory" system::memory(target) -> MemoryInfo
}
verb! {
    /// `system.filesystems`: the mounted local filesystems, pseudo ones too; sizes in bytes. At most 256 KiB, 10 s.
    "system.filesystems" system::filesystems(target) -> Vec<Filesystem>
}
verb! {
    /// `system.time-sync`: the state of time synchronisation. At most 64 KiB, 10 s.
    "system.time-sync" system::time_sync(target) -> TimeSyncInfo
}
verb! {
    /// `system.logins`: the people who are logged in. At most 64 KiB, 10 s.
    "system.logins" system::logins(target) -> Vec<Login>
}
