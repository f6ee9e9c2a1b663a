//! The writer of a change's entries: it writes nothing that could not be read back, and returns when the entry is on the disk.
//!
//! Knows: the journal, the ledger. Must not know: targets. Attack answered: an effect that no entry announces (D22).

use std::sync::Arc;

use jiff::Timestamp;

use super::ledger::{Ledger, LedgerError};
use super::state::ChangeState;
use bailiwick_core::model::ChangeId;
use bailiwick_journal::{Entry, Event, Journal, OpenError, Record};

/// The journal, and the ledger of what is in it.
#[derive(Debug)]
pub struct Log {
    journal: Arc<Journal>,
    ledger: Ledger,
}

/// Why an entry was not written. What it would have announced is not done (E-JOURNAL).
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The operating system refused.
    #[error("the journal is not writable, so nothing more is done")]
    Write(#[from] OpenError),
    /// It would contradict earlier entries.
    #[error("the entry would contradict the journal, so nothing more is done")]
    Order(#[from] LedgerError),
}

impl Log {
    /// Reads an open journal.
    ///
    /// # Errors
    /// When it is not reliable.
    pub fn open(journal: Arc<Journal>) -> Result<Self, LedgerError> {
        let ledger = Ledger::read(journal.folder())?;
        Ok(Self { journal, ledger })
    }

    /// The ledger.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The journal.
    #[must_use]
    pub const fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// A change, as far as it is in the journal.
    #[must_use]
    pub fn change(&self, change: &ChangeId) -> Option<&ChangeState> {
        self.ledger.changes.get(change)
    }

    /// Writes an entry, and waits until it is on the disk.
    ///
    /// # Errors
    /// When it is not writable, or must not follow earlier entries. What it announces must not happen then.
    pub fn write(&mut self, event: Event) -> Result<u64, LogError> {
        // First on a copy: an entry that could not be read back is not written.
        let time = event.clock().map_or(Timestamp::UNIX_EPOCH, |clock| clock.wall);
        let seq = self.journal.last().seq + 1;
        let mut ledger = self.ledger.clone();
        ledger.add(&Record { seq, time, entry: Entry::Change(event.clone()) })?;
        let seq = self.journal.append(Entry::Change(event))?;
        self.journal.sync()?;
        self.ledger = ledger;
        Ok(seq)
    }
}
