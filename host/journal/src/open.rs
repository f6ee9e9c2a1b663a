//! The one writer.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, OFlags, flock};

use super::chain::{Link, split};
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
    /// None: everything stands in the entries.
    evidence: Option<Evidence>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    head: File,
    last: Link,
    /// Set by the first failed write: nothing may follow it.
    broken: bool,
}

/// What a writer found that the one before it left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Bytes after the last whole entry.
    pub torn_bytes: u64,
    /// Where they were put.
    pub torn_file: Option<PathBuf>,
    /// Entries that `head` names and that are gone.
    pub missing: u64,
    /// `head` itself was gone or unreadable.
    pub head_lost: bool,
    /// Runs that began and did not end.
    pub open_runs: Vec<u64>,
}

/// Why there is no journal, or no more of it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operating system said no.
    #[error("cannot {action} {}", path.shown())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Its words.
        source: io::Error,
    },
    /// Another process writes it.
    #[error("another bailiwick has been writing {} for {} s", path.shown(), waited.as_secs())]
    Locked {
        /// The journal's folder.
        path: PathBuf,
        /// How long we waited.
        waited: Duration,
    },
    /// Somebody else owns it or could have written it.
    #[error("{} is {what}; a journal is its owner's alone\n\nhint: name another place with --state DIR", path.shown())]
    NotOurs {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The newest entry does not hold together: somebody or something has edited it.
    #[error("the last entry of {} is not what was written; nothing is added to it\n\nhint: `bailiwick journal verify` says more; keep the folder as evidence under another name, and a new journal begins", path.shown())]
    Damaged {
        /// The journal.
        path: PathBuf,
    },
    /// Written by a version that this one does not know.
    #[error("{} has format `{found}`; this version writes `{FORMAT}`\n\nhint: {HINT}", path.shown())]
    Format {
        /// The journal.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// What an entry would name cannot be kept.
    #[error("an answer cannot be kept")]
    Evidence(#[from] EvidenceError),
    /// An earlier write failed; what follows it would not hang together.
    #[error("an earlier write to the journal failed; nothing more is written")]
    Broken,
}

impl Journal {
    /// Opens the journal in `folder`, making both if need be. Waits up to `patience` for another writer. What that one
    /// left unfinished is put aside, recorded, and returned.
    ///
    /// # Errors
    /// When the folder cannot be written, another process keeps it, or its last entry is damaged.
    pub fn open(folder: &Path, patience: Duration) -> Result<(Self, Option<Recovery>), OpenError> {
        let io_error = |action, path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { action, path, source }
        };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io_error("make", folder))?;
        let path = folder.join(FILE);
        ours(folder, &std::fs::metadata(folder).map_err(io_error("look at", folder))?)?;
        let mut file = open_ours(&path)?;
        lock(&file, folder, patience)?;
        let head_path = folder.join(HEAD);
        let head = open_ours(&head_path)?;

        let found = Tail::read(&mut file).map_err(io_error("read", &path))?;
        let said = file.seek(SeekFrom::Start(0)).and_then(|_| format::said(BufReader::new(&file)));
        let said = said.map_err(io_error("read", &path))?;
        if let Some(found) = said.as_ref().filter(|said| format::age(said).is_none()) {
            return Err(OpenError::Format { path, found: found.escape_default().to_string() });
        }
        let Last { link: last, at_rest } = found.last(&path)?;
        let mut named = String::new();
        (&head).take(4096).read_to_string(&mut named).map_err(io_error("read", &head_path))?;
        let named = Link::from_head(&named);
        if named.as_ref().is_some_and(|named| named.seq == last.seq && *named != last) {
            return Err(OpenError::Damaged { path });
        }
        let mut recovery = Recovery {
            missing: named.as_ref().map_or(0, |named| named.seq.saturating_sub(last.seq)),
            head_lost: named.is_none() && last.seq > 0,
            ..Recovery::default()
        };
        if !found.torn.is_empty() {
            let aside = folder.join(format!("torn-after-{}", last.seq));
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600).custom_flags(flags());
            let kept = options.open(&aside).and_then(|mut aside| aside.write_all(&found.torn));
            kept.map_err(io_error("write", &aside))?;
            file.set_len(found.whole).map_err(io_error("cut", &path))?;
            recovery.torn_bytes = found.torn.len() as u64;
            recovery.torn_file = Some(aside);
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
            // The name must survive a crash too, not only the bytes.
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error("sync", folder))?;
        }
        let older = !fresh && said.is_none_or(|said| said != FORMAT);
        if recovery == Recovery::default() {
            journal.go_over(older)?;
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
        journal.go_over(older)?;
        Ok((journal, Some(recovery)))
    }

    /// Says that what follows is in the format of this version.
    fn go_over(&self, older: bool) -> Result<(), OpenError> {
        if older {
            self.append(Entry::Journal { format: FORMAT.to_owned() })?;
        }
        Ok(())
    }

    /// The same with every answer in its entry, whatever its size: for a journal that nobody keeps.
    #[must_use]
    pub(super) fn without_evidence(self) -> Self {
        Self { evidence: None, ..self }
    }

    /// Bytes as an entry says them: where there are many, they are kept beside the journal, and on the disk when this
    /// returns. Takes as long as the disk does.
    ///
    /// # Errors
    /// When they cannot be kept. Then nothing more is written: an entry must not name what is not there.
    pub fn keep(&self, bytes: &[u8]) -> Result<Blob, OpenError> {
        match &self.evidence {
            Some(evidence) if bytes.len() > INLINE_BYTES => {
                let sha256 = self.kept(evidence.put(bytes))?;
                Ok(Blob::Kept { sha256, bytes: bytes.len() as u64 })
            }
            _ => Ok(Blob::Here(bytes.to_vec())),
        }
    }

    /// Keeps a component beside the journal, whatever its size. Its digest if it is kept there.
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

    /// Adds an entry and gives its number. The entry has left this process when the call returns, so that killing it
    /// loses nothing; [`Self::sync`] puts it on the disk.
    ///
    /// # Errors
    /// When it cannot be written, or an earlier one could not.
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

    /// Waits until all is on the disk. A failure is final: the kernel may have dropped what it could not write, and a
    /// second try would look like success.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn sync(&self) -> Result<(), OpenError> {
        let mut inner = self.lock();
        let result = inner.file.sync_data().and_then(|()| inner.head.sync_data());
        inner.broken |= result.is_err();
        result.map_err(|source| OpenError::Io { action: "sync", path: self.folder.join(FILE), source })
    }

    /// The newest entry.
    #[must_use]
    pub fn last(&self) -> Link {
        self.lock().last.clone()
    }

    /// The folder it is in.
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

