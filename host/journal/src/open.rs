//! The writer of the journal. There is one at a time.
//!
//! Knows: the files of the journal, locks, the disk. Must not know: what an entry means. Attacks answered: two writers (JR05), a
//! journal that another user could write, an entry that is added after one that was edited (JR01).

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, OFlags, flock};

use super::chain::{EntryRef, split};
use super::entry::{Blob, Entry, Record};
use super::evidence::{Evidence, EvidenceError, Sha};
use super::format::{self, HINT};
use super::{FILE, FORMAT, HEAD, INLINE_BYTES, LINE_MAX};
use bailiwick_core::encode::ShownPath as _;

/// A journal open for writing. Only one process can hold it.
#[derive(Debug)]
pub struct Journal {
    inner: Mutex<Inner>,
    folder: PathBuf,
    /// None: every answer is in its entry.
    evidence: Option<Evidence>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    head: File,
    last: EntryRef,
    /// Set by the first write that fails. Nothing may be written after it.
    broken: bool,
}

/// What a writer found of the writer before it, which did not finish.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Number of bytes after the last whole entry.
    pub torn_bytes: u64,
    /// The file that they were moved to.
    pub torn_file: Option<PathBuf>,
    /// Number of entries that `head` counts and that are missing.
    pub missing: u64,
    /// True if `head` itself was missing or unreadable.
    pub head_lost: bool,
    /// Runs that began and did not end.
    pub open_runs: Vec<u64>,
}

