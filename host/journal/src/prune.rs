//! Retention: which evidence goes, and that its going is written down before it goes.
//!
//! Knows: what entries name, and how old and how large it is. Must not know: policy's file. Attack answered: evidence that is
//! removed and called retention (JR01): what the journal does not say it let go is missing, whoever removed it; and a
//! journal that does not hold together lets nothing go.
//!
//! Entries themselves are never removed: the chain stays whole, and an answer that stands in its entry stays. Whoever is
//! killed in between leaves what is named as gone and still there; the next time it goes.

use std::path::Path;

use jiff::Timestamp;

use super::entry::Entry;
use super::evidence::{self, Evidence, EvidenceError, Sha};
use super::named::Named;
use super::{Journal, OpenError, ReadError, Reader};

/// Digests in one entry.
const NAMED: usize = 1_000;
const DAY_S: i64 = 24 * 60 * 60;

/// What the operator wants to keep. None: no such bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// So many days after it was last named.
    pub days: Option<u32>,
    /// So many bytes on the disk; what was named longest ago goes first.
    pub bytes: Option<u64>,
}

/// What goes and what stays.
#[derive(Debug, Default)]
pub struct Plan {
    goes: Vec<evidence::Piece>,
    /// Of those, what has yet to be written down.
    named: Vec<Sha>,
    /// Pieces that go, and their bytes on the disk.
    pub going: (usize, u64),
    /// When they were last named: the first and the last of them.
    pub between: Option<(Timestamp, Timestamp)>,
    /// Pieces that stay, and their bytes on the disk.
    pub staying: (usize, u64),
}

