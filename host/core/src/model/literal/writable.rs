//! Objects that no change may touch, whatever policy says.
//!
//! Knows: paths and names of units. Must not know: who asks. Attack answered: a permitted change that has the effect of another
//! one (FS14, AR09): bytes that another program later runs as root, that decide who may log in, or that would switch off
//! Bailiwick's own protection. The gate repeats the check on the target, where links and aliases are resolved.

use super::{AbsolutePath, LiteralError, UnitName};

/// Files and folders with everything below them. A `*` at the end matches any rest of the name.
pub const PATHS: &[(&str, &str)] = &[
    ("/bin", PROGRAMS),
    ("/boot", "it decides what is started"),
    ("/etc/alternatives", PROGRAMS),
    ("/etc/anacrontab", JOBS),
    ("/etc/apparmor*", "it confines programs"),
    ("/etc/apt", "packages' scripts run as root"),
    ("/etc/at.*", JOBS),
    ("/etc/bailiwick*", OURS),
    ("/etc/bash*", SHELLS),
    ("/etc/binfmt.d", PROGRAMS),
    ("/etc/cron*", JOBS),
    ("/etc/crypttab", MOUNTS),
    ("/etc/csh*", SHELLS),
    ("/etc/dbus-1", "it decides who may speak to system services"),
    ("/etc/default/grub*", "it decides what is started"),
    ("/etc/dhcp", "its hooks run as root"),
    ("/etc/dpkg", "packages' scripts run as root"),
    ("/etc/environment*", SHELLS),
    ("/etc/firewalld", FIREWALL),
    ("/etc/fish", SHELLS),
    ("/etc/fstab", MOUNTS),
    ("/etc/group*", LOGINS),
    ("/etc/grub*", "it decides what is started"),
    ("/etc/gshadow*", LOGINS),
    ("/etc/init*", JOBS),
    ("/etc/inittab", JOBS),
    ("/etc/ip6tables*", FIREWALL),
    ("/etc/iptables*", FIREWALL),
    ("/etc/kernel", "its hooks run as root"),
    ("/etc/ld.so*", "every program loads by it"),
    ("/etc/login.defs", LOGINS),
    ("/etc/modprobe.d", "it decides what the kernel loads"),
    ("/etc/modules*", "it decides what the kernel loads"),
    ("/etc/network", "its hooks run as root"),
    ("/etc/NetworkManager", "its hooks run as root"),
    ("/etc/nftables*", FIREWALL),
    ("/etc/nsswitch.conf", LOGINS),
    ("/etc/pam*", LOGINS),
    ("/etc/passwd*", LOGINS),
    ("/etc/polkit-1", LOGINS),
    ("/etc/profile*", SHELLS),
    ("/etc/rc*", JOBS),
    ("/etc/security", LOGINS),
    ("/etc/selinux", "it confines programs"),
    ("/etc/shadow*", LOGINS),
    ("/etc/shells", LOGINS),
    ("/etc/skel", SHELLS),
    ("/etc/ssh", LOGINS),
    ("/etc/subgid*", LOGINS),
    ("/etc/subuid*", LOGINS),
    ("/etc/sudo*", LOGINS),
    ("/etc/sysctl*", "it decides what the kernel starts"),
    ("/etc/systemd/system*", UNITS),
    ("/etc/systemd/user*", UNITS),
    ("/etc/sysusers.d", LOGINS),
    ("/etc/tmpfiles.d", "it creates files anywhere"),
    ("/etc/udev", "its rules run programs as root"),
    ("/etc/ufw", FIREWALL),
    ("/etc/update-motd.d", SHELLS),
    ("/etc/X11", SHELLS),
    ("/etc/xdg", SHELLS),
    ("/etc/zsh*", SHELLS),
    ("/lib*", PROGRAMS),
    ("/root", "it is root's home directory"),
    ("/run/systemd", UNITS),
    ("/run/udev", "its rules run programs as root"),
    ("/run/tmpfiles.d", "it creates files anywhere"),
    ("/sbin", PROGRAMS),
    ("/usr", PROGRAMS),
    ("/var/lib/bailiwick*", OURS),
    ("/var/lib/dpkg", "packages' scripts run as root"),
    ("/var/lib/systemd", UNITS),
    ("/var/run/systemd", UNITS),
    ("/var/spool/at*", JOBS),
    ("/var/spool/cron", JOBS),
];

