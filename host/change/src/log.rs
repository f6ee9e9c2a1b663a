//! The writer of a change's entries: nothing is written that could not be read back, and nothing is done before it is on the disk.
//!
//! Knows: the journal, the ledger. Must not know: targets. Attack answered: an effect that no entry announces (D22).

use std::sync::Arc;

use jiff::Timestamp;

use super::ledger::{Ledger, LedgerError};
use super::state::ChangeState;
use bailiwick_core::model::ChangeId;
use bailiwick_journal::{Entry, Event, Journal, OpenError, Record};

/// The journal, and what it says so far.
#[derive(Debug)]
pub struct Log {
    journal: Arc<Journal>,
    ledger: Ledger,
}

/// An entry could not be written. Nothing is done that it would have announced (E-JOURNAL).
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk said no.
    #[error("the journal cannot be written, so nothing is done")]
    Write(#[from] OpenError),
    /// It would not hang together.
    #[error("the journal would not hang together, so nothing is done")]
    Order(#[from] LedgerError),
}

impl Log {
    /// Takes a journal that is open, after reading what is in it.
    ///
    /// # Errors
    /// When it cannot be relied on.
    pub fn open(journal: Arc<Journal>) -> Result<Self, LedgerError> {
        let ledger = Ledger::read(journal.folder())?;
        Ok(Self { journal, ledger })
    }

    /// What it says.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The journal.
    #[must_use]
    pub const fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// A change, as far as it is written.
    #[must_use]
    pub fn course(&self, change: &ChangeId) -> Option<&ChangeState> {
        self.ledger.changes.get(change)
    }

    /// Writes an entry, and waits until it is on the disk.
    ///
    /// # Errors
    /// When it cannot be, or may not follow what is there. Whatever it announces must not happen then.
    pub fn write(&mut self, event: Event) -> Result<u64, LogError> {
        // First on a copy: what cannot be read back is not written.
        let time = event.clock().map_or(Timestamp::UNIX_EPOCH, |clock| clock.wall);
        let seq = self.journal.last().seq + 1;
        let mut ledger = self.ledger.clone();
        ledger.take(&Record { seq, time, entry: Entry::Change(event.clone()) })?;
        let seq = self.journal.append(Entry::Change(event))?;
        self.journal.sync()?;
        self.ledger = ledger;
        Ok(seq)
    }
}
