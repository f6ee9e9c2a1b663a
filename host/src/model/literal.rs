//! The objects that policy may bind to a slot: a systemd unit, an absolute path.
//!
//! Attack answered: anything that a shell, a glob, an option parser or a path walk would read as more than a name
//! (AR01–AR05, FS02–FS04). The grammars are positive: nothing is quoted, escaped or normalised; what does not fit is
//! refused when the policy loads.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Object;

/// Why a text cannot be bound to a slot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LiteralError {
    /// A character outside `[A-Za-z0-9_@%+=:,./-]`, or a first one outside `[A-Za-z0-9_/.]`.
    #[error("`{found}` cannot be sent to a target: allowed are letters, digits and `_@%+=:,./-`")]
    Character {
        /// The offending character, escaped.
        found: String,
    },
    /// Empty, or longer than 256 bytes.
    #[error("the literal is {length} bytes long; 1 to 256 are allowed")]
    Length {
        /// Bytes.
        length: usize,
    },
    /// Not a full unit name.
    #[error("a unit is written in full, such as `nginx.service`")]
    Unit,
    /// Not a plain absolute path.
    #[error("a path is absolute and plain: no `.` or `..`, no doubled or trailing `/`")]
    Path,
    /// A place no probe may ever read.
    #[error("no probe may read below `{root}`: {why}")]
    Forbidden {
        /// The root that covers the path.
        root: &'static str,
        /// Why it stands on the list.
        why: &'static str,
    },
    /// The verb takes no object.
    #[error("this verb takes no object")]
    NoObject,
}

/// A whole systemd unit name, such as `nginx.service`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct UnitName(String);

/// An absolute path without `.`, `..`, doubled or trailing slashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct AbsolutePath(String);

/// What policy bound to a slot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Literal {
    /// A systemd unit.
    Unit(UnitName),
    /// A file.
    Path(AbsolutePath),
}

const UNIT_SUFFIXES: &[&str] =
    &["service", "socket", "timer", "mount", "automount", "swap", "target", "path", "slice", "scope", "device"];

/// Places that no policy can open to a component: kernel interfaces that show other processes' memory and
/// environment, devices, and credentials. Matched on whole path components.
const FORBIDDEN: &[(&str, &str)] = &[
    ("/proc", "it shows other processes; verbs read the parts that are needed"),
    ("/sys", "it is the kernel's control surface"),
    ("/dev", "devices are not files"),
    ("/run/credentials", "service credentials"),
    ("/run/secrets", "service credentials"),
    // The same places through the link that every Linux has.
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

/// The wire grammar of the plain tier: `[A-Za-z0-9_/.][A-Za-z0-9_@%+=:,./-]*`, 1 to 256 bytes.
fn check_wire(text: &str) -> Result<(), LiteralError> {
    if text.is_empty() || text.len() > 256 {
        return Err(LiteralError::Length { length: text.len() });
    }
    for (index, c) in text.chars().enumerate() {
        let first = c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.');
        let later = matches!(c, '@' | '%' | '+' | '=' | ':' | ',' | '-');
        if !(first || (index > 0 && later)) {
            return Err(LiteralError::Character { found: c.escape_default().to_string() });
        }
    }
    Ok(())
}

impl UnitName {
    /// Parses a full unit name.
    ///
    /// # Errors
    /// When a character is outside the wire grammar, or the name has no known suffix or holds a `/`.
    pub fn new(text: &str) -> Result<Self, LiteralError> {
        check_wire(text)?;
        match text.rsplit_once('.') {
            Some((stem, suffix)) if !stem.is_empty() && !text.contains('/') && UNIT_SUFFIXES.contains(&suffix) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(LiteralError::Unit),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AbsolutePath {
    /// Parses a path that a verb may read.
    ///
    /// # Errors
    /// When a character is outside the wire grammar, the path is not plain and absolute, or it lies in a place that
    /// is never read.
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

impl TryFrom<String> for UnitName {
    type Error = LiteralError;
    fn try_from(text: String) -> Result<Self, LiteralError> {
        Self::new(&text)
    }
}

impl TryFrom<String> for AbsolutePath {
    type Error = LiteralError;
    fn try_from(text: String) -> Result<Self, LiteralError> {
        Self::new(&text)
    }
}

impl Literal {
    /// Parses what a verb's object calls for.
    ///
    /// # Errors
    /// When the text does not fit, or the verb takes no object.
    pub fn parse(object: Object, text: &str) -> Result<Self, LiteralError> {
        match object {
            Object::None => Err(LiteralError::NoObject),
            Object::Unit => UnitName::new(text).map(Self::Unit),
            Object::Path => AbsolutePath::new(text).map(Self::Path),
        }
    }

    /// The literal as it goes on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Unit(unit) => unit.as_str(),
            Self::Path(path) => path.as_str(),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        for good in ["nginx.service", "getty@tty1.service", "a-b_c:d.timer"] {
            assert!(UnitName::new(good).is_ok(), "{good}");
        }
        let bad = [
            "",
            "nginx",
            ".service",
            "-x.service",
            "=x.service",
            "~x.service",
            "/dev/sda.device",
            "a b.service",
            "a;id.service",
            "a*.service",
            "a?.service",
            "[a].service",
            "a\n.service",
            "$(id).service",
            "a'.service",
            "a\\x2d.service",
            "\u{a0}.service",
            "{a,b}.service",
            "a|b.service",
            "!a.service",
            "#a.service",
        ];
        for text in bad {
            assert!(UnitName::new(text).is_err(), "{text:?}");
        }
    }

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