/// Why nothing is let go.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The journal cannot be read to its end.
    #[error("the journal does not hold together, so nothing is let go")]
    Read(#[from] ReadError),
    /// Evidence cannot be listed or removed.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// It cannot be written down.
    #[error("what goes cannot be written down, so nothing goes")]
    Write(#[from] OpenError),
}

/// Works out what goes. Nothing is changed.
///
/// # Errors
/// When the journal or the evidence cannot be read.
pub fn plan(folder: &Path, keep: Keep, now: Timestamp) -> Result<Plan, PruneError> {
    let mut named = Named::default();
    for record in Reader::open(folder)? {
        named.take(&record?);
    }
    // When each was last named; of what nobody names, when it was written: somebody was killed before its entry.
    let last = |piece: &evidence::Piece| {
        let known = piece.sha.as_ref().and_then(|sha| named.pieces.get(sha)).map(|piece| piece.time);
        known.unwrap_or_else(|| Timestamp::from_second(piece.written_s).unwrap_or(Timestamp::MIN))
    };
    let mut pieces: Vec<_> =
        Evidence::beside(folder).pieces()?.into_iter().map(|piece| (last(&piece), piece)).collect();
    pieces.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    let oldest = keep.days.map(|days| now.as_second().saturating_sub(i64::from(days).saturating_mul(DAY_S)));
    let mut plan = Plan::default();
    // From the newest on: what fits, stays.
    let mut full = false;
    for (time, piece) in pieces {
        let known = piece.sha.as_ref().and_then(|sha| named.pieces.get(sha));
        let is_let_go = known.is_some_and(|known| known.pruned.is_some());
        let is_old = oldest.is_some_and(|oldest| time.as_second() < oldest);
        full |= keep.bytes.is_some_and(|bytes| plan.staying.1.saturating_add(piece.stored) > bytes);
        if !(is_let_go || is_old || full) {
            plan.staying = (plan.staying.0 + 1, plan.staying.1 + piece.stored);
            continue;
        }
        plan.going = (plan.going.0 + 1, plan.going.1 + piece.stored);
        plan.between = Some(plan.between.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
        if let (Some(sha), Some(_), false) = (&piece.sha, known, is_let_go) {
            plan.named.push(sha.clone());
        }
        plan.goes.push(piece);
    }
    Ok(plan)
}

/// Writes down what goes, waits for the disk, and lets it go. `rule` says who wanted it.
///
/// # Errors
/// When it cannot be written down; then all stays. When a file cannot be removed; then the rest stays until the next time.
pub fn prune(journal: &Journal, plan: &Plan, rule: &str) -> Result<(), PruneError> {
    for part in plan.named.chunks(NAMED) {
        journal.append(Entry::Pruned { evidence: part.to_vec(), rule: rule.to_owned() })?;
    }
    journal.sync()?;
    let evidence = Evidence::beside(journal.folder());
    for piece in &plan.goes {
        evidence.remove(piece)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Blob, Break, Outcome, verify};
    use bailiwick_core::model::Exit;

    const FAR: u32 = 100;

    fn journal(folder: &Path) -> Journal {
        Journal::open(folder, Duration::ZERO).unwrap().0
    }

    fn answer(journal: &Journal, letter: u8) -> Sha {
        // Does not become small when it is packed.
        let bytes: Vec<u8> = (0..200_u32)
            .flat_map(|at| *Sha::of(&[letter, at as u8]).as_str().as_bytes().first_chunk::<16>().unwrap())
            .collect();
        let stdout = journal.keep(&bytes).unwrap();
        let Blob::Kept { sha256, .. } = stdout.clone() else { panic!("it is large") };
        let outcome = Outcome::Answer { stdout, stderr: Blob::default(), exit: Exit::Status(0) };
        journal
            .append(Entry::Outcome { intent: 1, outcome, elapsed_ms: 0, timing: None, redacted: Default::default() })
            .unwrap();
        sha256
    }

    fn in_days(days: i64) -> Timestamp {
        Timestamp::from_second(Timestamp::now().as_second() + days * DAY_S).unwrap()
    }

    #[test]
    fn nothing_goes_without_a_rule_and_by_age_what_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(folder.path());
        let sha = answer(&journal, 1);
        let going = |keep, days| plan(folder.path(), keep, in_days(days)).unwrap().going.0;
        assert_eq!(going(Keep::default(), 10_000), 0);
        assert_eq!(going(Keep { days: Some(FAR), bytes: None }, 99), 0);
        assert_eq!(going(Keep { days: Some(FAR), bytes: None }, 101), 1);
        assert!(Evidence::beside(folder.path()).has(&sha), "a plan changes nothing");
    }

    #[test]
    fn what_was_named_longest_ago_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(folder.path());
        let [a, b, c] = [1, 2, 3].map(|letter| answer(&journal, letter));
        // Named again: the newest.
        answer(&journal, 1);
        let evidence = Evidence::beside(folder.path());
        let size = evidence.pieces().unwrap()[0].stored;
        let keep = Keep { days: None, bytes: Some(2 * size + size / 2) };
        let plan = plan(folder.path(), keep, Timestamp::now()).unwrap();
        prune(&journal, &plan, "bytes").unwrap();
        assert_eq!([&a, &b, &c].map(|sha| evidence.has(sha)), [true, false, true]);
        let verdict = verify(folder.path()).unwrap();
        assert!(verdict.breaks.is_empty() && verdict.pruned == 1 && verdict.evidence == 2, "{verdict:?}");
    }

    #[test]
    fn pruned_is_told_from_missing_and_what_is_named_again_is_owed_again() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(folder.path());
        let (a, b) = (answer(&journal, 1), answer(&journal, 2));
        let evidence = Evidence::beside(folder.path());
        let all = Keep { days: None, bytes: Some(1) };
        // Killed after the entry and before the first removal.
        let plan_a = plan(folder.path(), all, Timestamp::now()).unwrap();
        for part in plan_a.named.chunks(NAMED) {
            journal.append(Entry::Pruned { evidence: part.to_vec(), rule: "x".to_owned() }).unwrap();
        }
        assert!(evidence.has(&a) && evidence.has(&b) && verify(folder.path()).unwrap().breaks.is_empty());
        // What was let go goes, by whatever rule; nobody writes it down twice.
        let again = plan(folder.path(), Keep { days: Some(FAR), bytes: None }, Timestamp::now()).unwrap();
        assert_eq!((again.going.0, again.named.len()), (2, 0));
        prune(&journal, &again, "x").unwrap();
        let verdict = verify(folder.path()).unwrap();
        assert!(verdict.breaks.is_empty() && verdict.pruned == 2, "{verdict:?}");
        // The same answer again: it is there again, and owed.
        answer(&journal, 1);
        assert_eq!(verify(folder.path()).unwrap().pruned, 1);
        let piece = evidence.pieces().unwrap().remove(0);
        evidence.remove(&piece).unwrap();
        let breaks = verify(folder.path()).unwrap().breaks;
        assert!(
            matches!(breaks.as_slice(), [Break::Evidence { source: EvidenceError::Missing(sha), .. }] if *sha == a)
        );
    }

    #[test]
    fn what_nobody_names_goes_by_its_own_age_and_is_not_written_down() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(folder.path());
        let evidence = Evidence::beside(folder.path());
        evidence.put(b"its writer was killed before the entry").unwrap();
        std::fs::write(folder.path().join("evidence/new-1-1"), b"half of it").unwrap();
        std::fs::write(folder.path().join("evidence/notes.txt"), b"a person's").unwrap();
        assert!(verify(folder.path()).unwrap().breaks.is_empty());
        let keep = Keep { days: Some(FAR), bytes: None };
        assert_eq!(plan(folder.path(), keep, Timestamp::now()).unwrap().going.0, 0);
        let plan = plan(folder.path(), keep, in_days(101)).unwrap();
        assert_eq!((plan.going.0, plan.named.len()), (2, 0));
        prune(&journal, &plan, "x").unwrap();
        assert!(evidence.pieces().unwrap().is_empty() && folder.path().join("evidence/notes.txt").exists());
    }

    #[test]
    fn a_journal_that_does_not_hold_together_lets_nothing_go() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(folder.path());
        answer(&journal, 1);
        let path = folder.path().join("journal.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("\"intent\":1", "\"intent\":2", 1)).unwrap();
        let planned = plan(folder.path(), Keep { days: None, bytes: Some(1) }, Timestamp::now());
        assert!(matches!(planned, Err(PruneError::Read(_))), "{planned:?}");
    }
}
