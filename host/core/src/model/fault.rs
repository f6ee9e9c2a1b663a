//! Why a run broke, as the journal and every report have it.
//!
//! Knows: a stable code, and the host's sentence. Must not know: what a sandbox is. Attack answered: a guest that writes the
//! operator's error messages (TX05): neither code nor sentence holds text of a guest.

use serde::{Deserialize, Serialize};

/// Why a run broke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFault {
    /// A sentence of the host: `used up its fuel (2000000000 instructions)`. It may be reworded; compare `code`.
    pub message: String,
    /// The code of the fault: `fuel`. A code never changes. Older programs wrote none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl RunFault {
    /// A fault with its code.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { message: message.into(), code: Some(code.to_owned()) }
    }
}

impl std::fmt::Display for RunFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_an_older_program_has_no_code() {
        let old: RunFault = serde_json::from_str(r#"{"message":"used up its fuel"}"#).unwrap();
        assert_eq!((old.message.as_str(), &old.code), ("used up its fuel", &None));
        assert_eq!(serde_json::to_string(&old).unwrap(), r#"{"message":"used up its fuel"}"#);
        let new = RunFault::new("fuel", "used up its fuel");
        let text = r#"{"message":"used up its fuel","code":"fuel"}"#;
        assert_eq!(serde_json::to_string(&new).unwrap(), text);
        assert_eq!(serde_json::from_str::<RunFault>(text).unwrap(), new);
    }
}
