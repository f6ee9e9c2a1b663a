//! The machine as a whole: `system.*`.

pub use crate::bindings::bailiwick::ops::system::{
    ClockInfo, Filesystem, IdentityInfo, Inodes, LoadInfo, Login, MemoryInfo, TimeSyncInfo, UptimeInfo,
};
use crate::observed::verb;

verb! {
    /// `system.identity`: host name, kernel release and os-release. At most 64 KiB, 10 s.
    "system.identity" system::identity(target) -> IdentityInfo
}
verb! {
    /// `system.uptime`: seconds since boot, and whether the distribution requires a reboot. At most 64 KiB, 10 s.
    "system.uptime" system::uptime(target) -> UptimeInfo
}
verb! {
    /// `system.load`: load averages and the number of online processors. At most 64 KiB, 10 s.
    "system.load" system::load(target) -> LoadInfo
}
verb! {
    /// `system.memory`: memory and swap, in bytes. At most 64 KiB, 10 s.
    "system.memory" system::memory(target) -> MemoryInfo
}
verb! {
    /// `system.filesystems`: the mounted local filesystems, including pseudo filesystems; sizes in bytes. At most 256 KiB, 10 s.
    "system.filesystems" system::filesystems(target) -> Vec<Filesystem>
}
verb! {
    /// `system.time-sync`: the state of time synchronisation. At most 64 KiB, 10 s.
    "system.time-sync" system::time_sync(target) -> TimeSyncInfo
}
verb! {
    /// `system.logins`: the login sessions. At most 64 KiB, 10 s.
    "system.logins" system::logins(target) -> Vec<Login>
}
verb! {
    /// `system.clock`: the machine's clock, and when the controller asked for it. At most 4 KiB, 10 s.
    "system.clock" system::clock(target) -> ClockInfo
}

impl ClockInfo {
    /// How far the target's clock is ahead of the controller's, in seconds; negative if it is behind. The true value is within
    /// [`uncertainty_seconds`](Self::uncertainty_seconds) of this.
    pub fn ahead_seconds(&self) -> f64 {
        // The middle of the interval in which the target read its clock.
        (self.time_us as f64 - self.asked_us as f64) / 1e6 - self.uncertainty_seconds()
    }

    /// Half of the round-trip time, in seconds: the target read its clock at an unknown point in that time.
    pub fn uncertainty_seconds(&self) -> f64 {
        self.elapsed_us as f64 / 2e6
    }

    /// True if the clocks certainly differ by more than `seconds`.
    pub fn is_off_by(&self, seconds: f64) -> bool {
        self.ahead_seconds().abs() - self.uncertainty_seconds() > seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_elapsed_time_is_the_uncertainty() {
        let now = 1_795_262_400_000_000;
        let clock = |time_us, elapsed_us| ClockInfo { time_us, asked_us: now, elapsed_us };
        let late = clock(now + 2_000_000, 1_000_000);
        assert_eq!((late.ahead_seconds(), late.uncertainty_seconds()), (1.5, 0.5));
        assert!(late.is_off_by(0.9) && !late.is_off_by(1.0));
        assert_eq!(clock(now - 3_000_000, 0).ahead_seconds(), -3.0);
        assert!(clock(now - 3_000_000, 0).is_off_by(2.9));
        assert!(!clock(now + 5_000_000, 20_000_000).is_off_by(0.0), "a slow answer gives no certainty");
    }
}
