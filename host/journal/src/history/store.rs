//! The database file: where it is, whose it is, and when it is not what it should be.
//!
//! Attacks answered: a database that somebody else has put there or could write, a link in its place (FS), and one that was
//! cut, half written or made by another version: it is set aside, never mended.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use rustix::fs::{FlockOperation, OFlags, flock};

use super::HistoryError;
use bailiwick_core::encode::ShownPath as _;

/// Of the tables below. Another number: the database is made again.
const SCHEMA: i64 = 1;
/// `bwhi`: the file is ours, and no other program's.
const APPLICATION: i64 = 0x6277_6869;
/// Up to this size, a database is read through when it is opened.
const CHECKED_BYTES: u64 = 32 << 20;
/// How long one process waits for another that writes.
const PATIENCE: Duration = Duration::from_secs(20);

const FILE: &str = "history.sqlite";
const ASIDE: &str = "set-aside.sqlite";
const LOCK: &str = "lock";

const TABLES: &str = "
CREATE TABLE mark (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at INTEGER NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL
) STRICT;
CREATE TABLE run (
    target TEXT NOT NULL, component TEXT NOT NULL, time_ms INTEGER NOT NULL, number INTEGER NOT NULL,
    looked INTEGER NOT NULL, numbers INTEGER NOT NULL,
    PRIMARY KEY (target, component, time_ms, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_number ON run (number);
CREATE TABLE point (
    target TEXT NOT NULL, component TEXT NOT NULL, time_ms INTEGER NOT NULL, run INTEGER NOT NULL, place INTEGER NOT NULL,
    code TEXT NOT NULL, subject TEXT NOT NULL, metric TEXT NOT NULL, unit TEXT NOT NULL, value REAL NOT NULL,
    severity TEXT NOT NULL,
    PRIMARY KEY (target, component, time_ms, run, place)
) STRICT, WITHOUT ROWID;
";

/// An open database with our tables in it.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) db: Connection,
    folder: PathBuf,
}

impl Store {
    /// Opens the database in `state`, making it if need be, and says so if what was there had to be set aside.
    pub(super) fn open(state: &Path) -> Result<(Self, Option<String>), HistoryError> {
        let folder = state.join("history");
        let io = |action| {
            let path = folder.clone();
            move |source| HistoryError::Io { action, path, source }
        };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(io("make"))?;
        let meta = std::fs::symlink_metadata(&folder).map_err(io("look at"))?;
        ours(&folder, &meta, meta.is_dir())?;
        let _hold = hold(&folder)?;
        let path = folder.join(FILE);
        drop(open_ours(&path)?);
        match connect(&path) {
            Ok(Found::Ours(db)) => Ok((Self { db, folder }, None)),
            Ok(Found::Empty(db)) => Ok((Self { db, folder }, None)),
            Ok(Found::Other(what)) => Self::replace(folder, &what),
            Err(source) if is_damage(&source) => Self::replace(folder, &format!("is damaged ({source})")),
            Err(source) => Err(HistoryError::Database { path, source }),
        }
    }

    /// Sets the database aside and begins a new one; the caller holds the lock.
    fn replace(folder: PathBuf, what: &str) -> Result<(Self, Option<String>), HistoryError> {
        let path = folder.join(FILE);
        let aside = folder.join(ASIDE);
        std::fs::rename(&path, &aside).map_err(|source| HistoryError::Io {
            action: "set aside",
            path: path.clone(),
            source,
        })?;
        Ok((Self { db: fresh(&folder)?, folder }, Some(told(&path, what, &aside))))
    }

    /// Sets this database aside: it is not what it should be. Says so in one line.
    pub(super) fn set_aside(&mut self, what: &str) -> Result<String, HistoryError> {
        let _hold = hold(&self.folder)?;
        let path = self.folder.join(FILE);
        let aside = self.folder.join(ASIDE);
        self.forget()?;
        // Another process may have set it aside meanwhile; then there is a good one by now, or none.
        let _ = std::fs::rename(&path, &aside);
        self.db = fresh(&self.folder)?;
        Ok(told(&path, what, &aside))
    }

    /// Begins with an empty database.
    pub(super) fn begin_anew(&mut self) -> Result<(), HistoryError> {
        let _hold = hold(&self.folder)?;
        self.forget()?;
        let path = self.folder.join(FILE);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(HistoryError::Io { action: "remove", path, source })
            }
            _ => {
                self.db = fresh(&self.folder)?;
                Ok(())
            }
        }
    }

    /// Closes the database.
    fn forget(&mut self) -> Result<(), HistoryError> {
        self.db = Connection::open_in_memory().map_err(|source| self.error(source))?;
        Ok(())
    }

    pub(super) fn error(&self, source: rusqlite::Error) -> HistoryError {
        HistoryError::Database { path: self.folder.join(FILE), source }
    }
}

