//! Which formats there are: what each version wrote stays readable, and what none of them knows is left alone.
//!
//! `/1` had every answer in its entry. `/2` names those that are larger than [`super::INLINE_BYTES`] by their digest; every
//! entry of `/1` is one of `/2`, so that a journal goes over from one to the other with an entry that says so, and the
//! chain goes on.

use std::io::{self, BufRead};

use super::chain::split;
use super::entry::{Entry, Record};

/// Every format that is read, oldest first; the last is the one that is written.
const KNOWN: &[&str] = &["bailiwick.journal/1", "bailiwick.journal/2", super::FORMAT];

/// How new a format is; none for one that is not known.
pub(super) fn age(format: &str) -> Option<usize> {
    KNOWN.iter().position(|known| *known == format)
}

/// What somebody can do who has a journal of a newer program.
pub(super) const HINT: &str =
    "use the bailiwick that wrote it, or a newer one; for a new journal, put the folder aside under another name";

const KIND: &[u8] = b"\"kind\":\"journal\"";
/// Longer than any entry that says which format a journal has.
const LINE_BYTES: usize = 512;

/// The format that a journal was begun in or has gone over to last, as its entries say. They are not held against the chain:
/// a writer that is told too new a format stops, and one that is told too old a one says it once more, which readers see.
pub(super) fn said(journal: impl BufRead) -> io::Result<Option<String>> {
    let mut found = None;
    short_lines(journal, |line| {
        let (_, body) = split(line)?;
        // Most lines need not be understood to see that they are something else.
        body.windows(KIND.len()).take(LINE_BYTES).find(|at| *at == KIND)?;
        match serde_json::from_slice::<Record>(body).ok()?.entry {
            Entry::Journal { format } => found = Some(format),
            _ => return None,
        }
        Some(())
    })?;
    Ok(found)
}

/// Hands out each line that is short enough, and passes over the others without keeping them.
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
    fn the_last_word_on_the_format_counts() {
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
            assert_eq!(super::said(reader).unwrap().as_deref(), Some("bailiwick.journal/7"));
        }
        assert_eq!(super::said(note.as_bytes()).unwrap(), None);
    }

    #[test]
    fn what_is_written_is_the_newest_that_is_read() {
        assert_eq!(super::age(super::super::FORMAT), Some(super::KNOWN.len() - 1));
        assert_eq!(super::age("bailiwick.journal/99"), None);
    }
}
