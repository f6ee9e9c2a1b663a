//! Which evidence the entries name, and which of it retention has removed.
//!
//! Knows: entries. Must not know: files. A piece must exist from the first entry that names it to the entry that prunes it. If a later
//! entry names it again, it must exist again.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::entry::{Blob, Entry, Outcome, Record};
use super::evidence::Sha;
use super::start::RunStart;

/// All evidence that entries name.
#[derive(Debug, Default)]
pub(super) struct NamedEvidence {
    pub(super) pieces: BTreeMap<Sha, Piece>,
}

/// One piece of evidence, as the entries describe it.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// The first entry that names it after it was last pruned.
    pub(super) entry: u64,
    /// When an entry last named it.
    pub(super) time: Timestamp,
    /// Its size in bytes.
    pub(super) bytes: u64,
    /// The entry that prunes it, if no later entry names it.
    pub(super) pruned: Option<u64>,
}

impl NamedEvidence {
    /// Adds an entry. Entries have to come in their order.
    pub(super) fn add(&mut self, record: &Record) {
        match &record.entry {
            Entry::Outcome { outcome: Outcome::Answer { stdout, stderr, .. }, .. } => {
                for blob in [stdout, stderr] {
                    if let Blob::Evidence { sha256, bytes } = blob {
                        self.name(record, sha256.clone(), *bytes);
                    }
                }
            }
            Entry::Staged { computed: Some(Blob::Evidence { sha256, bytes }), .. } => {
                self.name(record, sha256.clone(), *bytes);
            }
            Entry::RunStarted(RunStart { digest, kept_bytes: Some(bytes), .. }) => {
                if let Ok(sha) = Sha::try_from(digest.clone()) {
                    self.name(record, sha, *bytes);
                }
            }
            Entry::Pruned { evidence, .. } => {
                for sha in evidence {
                    if let Some(piece) = self.pieces.get_mut(sha) {
                        piece.pruned = Some(record.seq);
                    }
                }
            }
            _ => {}
        }
    }

    fn name(&mut self, record: &Record, sha: Sha, bytes: u64) {
        let (entry, time) = (record.seq, record.time);
        let piece = self.pieces.entry(sha).or_insert(Piece { entry, time, bytes, pruned: None });
        if piece.pruned.take().is_some() {
            piece.entry = entry;
        }
        piece.time = time;
        piece.bytes = bytes;
    }
}