fn told(path: &Path, what: &str, aside: &Path) -> String {
    format!(
        "warning: {} {what}; it is set aside as {} and made again from the journal",
        path.shown(),
        aside.file_name().map(Path::new).unwrap_or(aside).shown()
    )
}

/// True for an error that another try cannot mend: what is in the file is not a database of ours.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(error, _) => {
            matches!(error.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        }
        // A value of another type than the table has.
        rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnName(..) => true,
        _ => false,
    }
}

enum Found {
    Ours(Connection),
    Empty(Connection),
    Other(String),
}

/// Opens a file and looks what it is.
fn connect(path: &Path) -> rusqlite::Result<Found> {
    let mut db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db.busy_timeout(PATIENCE)?;
    // What a file's own schema could make happen when it is only read: nothing.
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cell_size_check", true)?;
    let number = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, schema) = (number("application_id")?, number("user_version")?);
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if (application, schema, tables) == (0, 0, 0) {
        make(&mut db)?;
        return Ok(Found::Empty(db));
    }
    if application != APPLICATION {
        return Ok(Found::Other("is another program's".to_owned()));
    }
    if schema != SCHEMA {
        return Ok(Found::Other(format!("has schema {schema}, this version has {SCHEMA}")));
    }
    if std::fs::metadata(path).is_ok_and(|meta| meta.len() <= CHECKED_BYTES) {
        let said: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if said != "ok" {
            return Ok(Found::Other("is damaged".to_owned()));
        }
    }
    Ok(Found::Ours(db))
}

fn fresh(folder: &Path) -> Result<Connection, HistoryError> {
    let path = folder.join(FILE);
    // A journal of SQLite's that belonged to the file before would be played back into the new one.
    for suffix in ["-journal", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("{FILE}{suffix}")));
    }
    drop(open_ours(&path)?);
    match connect(&path) {
        Ok(Found::Ours(db) | Found::Empty(db)) => Ok(db),
        Ok(Found::Other(_)) => Err(HistoryError::NotOurs { path, what: "no history, though it was just made" }),
        Err(source) => Err(HistoryError::Database { path, source }),
    }
}

fn make(db: &mut Connection) -> rusqlite::Result<()> {
    let work = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    work.execute_batch(TABLES)?;
    work.pragma_update(None, "application_id", APPLICATION)?;
    work.pragma_update(None, "user_version", SCHEMA)?;
    work.commit()
}

/// Keeps other processes from setting the database aside at the same time. Ends with the value.
fn hold(folder: &Path) -> Result<File, HistoryError> {
    let path = folder.join(LOCK);
    let file = open_ours(&path)?;
    flock(&file, FlockOperation::LockExclusive).map_err(|errno| HistoryError::Io {
        action: "lock",
        path,
        source: errno.into(),
    })?;
    Ok(file)
}

/// Opens a file of ours, making it if need be; refuses one that anybody else could have written.
fn open_ours(path: &Path) -> Result<File, HistoryError> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
    let io = |source| HistoryError::Io { action: "open", path: path.to_owned(), source };
    let file = options.open(path).map_err(io)?;
    let meta = file.metadata().map_err(io)?;
    ours(path, &meta, meta.is_file())?;
    Ok(file)
}

fn ours(path: &Path, meta: &std::fs::Metadata, is_kind: bool) -> Result<(), HistoryError> {
    let what = if !is_kind {
        "not what it should be"
    } else if meta.uid() != rustix::process::geteuid().as_raw() {
        "somebody else's"
    } else if meta.mode() & 0o022 != 0 {
        "writable by others"
    } else {
        return Ok(());
    };
    Err(HistoryError::NotOurs { path: path.to_owned(), what })
}