/// Why the journal cannot be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system reported an error.
    #[error("cannot {action} {}", path.shown())]
    Io {
        /// The operation.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// Another process writes the journal.
    #[error("another bailiwick process is writing {} (waited {} s)\n\nhint: try again when it has finished", path.shown(), waited.as_secs())]
    Locked {
        /// The journal's folder.
        path: PathBuf,
        /// How long this process waited.
        waited: Duration,
    },
    /// Another user owns the file or can write it.
    #[error("{} {what}; only its owner may be able to write a journal\n\nhint: correct its owner and mode, or choose another folder with --state DIR", path.shown())]
    NotOurs {
        /// The file or folder.
        path: PathBuf,
        /// The problem.
        what: &'static str,
    },
    /// The last entry was changed after it was written.
    #[error("the last entry of {} was changed after it was written, so nothing is added to it\n\nhint: run `bailiwick journal verify` for details; to begin a new journal, rename the folder and keep it as evidence", path.shown())]
    Damaged {
        /// The journal.
        path: PathBuf,
    },
    /// A version that this one does not know wrote the journal.
    #[error("{} has the format `{found}`, and this version writes `{FORMAT}`\n\nhint: {HINT}", path.shown())]
    Format {
        /// The journal.
        path: PathBuf,
        /// Its format.
        found: String,
    },
    /// An answer cannot be stored beside the journal.
    #[error("cannot store an answer beside the journal")]
    Evidence(#[from] EvidenceError),
    /// An earlier write failed, so later entries would not be in the chain.
    #[error("an earlier write to the journal failed, so nothing more is written")]
    Broken,
}

impl Journal {
    /// Opens the journal in `folder`, and creates both if they do not exist. Waits up to `patience` for another writer. An incomplete
    /// entry of the writer before is moved to another file, recorded, and returned.
    ///
    /// # Errors
    /// The folder cannot be written, another process holds it, or its last entry is damaged.
    pub fn open(folder: &Path, patience: Duration) -> Result<(Self, Option<Recovery>), OpenError> {
        let io_error = |action, path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { action, path, source }
        };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io_error("create", folder))?;
        let path = folder.join(FILE);
        ours(folder, &std::fs::metadata(folder).map_err(io_error("check", folder))?)?;
        let mut file = open_ours(&path)?;
        lock(&file, folder, patience)?;
        let head_path = folder.join(HEAD);
        let head = open_ours(&head_path)?;

        let tail = Tail::read(&mut file).map_err(io_error("read", &path))?;
        let format = file.seek(SeekFrom::Start(0)).and_then(|_| format::named_format(BufReader::new(&file)));
        let format = format.map_err(io_error("read", &path))?;
        if let Some(format) = format.as_ref().filter(|format| format::age(format).is_none()) {
            return Err(OpenError::Format { path, found: format.escape_default().to_string() });
        }
        let Last { link: last, at_rest } = tail.last(&path)?;
        let mut named = String::new();
        (&head).take(4096).read_to_string(&mut named).map_err(io_error("read", &head_path))?;
        let named = EntryRef::from_head(&named);
        if named.as_ref().is_some_and(|named| named.seq == last.seq && *named != last) {
            return Err(OpenError::Damaged { path });
        }
        let mut recovery = Recovery {
            missing: named.as_ref().map_or(0, |named| named.seq.saturating_sub(last.seq)),
            head_lost: named.is_none() && last.seq > 0,
            ..Recovery::default()
        };
        if !tail.torn.is_empty() {
            let moved = folder.join(format!("torn-after-{}", last.seq));
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600).custom_flags(flags());
            let kept = options.open(&moved).and_then(|mut file| file.write_all(&tail.torn));
            kept.map_err(io_error("write", &moved))?;
            file.set_len(tail.whole).map_err(io_error("cut", &path))?;
            recovery.torn_bytes = tail.torn.len() as u64;
            recovery.torn_file = Some(moved);
        }
        file.seek(SeekFrom::End(0)).map_err(io_error("seek in", &path))?;
        let fresh = last.seq == 0;
        if !at_rest {
            recovery.open_runs = open_runs(folder, last.seq);
        }
        let evidence = Some(Evidence::beside(folder));
        let inner = Mutex::new(Inner { file, head, last, broken: false });
        let journal = Self { inner, folder: folder.to_owned(), evidence };
        if fresh {
            journal.append(Entry::Journal { format: FORMAT.to_owned() })?;
            // The name must survive a crash as well.
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error("sync", folder))?;
        }
        let older = !fresh && format.is_none_or(|format| format != FORMAT);
        if recovery == Recovery::default() {
            journal.write_format(older)?;
            return Ok((journal, None));
        }
        let name = recovery.torn_file.as_deref().and_then(Path::file_name);
        journal.append(Entry::Recovered {
            torn_bytes: recovery.torn_bytes,
            torn_file: name.map(|name| name.to_string_lossy().into_owned()),
            missing: recovery.missing,
            head_lost: recovery.head_lost,
            open_runs: recovery.open_runs.clone(),
        })?;
        journal.write_format(older)?;
        Ok((journal, Some(recovery)))
    }

    /// Records that the journal continues in the format of this version, if it was older.
    fn write_format(&self, older: bool) -> Result<(), OpenError> {
        if older {
            self.append(Entry::Journal { format: FORMAT.to_owned() })?;
        }
        Ok(())
    }

    /// The same with every answer in its entry, whatever its size: for a temporary journal.
    #[must_use]
    pub(super) fn without_evidence(self) -> Self {
        Self { evidence: None, ..self }
    }

    /// Bytes, in the form for an entry. If there are many, they are stored beside the journal, and are on the disk when this
    /// returns.
    ///
    /// # Errors
    /// They cannot be stored. Then nothing more is written: an entry must not name evidence that does not exist.
    pub fn keep(&self, bytes: &[u8]) -> Result<Blob, OpenError> {
        match &self.evidence {
            Some(evidence) if bytes.len() > INLINE_BYTES => {
                let sha256 = self.kept(evidence.put(bytes))?;
                Ok(Blob::Evidence { sha256, bytes: bytes.len() as u64 })
            }
            _ => Ok(Blob::Inline(bytes.to_vec())),
        }
    }

    /// Stores a component beside the journal, whatever its size. Returns its digest if it is stored there.
    ///
    /// # Errors
    /// As [`Self::keep`].
    pub fn keep_component(&self, bytes: &[u8]) -> Result<Option<Sha>, OpenError> {
        self.evidence.as_ref().map(|evidence| self.kept(evidence.put(bytes))).transpose()
    }

    fn kept(&self, put: Result<Sha, EvidenceError>) -> Result<Sha, OpenError> {
        self.lock().broken |= put.is_err();
        Ok(put?)
    }

    /// Adds an entry, and returns its number. The kernel has the entry when the call returns, so that killing this process loses
    /// nothing. [`Self::sync`] puts it on the disk.
    ///
    /// # Errors
    /// It cannot be written, or an earlier write failed.
    pub fn append(&self, entry: Entry) -> Result<u64, OpenError> {
        let mut inner = self.lock();
        if inner.broken {
            return Err(OpenError::Broken);
        }
        let seq = inner.last.seq + 1;
        let record = Record { seq, time: Timestamp::now(), entry };
        let result = inner.write(&record);
        inner.broken = result.is_err();
        result.map_err(|source| OpenError::Io { action: "append to", path: self.folder.join(FILE), source })?;
        Ok(seq)
    }

    /// Waits until everything is on the disk. A failure is final: the kernel may have dropped what it could not write, and a
    /// second attempt would seem to succeed.
    ///
    /// # Errors
    /// The disk reports an error.
    pub fn sync(&self) -> Result<(), OpenError> {
        let mut inner = self.lock();
        let result = inner.file.sync_data().and_then(|()| inner.head.sync_data());
        inner.broken |= result.is_err();
        result.map_err(|source| OpenError::Io { action: "sync", path: self.folder.join(FILE), source })
    }

    /// The last entry.
    #[must_use]
    pub fn last(&self) -> EntryRef {
        self.lock().last.clone()
    }

    /// The folder of the journal.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic between two lines of `write` leaves `broken` unset but the chain whole: `last` moves last.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn write(&mut self, record: &Record) -> io::Result<()> {
        let body = bailiwick_core::ascii_json::to_vec(record)?;
        let link = self.last.next(&body);
        let mut line = Vec::with_capacity(body.len() + 66);
        line.extend_from_slice(link.hash.as_bytes());
        line.push(b' ');
        line.extend_from_slice(&body);
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.head.write_all_at(link.to_head().as_bytes(), 0)?;
        self.last = link;
        Ok(())
    }
}

