//! Checks that the journal is what was written.
//!
//! Knows: the chain, `head`, evidence. Must not know: anchors. The chain shows an edit, and `head` shows a cut (JR01). If both are
//! rewritten, only a copy of the head elsewhere shows it.

use std::path::Path;

use super::chain::EntryRef;
use super::entry::Entry;
use super::evidence::{Evidence, EvidenceError};
use super::named::NamedEvidence;
use super::{HEAD, ReadError, Reader};

/// The result of `verify`.
#[derive(Debug)]
pub struct Verdict {
    /// The last entry up to which everything is verified.
    pub proven: EntryRef,
    /// The problems, in the order of the file. Empty if there are none.
    pub breaks: Vec<Break>,
    /// Number of pieces of evidence that match their entries.
    pub evidence: usize,
    /// Number of pieces of evidence that retention has removed.
    pub pruned: usize,
}

/// A problem.
#[derive(Debug, thiserror::Error)]
pub enum Break {
    /// The chain ends here: nothing from this entry on is verified.
    #[error("{0}; this entry and all later ones are not verified")]
    Chain(#[from] ReadError),
    /// `head` names an entry that does not exist.
    #[error("entries {from} to {to} are missing: `head` names entry {to}")]
    Cut {
        /// The first missing entry.
        from: u64,
        /// The last missing entry.
        to: u64,
    },
    /// `head` names this entry with another hash.
    #[error("the hash of entry {seq} does not match `head`: the journal or `head` was rewritten")]
    Head {
        /// The entry.
        seq: u64,
    },
    /// `head` does not exist, or does not contain an entry's number and hash.
    #[error("`head` is missing or damaged, so a cut at the end of the journal cannot be detected")]
    NoHead,
    /// A writer found that entries at the end of the journal were missing, and recorded that.
    #[error("entry {seq} records that {missing} entries before it were missing")]
    Missing {
        /// The entry that records it.
        seq: u64,
        /// The number of missing entries.
        missing: u64,
    },
    /// A writer found that `head` was missing, and recorded that.
    #[error("entry {seq} records that `head` was lost, so entries before it may have been cut")]
    HeadLost {
        /// The entry that records it.
        seq: u64,
    },
    /// Evidence that an entry names is missing or was changed.
    #[error("entry {entry}: {source}")]
    Evidence {
        /// The entry.
        entry: u64,
        /// The problem.
        source: EvidenceError,
    },
    /// A writer was stopped in the middle of an entry, and the next one recorded that.
    #[error("entry {seq} records an incomplete entry of {bytes} bytes before it, which is kept in {file}")]
    TornBefore {
        /// The entry that records it.
        seq: u64,
        /// The number of bytes.
        bytes: u64,
        /// The file that has them.
        file: String,
    },
}

impl Break {
    /// False for the traces of a crash that a writer has recorded. True for every other problem.
    #[must_use]
    pub fn is_serious(&self) -> bool {
        !matches!(self, Self::TornBefore { .. })
    }
}

/// Checks the journal in `folder` from its beginning to its end.
///
/// # Errors
/// There is no journal to read.
pub fn verify(folder: &Path) -> Result<Verdict, ReadError> {
    // The head is read first: a running writer moves it only forward.
    let head = std::fs::read_to_string(folder.join(HEAD)).ok().and_then(|text| EntryRef::from_head(&text));
    let mut reader = Reader::open(folder)?;
    let mut breaks = Vec::new();
    let mut seen = false;
    let mut named = NamedEvidence::default();
    while let Some(record) = reader.next() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                breaks.push(Break::Chain(error));
                break;
            }
        };
        named.add(&record);
        if let Entry::Recovered { torn_bytes, torn_file, missing, head_lost, .. } = record.entry {
            if head_lost {
                breaks.push(Break::HeadLost { seq: record.seq });
            }
            if missing > 0 {
                breaks.push(Break::Missing { seq: record.seq, missing });
            }
            if torn_bytes > 0 {
                let file = torn_file.unwrap_or_default().escape_default().to_string();
                breaks.push(Break::TornBefore { seq: record.seq, bytes: torn_bytes, file });
            }
        }
        if let Some(head) = head.as_ref().filter(|head| head.seq == record.seq) {
            seen = true;
            if head != reader.newest() {
                breaks.push(Break::Head { seq: record.seq });
            }
        }
    }
    let proven = reader.newest().clone();
    let chain_broken = breaks.iter().any(|problem| matches!(problem, Break::Chain(ReadError::Broken { .. })));
    match head {
        None => breaks.push(Break::NoHead),
        // After a break of the chain the rest was not counted, so it is not reported as missing.
        Some(head) if !seen && !chain_broken => breaks.push(Break::Cut { from: proven.seq + 1, to: head.seq }),
        Some(_) => {}
    }
    let (mut evidence, mut pruned) = (0, 0);
    let beside = Evidence::beside(folder);
    for (sha, piece) in named.pieces {
        match beside.get(&sha, piece.bytes) {
            Ok(_) => evidence += 1,
            Err(EvidenceError::Missing(_)) if piece.pruned.is_some() => pruned += 1,
            Err(source) => breaks.push(Break::Evidence { entry: piece.entry, source }),
        }
    }
    Ok(Verdict { proven, breaks, evidence, pruned })
}
