//! Absolute paths, and those that no policy can open.

use serde::{Deserialize, Serialize};

use super::{LiteralError, check_wire};

/// An absolute path without `.`, `..`, doubled or trailing slashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct AbsolutePath(String);

/// Paths that no policy can open to a component: kernel interfaces that show other processes' memory and environment, devices,
/// and credentials. Matched on whole path components.
const FORBIDDEN: &[(&str, &str)] = &[
    ("/proc", "it shows other processes; verbs read the parts that are needed"),
    ("/sys", "it is the kernel's control surface"),
    ("/dev", "devices are not files"),
    ("/run/credentials", "service credentials"),
    ("/run/secrets", "service credentials"),
    // The same folders through the link that every Linux has.
    ("/var/run/credentials", "service credentials"),
    ("/var/run/secrets", "service credentials"),
    ("/var/lib/systemd/credential.secret", "service credentials"),
    ("/etc/krb5.keytab", "host credentials"),
    ("/etc/mtab", "it is a link into /proc"),
    ("/etc/shadow", "password hashes"),
    ("/etc/shadow-", "password hashes"),
    ("/etc/gshadow", "password hashes"),
    ("/etc/gshadow-", "password hashes"),
    ("/etc/sudoers", "who may become root"),
    ("/etc/sudoers.d", "who may become root"),
    ("/etc/ssl/private", "private keys"),
    ("/root/.ssh", "private keys"),
];

impl AbsolutePath {
    /// Parses a path that a verb may read.
    ///
    /// # Errors
    /// When a character is outside the wire grammar, or the path is not plain and absolute, or is one that may never be read.
    pub fn new(text: &str) -> Result<Self, LiteralError> {
        check_wire(text)?;
        let Some(rest) = text.strip_prefix('/') else {
            return Err(LiteralError::Path);
        };
        if rest.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(LiteralError::Path);
        }
        for &(root, why) in FORBIDDEN {
            if text.strip_prefix(root).is_some_and(|below| below.is_empty() || below.starts_with('/')) {
                return Err(LiteralError::Forbidden { root, why });
            }
        }
        if text.starts_with("/etc/ssh/ssh_host_") && text.ends_with("_key") {
            return Err(LiteralError::Forbidden { root: "/etc/ssh/ssh_host_*_key", why: "private keys" });
        }
        if rest.split('/').any(|part| part == ".ssh") {
            return Err(LiteralError::Forbidden { root: "~/.ssh", why: "private keys" });
        }
        Ok(Self(text.to_owned()))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AbsolutePath {
    type Error = LiteralError;
    fn try_from(text: String) -> Result<Self, LiteralError> {
        Self::new(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for good in ["/etc/hosts", "/var/lib/apt/periodic/update-success-stamp", "/a", "/procedure/x", "/srv/%h"] {
            assert!(AbsolutePath::new(good).is_ok(), "{good}");
        }
        let bad = [
            "",
            "/",
            "etc/hosts",
            "/etc/",
            "/etc//hosts",
            "/etc/./hosts",
            "/etc/../etc/shadow",
            "~/x",
            "/a b",
            "/a*",
            "/proc/self/environ",
            "/proc",
            "/dev/mem",
            "/sys/x",
            "/etc/shadow",
            "/home/a/.ssh/id",
            "/root/.ssh/x",
            "/a\u{202e}b",
            "/a\0b",
            "/x\u{ff0f}y",
        ];
        for text in bad {
            assert!(AbsolutePath::new(text).is_err(), "{text:?}");
        }
    }
}
