//! Which evidence the entries name, and which of it retention has let go.
//!
//! Knows: entries. Must not know: files. A piece is owed from the first entry that names it to the last that lets it go; one
//! that is named again afterwards is owed again.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::entry::{Blob, Entry, Outcome, Record};
use super::evidence::Sha;
use super::start::RunStart;

/// All that entries name.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) pieces: BTreeMap<Sha, Piece>,
}

/// One piece of evidence, by what the entries say of it.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// The first entry that names it and is not followed by one that lets it go.
    pub(super) entry: u64,
    /// When it was last named.
    pub(super) time: Timestamp,
    /// How many bytes it has.
    pub(super) bytes: u64,
    /// The entry that lets it go, if none has named it since.
    pub(super) pruned: Option<u64>,
}

impl Named {
    /// Takes an entry into account; in their order.
    pub(super) fn take(&mut self, record: &Record) {
        match &record.entry {
            Entry::Outcome { outcome: Outcome::Answer { stdout, stderr, .. }, .. } => {
                for blob in [stdout, stderr] {
                    if let Blob::Kept { sha256, bytes } = blob {
                        self.name(record, sha256.clone(), *bytes);
                    }
                }
            }
            Entry::Staged { computed: Some(Blob::Kept { sha256, bytes }), .. } => {
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
