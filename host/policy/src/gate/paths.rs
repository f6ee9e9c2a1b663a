//! Where the gate lives on a target, and the numbers that it holds a change to.
//!
//! One value for both, so that a test can put all of it into a folder of its own; on a target it is always the default.

/// Places and programs of a target. All are absolute, and made of characters that no shell reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The script.
    pub gate: String,
    /// Who runs it: a program, and what stands before the script's name.
    pub shell: Vec<String>,
    /// Kill switch and approvers.
    pub config: String,
    /// Copies, results, the day's count. Root's alone.
    pub state: String,
    /// For the time of one session. Root's alone.
    pub run: String,
    /// The same for sessions of an account.
    pub tmp: String,
    /// Where each account's keys stand, in a file by its name.
    pub keys: String,
    /// Our part of sshd's configuration.
    pub sshd_config: String,
    /// Our part of sudo's.
    pub sudoers: String,
    /// `logger`.
    pub logger: String,
    /// `sudo`.
    pub sudo: String,
    /// `sshd`.
    pub sshd: String,
    /// `systemctl`.
    pub systemctl: String,
    /// `systemd-run`.
    pub systemd_run: String,
    /// The unit that looks, when the machine has booted, whether a change was open when it went down.
    pub boot_unit: String,
    /// The folder that is there if systemd runs this machine.
    pub systemd: String,
    /// Files that package managers lock.
    pub locks: Vec<String>,
}

impl Default for Paths {
    fn default() -> Self {
        let text = str::to_owned;
        Self {
            gate: text("/usr/local/libexec/bailiwick-gate"),
            shell: vec![text("/bin/sh")],
            config: text("/etc/bailiwick"),
            state: text("/var/lib/bailiwick-gate"),
            run: text("/run/bailiwick-gate"),
            tmp: text("/tmp"),
            keys: text("/etc/ssh/authorized_keys.d"),
            sshd_config: text("/etc/ssh/sshd_config.d/bailiwick.conf"),
            sudoers: text("/etc/sudoers.d/bailiwick"),
            logger: text("/usr/bin/logger"),
            sudo: text("/usr/bin/sudo"),
            sshd: text("/usr/sbin/sshd"),
            systemctl: text("/usr/bin/systemctl"),
            systemd_run: text("/usr/bin/systemd-run"),
            boot_unit: text("/etc/systemd/system/bailiwick-gate.service"),
            systemd: text("/run/systemd/system"),
            locks: [
                "/var/lib/dpkg/lock-frontend",
                "/var/lib/dpkg/lock",
                "/var/lib/apt/lists/lock",
                "/var/cache/apt/archives/lock",
                "/var/lib/rpm/.rpm.lock",
            ]
            .map(text)
            .to_vec(),
        }
    }
}

/// What a change has to keep to, on the target's own count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Changes of one day of UTC.
    pub per_day: u32,
    /// Seconds from the beginning of one change to that of the next.
    pub between_s: u32,
    /// The longest that a change may go unconfirmed.
    pub dead_man_max_s: u32,
    /// What has to be free where copies are kept.
    pub free_kib: u32,
}

impl Default for Limits {
    fn default() -> Self {
        // Four times the largest file that is kept.
        Self { per_day: 1, between_s: 12 * 60 * 60, dead_man_max_s: 60 * 60, free_kib: 64 << 10 }
    }
}