/// No links: a user who can write the folder must not choose the file that is written. A FIFO does not block.
fn flags() -> i32 {
    i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default()
}

/// Opens a file of the journal, and creates it if it does not exist. Refuses a file that another user can write.
fn open_ours(path: &Path) -> Result<File, OpenError> {
    let io = |source| OpenError::Io { action: "open", path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags());
    let file = options.open(path).map_err(io)?;
    let meta = file.metadata().map_err(io)?;
    if !meta.is_file() {
        return Err(OpenError::NotOurs { path: path.to_owned(), what: "is not a regular file" });
    }
    ours(path, &meta)?;
    Ok(file)
}

fn ours(path: &Path, meta: &Metadata) -> Result<(), OpenError> {
    let what = if meta.uid() != rustix::process::geteuid().as_raw() {
        "belongs to another user"
    } else if meta.mode() & 0o022 != 0 {
        "is writable by other users"
    } else {
        return Ok(());
    };
    Err(OpenError::NotOurs { path: path.to_owned(), what })
}

fn lock(file: &File, folder: &Path, patience: Duration) -> Result<(), OpenError> {
    let started = Instant::now();
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::WOULDBLOCK) if started.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(OpenError::Locked { path: folder.to_owned(), waited: started.elapsed() });
            }
            Err(errno) => {
                return Err(OpenError::Io { action: "lock", path: folder.join(FILE), source: errno.into() });
            }
        }
    }
}

/// The last entry.
struct Last {
    link: EntryRef,
    /// True if no run can be open after it, so that the entries before it do not have to be read.
    at_rest: bool,
}

