//! The database file: its place, its owner, and whether it is valid.
//!
//! Knows: files, the tables. Must not know: the journal. Attacks answered: a database that another user created or can write, a link
//! in its place (FS16), and one that is cut, incomplete or of another version: it is set aside, and never repaired.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use rustix::fs::{FlockOperation, OFlags, flock};

use super::HistoryError;
use bailiwick_core::encode::ShownPath as _;

/// The version of the tables below. A database with another version is rebuilt.
const SCHEMA: i64 = 1;
/// `bwhi`: identifies a file of this program.
const APPLICATION: i64 = 0x6277_6869;
/// Up to this size, all of a database is checked when it is opened.
const CHECKED_BYTES: u64 = 32 << 20;
/// How long a process waits for another process that writes.
const PATIENCE: Duration = Duration::from_secs(20);

const FILE: &str = "history.sqlite";
const ASIDE: &str = "set-aside.sqlite";
const LOCK: &str = "lock";

/// `run.looked` is 1 for a run that could check. Another name for a column would need the next [`SCHEMA`].
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
    /// Opens the database in `state`, and creates it if it does not exist. Returns a notice if an invalid one was set aside.
    pub(super) fn open(state: &Path) -> Result<(Self, Option<String>), HistoryError> {
        let folder = state.join("history");
        let io = |action| {
            let path = folder.clone();
            move |source| HistoryError::Io { action, path, source }
        };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(io("create"))?;
        let meta = std::fs::symlink_metadata(&folder).map_err(io("check"))?;
        ours(&folder, &meta, meta.is_dir())?;
        let _lock = lock(&folder)?;
        let path = folder.join(FILE);
        drop(open_ours(&path)?);
        match connect(&path) {
            Ok(Opened::Valid(db)) => Ok((Self { db, folder }, None)),
            Ok(Opened::New(db)) => Ok((Self { db, folder }, None)),
            Ok(Opened::Invalid(what)) => Self::replace(folder, &what),
            Err(source) if is_damage(&source) => Self::replace(folder, &format!("is damaged ({source})")),
            Err(source) => Err(HistoryError::Database { path, source }),
        }
    }

    /// Sets the database aside and creates a new one. The caller holds the lock.
    fn replace(folder: PathBuf, what: &str) -> Result<(Self, Option<String>), HistoryError> {
        let path = folder.join(FILE);
        let aside = folder.join(ASIDE);
        std::fs::rename(&path, &aside).map_err(|source| HistoryError::Io {
            action: "set aside",
            path: path.clone(),
            source,
        })?;
        Ok((Self { db: fresh(&folder)?, folder }, Some(notice(&path, what, &aside))))
    }

    /// Sets this database aside because it is not valid. Returns a notice of one line.
    pub(super) fn set_aside(&mut self, what: &str) -> Result<String, HistoryError> {
        let _lock = lock(&self.folder)?;
        let path = self.folder.join(FILE);
        let aside = self.folder.join(ASIDE);
        self.close()?;
        // Another process may have set it aside meanwhile. Then there is a valid one by now, or none.
        let _ = std::fs::rename(&path, &aside);
        self.db = fresh(&self.folder)?;
        Ok(notice(&path, what, &aside))
    }

    /// Replaces the database with an empty one.
    pub(super) fn clear(&mut self) -> Result<(), HistoryError> {
        let _lock = lock(&self.folder)?;
        self.close()?;
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
    fn close(&mut self) -> Result<(), HistoryError> {
        self.db = Connection::open_in_memory().map_err(|source| self.error(source))?;
        Ok(())
    }

    pub(super) fn error(&self, source: rusqlite::Error) -> HistoryError {
        HistoryError::Database { path: self.folder.join(FILE), source }
    }
}

fn notice(path: &Path, what: &str, aside: &Path) -> String {
    format!(
        "warning: {} {what}; it was renamed to {}, and the history is rebuilt from the journal",
        path.shown(),
        aside.file_name().map(Path::new).unwrap_or(aside).shown()
    )
}

/// True for an error that a second attempt cannot resolve: the file is not a database of this program.
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

enum Opened {
    /// A database of this version.
    Valid(Connection),
    /// An empty file, in which the tables were created.
    New(Connection),
    /// Another database, and why it cannot be used.
    Invalid(String),
}

/// Opens a file, and checks what it is.
fn connect(path: &Path) -> rusqlite::Result<Opened> {
    let mut db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db.busy_timeout(PATIENCE)?;
    // The file's own schema must not run anything when it is read.
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cell_size_check", true)?;
    let number = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, schema) = (number("application_id")?, number("user_version")?);
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if (application, schema, tables) == (0, 0, 0) {
        create_tables(&mut db)?;
        return Ok(Opened::New(db));
    }
    if application != APPLICATION {
        return Ok(Opened::Invalid("belongs to another program".to_owned()));
    }
    if schema != SCHEMA {
        return Ok(Opened::Invalid(format!("has schema {schema}, and this version has {SCHEMA}")));
    }
    if std::fs::metadata(path).is_ok_and(|meta| meta.len() <= CHECKED_BYTES) {
        let result: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if result != "ok" {
            return Ok(Opened::Invalid("is damaged".to_owned()));
        }
    }
    Ok(Opened::Valid(db))
}

fn fresh(folder: &Path) -> Result<Connection, HistoryError> {
    let path = folder.join(FILE);
    // SQLite would apply its own journal of the file before to the new one.
    for suffix in ["-journal", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("{FILE}{suffix}")));
    }
    drop(open_ours(&path)?);
    match connect(&path) {
        Ok(Opened::Valid(db) | Opened::New(db)) => Ok(db),
        Ok(Opened::Invalid(_)) => {
            Err(HistoryError::NotOurs { path, what: "is not a history, although it was just created" })
        }
        Err(source) => Err(HistoryError::Database { path, source }),
    }
}

fn create_tables(db: &mut Connection) -> rusqlite::Result<()> {
    let work = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    work.execute_batch(TABLES)?;
    work.pragma_update(None, "application_id", APPLICATION)?;
    work.pragma_update(None, "user_version", SCHEMA)?;
    work.commit()
}

/// Prevents other processes from setting the database aside at the same time, until the value is dropped.
fn lock(folder: &Path) -> Result<File, HistoryError> {
    let path = folder.join(LOCK);
    let file = open_ours(&path)?;
    flock(&file, FlockOperation::LockExclusive).map_err(|errno| HistoryError::Io {
        action: "lock",
        path,
        source: errno.into(),
    })?;
    Ok(file)
}

/// Opens a file of the history, and creates it if it does not exist. Refuses a file that another user can write.
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
        "is of the wrong type"
    } else if meta.uid() != rustix::process::geteuid().as_raw() {
        "belongs to another user"
    } else if meta.mode() & 0o022 != 0 {
        "is writable by other users"
    } else {
        return Ok(());
    };
    Err(HistoryError::NotOurs { path: path.to_owned(), what })
}
