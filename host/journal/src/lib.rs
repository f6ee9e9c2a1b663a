//! The journal: an append-only, hash-chained record of intents and outcomes. All other state is computed from it.
//!
//! Knows: entries, their order, their bytes on the disk. Must not know: who reads them, or how they are shown. Attacks answered: an
//! edited, cut, exchanged or inserted entry (JR01); an incomplete last entry that is ignored; two writers (JR05); a forged line
//! inside a target's answer (TX05): one entry is one line of ASCII JSON.
//!
//! **Invariant:** an intent is written before its action is sent, and a whole entry is written with one `write`.
//!
//! One line is `HASH BODY\n`, where `HASH` is SHA-256 in hex over the domain tag, the hash before it, the body's length
//! and the body. `head` beside it names the newest entry, so that a cut at the end of a line is detected as well. An answer
//! that is larger than [`INLINE_BYTES`] is in a folder beside the journal, and its entry has its digest ([`Evidence`]).

mod chain;
mod change;
mod entry;
mod evidence;
mod format;
pub mod history;
mod named;
mod open;
mod prune;
mod read;
mod scratch;
mod start;
mod verify;

pub use chain::EntryRef;
pub use change::{Boot, Consent, Denial, End, Event, NotPlanned, Observed, ProofResult, Reading, StepEnd};
pub use entry::{Blob, Entry, Outcome, Record, RunEnd};
pub use evidence::{Evidence, EvidenceError, FOLDER, NotASha, Piece, Sha};
pub use open::{Journal, OpenError, Recovery};
pub use prune::{PruneError, PrunePlan, RetentionLimits, plan, prune};
pub use read::{ReadError, ReadPosition, Reader};
pub use scratch::Scratch;
pub use start::{Granted, Past, RunStart, RunTarget, Withheld};
pub use verify::{Break, Verdict, verify};

/// The format that this version writes. A reader refuses formats that it does not know.
pub const FORMAT: &str = "bailiwick.journal/3";
/// The largest answer, in bytes, that is in the entry itself. Larger ones are kept beside the journal.
pub const INLINE_BYTES: usize = 1 << 10;
/// The longest line that a reader accepts, in bytes: four answers of the largest verb, escaped, as `/1` wrote them.
pub const LINE_MAX: usize = 16 << 20;
/// The file in the journal folder that holds the entries.
pub const FILE: &str = "journal.jsonl";
/// The file in the journal folder that holds the number and hash of the last entry.
pub const HEAD: &str = "head";