/// The end of the file: its last whole line, the one before it, and what follows.
#[derive(Default)]
struct Tail {
    /// The line before it. None for the first line.
    before: Option<Vec<u8>>,
    line: Vec<u8>,
    torn: Vec<u8>,
    /// Length of the file without the incomplete part.
    whole: u64,
}

impl Tail {
    /// Reads backwards in growing steps until two whole lines are found, or the first one.
    fn read(file: &mut File) -> io::Result<Self> {
        let length = file.seek(SeekFrom::End(0))?;
        let mut window = 64 << 10;
        loop {
            let from = length.saturating_sub(window);
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            file.take(length - from).read_to_end(&mut bytes)?;
            if let Some(tail) = Self::parse(bytes, from == 0, length) {
                return Ok(tail);
            }
            // Three lines of the maximum length: a journal that we wrote has no longer ones.
            if window > 3 * LINE_MAX as u64 {
                return Ok(Self { line: vec![0], whole: length, ..Self::default() });
            }
            window *= 4;
        }
    }

    /// The tail in the last bytes of a file. `None` if there are too few bytes.
    fn parse(mut bytes: Vec<u8>, is_all: bool, length: u64) -> Option<Self> {
        let newline = |bytes: &[u8]| bytes.iter().rposition(|&b| b == b'\n');
        let Some(end) = newline(&bytes) else {
            return is_all.then(|| Self { torn: bytes, ..Self::default() });
        };
        let torn = bytes.split_off(end + 1);
        bytes.truncate(end);
        let whole = length - torn.len() as u64;
        let Some(start) = newline(&bytes) else {
            return is_all.then_some(Self { line: bytes, torn, whole, before: None });
        };
        let line = bytes.split_off(start + 1);
        bytes.truncate(start);
        let before = match newline(&bytes) {
            Some(start) => bytes.split_off(start + 1),
            None if is_all => bytes,
            None => return None,
        };
        Some(Self { before: Some(before), line, torn, whole })
    }

    /// The last entry, checked against the one before it: nothing is added after an edited entry.
    fn last(&self, path: &Path) -> Result<Last, OpenError> {
        if self.line.is_empty() && self.whole == 0 {
            return Ok(Last { link: EntryRef::origin(), at_rest: true });
        }
        let damaged = || OpenError::Damaged { path: path.to_owned() };
        let (hash, body) = split(&self.line).ok_or_else(damaged)?;
        let record: Record = serde_json::from_slice(body).map_err(|_| damaged())?;
        let before = match &self.before {
            None => EntryRef::origin(),
            Some(line) => {
                let (hash, _) = split(line).ok_or_else(damaged)?;
                EntryRef { seq: record.seq.checked_sub(1).ok_or_else(damaged)?, hash: hash.to_owned() }
            }
        };
        let link = before.next(body);
        if link.hash != hash || link.seq != record.seq {
            return Err(damaged());
        }
        let at_rest = matches!(
            record.entry,
            // An entry that moves an older journal to a new format is not among them: the entries before it count.
            Entry::Recovered { .. }
                | Entry::SweepEnded { .. }
                | Entry::Pruned { .. }
                | Entry::Anchoring { .. }
                | Entry::Anchored { .. }
                // No run is open when an entry about a change is written.
                | Entry::Change(_)
        ) || record.seq == 1;
        Ok(Last { link, at_rest })
    }
}

/// Runs of the last sweep that began and did not end. A read error ends the search: `verify` reports it.
fn open_runs(folder: &Path, last: u64) -> Vec<u64> {
    let Ok(reader) = super::Reader::open(folder) else {
        return Vec::new();
    };
    let mut open = std::collections::BTreeSet::new();
    for record in reader.map_while(Result::ok).take_while(|record| record.seq <= last) {
        match record.entry {
            // Runs that an earlier recovery recorded are not recorded again.
            Entry::SweepStarted { .. } | Entry::Recovered { .. } => open.clear(),
            Entry::RunStarted(_) => drop(open.insert(record.seq)),
            Entry::RunEnded { run, .. } => drop(open.remove(&run)),
            _ => {}
        }
    }
    open.into_iter().collect()
}
