//! A component's version: three numbers that can be compared. Attack answered: a downgrade to an old, vulnerable version
//! (LK14).

use std::fmt;

/// A version such as `1.2.3`, in the order of semver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version([u32; 3]);

/// The text is not a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a version must be three numbers, such as `1.2.3`")]
pub struct VersionError;

impl Version {
    /// Parses a version, in the manifest's grammar.
    ///
    /// # Errors
    /// When it is not three numbers without leading zeros.
    pub fn new(text: &str) -> Result<Self, VersionError> {
        let mut parts = text.split('.').map(|part| {
            let plain = part.bytes().all(|b| b.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
            part.parse().ok().filter(|_| plain).ok_or(VersionError)
        });
        let mut next = || parts.next().ok_or(VersionError)?;
        let version = Self([next()?, next()?, next()?]);
        if parts.next().is_none() { Ok(version) } else { Err(VersionError) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        f.pad(&format!("{major}.{minor}.{patch}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_not_texts() {
        let version = |text| Version::new(text).unwrap();
        assert!(version("1.10.0") > version("1.9.9") && version("2.0.0") > version("1.99.99"));
        assert_eq!(version("1.2.3").to_string(), "1.2.3");
        for bad in ["", "1.2", "1.2.3.4", "01.2.3", "1.2.x", "1.2.+3", "1.2.-3", "1..3", "1.2.3-rc1", " 1.2.3"] {
            assert!(Version::new(bad).is_err(), "{bad}");
        }
    }
}
