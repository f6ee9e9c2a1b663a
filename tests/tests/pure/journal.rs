//! The journal: any edit or cut is found and located, and a writer that was stopped leaves nothing hidden.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bailiwick_core::model::Tainted;
use bailiwick_journal::{Break, Entry, EntryRef, Journal, OpenError, Reader, verify};

fn note(text: &str) -> Entry {
    Entry::Note { run: 1, text: Tainted::new(text) }
}

fn write(folder: &Path, notes: &[&str]) {
    let (journal, recovery) = Journal::open(folder, Duration::ZERO).unwrap();
    assert_eq!(recovery, None);
    for text in notes {
        journal.append(note(text)).unwrap();
    }
    journal.sync().unwrap();
}

fn sound(folder: &Path) -> bool {
    verify(folder).unwrap().breaks.is_empty()
}

#[test]
fn what_was_written_is_read_and_verified() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = "\u{1b}[2J\n2026-01-01 level=INFO run.end ok\r\u{9b}\u{202e}\u{2028}";
    write(folder.path(), &["a", hostile]);
    write(folder.path(), &["b"]);
    assert!(sound(folder.path()));
    let text = fs::read(folder.path().join("journal.jsonl")).unwrap();
    assert!(text.iter().all(|b| *b == b'\n' || (b' '..=b'~').contains(b)), "TX05: a line is ASCII and one line");
    let notes: Vec<_> = Reader::open(folder.path())
        .unwrap()
        .filter_map(|record| match record.unwrap().entry {
            Entry::Note { text, .. } => Some(text),
            _ => None,
        })
        .collect();
    assert_eq!(notes, ["a", hostile, "b"].map(Tainted::new));
}

#[test]
fn jr01_every_flipped_bit_of_journal_and_head_is_found() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &["one", "two", "three"]);
    for name in ["journal.jsonl", "head"] {
        let path = folder.path().join(name);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut edited = whole.clone();
                edited[at] ^= 1 << bit;
                fs::write(&path, &edited).unwrap();
                let verdict = verify(folder.path()).unwrap();
                assert!(!verdict.breaks.is_empty(), "{name}: bit {bit} of byte {at} flipped unseen");
                if name == "journal.jsonl" {
                    // The entry is named, and nothing after it is reported as proven.
                    let entry = whole[..at].iter().filter(|b| **b == b'\n').count() as u64 + 1;
                    assert!(verdict.proven.seq < entry, "byte {at}: entry {} called proven", verdict.proven.seq);
                    assert!(verdict.breaks[0].to_string().contains(&format!("entry {}", verdict.proven.seq + 1)));
                }
            }
        }
        fs::write(&path, &whole).unwrap();
    }
    assert!(sound(folder.path()));
}

#[test]
fn jr01_every_cut_is_found_and_the_next_writer_says_so() {
    let whole = tempfile::tempdir().unwrap();
    write(whole.path(), &["one", "two", "three"]);
    let text = fs::read(whole.path().join("journal.jsonl")).unwrap();
    let head = fs::read(whole.path().join("head")).unwrap();
    for length in 0..text.len() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        fs::write(&path, &text[..length]).unwrap();
        fs::write(folder.path().join("head"), &head).unwrap();
        let breaks = verify(folder.path()).unwrap().breaks;
        assert!(breaks.iter().any(Break::is_serious), "cut to {length} bytes unseen");

        let (journal, recovery) = Journal::open(folder.path(), Duration::ZERO).unwrap();
        let recovery = recovery.expect("a cut is reported to the next writer");
        let kept = text[..length].iter().filter(|b| **b == b'\n').count();
        let border = text[..length].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        assert_eq!(recovery.torn_bytes as usize, length - border);
        assert_eq!(recovery.missing as usize, 4 - kept);
        if let Some(torn) = &recovery.torn_file {
            assert_eq!(fs::read(torn).unwrap(), &text[border..length], "what was torn off is kept");
        }
        journal.append(note("after")).unwrap();
        // The record stays: verification always reports what was missing.
        let verdict = verify(folder.path()).unwrap();
        assert!(verdict.breaks.iter().any(|found| matches!(found, Break::Missing { .. })), "{:?}", verdict.breaks);
    }
}

#[test]
fn jr01_removed_swapped_and_inserted_entries_are_found() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &["one", "two", "three"]);
    let path = folder.path().join("journal.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let removed = [lines[0], lines[2], lines[3]].concat();
    let swapped = [lines[0], lines[2], lines[1], lines[3]].concat();
    let inserted = [lines[0], lines[1], lines[1], lines[2], lines[3]].concat();
    for edited in [removed, swapped, inserted] {
        fs::write(&path, edited).unwrap();
        assert!(!sound(folder.path()));
    }
}

