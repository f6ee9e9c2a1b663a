//! Compares the journal with the lines of its anchors.
//!
//! Knows: heads and the chain. Must not know: how the lines were read. It does nothing but read the journal. Attack answered:
//! a changed anchor: its lines are also compared with the copies that the journal records, so that neither is trusted alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Head;
use bailiwick_journal::{Entry, ReadError, Reader};

/// The comparison with one anchor.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct AnchorCheck {
    /// The number of heads that match the journal.
    pub matching: usize,
    /// The newest of them: all entries up to it are unchanged since it was copied. 0 if there is none.
    pub covers: u64,
    /// What does not match, in the anchor's order.
    pub faults: Vec<Fault>,
    /// The number of lines that are not heads: torn by a killed writer, or written by another program.
    pub malformed: usize,
}

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The journal ends before an entry that was copied.
    #[error("it has the head of entry {seq}, and the journal ends with entry {last}: the journal's end was cut")]
    Cut {
        /// The entry that was copied.
        seq: u64,
        /// The last entry now.
        last: u64,
    },
    /// The journal has a different entry there.
    #[error("its hash of entry {seq} does not match: the journal was rewritten {}", since(*.after))]
    Rewritten {
        /// The first entry that is known to differ.
        seq: u64,
        /// The newest entry before it that matches; 0: none.
        after: u64,
    },
    /// The journal records a copy that the anchor does not have.
    #[error(
        "entry {seq} records that the head of entry {head} was copied to it, and it does not have that head: the anchor was cut or rewritten"
    )]
    Lost {
        /// The entry that records it.
        seq: u64,
        /// The head.
        head: u64,
    },
}

fn since(after: u64) -> String {
    if after == 0 { "from its start".to_owned() } else { format!("after entry {after}") }
}

/// Compares the journal in `folder` with the lines of each anchor, by name. A journal with a break is read up to the break.
///
/// # Errors
/// When there is no journal to read.
pub fn compare(folder: &Path, anchors: &BTreeMap<String, Vec<u8>>) -> Result<BTreeMap<String, AnchorCheck>, ReadError> {
    let mut all: BTreeMap<&str, (AnchorCheck, Vec<Head>)> = BTreeMap::new();
    for (name, text) in anchors {
        let mut check = AnchorCheck::default();
        let mut heads = Vec::new();
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match Head::read(line) {
                Some(head) => heads.push(head),
                None => check.malformed += 1,
            }
        }
        all.insert(name, (check, heads));
    }
    let wanted: BTreeSet<u64> = all.values().flat_map(|(_, heads)| heads).map(|head| head.link.seq).collect();
    let mut hashes = BTreeMap::new();
    let mut copied: BTreeMap<&str, Vec<(u64, u64)>> = BTreeMap::new();
    let mut reader = Reader::open(folder)?;
    while let Some(Ok(record)) = reader.next() {
        if wanted.contains(&record.seq) {
            hashes.insert(record.seq, reader.newest().hash.clone());
        }
        if let Entry::Anchored { head, results, .. } = record.entry {
            for (name, failed) in results {
                if let (None, Some((name, _))) = (failed, anchors.get_key_value(&name)) {
                    copied.entry(name).or_default().push((record.seq, head));
                }
            }
        }
    }
    let last = reader.newest().seq;
    let checks = all.into_iter().map(|(name, (mut check, heads))| {
        compare_heads(&mut check, &heads, &hashes, last);
        let has: BTreeSet<u64> = heads.iter().map(|head| head.link.seq).collect();
        let lost = copied.get(name).into_iter().flatten().find(|(_, head)| !has.contains(head));
        check.faults.extend(lost.map(|(seq, head)| Fault::Lost { seq: *seq, head: *head }));
        (name.to_owned(), check)
    });
    Ok(checks.collect())
}

