//! Retention: which evidence is removed. The journal records it before it is removed.
//!
//! Knows: what entries name, its age and its size. Must not know: policy's file. Attack answered: evidence that an attacker
//! removes and calls pruned (JR01): evidence is missing unless an entry records that retention removed it. If the chain of the
//! journal is broken, nothing is removed.
//!
//! Entries are never removed: the chain stays whole, and an answer that is in its entry stays. If the process is killed between
//! the entry and the removal, the next prune removes the evidence.

use std::path::Path;

use jiff::Timestamp;

use super::entry::Entry;
use super::evidence::{self, Evidence, EvidenceError, Sha};
use super::named::NamedEvidence;
use super::{Journal, OpenError, ReadError, Reader};

/// Maximum number of digests in one entry.
const NAMED: usize = 1_000;
const DAY_S: i64 = 24 * 60 * 60;

/// The limits that policy sets. None: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RetentionLimits {
    /// Evidence is kept for this many days after an entry last named it.
    pub days: Option<u32>,
    /// Maximum size of all evidence on the disk, in bytes. The evidence that was named longest ago is removed first.
    pub bytes: Option<u64>,
}

/// What is removed and what is kept.
#[derive(Debug, Default)]
pub struct PrunePlan {
    remove: Vec<evidence::Piece>,
    /// Those of them that no entry names as pruned.
    named: Vec<Sha>,
    /// The number of removed pieces, and their bytes on the disk.
    pub removed: (usize, u64),
    /// When they were last named: the earliest and the latest time.
    pub between: Option<(Timestamp, Timestamp)>,
    /// The number of pieces that are kept, and their bytes on the disk.
    pub kept: (usize, u64),
}