/// No links: whoever may write the folder must not choose what is written to. A FIFO does not hold us up.
fn flags() -> i32 {
    i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default()
}

/// Opens a file of the journal, making it if need be; refuses one that anybody else could have written.
fn open_ours(path: &Path) -> Result<File, OpenError> {
    let io = |source| OpenError::Io { action: "open", path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags());
    let file = options.open(path).map_err(io)?;
    let meta = file.metadata().map_err(io)?;
    if !meta.is_file() {
        return Err(OpenError::NotOurs { path: path.to_owned(), what: "no regular file" });
    }
    ours(path, &meta)?;
    Ok(file)
}

fn ours(path: &Path, meta: &Metadata) -> Result<(), OpenError> {
    let what = if meta.uid() != rustix::process::geteuid().as_raw() {
        "somebody else's"
    } else if meta.mode() & 0o022 != 0 {
        "writable by others"
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

/// The newest entry.
struct Last {
    link: Link,
    /// No run can be open after it, so that nobody need read what is before it.
    at_rest: bool,
}

/// The end of the file: its last whole line, the one before it, and what follows.
#[derive(Default)]
struct Tail {
    /// None for the first line.
    before: Option<Vec<u8>>,
    line: Vec<u8>,
    torn: Vec<u8>,
    /// Length of the file without the torn part.
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
            if let Some(tail) = Self::of(bytes, from == 0, length) {
                return Ok(tail);
            }
            // Three lines of the largest kind: what is longer was not written by us.
            if window > 3 * LINE_MAX as u64 {
                return Ok(Self { line: vec![0], whole: length, ..Self::default() });
            }
            window *= 4;
        }
    }

    /// The tail in the last bytes of a file; `None` if they do not reach back far enough.
    fn of(mut bytes: Vec<u8>, is_all: bool, length: u64) -> Option<Self> {
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

    /// The newest entry, held against the one before it: what is edited is not built upon.
    fn last(&self, path: &Path) -> Result<Last, OpenError> {
        if self.line.is_empty() && self.whole == 0 {
            return Ok(Last { link: Link::origin(), at_rest: true });
        }
        let damaged = || OpenError::Damaged { path: path.to_owned() };
        let (hash, body) = split(&self.line).ok_or_else(damaged)?;
        let record: Record = serde_json::from_slice(body).map_err(|_| damaged())?;
        let before = match &self.before {
            None => Link::origin(),
            Some(line) => {
                let (hash, _) = split(line).ok_or_else(damaged)?;
                Link { seq: record.seq.checked_sub(1).ok_or_else(damaged)?, hash: hash.to_owned() }
            }
        };
        let link = before.next(body);
        if link.hash != hash || link.seq != record.seq {
            return Err(damaged());
        }
        let at_rest = matches!(
            record.entry,
            // Not a new beginning of an older journal: what is before it counts.
            Entry::Recovered { .. }
                | Entry::SweepEnded { .. }
                | Entry::Pruned { .. }
                | Entry::Anchoring { .. }
                | Entry::Anchored { .. }
                // No run is open while a change is written about.
                | Entry::Change(_)
        ) || record.seq == 1;
        Ok(Last { link, at_rest })
    }
}

/// Runs of the last sweep that began and did not end. A reader's error ends the search: `verify` tells it better.
fn open_runs(folder: &Path, last: u64) -> Vec<u64> {
    let Ok(reader) = super::Reader::open(folder) else {
        return Vec::new();
    };
    let mut open = std::collections::BTreeSet::new();
    for record in reader.map_while(Result::ok).take_while(|record| record.seq <= last) {
        match record.entry {
            // What an earlier recovery has told is not told again.
            Entry::SweepStarted { .. } | Entry::Recovered { .. } => open.clear(),
            Entry::RunStarted(_) => drop(open.insert(record.seq)),
            Entry::RunEnded { run, .. } => drop(open.remove(&run)),
            _ => {}
        }
    }
    open.into_iter().collect()
}