/// Compares the heads of one anchor with the hashes of the journal.
fn compare_heads(check: &mut AnchorCheck, heads: &[Head], hashes: &BTreeMap<u64, String>, last: u64) {
    let matches = |head: &Head| hashes.get(&head.link.seq).map(|hash| *hash == head.link.hash);
    let rewritten = heads.iter().filter(|head| matches(head) == Some(false)).map(|head| head.link.seq).min();
    check.matching = heads.iter().filter(|head| matches(head) == Some(true)).count();
    // An entry covers the entries before it: a match after a difference is a line that another program wrote.
    let matching = heads.iter().filter(|head| matches(head) == Some(true)).map(|head| head.link.seq);
    check.covers = matching.filter(|seq| rewritten.is_none_or(|first| *seq < first)).max().unwrap_or(0);
    if let Some(seq) = rewritten {
        check.faults.push(Fault::Rewritten { seq, after: check.covers });
    }
    if let Some(seq) = heads.iter().filter(|head| matches(head).is_none()).map(|head| head.link.seq).max() {
        check.faults.push(Fault::Cut { seq, last });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use bailiwick_core::model::Tainted;
    use bailiwick_journal::{EntryRef, Journal};

    fn note(journal: &Journal, text: &str) -> EntryRef {
        journal.append(Entry::Note { run: 1, text: Tainted::new(text) }).unwrap();
        journal.last()
    }

    fn line(link: &EntryRef) -> String {
        Head { link: link.clone(), time: "2026-11-22T04:20:47Z".parse().unwrap() }.line()
    }

    fn check(folder: &Path, text: String) -> AnchorCheck {
        compare(folder, &[("nas".to_owned(), text.into_bytes())].into()).unwrap().remove("nas").unwrap()
    }

    #[test]
    fn jr01_a_cut_and_a_rewriting_are_seen_where_they_begin() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path(), Duration::ZERO).unwrap();
        let links: Vec<EntryRef> = (0..6).map(|at| note(&journal, &format!("entry {at}"))).collect();
        drop(journal);
        let copied = line(&links[0]) + &line(&links[2]) + &line(&links[4]);
        let fine = check(folder.path(), copied.clone());
        assert_eq!((fine.matching, fine.covers, fine.faults.len()), (3, links[4].seq, 0));

        let write = |texts: &[&str]| {
            let folder = tempfile::tempdir().unwrap();
            let (journal, _) = Journal::open(folder.path(), Duration::ZERO).unwrap();
            texts.iter().for_each(|text| drop(note(&journal, text)));
            folder
        };
        // From the start: a different journal, longer than the old one.
        let new = write(&["a", "b", "c", "d", "e", "f", "g", "h"]);
        assert!(bailiwick_journal::verify(new.path()).unwrap().breaks.is_empty(), "by itself it is sound");
        let result = check(new.path(), copied.clone());
        assert_eq!(result.faults, [Fault::Rewritten { seq: links[0].seq, after: 0 }]);
        assert_eq!(result.covers, 0);

        // From the middle on, with the old entries in front; and a cut.
        let path = folder.path().join("journal.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        let kept: String = text.lines().take(4).map(|line| format!("{line}\n")).collect();
        std::fs::write(&path, kept).unwrap();
        std::fs::remove_file(folder.path().join("head")).unwrap();
        let cut = check(folder.path(), copied.clone());
        assert_eq!(cut.faults, [Fault::Cut { seq: links[4].seq, last: 4 }]);
        let (journal, _) = Journal::open(folder.path(), Duration::ZERO).unwrap();
        (0..5).for_each(|_| drop(note(&journal, "made up")));
        let rewritten = check(folder.path(), copied);
        assert_eq!(rewritten.faults, [Fault::Rewritten { seq: links[4].seq, after: links[2].seq }]);
        assert_eq!(rewritten.covers, links[2].seq);
    }

    #[test]
    fn an_anchor_that_was_cut_is_told_and_torn_lines_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path(), Duration::ZERO).unwrap();
        let first = note(&journal, "one");
        let EntryRef { seq: head, hash } = first.clone();
        let results: BTreeMap<_, _> = [("nas".to_owned(), None), ("git".to_owned(), Some("no".to_owned()))].into();
        journal.append(Entry::Anchored { head, hash, results }).unwrap();
        let recorded = journal.last().seq;
        assert_eq!(check(folder.path(), String::new()).faults, [Fault::Lost { seq: recorded, head }]);
        // A torn line with another one after it on the same line: the next line counts again.
        let torn = line(&first)[..50].to_owned() + &line(&first) + &line(&first);
        let result = check(folder.path(), torn);
        assert_eq!((result.malformed, result.matching, result.faults.len()), (1, 1, 0));
        // An anchor that never confirmed a copy does not have to have it.
        let other = compare(folder.path(), &[("git".to_owned(), Vec::new())].into()).unwrap();
        assert!(other["git"].faults.is_empty());
    }
}
