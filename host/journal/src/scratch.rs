//! A temporary journal, for runs without a target.
//!
//! Knows: the folder for temporary files. Must not know: what is written to it.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Journal, OpenError};

/// The folder of a temporary journal. It is removed when this value is dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Opens a journal in a new temporary folder.
    ///
    /// # Errors
    /// No folder can be created or written.
    pub fn journal() -> Result<(Journal, Self), OpenError> {
        let scratch = Self::folder()?;
        let (journal, _) = Journal::open(&scratch.0, Duration::ZERO)?;
        Ok((journal.without_evidence(), scratch))
    }

    /// Creates a new temporary folder.
    ///
    /// # Errors
    /// No folder can be created.
    pub fn folder() -> Result<Self, OpenError> {
        let base = std::env::temp_dir();
        let mut number = 0_u32;
        loop {
            let folder = base.join(format!("bailiwick-{}-{number}", std::process::id()));
            // A folder that already exists is not used: another user may have created it.
            match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => return Ok(Self(folder)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && number < 1_000 => number += 1,
                Err(source) => return Err(OpenError::Io { action: "create", path: folder, source }),
            }
        }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // If it cannot be removed, it stays in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
