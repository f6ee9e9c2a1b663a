//! Text that comes from a guest or a target.
//!
//! Attack answered: escape sequences, bidi overrides and forged lines that reach a person's terminal, a file or an
//! agent (TX01–TX07). The type has no `Display` and no `Deref`; the encoders in `crate::encode` are the way out.

use serde::{Deserialize, Serialize};

/// Text from a guest or a target. It can be compared, stored and encoded, and cannot be printed.
///
/// ```
/// let text = bailiwick_core::model::Tainted::new("\x1b[2J");
/// assert_eq!(bailiwick_core::encode::terminal(&text, 80), "\\x1b[2J");
/// ```
///
/// There is no other way out. It has no `Display`:
/// ```compile_fail,E0277
/// let text = bailiwick_core::model::Tainted::new("x");
/// println!("{text}");
/// ```
/// and so no `to_string`:
/// ```compile_fail,E0599
/// let text = bailiwick_core::model::Tainted::new("x");
/// let _: String = text.to_string();
/// ```
/// It is not a `str`, neither by `Deref`
/// ```compile_fail,E0614
/// let text = bailiwick_core::model::Tainted::new("x");
/// let _ = (*text).len();
/// ```
/// nor by `AsRef`
/// ```compile_fail,E0277
/// let text = bailiwick_core::model::Tainted::new("x");
/// std::fs::write("x", text);
/// ```
/// nor by `Into`
/// ```compile_fail,E0277
/// let text = bailiwick_core::model::Tainted::new("x");
/// let _: String = text.into();
/// ```
/// and its text is private:
/// ```compile_fail,E0616
/// let text = bailiwick_core::model::Tainted::new("x");
/// let _ = text.0;
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tainted(String);

impl Tainted {
    /// Marks text as untrusted.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text for an encoder, which must escape it. Only encoders and parsers call this.
    #[must_use]
    pub fn for_encoder(&self) -> &str {
        &self.0
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if the text is this name, or begins with it and a colon: `db01`, `db01: /var`.
    #[must_use]
    pub fn is_about(&self, name: &str) -> bool {
        self.0.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(": "))
    }

    /// True if there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Escapes everything except printable ASCII, so that even a debug print cannot send a control sequence to a terminal.
impl std::fmt::Debug for Tainted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "tainted\"{}\"", self.0.escape_default())
    }
}