/// Why nothing was removed.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The journal cannot be read to its end.
    #[error("the journal cannot be verified, so no evidence was removed")]
    Read(#[from] ReadError),
    /// Evidence cannot be listed or removed.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The journal is not writable.
    #[error("the journal is not writable, so no evidence was removed")]
    Write(#[from] OpenError),
}

/// Computes what has to be removed. Nothing is changed.
///
/// # Errors
/// The journal or the evidence cannot be read.
pub fn plan(folder: &Path, keep: RetentionLimits, now: Timestamp) -> Result<PrunePlan, PruneError> {
    let mut named = NamedEvidence::default();
    for record in Reader::open(folder)? {
        named.add(&record?);
    }
    // When each piece was last named. A piece that no entry names was written by a process that was killed before its entry; then
    // the time of the file counts.
    let last = |piece: &evidence::Piece| {
        let known = piece.sha.as_ref().and_then(|sha| named.pieces.get(sha)).map(|piece| piece.time);
        known.unwrap_or_else(|| Timestamp::from_second(piece.written_s).unwrap_or(Timestamp::MIN))
    };
    let mut pieces: Vec<_> =
        Evidence::beside(folder).pieces()?.into_iter().map(|piece| (last(&piece), piece)).collect();
    pieces.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    let oldest = keep.days.map(|days| now.as_second().saturating_sub(i64::from(days).saturating_mul(DAY_S)));
    let mut plan = PrunePlan::default();
    // From the newest piece on: what fits is kept.
    let mut full = false;
    for (time, piece) in pieces {
        let known = piece.sha.as_ref().and_then(|sha| named.pieces.get(sha));
        let is_pruned = known.is_some_and(|known| known.pruned.is_some());
        let is_old = oldest.is_some_and(|oldest| time.as_second() < oldest);
        full |= keep.bytes.is_some_and(|bytes| plan.kept.1.saturating_add(piece.stored) > bytes);
        if !(is_pruned || is_old || full) {
            plan.kept = (plan.kept.0 + 1, plan.kept.1 + piece.stored);
            continue;
        }
        plan.removed = (plan.removed.0 + 1, plan.removed.1 + piece.stored);
        plan.between = Some(plan.between.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
        if let (Some(sha), Some(_), false) = (&piece.sha, known, is_pruned) {
            plan.named.push(sha.clone());
        }
        plan.remove.push(piece);
    }
    Ok(plan)
}

/// Records what is removed, waits for the disk, and removes it. `rule` names the limit of policy.
///
/// # Errors
/// It cannot be recorded; then nothing is removed. Or a file cannot be removed; then the rest stays until the next prune.
pub fn prune(journal: &Journal, plan: &PrunePlan, rule: &str) -> Result<(), PruneError> {
    for part in plan.named.chunks(NAMED) {
        journal.append(Entry::Pruned { evidence: part.to_vec(), rule: rule.to_owned() })?;
    }
    journal.sync()?;
    let evidence = Evidence::beside(journal.folder());
    for piece in &plan.remove {
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
            .flat_map(|at| *Sha::digest(&[letter, at as u8]).as_str().as_bytes().first_chunk::<16>().unwrap())
            .collect();
        let stdout = journal.keep(&bytes).unwrap();
        let Blob::Evidence { sha256, .. } = stdout.clone() else { panic!("it is large") };
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
    fn nothing_is_removed_without_a_limit_and_a_limit_by_age_removes_what_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(folder.path());
        let sha = answer(&journal, 1);
        let removed = |keep, days| plan(folder.path(), keep, in_days(days)).unwrap().removed.0;
        assert_eq!(removed(RetentionLimits::default(), 10_000), 0);
        assert_eq!(removed(RetentionLimits { days: Some(FAR), bytes: None }, 99), 0);
        assert_eq!(removed(RetentionLimits { days: Some(FAR), bytes: None }, 101), 1);
        assert!(Evidence::beside(folder.path()).has(&sha), "a plan changes nothing");
    }

    #[test]
    fn what_was_named_longest_ago_is_removed_first() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(folder.path());
        let [a, b, c] = [1, 2, 3].map(|letter| answer(&journal, letter));
        // NamedEvidence again: the newest.
        answer(&journal, 1);
        let evidence = Evidence::beside(folder.path());
        let size = evidence.pieces().unwrap()[0].stored;
        let keep = RetentionLimits { days: None, bytes: Some(2 * size + size / 2) };
        let plan = plan(folder.path(), keep, Timestamp::now()).unwrap();
        prune(&journal, &plan, "bytes").unwrap();
        assert_eq!([&a, &b, &c].map(|sha| evidence.has(sha)), [true, false, true]);
        let verdict = verify(folder.path()).unwrap();
        assert!(verdict.breaks.is_empty() && verdict.pruned == 1 && verdict.evidence == 2, "{verdict:?}");
    }

    #[test]
    fn pruned_differs_from_missing_and_what_is_named_again_must_exist_again() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(folder.path());
        let (a, b) = (answer(&journal, 1), answer(&journal, 2));
        let evidence = Evidence::beside(folder.path());
        let all = RetentionLimits { days: None, bytes: Some(1) };
        // Killed after the entry and before the first removal.
        let plan_a = plan(folder.path(), all, Timestamp::now()).unwrap();
        for part in plan_a.named.chunks(NAMED) {
            journal.append(Entry::Pruned { evidence: part.to_vec(), rule: "x".to_owned() }).unwrap();
        }
        assert!(evidence.has(&a) && evidence.has(&b) && verify(folder.path()).unwrap().breaks.is_empty());
        // What an entry names as pruned is removed, by any limit, and is not recorded twice.
        let again = plan(folder.path(), RetentionLimits { days: Some(FAR), bytes: None }, Timestamp::now()).unwrap();
        assert_eq!((again.removed.0, again.named.len()), (2, 0));
        prune(&journal, &again, "x").unwrap();
        let verdict = verify(folder.path()).unwrap();
        assert!(verdict.breaks.is_empty() && verdict.pruned == 2, "{verdict:?}");
        // The same answer again: it exists again, and must exist.
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
    fn evidence_without_an_entry_is_removed_by_its_own_age_and_not_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(folder.path());
        let evidence = Evidence::beside(folder.path());
        evidence.put(b"its writer was killed before the entry").unwrap();
        std::fs::write(folder.path().join("evidence/new-1-1"), b"half of it").unwrap();
        std::fs::write(folder.path().join("evidence/notes.txt"), b"a person's").unwrap();
        assert!(verify(folder.path()).unwrap().breaks.is_empty());
        let keep = RetentionLimits { days: Some(FAR), bytes: None };
        assert_eq!(plan(folder.path(), keep, Timestamp::now()).unwrap().removed.0, 0);
        let plan = plan(folder.path(), keep, in_days(101)).unwrap();
        assert_eq!((plan.removed.0, plan.named.len()), (2, 0));
        prune(&journal, &plan, "x").unwrap();
        assert!(evidence.pieces().unwrap().is_empty() && folder.path().join("evidence/notes.txt").exists());
    }

    #[test]
    fn nothing_is_removed_if_the_chain_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let journal = journal(folder.path());
        answer(&journal, 1);
        let path = folder.path().join("journal.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("\"intent\":1", "\"intent\":2", 1)).unwrap();
        let planned = plan(folder.path(), RetentionLimits { days: None, bytes: Some(1) }, Timestamp::now());
        assert!(matches!(planned, Err(PruneError::Read(_))), "{planned:?}");
    }
}