const PROGRAMS: &str = "programs are not configuration";
const JOBS: &str = "its contents run as root";
const LOGINS: &str = "it decides who may do what on the target";
const SHELLS: &str = "its contents run at login";
const FIREWALL: &str = "it is the firewall";
const UNITS: &str = "its contents run as root";
const MOUNTS: &str = "it decides what is mounted";
const OURS: &str = "it configures Bailiwick's own limits";

/// Names that exclude any path that contains them.
pub const NAMES: &[(&str, &str)] = &[
    (".bash_aliases", SHELLS),
    (".bash_login", SHELLS),
    (".bash_logout", SHELLS),
    (".bash_profile", SHELLS),
    (".bashrc", SHELLS),
    (".config", SHELLS),
    (".cshrc", SHELLS),
    (".forward", "it passes mail to programs"),
    (".gnupg", "keys"),
    (".kshrc", SHELLS),
    (".login", SHELLS),
    (".pam_environment", SHELLS),
    (".profile", SHELLS),
    (".ssh", LOGINS),
    (".tcshrc", SHELLS),
    (".zlogin", SHELLS),
    (".zprofile", SHELLS),
    (".zshenv", SHELLS),
    (".zshrc", SHELLS),
];

/// Names of units without their suffix. A `*` at the end matches any rest.
pub const UNIT_STEMS: &[(&str, &str)] = &[
    ("bailiwick*", OURS),
    ("dbus*", "the services of the target communicate through it"),
    ("firewalld*", FIREWALL),
    ("ip6tables*", FIREWALL),
    ("iptables*", FIREWALL),
    ("netfilter-persistent*", FIREWALL),
    ("networking*", "it could cut the target off"),
    ("NetworkManager*", "it could cut the target off"),
    ("nftables*", FIREWALL),
    ("polkit*", LOGINS),
    ("ssh", "Bailiwick connects through it"),
    ("ssh@*", "Bailiwick connects through it"),
    ("sshd*", "Bailiwick connects through it"),
    ("systemd-*", "it is part of the system itself"),
    ("ufw*", FIREWALL),
    ("user@*", "it is a user's session"),
];

/// Kinds of units that affect more than one program.
pub const UNIT_SUFFIXES: &[&str] = &["target", "mount", "automount", "swap", "slice", "scope", "device"];

/// The only unit of systemd itself that a change may restart. It synchronises the clock, and no other unit depends on it.
pub const TIME_SYNC: &str = "systemd-timesyncd.service";

/// Checks that a file may be changed.
///
/// # Errors
/// When it is on one of the lists above.
pub fn path(path: &AbsolutePath) -> Result<(), LiteralError> {
    path_text(path.as_str())
}

/// The same for a word of a command that may be a path.
///
/// # Errors
/// When it is on one of the lists above.
pub fn path_text(text: &str) -> Result<(), LiteralError> {
    let below = |root: &str| match root.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => text.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
    };
    let listed = PATHS.iter().find(|(root, _)| below(root));
    let named = || NAMES.iter().find(|(name, _)| text.split('/').any(|part| part == *name));
    match listed.or_else(named) {
        Some(&(what, why)) => Err(LiteralError::Unchangeable { what, why }),
        None => Ok(()),
    }
}

