//! The formats of journals. Every older format stays readable, and a journal of an unknown format is not written.
//!
//! Knows: formats and their order. Must not know: entries of other kinds. `/1` had every answer in its entry. `/2` has the digest of
//! an answer that is larger than [`super::INLINE_BYTES`]. Every entry of an older format is an entry of the newer one. So an
//! entry moves a journal to a newer format, and the chain continues.

use std::io::{self, BufRead};

use super::chain::split;
use super::entry::{Entry, Record};

/// Every format that is read, oldest first; the last is the one that is written.
const KNOWN: &[&str] = &["bailiwick.journal/1", "bailiwick.journal/2", super::FORMAT];

/// The position of a format in the list. None if it is unknown.
pub(super) fn age(format: &str) -> Option<usize> {
    KNOWN.iter().position(|known| *known == format)
}

/// The next step for an operator with a journal of a newer program.
pub(super) const HINT: &str =
    "use the version of bailiwick that wrote it, or a newer one; to begin a new journal, rename the folder";

const KIND: &[u8] = b"\"kind\":\"journal\"";
/// Longer than any entry that names a format.
const LINE_BYTES: usize = 512;

/// The format that a journal's entries named last. The chain is not checked here. If an edited entry names too new a format, the
/// writer stops. If it names too old a format, the writer writes the format again, and readers report that.
pub(super) fn named_format(journal: impl BufRead) -> io::Result<Option<String>> {
    let mut named = None;
    short_lines(journal, |line| {
        let (_, body) = split(line)?;
        // Most lines do not have to be parsed to see that they are of another kind.
        body.windows(KIND.len()).take(LINE_BYTES).find(|at| *at == KIND)?;
        match serde_json::from_slice::<Record>(body).ok()?.entry {
            Entry::Journal { format } => named = Some(format),
            _ => return None,
        }
        Some(())
    })?;
    Ok(named)
}

/// Calls `each` with every line that is short enough. Longer lines are skipped without storing them.
fn short_lines(mut journal: impl BufRead, mut each: impl FnMut(&[u8]) -> Option<()>) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        let piece = journal.fill_buf()?;
        if piece.is_empty() {
            return Ok(());
        }
        let end = piece.iter().position(|byte| *byte == b'\n');
        let part = piece.get(..end.unwrap_or(piece.len())).unwrap_or_default();
        if line.len() <= LINE_BYTES {
            line.extend(part.iter().take(LINE_BYTES + 1));
        }
        let consumed = part.len() + usize::from(end.is_some());
        journal.consume(consumed);
        if end.is_some() {
            if line.len() <= LINE_BYTES {
                each(&line);
            }
            line.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_format_that_is_named_last_counts() {
        let hash = "0".repeat(64);
        let line = |seq: u64, format: &str| {
            let entry = serde_json::json!({"kind": "journal", "format": format});
            format!("{hash} {{\"seq\":{seq},\"time\":\"2026-01-01T00:00:00Z\",\"entry\":{entry}}}\n")
        };
        let note = format!("{hash} {{\"seq\":2,\"entry\":{{\"kind\":\"note\",\"text\":\"{}\"}}}}\n", "x".repeat(9000));
        let text = line(1, "bailiwick.journal/1") + &note + &line(3, "bailiwick.journal/7") + &note;
        // Buffers smaller than a line, and larger.
        for size in [7, 100_000] {
            let reader = std::io::BufReader::with_capacity(size, text.as_bytes());
            assert_eq!(super::named_format(reader).unwrap().as_deref(), Some("bailiwick.journal/7"));
        }
        assert_eq!(super::named_format(note.as_bytes()).unwrap(), None);
    }

    #[test]
    fn what_is_written_is_the_newest_that_is_read() {
        assert_eq!(super::age(super::super::FORMAT), Some(super::KNOWN.len() - 1));
        assert_eq!(super::age("bailiwick.journal/99"), None);
    }
}
