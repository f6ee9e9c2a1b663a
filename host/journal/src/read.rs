//! Reading entries, in order. A reader trusts nothing: lines are bounded and every entry is checked against the chain.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::chain::{Link, split};
use super::entry::{Entry, Record};
use super::format::{self, HINT};
use super::{FILE, FORMAT, LINE_MAX};
use bailiwick_core::encode::ShownPath as _;

/// Why reading stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system said no.
    #[error("cannot read {}", path.shown())]
    Io {
        /// The journal.
        path: PathBuf,
        /// Its words.
        source: io::Error,
    },
    /// The last line has no end: its writer was stopped, or the file was cut.
    #[error("entry {seq}, at byte {at}, has no end: {bytes} bytes of it are there")]
    Torn {
        /// The entry it would be.
        seq: u64,
        /// Where it begins.
        at: u64,
        /// How much there is.
        bytes: u64,
    },
    /// The entry is not what was written, or not the one that was written here.
    #[error("entry {seq}, at byte {at}, {what}")]
    Broken {
        /// The entry it should be.
        seq: u64,
        /// Where it begins.
        at: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A newer program wrote it.
    #[error("entry {seq} says that the journal has format `{}`; this version reads none newer than `{FORMAT}`\n\nhint: {HINT}", found.escape_default())]
    Format {
        /// The entry.
        seq: u64,
        /// The format.
        found: String,
    },
}

/// A place in a journal: where its newest entry began when somebody looked, and which one it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Where that entry begins, in bytes.
    pub at: u64,
    /// The entry.
    pub link: Link,
}

/// Reads entries from the first to the last and ends at the first error.
#[derive(Debug)]
pub struct Reader {
    file: BufReader<File>,
    path: PathBuf,
    at: u64,
    /// Where the newest entry begins.
    begin: u64,
    last: Link,
    /// How new the format is so far.
    age: usize,
    done: bool,
}

impl Reader {
    /// Opens the journal in `folder` for reading. A writer may be at work.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(folder: &Path) -> Result<Self, ReadError> {
        let path = folder.join(FILE);
        match open(&path) {
            Ok(file) => {
                let file = BufReader::new(file);
                Ok(Self { file, path, at: 0, begin: 0, last: Link::origin(), age: 0, done: false })
            }
            Err(source) => Err(ReadError::Io { path, source }),
        }
    }

    /// Opens the journal behind an entry that was read before; none if that entry does not stand there any more, so that
    /// nothing that was read before it can be believed either.
    ///
    /// # Errors
    /// When there is no journal.
    pub fn behind(folder: &Path, mark: &Mark) -> Result<Option<Self>, ReadError> {
        let mut reader = Self::open(folder)?;
        let path = reader.path.clone();
        let io = move |source| ReadError::Io { path: path.clone(), source };
        reader.file.seek(SeekFrom::Start(mark.at)).map_err(&io)?;
        let Ok(Some(line)) = reader.line() else { return Ok(None) };
        // The hash covers all that is before it; whoever reads on checks that the next one follows from it.
        if split(&line).is_none_or(|(hash, _)| hash != mark.link.hash) {
            return Ok(None);
        }
        reader.begin = mark.at;
        reader.at = mark.at + line.len() as u64 + 1;
        // Which format the journal has come to is not known here: that it is said twice is for `verify` to find.
        reader.last = mark.link.clone();
        Ok(Some(reader))
    }

    /// Where the newest entry stands that was read; none before the first.
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        (self.last.seq > 0).then(|| Mark { at: self.begin, link: self.last.clone() })
    }

    /// How far it has come, and how far it is to the end of what is there now, both in bytes.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        let length = self.file.get_ref().metadata().map_or(self.at, |meta| meta.len());
        (self.at, length.max(self.at))
    }

    /// The newest entry that was read.
    #[must_use]
    pub fn newest(&self) -> &Link {
        &self.last
    }

    /// True if it was begun in, or has gone over to, the format that this version writes.
    #[must_use]
    pub fn is_newest_format(&self) -> bool {
        format::age(FORMAT) == Some(self.age)
    }

    /// Reads the next line, at most [`LINE_MAX`] of it.
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
            Err(self.broken("is longer than any entry"))
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
        let link = self.last.next(body);
        if link.hash != hash {
            return Err(self.broken("does not match its hash"));
        }
        let record: Record =
            serde_json::from_slice(body).map_err(|_| self.broken("is of a kind this version cannot read"))?;
        if record.seq != link.seq {
            return Err(self.broken("has another number"));
        }
        match &record.entry {
            Entry::Journal { format: found } => match format::age(found) {
                None => return Err(ReadError::Format { seq: link.seq, found: found.clone() }),
                Some(age) if link.seq > 1 && age <= self.age => {
                    return Err(self.broken("says again which format the journal has"));
                }
                Some(age) => self.age = age,
            },
            _ if link.seq == 1 => {
                return Err(self.broken("should say which format the journal has"));
            }
            _ => {}
        }
        self.begin = self.at;
        self.at += line.len() as u64 + 1;
        self.last = link;
        Ok(Some(record))
    }
}

/// Opens a regular file; a FIFO would keep us waiting.
fn open(path: &Path) -> io::Result<File> {
    let nonblock = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(nonblock).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no regular file")) }
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
