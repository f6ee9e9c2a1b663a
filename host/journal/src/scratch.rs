//! A journal that nobody keeps: for runs that reach nothing.
//!
//! Knows: the folder for temporary files. Must not know: what is written to it.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Journal, OpenError};

/// The folder of a journal that goes with this value.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Opens a journal in a folder of its own.
    ///
    /// # Errors
    /// When no folder can be made or written.
    pub fn journal() -> Result<(Journal, Self), OpenError> {
        let scratch = Self::folder()?;
        let (journal, _) = Journal::open(&scratch.0, Duration::ZERO)?;
        Ok((journal.without_evidence(), scratch))
    }

    /// Makes a folder of its own.
    ///
    /// # Errors
    /// When none can be made.
    pub fn folder() -> Result<Self, OpenError> {
        let base = std::env::temp_dir();
        let mut number = 0_u32;
        loop {
            let folder = base.join(format!("bailiwick-{}-{number}", std::process::id()));
            // Not one that is there already: somebody else may have put it there.
            match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => return Ok(Self(folder)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && number < 1_000 => number += 1,
                Err(source) => return Err(OpenError::Io { action: "make", path: folder, source }),
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is in the folder for what may be.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
