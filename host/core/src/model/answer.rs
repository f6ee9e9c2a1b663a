//! What a target answered to one action, as raw bytes.
//!
//! Knows: sizes, exit status, timing. Must not know: how the bytes were transported, what they mean.

use serde::{Deserialize, Serialize};

/// What a target answered to one action: raw, bounded, not parsed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Standard output.
    #[serde(with = "serde_bytes")]
    pub stdout: Vec<u8>,
    /// Standard error, at most 4 KiB of it.
    #[serde(with = "serde_bytes")]
    pub stderr: Vec<u8>,
    /// How the program ended.
    pub exit: Exit,
    /// When the question was sent and how long the answer took, for verbs whose answer depends on it.
    pub timing: Option<Timing>,
}

impl Answer {
    /// The answer if nothing listens at an address: the target tried to connect, and was refused.
    #[must_use]
    pub fn connection_refused() -> Self {
        Self { stdout: Vec::new(), stderr: b"connection refused\n".to_vec(), exit: Exit::Status(1), timing: None }
    }
}

/// Prints sizes only: the bytes may be a secret (TX10).
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer({} bytes, {} of stderr, {:?})", self.stdout.len(), self.stderr.len(), self.exit)
    }
}

/// When a question was sent, and how long its answer took, by the controller's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// In microseconds since 1970-01-01T00:00Z.
    pub asked_us: u64,
    /// In microseconds.
    pub elapsed_us: u64,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// With this status.
    Status(u32),
    /// By a signal.
    Signal,
    /// The target sent no exit status.
    #[serde(rename = "unsaid")] // The word of the journal and of the worker's messages.
    Unreported,
}
