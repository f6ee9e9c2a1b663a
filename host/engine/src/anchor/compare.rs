//! The journal held against the lines of its anchors.
//!
//! Knows: heads and the chain. Must not know: how lines came here. Pure but for reading the journal. An anchor may be taken
//! too: its lines are held against what the journal says that it took, so that neither is believed alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Head;
use bailiwick_journal::{Entry, ReadError, Reader};

/// What one anchor says.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Held {
    /// Heads that are in the journal as they were copied.
    pub fitting: usize,
    /// The newest of them: all entries up to it are as they were then.
    pub covers: u64,
    /// What does not fit, in the anchor's order.
    pub faults: Vec<Fault>,
    /// Lines that are no heads: torn by a writer that was killed, or somebody's.
    pub strange: usize,
}

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The journal ends before an entry that was there.
    #[error("it took entry {seq}, and the journal ends with entry {last}: its end was cut")]
    Cut {
        /// The entry that was there.
        seq: u64,
        /// The last one now.
        last: u64,
    },
    /// The journal has another entry there.
    #[error("it took entry {seq} with another hash: the journal was rewritten {}", since(*.after))]
    Rewritten {
        /// The first entry that is known to be another.
        seq: u64,
        /// The newest one before it that is as it was; 0: none.
        after: u64,
    },
    /// The journal says that the anchor took a head that it does not have.
    #[error(
        "entry {seq} says that it took the head of entry {head}, and it does not have that: the anchor was cut or rewritten"
    )]
    Lost {
        /// The entry that says so.
        seq: u64,
        /// The head.
        head: u64,
    },
}

fn since(after: u64) -> String {
    if after == 0 { "from its start".to_owned() } else { format!("after entry {after}") }
}

/// Holds the journal in `folder` against the lines of each anchor, by its name. A journal that does not hold together is
/// read as far as it does.
///
/// # Errors
/// When there is no journal to read.
pub fn hold(folder: &Path, anchors: &BTreeMap<String, Vec<u8>>) -> Result<BTreeMap<String, Held>, ReadError> {
    let mut all: BTreeMap<&str, (Held, Vec<Head>)> = BTreeMap::new();
    for (name, text) in anchors {
        let mut held = Held::default();
        let mut heads = Vec::new();
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match Head::read(line) {
                Some(head) => heads.push(head),
                None => held.strange += 1,
            }
        }
        all.insert(name, (held, heads));
    }
    let wanted: BTreeSet<u64> = all.values().flat_map(|(_, heads)| heads).map(|head| head.link.seq).collect();
    let mut hashes = BTreeMap::new();
    let mut took: BTreeMap<&str, Vec<(u64, u64)>> = BTreeMap::new();
    let mut reader = Reader::open(folder)?;
    while let Some(Ok(record)) = reader.next() {
        if wanted.contains(&record.seq) {
            hashes.insert(record.seq, reader.newest().hash.clone());
        }
        if let Entry::Anchored { head, results, .. } = record.entry {
            for (name, failed) in results {
                if let (None, Some((name, _))) = (failed, anchors.get_key_value(&name)) {
                    took.entry(name).or_default().push((record.seq, head));
                }
            }
        }
    }
    let last = reader.newest().seq;
    let judged = all.into_iter().map(|(name, (mut held, heads))| {
        judge(&mut held, &heads, &hashes, last);
        let has: BTreeSet<u64> = heads.iter().map(|head| head.link.seq).collect();
        let lost = took.get(name).into_iter().flatten().find(|(_, head)| !has.contains(head));
        held.faults.extend(lost.map(|(seq, head)| Fault::Lost { seq: *seq, head: *head }));
        (name.to_owned(), held)
    });
    Ok(judged.collect())
}

/// The heads of one anchor against the hashes of the journal.
fn judge(held: &mut Held, heads: &[Head], hashes: &BTreeMap<u64, String>, last: u64) {
    let fits = |head: &Head| hashes.get(&head.link.seq).map(|hash| *hash == head.link.hash);
    let rewritten = heads.iter().filter(|head| fits(head) == Some(false)).map(|head| head.link.seq).min();
    held.fitting = heads.iter().filter(|head| fits(head) == Some(true)).count();
    // An entry covers those before it: one that fits behind one that does not is from a line that somebody else wrote.
    let fitting = heads.iter().filter(|head| fits(head) == Some(true)).map(|head| head.link.seq);
    held.covers = fitting.clone().filter(|seq| rewritten.is_none_or(|first| *seq < first)).max().unwrap_or(0);
    if let Some(seq) = rewritten {
        held.faults.push(Fault::Rewritten { seq, after: held.covers });
    }
    if let Some(seq) = heads.iter().filter(|head| fits(head).is_none()).map(|head| head.link.seq).max() {
        held.faults.push(Fault::Cut { seq, last });
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

    fn held(folder: &Path, text: String) -> Held {
        hold(folder, &[("nas".to_owned(), text.into_bytes())].into()).unwrap().remove("nas").unwrap()
    }

    #[test]
    fn jr01_a_cut_and_a_rewriting_are_seen_where_they_begin() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(folder.path(), Duration::ZERO).unwrap();
        let links: Vec<EntryRef> = (0..6).map(|at| note(&journal, &format!("entry {at}"))).collect();
        drop(journal);
        let copied = line(&links[0]) + &line(&links[2]) + &line(&links[4]);
        let fine = held(folder.path(), copied.clone());
        assert_eq!((fine.fitting, fine.covers, fine.faults.len()), (3, links[4].seq, 0));

        let write = |texts: &[&str]| {
            let folder = tempfile::tempdir().unwrap();
            let (journal, _) = Journal::open(folder.path(), Duration::ZERO).unwrap();
            texts.iter().for_each(|text| drop(note(&journal, text)));
            folder
        };
        // From the start: another journal altogether, longer than the old one.
        let new = write(&["a", "b", "c", "d", "e", "f", "g", "h"]);
        assert!(bailiwick_journal::verify(new.path()).unwrap().breaks.is_empty(), "by itself it is sound");
        let found = held(new.path(), copied.clone());
        assert_eq!(found.faults, [Fault::Rewritten { seq: links[0].seq, after: 0 }]);
        assert_eq!(found.covers, 0);

        // From the middle on, with the old entries in front; and a cut.
        let path = folder.path().join("journal.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        let kept: String = text.lines().take(4).map(|line| format!("{line}\n")).collect();
        std::fs::write(&path, kept).unwrap();
        std::fs::remove_file(folder.path().join("head")).unwrap();
        let cut = held(folder.path(), copied.clone());
        assert_eq!(cut.faults, [Fault::Cut { seq: links[4].seq, last: 4 }]);
        let (journal, _) = Journal::open(folder.path(), Duration::ZERO).unwrap();
        (0..5).for_each(|_| drop(note(&journal, "made up")));
        let rewritten = held(folder.path(), copied);
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
        let said = journal.last().seq;
        assert_eq!(held(folder.path(), String::new()).faults, [Fault::Lost { seq: said, head }]);
        // A line that was torn, and another one behind it on the same line: the next one counts again.
        let torn = line(&first)[..50].to_owned() + &line(&first) + &line(&first);
        let found = held(folder.path(), torn);
        assert_eq!((found.strange, found.fitting, found.faults.len()), (1, 1, 0));
        // One that never took it owes nothing.
        let other = hold(folder.path(), &[("git".to_owned(), Vec::new())].into()).unwrap();
        assert!(other["git"].faults.is_empty());
    }
}
