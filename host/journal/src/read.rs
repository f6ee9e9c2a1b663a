//! Reads entries, in order. The length of a line is bounded, and every entry is checked against the chain.
//!
//! Knows: lines, the chain, formats. Must not know: what an entry means.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::chain::{EntryRef, split};
use super::entry::{Entry, Record};
use super::format::{self, HINT};
use super::{FILE, FORMAT, LINE_MAX};
use bailiwick_core::encode::ShownPath as _;

/// Why reading stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system reported an error.
    #[error("cannot read {}", path.shown())]
    Io {
        /// The journal.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// The last line is incomplete: its writer was stopped, or the file was cut.
    #[error("entry {seq}, at byte {at}, is incomplete: only {bytes} bytes of it exist")]
    Torn {
        /// The number of the entry.
        seq: u64,
        /// The byte at which it begins.
        at: u64,
        /// The number of its bytes that exist.
        bytes: u64,
    },
    /// The entry was changed, or is in another place than it was written.
    #[error("entry {seq}, at byte {at}, {what}")]
    Broken {
        /// The number that it should have.
        seq: u64,
        /// The byte at which it begins.
        at: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A newer program wrote it.
    #[error("entry {seq} names the journal format `{}`, and the newest that this version reads is `{FORMAT}`\n\nhint: {HINT}", found.escape_default())]
    Format {
        /// The entry.
        seq: u64,
        /// The format.
        found: String,
    },
}

/// A position in a journal: an entry that was read, and where it begins. Reading can continue after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadPosition {
    /// The byte at which the entry begins.
    pub offset: u64,
    /// The entry.
    pub entry: EntryRef,
}

/// Reads entries from the first to the last, and ends at the first error.
#[derive(Debug)]
pub struct Reader {
    file: BufReader<File>,
    path: PathBuf,
    at: u64,
    /// The byte at which the last entry that was read begins.
    begin: u64,
    last: EntryRef,
    /// The position of the format that was read last, in the list of formats.
    age: usize,
    done: bool,
}

impl Reader {
    /// Opens the journal in `folder` for reading. A writer may be running.
    ///
    /// # Errors
    /// There is no journal.
    pub fn open(folder: &Path) -> Result<Self, ReadError> {
        let path = folder.join(FILE);
        match open(&path) {
            Ok(file) => {
                let file = BufReader::new(file);
                Ok(Self { file, path, at: 0, begin: 0, last: EntryRef::origin(), age: 0, done: false })
            }
            Err(source) => Err(ReadError::Io { path, source }),
        }
    }

    /// Opens the journal after an entry that was read before. None if that entry is not there any more; then everything that was
    /// read before it is not reliable either.
    ///
    /// # Errors
    /// There is no journal.
    pub fn after(folder: &Path, position: &ReadPosition) -> Result<Option<Self>, ReadError> {
        let mut reader = Self::open(folder)?;
        let path = reader.path.clone();
        let io = move |source| ReadError::Io { path: path.clone(), source };
        reader.file.seek(SeekFrom::Start(position.offset)).map_err(&io)?;
        let Ok(Some(line)) = reader.line() else { return Ok(None) };
        // The hash covers everything before it. Reading on checks that the next entry follows from it.
        if split(&line).is_none_or(|(hash, _)| hash != position.entry.hash) {
            return Ok(None);
        }
        reader.begin = position.offset;
        reader.at = position.offset + line.len() as u64 + 1;
        // The format at this place is unknown here. `verify` finds a format that is named twice.
        reader.last = position.entry.clone();
        Ok(Some(reader))
    }

    /// The position of the last entry that was read. None before the first.
    #[must_use]
    pub fn position(&self) -> Option<ReadPosition> {
        (self.last.seq > 0).then(|| ReadPosition { offset: self.begin, entry: self.last.clone() })
    }

    /// The bytes that were read, and the current length of the journal in bytes.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        let length = self.file.get_ref().metadata().map_or(self.at, |meta| meta.len());
        (self.at, length.max(self.at))
    }

    /// The last entry that was read.
    #[must_use]
    pub fn newest(&self) -> &EntryRef {
        &self.last
    }

    /// True if the journal has the format that this version writes.
    #[must_use]
    pub fn is_newest_format(&self) -> bool {
        format::age(FORMAT) == Some(self.age)
    }

    /// Reads the next line, at most [`LINE_MAX`] bytes.
    fn line(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        let mut line = Vec::new();
        let limit = LINE_MAX as u64 + 1;
        let read = io::Read::take(&mut self.file, limit).read_until(b'\n', &mut line);
        let read = read.map_err(|source| ReadError::Io { path: self.path.clone(), source })?;
        if read == 0 {
            return Ok(None);
        }
        if line.pop_if(|last| *last == b'\n').is_some() {
            Ok(Some(line))
        } else if line.len() > LINE_MAX {
            Err(self.broken("is longer than an entry can be"))
        } else {
            Err(ReadError::Torn { seq: self.last.seq + 1, at: self.at, bytes: line.len() as u64 })
        }
    }

    fn broken(&self, what: &'static str) -> ReadError {
        ReadError::Broken { seq: self.last.seq + 1, at: self.at, what }
    }

    fn read(&mut self) -> Result<Option<Record>, ReadError> {
        let Some(line) = self.line()? else {
            return Ok(None);
        };
        let (hash, body) = split(&line).ok_or_else(|| self.broken("is not a hash and a body"))?;
        let entry = self.last.next(body);
        if entry.hash != hash {
            return Err(self.broken("does not match its hash"));
        }
        let record: Record =
            serde_json::from_slice(body).map_err(|_| self.broken("is of a kind that this version cannot read"))?;
        if record.seq != entry.seq {
            return Err(self.broken("does not have the next number"));
        }
        match &record.entry {
            Entry::Journal { format } => match format::age(format) {
                None => return Err(ReadError::Format { seq: entry.seq, found: format.clone() }),
                Some(age) if entry.seq > 1 && age <= self.age => {
                    return Err(self.broken("names the journal's format again"));
                }
                Some(age) => self.age = age,
            },
            _ if entry.seq == 1 => {
                return Err(self.broken("does not name the journal's format"));
            }
            _ => {}
        }
        self.begin = self.at;
        self.at += line.len() as u64 + 1;
        self.last = entry;
        Ok(Some(record))
    }
}

/// Opens a regular file. A FIFO would block.
fn open(path: &Path) -> io::Result<File> {
    let nonblock = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(nonblock).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a regular file")) }
}

impl Iterator for Reader {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let read = self.read().transpose();
        self.done = !matches!(read, Some(Ok(_)));
        read
    }
}