#[test]
fn jr05_a_second_writer_has_to_wait() {
    let folder = tempfile::tempdir().unwrap();
    let first = Journal::open(folder.path(), Duration::ZERO).unwrap();
    let second = Journal::open(folder.path(), Duration::from_millis(60));
    assert!(matches!(second, Err(OpenError::Locked { .. })), "{second:?}");
    drop(first);
    Journal::open(folder.path(), Duration::ZERO).unwrap();
}

#[test]
fn another_format_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[]);
    let path = folder.path().join("journal.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace(bailiwick_journal::FORMAT, "bailiwick.journal/9")).unwrap();
    let opened = Journal::open(folder.path(), Duration::ZERO);
    assert!(matches!(opened, Err(OpenError::Format { .. })), "{opened:?}");

    // A journal that a newer program continued: refused with the next step, wherever the format changes.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let (journal, _) = Journal::open(folder.path(), Duration::ZERO).unwrap();
    for entry in [note("one"), Entry::Journal { format: "bailiwick.journal/9".to_owned() }, note("two")] {
        journal.append(entry).unwrap();
    }
    drop(journal);
    let whole = fs::read(&path).unwrap();
    let opened = Journal::open(folder.path(), Duration::ZERO).map(drop).unwrap_err().to_string();
    assert!(
        opened.contains("`bailiwick.journal/9`") && opened.contains("hint: use the version of bailiwick that wrote it"),
        "{opened}"
    );
    assert_eq!(fs::read(&path).unwrap(), whole);
    let read: Vec<_> = Reader::open(folder.path()).unwrap().collect();
    assert_eq!(read.len(), 3);
    let message = read.last().unwrap().as_ref().unwrap_err().to_string();
    assert!(
        message.starts_with("entry 3 names")
            && message.contains(&format!("this version reads is `{}`", bailiwick_journal::FORMAT)),
        "{message}"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn jr03_nothing_follows_a_failed_write() {
    // A journal on a device that is always full.
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.path().join("journal.jsonl")).unwrap();
    let opened = Journal::open(folder.path(), Duration::ZERO);
    assert!(matches!(opened, Err(OpenError::Io { .. })), "{opened:?}");
}

#[test]
fn no_writer_continues_after_an_edited_entry() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &["one", "two"]);
    let path = folder.path().join("journal.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    // The last entry has other content under its old hash.
    fs::write(&path, whole.replace("two", "owt")).unwrap();
    let opened = Journal::open(folder.path(), Duration::ZERO);
    assert!(matches!(opened, Err(OpenError::Damaged { .. })), "{opened:?}");
    // Rewritten with a matching hash: `head` still differs.
    let lines: Vec<&str> = whole.lines().collect();
    let before = EntryRef { seq: 2, hash: lines[1][..64].to_owned() };
    let body = lines[2][65..].replace("two", "owt");
    let forged = before.next(body.as_bytes());
    fs::write(&path, format!("{}\n{}\n{} {body}\n", lines[0], lines[1], forged.hash)).unwrap();
    let opened = Journal::open(folder.path(), Duration::ZERO);
    assert!(matches!(opened, Err(OpenError::Damaged { .. })), "{opened:?}");
}

#[test]
fn a_lost_head_is_reported_and_not_forgotten() {
    for junk in [None, Some("garbage\n")] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &["one", "two"]);
        let head = folder.path().join("head");
        match junk {
            None => fs::remove_file(&head).unwrap(),
            Some(junk) => fs::write(&head, junk).unwrap(),
        }
        let (journal, recovery) = Journal::open(folder.path(), Duration::ZERO).unwrap();
        assert!(recovery.is_some_and(|recovery| recovery.head_lost), "{junk:?}");
        journal.append(note("after")).unwrap();
        let breaks = verify(folder.path()).unwrap().breaks;
        assert!(breaks.iter().any(|found| matches!(found, Break::HeadLost { .. })), "{breaks:?}");
        assert!(breaks.iter().any(Break::is_serious));
    }
}

#[test]
fn a_journal_that_others_can_write_is_not_ours() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &["one"]);
    for name in ["journal.jsonl", "head", "."] {
        let path = folder.path().join(name);
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, PermissionsExt::from_mode(before.mode() | 0o022)).unwrap();
        let opened = Journal::open(folder.path(), Duration::ZERO);
        assert!(matches!(opened, Err(OpenError::NotOurs { .. })), "{name}: {opened:?}");
        fs::set_permissions(&path, before).unwrap();
    }
    // Another user may have chosen where a link leads.
    let path = folder.path().join("journal.jsonl");
    fs::rename(&path, folder.path().join("elsewhere")).unwrap();
    symlink(folder.path().join("elsewhere"), &path).unwrap();
    assert!(Journal::open(folder.path(), Duration::ZERO).is_err());
}
