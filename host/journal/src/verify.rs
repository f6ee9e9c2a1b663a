//! Whether the journal is what was written. A local chain shows edits and, with `head`, a cut; somebody who can rewrite
//! both is found only by a copy of the head elsewhere.

use std::path::Path;

use super::chain::Link;
use super::entry::Entry;
use super::evidence::{Evidence, EvidenceError};
use super::named::Named;
use super::{HEAD, ReadError, Reader};

/// What `verify` found.
#[derive(Debug)]
pub struct Verdict {
    /// The newest entry up to which all is proven.
    pub proven: Link,
    /// What is wrong, in the order of the file; empty if all is well.
    pub breaks: Vec<Break>,
    /// Pieces of evidence that are there, and are what the entries say.
    pub evidence: usize,
    /// Pieces of evidence that retention let go.
    pub pruned: usize,
}

/// Something wrong.
#[derive(Debug, thiserror::Error)]
pub enum Break {
    /// The chain ends here: nothing from this entry on is proven.
    #[error("{0}; nothing from there on is proven")]
    Chain(#[from] ReadError),
    /// `head` names an entry that is not there.
    #[error("entries {from} to {to} are gone: `head` names entry {to}")]
    Cut {
        /// The first that is gone.
        from: u64,
        /// The last that is gone.
        to: u64,
    },
    /// `head` names this entry with another hash.
    #[error("entry {seq} has another hash than `head` says: the journal or `head` was rewritten")]
    Head {
        /// The entry.
        seq: u64,
    },
    /// There is no `head`, or it does not hold an entry's number and hash.
    #[error("`head` is missing or damaged: a cut at the end would not be seen")]
    NoHead,
    /// A writer found the end of the journal gone, and said so.
    #[error("entry {seq} records that {missing} entries before it were gone")]
    Missing {
        /// The entry that says so.
        seq: u64,
        /// How many.
        missing: u64,
    },
    /// A writer found `head` gone, and said so.
    #[error("entry {seq} records that `head` was lost: what was cut before it, nobody knows")]
    HeadLost {
        /// The entry that says so.
        seq: u64,
    },
    /// What an entry names is not beside the journal, or not as it was.
    #[error("entry {entry}: {source}")]
    Evidence {
        /// The entry.
        entry: u64,
        /// What is wrong.
        source: EvidenceError,
    },
    /// A writer was stopped in the middle of an entry, and the next one said so.
    #[error("entry {seq} records a torn tail of {bytes} bytes, kept in {file}")]
    TornBefore {
        /// The entry that says so.
        seq: u64,
        /// How many bytes.
        bytes: u64,
        /// Where they were put.
        file: String,
    },
}

impl Break {
    /// False for what a crash leaves and a writer has recorded; true for what should not be.
    #[must_use]
    pub fn is_serious(&self) -> bool {
        !matches!(self, Self::TornBefore { .. })
    }
}

/// Checks the journal in `folder` from end to end.
///
/// # Errors
/// When there is no journal to read.
pub fn verify(folder: &Path) -> Result<Verdict, ReadError> {
    // The head is read first: a writer at work moves it only forward.
    let head = std::fs::read_to_string(folder.join(HEAD)).ok().and_then(|text| Link::from_head(&text));
    let mut reader = Reader::open(folder)?;
    let mut breaks = Vec::new();
    let mut seen = false;
    let mut named = Named::default();
    while let Some(record) = reader.next() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                breaks.push(Break::Chain(error));
                break;
            }
        };
        named.take(&record);
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
    let chain_broken = breaks.iter().any(|found| matches!(found, Break::Chain(ReadError::Broken { .. })));
    match head {
        None => breaks.push(Break::NoHead),
        // Where the chain is broken the rest was not counted, and is not called gone.
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
