//! The numbers that runs have said, kept so that they can be asked for: `bailiwick trend`, and a component's own past.
//!
//! Knows: the journal's entries, SQLite; sole home of it. Must not know: who asks, or what a number means. Attacks
//! answered: a history that says what no run has said (the journal alone is believed: what is here is read from it, in its
//! order, and a database that does not go with it is set aside and made again), and a component that is shown another's
//! numbers (each question names component and target).
//!
//! **Invariant:** nothing stands only here. `bailiwick history rebuild` makes it again from the journal, number for number.
//! **Invariant:** what a run was told of its past stands in the journal by number and digest, so that [`told`] gives the
//! same again without this database, or says that it cannot.

mod earlier;
mod follow;
mod series;
mod store;
mod told;

use std::io;
use std::path::{Path, PathBuf};

pub use self::earlier::{EARLIER_DAYS, EARLIER_POINTS, Earlier};
pub use self::follow::Followed;
pub use self::series::{Filter, Series};
pub use self::told::{Told, ToldError, told};
use crate::ReadError;
use bailiwick_core::encode::ShownPath as _;

/// The database, as far as the journal had come when it was opened.
#[derive(Debug)]
pub struct History {
    store: store::Store,
    journal: PathBuf,
}

/// Why there is no history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The operating system said no.
    #[error("cannot {action} {}", path.shown())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Its words.
        source: io::Error,
    },
    /// Somebody else owns it or could have written it.
    #[error("{} is {what}; a history is its owner's alone\n\nhint: remove it, and it is made again from the journal", path.shown())]
    NotOurs {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// SQLite said no.
    #[error("{}", path.shown())]
    Database {
        /// The database.
        path: PathBuf,
        /// Its words.
        source: rusqlite::Error,
    },
    /// The journal cannot be read.
    #[error("history is read from the journal")]
    Journal(#[from] ReadError),
}

/// Is told what happens while the journal is read.
pub trait Watch {
    /// The database was set aside, or the journal ends early; one line for a person.
    fn say(&mut self, line: &str);

    /// So many bytes of the journal are read, of so many.
    fn read(&mut self, bytes: u64, of: u64);
}

/// Nobody listens.
impl Watch for () {
    fn say(&mut self, _line: &str) {}
    fn read(&mut self, _bytes: u64, _of: u64) {}
}

impl History {
    /// Opens the history in `state`, and reads what the journal has to add. A database that is missing, of another version,
    /// damaged, or not of this journal, is made again.
    ///
    /// # Errors
    /// When there is no place for it, or no journal.
    pub fn open(state: &Path, journal: &Path, watch: &mut dyn Watch) -> Result<Self, HistoryError> {
        let (store, notice) = store::Store::open(state)?;
        if let Some(notice) = notice {
            watch.say(&notice);
        }
        let mut history = Self { store, journal: journal.to_owned() };
        match history.follow(watch) {
            Ok(_) => Ok(history),
            Err(HistoryError::Database { source, .. }) if store::is_damage(&source) => {
                watch.say(&history.store.set_aside(&format!("is damaged ({source})"))?);
                history.follow(watch)?;
                Ok(history)
            }
            Err(error) => Err(error),
        }
    }

    /// Throws away what is there and reads the journal from its beginning.
    ///
    /// # Errors
    /// When there is no place for it, or no journal.
    pub fn rebuild(state: &Path, journal: &Path, watch: &mut dyn Watch) -> Result<Followed, HistoryError> {
        let (mut store, _) = store::Store::open(state)?;
        store.begin_anew()?;
        let mut history = Self { store, journal: journal.to_owned() };
        history.follow(watch)
    }

    /// Reads what the journal has to add by now.
    ///
    /// # Errors
    /// When the journal cannot be opened, or the database not be written.
    pub fn follow(&mut self, watch: &mut dyn Watch) -> Result<Followed, HistoryError> {
        follow::follow(&mut self.store, &self.journal, watch)
    }
}
