//! The journal, the lines of an anchor, and the messages between broker and worker.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use bailiwick_core::model::Verb;
use bailiwick_journal::{EntryRef, Reader, Record, verify};
use bailiwick_sandbox::wire;
use bailiwick_sandbox::wire::{FROM_WORKER_FRAME_BYTES, FromWorker, LOAD_FRAME_BYTES, ToWorker};
use bailiwick_sandbox::{Limits, fuzzing};

/// A journal's file and its head. If the first byte is even, it is the file as it stands; else each line is a body, and
/// gets the hash that it must have, so that the chain does not reject it.
pub(crate) fn journal(data: &[u8]) {
    thread_local!(static FOLDER: OnceCell<tempfile::TempDir> = const { OnceCell::new() });
    let Some((first, rest)) = data.split_first() else { return };
    let mut link = EntryRef::origin();
    let file = if first % 2 == 0 {
        rest.to_vec()
    } else {
        let chained = |body: &[u8]| {
            link = link.next(body);
            [link.hash.as_bytes(), b" ", body, b"\n"].concat()
        };
        rest.split(|byte| *byte == b'\n').filter(|body| !body.is_empty()).flat_map(chained).collect()
    };
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(new_folder).path();
        std::fs::write(folder.join("journal.jsonl"), &file).expect("a file");
        let mut last = 0;
        for record in Reader::open(folder).expect("it is there") {
            let Ok(record) = record else { break };
            assert_eq!(record.seq, last + 1, "no gaps");
            last = record.seq;
        }
        if let Ok(verdict) = verify(folder) {
            assert!(verdict.proven.seq >= last);
        }
    });
}

/// The lines of an anchor, which any user of its place can have written, compared with a journal: they can confirm no more
/// than it holds, and no line counts twice.
pub(crate) fn heads(data: &[u8]) {
    thread_local!(static FOLDER: OnceCell<tempfile::TempDir> = const { OnceCell::new() });
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(|| {
            let folder = new_folder();
            std::fs::write(folder.path().join("journal.jsonl"), crate::seeds::chain()).expect("a file");
            folder
        });
        let anchors = [("nas".to_owned(), data.to_vec())].into();
        let comparison = bailiwick_engine::anchor::compare(folder.path(), &anchors)
            .expect("it is there")
            .remove("nas")
            .expect("asked for");
        let lines = data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
        assert!(comparison.matching + comparison.malformed <= lines, "{comparison:?}");
        assert!(comparison.covers <= crate::seeds::links().last().map_or(0, |link| link.seq), "{comparison:?}");
        assert!(comparison.covers == 0 || comparison.matching > 0, "{comparison:?}");
    });
}

/// In memory where there is such a place: on a disk each try would wait for it.
pub(crate) fn new_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// One entry: what is written again reads the same.
pub(crate) fn record(data: &[u8]) {
    let Ok(record) = serde_json::from_slice::<Record>(data) else { return };
    let written = serde_json::to_vec(&record).expect("it was JSON");
    let again: Record = serde_json::from_slice(&written).expect("what we write we read");
    assert_eq!(serde_json::to_vec(&again).expect("JSON"), written);
}

/// Bodies of frames from a worker, each with its length before it: the broker's checks take whatever comes.
pub(crate) fn from_worker(data: &[u8]) {
    let mut from = data;
    let mut messages: Vec<FromWorker> = Vec::new();
    while let Ok(Some(message)) = wire::read::<FromWorker>(&mut from, FROM_WORKER_FRAME_BYTES) {
        let frame = wire::encode(&message, usize::MAX).expect("it came as one");
        let again: FromWorker = wire::decode(&frame[4..]).expect("what we write we read");
        assert_eq!(wire::encode(&again, usize::MAX).expect("as above"), frame);
        messages.push(message);
        if messages.len() == 64 {
            break;
        }
    }
    let verbs: BTreeSet<Verb> = [Verb::SystemLoad, Verb::FilesRead].into();
    let calls = fuzzing::admitted(&verbs, Limits::default(), messages);
    // Whatever it says, a call is of a verb that is linked, on a target that is there.
    assert!(calls.iter().all(|call| verbs.contains(&call.verb) && call.target == 0));
}

/// Frames to a worker, as it reads them.
pub(crate) fn to_worker(data: &[u8]) {
    let mut from = data;
    let mut count = 0;
    while let Ok(Some(message)) = wire::read::<ToWorker>(&mut from, LOAD_FRAME_BYTES) {
        let frame = wire::encode(&message, usize::MAX).expect("it came as one");
        let again: ToWorker = wire::decode(&frame[4..]).expect("what we write we read");
        assert_eq!(wire::encode(&again, usize::MAX).expect("as above"), frame);
        count += 1;
        if count == 64 {
            break;
        }
    }
}
