//! What happened: an append-only, hash-chained record of intents and outcomes, and the only truth.
//!
//! Knows: entries, order, bytes on disk. Must not know: who reads it or what it is rendered to. Attacks answered: an
//! edited, cut, swapped or inserted entry (JR01); a torn tail passed over in silence; two writers (JR05); a forged line
//! inside a target's answer (TX05): one entry is one line of ASCII JSON.
//!
//! **Invariant:** an intent is written before its action is sent, and the whole of an entry goes out in one `write`.
//!
//! One line is `HASH BODY\n`, where `HASH` is SHA-256 in hex over the domain tag, the hash before it, the body's length
//! and the body. `head` beside it names the newest entry, so that a cut at a line's end is seen as well. Answers that are
//! larger than [`INLINE_BYTES`] are named by their digest, and kept in a folder beside it ([`Evidence`]).

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

pub use chain::Link;
pub use change::{Boot, Consent, Denial, End, Event, NotPlanned, Reading, Seen, Shown, StepEnd};
pub use entry::{Blob, Entry, Outcome, Record, RunEnd};
pub use evidence::{Evidence, EvidenceError, FOLDER, NotASha, Piece, Sha};
pub use open::{Journal, OpenError, Recovery};
pub use prune::{Keep, Plan, PruneError, plan, prune};
pub use read::{Mark, ReadError, Reader};
pub use scratch::Scratch;
pub use start::{Granted, Past, RunStart, RunTarget, Withheld};
pub use verify::{Break, Verdict, verify};

/// The format that this version writes. Readers refuse what they do not know.
pub const FORMAT: &str = "bailiwick.journal/3";
/// Answers of so many bytes stand in the entry itself; longer ones are kept beside the journal.
pub const INLINE_BYTES: usize = 1 << 10;
/// The longest line that a reader takes, in bytes: four answers of the largest verb, escaped, as `/1` wrote them.
pub const LINE_MAX: usize = 16 << 20;
/// The file in the journal folder that holds the entries.
pub const FILE: &str = "journal.jsonl";
/// The file in the journal folder that holds the number and hash of the last entry.
pub const HEAD: &str = "head";