/// Checks that a unit may be changed.
///
/// # Errors
/// When it is on one of the lists above.
pub fn unit(unit: &UnitName) -> Result<(), LiteralError> {
    let (stem, suffix) = unit.as_str().rsplit_once('.').unwrap_or((unit.as_str(), ""));
    if let Some(what) = UNIT_SUFFIXES.iter().find(|kind| **kind == suffix) {
        return Err(LiteralError::Unchangeable { what, why: "a unit of this kind stands for more than one program" });
    }
    if unit.as_str() == TIME_SYNC {
        return Ok(());
    }
    let is = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => stem.starts_with(start),
        None => stem == pattern,
    };
    match UNIT_STEMS.iter().find(|(pattern, _)| is(pattern)) {
        Some(&(what, why)) => Err(LiteralError::Unchangeable { what, why }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fs14_no_change_reaches_what_others_run_or_log_in_by() {
        let refused = |text: &str| path(&AbsolutePath::new(text).unwrap()).is_err();
        for bad in [
            "/root/x",
            "/etc/ssh/sshd_config",
            "/etc/ssh/sshd_config.d/50-x.conf",
            "/etc/pam.d/sshd",
            "/etc/passwd",
            "/etc/group-",
            "/etc/cron.d/x",
            "/etc/crontab",
            "/etc/cron.daily/x",
            "/var/spool/cron/crontabs/root",
            "/etc/systemd/system/x.service",
            "/etc/systemd/system/x.service.d/o.conf",
            "/etc/systemd/system.conf",
            "/lib/systemd/system/x.service",
            "/run/systemd/system/x.service",
            "/etc/ld.so.preload",
            "/etc/ld.so.conf.d/x.conf",
            "/etc/profile",
            "/etc/profile.d/x.sh",
            "/etc/bash.bashrc",
            "/home/a/.bashrc",
            "/home/a/.config/systemd/user/x.service",
            "/usr/bin/x",
            "/usr/local/libexec/bailiwick-gate",
            "/bin/sh",
            "/lib64/x",
            "/boot/x",
            "/etc/nftables.conf",
            "/etc/iptables/rules.v4",
            "/etc/ufw/user.rules",
            "/etc/firewalld/zones/public.xml",
            "/etc/bailiwick/disabled",
            "/var/lib/bailiwick-gate/x",
            "/etc/sudo.conf",
            "/etc/apt/apt.conf.d/99x",
            "/etc/udev/rules.d/x.rules",
            "/etc/tmpfiles.d/x.conf",
            "/etc/sysctl.d/x.conf",
        ] {
            assert!(refused(bad), "{bad}");
        }
        for good in [
            "/etc/prometheus/rules/base.yml",
            "/etc/postgresql/15/main/pg_hba.conf",
            "/etc/logrotate.d/collector",
            "/etc/systemd/timesyncd.conf.d/site.conf",
            "/etc/default/prometheus-postgres-exporter",
            "/var/lib/collector/stale.tmp",
            "/etc/chrony/conf.d/x.conf",
            "/etc/rabbitmq/x.conf",
        ] {
            assert_eq!(path(&AbsolutePath::new(good).unwrap()), Ok(()), "{good}");
        }
    }

    #[test]
    fn ar09_no_change_reaches_firewall_login_or_system() {
        let refused = |text: &str| unit(&UnitName::new(text).unwrap()).is_err();
        for bad in [
            "nftables.service",
            "iptables.service",
            "ufw.service",
            "firewalld.service",
            "ssh.service",
            "ssh.socket",
            "ssh@1.service",
            "sshd.service",
            "sshd@x.service",
            "systemd-networkd.service",
            "systemd-timesyncd.socket",
            "dbus.service",
            "dbus-broker.service",
            "bailiwick-dead-man.timer",
            "multi-user.target",
            "home.mount",
            "user@1000.service",
        ] {
            assert!(refused(bad), "{bad}");
        }
        for good in ["prometheus.service", "systemd-timesyncd.service", "logrotate.timer", "sshguard-x.service"] {
            assert_eq!(unit(&UnitName::new(good).unwrap()), Ok(()), "{good}");
        }
    }
}
