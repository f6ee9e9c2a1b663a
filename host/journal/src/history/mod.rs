//! The numbers of earlier runs in a database, for `bailiwick trend` and for a component's own past.
//!
//! Knows: the journal's entries, and SQLite, as its only user. Must not know: who asks, or what a number means. Attacks
//! answered: a history with numbers that no run reported (every number is read from the journal, in its order; a database that
//! does not match the journal is set aside and rebuilt), and a component that gets the numbers of another (each query names
//! component and target).
//!
//! **Invariant:** nothing is only in the database. `bailiwick history rebuild` rebuilds it from the journal, number for number.
//! **Invariant:** the journal records which earlier numbers a run got, by run and digest, so that [`past_numbers`] returns the same
//! numbers without this database, or reports that it cannot.

mod earlier;
mod recorded;
mod series;
mod store;
mod update;

use std::io;
use std::path::{Path, PathBuf};

pub use self::earlier::{EARLIER_DAYS, EARLIER_POINTS, Earlier};
pub use self::recorded::{PastError, PastNumbers, past_numbers};
pub use self::series::{Filter, Series};
pub use self::update::Imported;
use crate::ReadError;
use bailiwick_core::encode::ShownPath as _;

/// The database. It has every entry of the journal up to the time when it was opened or updated.
#[derive(Debug)]
pub struct History {
    store: store::Store,
    journal: PathBuf,
}

/// Why the history cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The operating system reported an error.
    #[error("cannot {action} {}", path.shown())]
    Io {
        /// The operation.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// Another user owns the file or can write it.
    #[error("{} {what}; only its owner may be able to write a history\n\nhint: delete it; it is rebuilt from the journal", path.shown())]
    NotOurs {
        /// The file or folder.
        path: PathBuf,
        /// The problem.
        what: &'static str,
    },
    /// SQLite reported an error.
    #[error("cannot use the history {}", path.shown())]
    Database {
        /// The database.
        path: PathBuf,
        /// The error.
        source: rusqlite::Error,
    },
    /// The journal cannot be read.
    #[error("cannot read the history from the journal")]
    Journal(#[from] ReadError),
}

/// Gets the progress while the journal is read.
pub trait Progress {
    /// The database was set aside, or the journal ends early: one line for a person.
    fn warn(&mut self, line: &str);

    /// This many bytes of the journal are read, of `total`.
    fn progress(&mut self, bytes: u64, total: u64);
}

/// Ignores the progress.
impl Progress for () {
    fn warn(&mut self, _line: &str) {}
    fn progress(&mut self, _bytes: u64, _total: u64) {}
}

impl History {
    /// Opens the history in `state`, and adds the new entries of the journal. A database that is missing, of another version,
    /// damaged, or of another journal, is rebuilt.
    ///
    /// # Errors
    /// The folder cannot be used, or there is no journal.
    pub fn open(state: &Path, journal: &Path, progress: &mut dyn Progress) -> Result<Self, HistoryError> {
        let (store, notice) = store::Store::open(state)?;
        if let Some(notice) = notice {
            progress.warn(&notice);
        }
        let mut history = Self { store, journal: journal.to_owned() };
        match history.update(progress) {
            Ok(_) => Ok(history),
            Err(HistoryError::Database { source, .. }) if store::is_damage(&source) => {
                progress.warn(&history.store.set_aside(&format!("is damaged ({source})"))?);
                history.update(progress)?;
                Ok(history)
            }
            Err(error) => Err(error),
        }
    }

    /// Deletes the database, and reads the journal from its beginning.
    ///
    /// # Errors
    /// The folder cannot be used, or there is no journal.
    pub fn rebuild(state: &Path, journal: &Path, progress: &mut dyn Progress) -> Result<Imported, HistoryError> {
        let (mut store, _) = store::Store::open(state)?;
        store.clear()?;
        let mut history = Self { store, journal: journal.to_owned() };
        history.update(progress)
    }

    /// Adds the new entries of the journal.
    ///
    /// # Errors
    /// The journal cannot be opened, or the database cannot be written.
    pub fn update(&mut self, progress: &mut dyn Progress) -> Result<Imported, HistoryError> {
        update::update(&mut self.store, &self.journal, progress)
    }
}
