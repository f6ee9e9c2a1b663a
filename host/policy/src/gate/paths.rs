//! The paths of the gate on a target, and the limits that it enforces for changes.
//!
//! A test can put all paths into a folder of its own. On a target the default is always used.

/// Paths and programs on a target. All are absolute, and hold no character that a shell interprets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The script.
    pub gate: String,
    /// The program that runs it, and its arguments before the script's name.
    pub shell: Vec<String>,
    /// Kill switch and approvers.
    pub config: String,
    /// Snapshots, results and the count of the day. Only root can access it.
    pub state: String,
    /// Files of one session. Only root can access it.
    pub run: String,
    /// Files of one session of an account.
    pub tmp: String,
    /// The folder of the accounts' key files, each named for its account.
    pub keys: String,
    /// The gate's part of sshd's configuration.
    pub sshd_config: String,
    /// The gate's part of sudo's configuration.
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
    /// The unit that checks at boot whether a change was open when the machine went down.
    pub boot_unit: String,
    /// The folder that exists if systemd runs the machine.
    pub systemd: String,
    /// Lock files of package managers.
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

/// Limits for changes, by the target's own count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of changes in a UTC day.
    pub per_day: u32,
    /// Minimum seconds from the start of one change to the start of the next.
    pub between_s: u32,
    /// Maximum seconds that a change may stay unconfirmed.
    pub dead_man_max_s: u32,
    /// Minimum free space for snapshots.
    pub free_kib: u32,
}

impl Default for Limits {
    fn default() -> Self {
        // The free space is four times the largest file that a snapshot copies.
        Self { per_day: 1, between_s: 12 * 60 * 60, dead_man_max_s: 60 * 60, free_kib: 64 << 10 }
    }
}
