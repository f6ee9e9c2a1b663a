//! Names that people choose. Each has one grammar, and each has its own type, so that a target cannot be used as a slot.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A name that does not match its grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{value}` is not {what}: use lower-case letters, {}, with a letter or digit first, {longest} at most",
    signs(extra)
)]
pub struct NameError {
    what: &'static str,
    /// What was given, escaped and short.
    value: String,
    extra: &'static [u8],
    longest: usize,
}

/// What a name may have besides lower-case letters, in words.
fn signs(extra: &[u8]) -> &'static str {
    if extra.contains(&b'.') { "digits, `.` and `-`" } else { "digits and `-`" }
}

/// True if `text` is 1 to `longest` bytes of `[a-z0-9]` and, after the first, also of `extra`.
fn fits(text: &str, extra: &[u8], longest: usize) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.len() <= longest
        && text.bytes().next().is_some_and(plain)
        && text.bytes().all(|b| plain(b) || extra.contains(&b))
}

/// A text that does not fit, as a message repeats it.
fn short(text: &str) -> String {
    text.escape_debug().take(VALUE_MAX).collect()
}

/// Longest value that a message repeats, in characters.
const VALUE_MAX: usize = 80;

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $extra:literal, $grammar:literal) => {
        name! { $(#[$doc])* $type, $what, $extra, $grammar, 64 }
    };
    ($(#[$doc:meta])* $type:ident, $what:literal, $extra:literal, $grammar:literal, $longest:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            #[doc = concat!("Parses a name of the form `", $grammar, "`.")]
            ///
            /// # Errors
            /// When `text` does not match the grammar.
            pub fn new(text: &str) -> Result<Self, NameError> {
                if fits(text, $extra, $longest) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NameError { what: $what, value: short(text), extra: $extra, longest: $longest })
                }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(&text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// The operator's name for a machine.
    TargetName, "a target's name", b".-", "[a-z0-9][a-z0-9.-]{0,63}"
);
name!(
    /// A set of targets, chosen by the operator.
    Tag, "a tag", b".-", "[a-z0-9][a-z0-9.-]{0,63}"
);
name!(
    /// The id of a component, for people and policy. Its identity is its digest.
    ComponentId, "a component's id", b"-", "[a-z0-9][a-z0-9-]{0,63}"
);
name!(
    /// A named place in a manifest, which policy fills.
    SlotName, "a slot's name", b"-", "[a-z0-9][a-z0-9-]{0,63}"
);
name!(
    /// A text or a line that a manifest declares, to be written into a file.
    ContentName, "a content's name", b"-", "[a-z0-9][a-z0-9-]{0,63}"
);
name!(
    /// A setting that a manifest declares.
    ParamName, "a parameter's name", b"-", "[a-z0-9][a-z0-9-]{0,63}"
);
name!(
    /// A rule that says what a secret looks like.
    RuleName, "a rule's name", b"-", "[a-z0-9][a-z0-9-]{0,63}"
);
name!(
    /// A change: `c-20261122-1f0c9a3e`. A gate makes a folder with this name, and limits its length.
    ChangeId, "a change's id", b"-", "[a-z0-9][a-z0-9-]{0,39}", 40
);
name!(
    /// A recorded case: the name of its file, without `.toml`.
    CaseName, "a case's name", b"-", "[a-z0-9][a-z0-9-]{0,63}"
);

/// The key by which a guest names an entry of a slot: `exporter`, or `exporter/2` in a slot declared `many`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SlotKey(String);

impl SlotKey {
    /// The only entry of a slot.
    #[must_use]
    pub fn single(slot: &SlotName) -> Self {
        Self(slot.as_str().to_owned())
    }

    /// Entry `index`, from 0, of a slot declared `many`.
    #[must_use]
    pub fn indexed(slot: &SlotName, index: usize) -> Self {
        Self(format!("{slot}/{index}"))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The entry's position in a slot declared `many`.
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        self.0.rsplit_once('/')?.1.parse().ok()
    }
}

impl std::borrow::Borrow<str> for SlotKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling() {
        for good in ["db01", "a", "10.0.0.1", "web-3.example"] {
            assert!(TargetName::new(good).is_ok(), "{good}");
        }
        let long = "a".repeat(65);
        for bad in ["", "-a", ".a", "DB01", "a b", "a/b", "pоstgres", "a\n", "a_b", &long] {
            assert!(TargetName::new(bad).is_err(), "{bad:?}");
        }
        assert!(ComponentId::new("a.b").is_err());
    }
}
