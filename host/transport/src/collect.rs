//! An answer as it arrives, within its verb's limit.
//!
//! Attack answered: a target that sends without end on either stream (TG01). Both streams count. Bytes over the limit are
//! never stored.

use bailiwick_core::model::{Answer, Exit};

use super::RunError;
use bailiwick_core::verbs::Spec;

/// How much of standard error is kept. The rest is read and dropped: people read it, and one screen is enough.
const STDERR_KEPT: usize = 4 << 10;

/// Two streams, one limit.
#[derive(Debug)]
pub(super) struct Collector {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    left: u64,
    limit: u64,
}

impl Collector {
    pub(super) fn new(spec: &Spec) -> Self {
        Self { stdout: Vec::new(), stderr: Vec::new(), left: spec.bytes_max, limit: spec.bytes_max }
    }

    /// Adds a piece of standard output.
    pub(super) fn stdout(&mut self, piece: &[u8]) -> Result<(), RunError> {
        self.count(piece)?;
        self.stdout.extend_from_slice(piece);
        Ok(())
    }

    /// Adds a piece of standard error, or of a stream that was not requested.
    pub(super) fn stderr(&mut self, piece: &[u8]) -> Result<(), RunError> {
        self.count(piece)?;
        let room = STDERR_KEPT.saturating_sub(self.stderr.len());
        self.stderr.extend_from_slice(piece.get(..room).unwrap_or(piece));
        Ok(())
    }

    fn count(&mut self, piece: &[u8]) -> Result<(), RunError> {
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(length).ok_or(RunError::TooLarge(self.limit))?;
        Ok(())
    }

    pub(super) fn answer(self, exit: Exit) -> Answer {
        Answer { stdout: self.stdout, stderr: self.stderr, exit, timing: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bailiwick_core::model::Verb;

    #[test]
    fn both_streams_count_and_stderr_is_cut() {
        let spec = bailiwick_core::verbs::spec(Verb::SystemLoad);
        let limit = usize::try_from(spec.bytes_max).unwrap();
        let mut all = Collector::new(spec);
        all.stderr(&vec![b'e'; 5000]).unwrap();
        all.stdout(&vec![b'o'; limit - 5000]).unwrap();
        assert!(matches!(all.stderr(b"x"), Err(RunError::TooLarge(_))));
        let answer = all.answer(Exit::Unreported);
        assert_eq!((answer.stdout.len(), answer.stderr.len()), (limit - 5000, 4096));
    }
}
