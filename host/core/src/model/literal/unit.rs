//! Names of systemd units.

use serde::{Deserialize, Serialize};

use super::{LiteralError, check_wire};

/// A whole systemd unit name, such as `nginx.service`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct UnitName(String);

const UNIT_SUFFIXES: &[&str] =
    &["service", "socket", "timer", "mount", "automount", "swap", "target", "path", "slice", "scope", "device"];

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

impl TryFrom<String> for UnitName {
    type Error = LiteralError;
    fn try_from(text: String) -> Result<Self, LiteralError> {
        Self::new(&text)
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
}
