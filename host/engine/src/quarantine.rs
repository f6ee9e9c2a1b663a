//! Components that do not run until a person releases them.
//!
//! Knows: for each component, by the digest of its bytes, how its workers died since it was last released. Must not know: how
//! a worker dies, or who runs which component. Attack answered (GR14): a component that breaks its worker in one sweep
//! after the other may be attacking the wasm engine; it gets [`DEATHS`] attempts.
//!
//! One file for each digest, in a folder that only its owner can read. A file is written beside its place, synchronised and
//! renamed, under a lock: it is complete or as it was before, and two programs count one after the other. A record that
//! cannot be read keeps its component from running.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use bailiwick_core::durable::{self, Staged};
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::limits::DEATHS;
use bailiwick_core::model::ComponentId;
use bailiwick_core::source;
use bailiwick_core::source::ReadError;

/// The format of the files.
const FORMAT: &str = "bailiwick.quarantine/1";
/// The largest file that is read as a record. A record has a few hundred bytes.
const BYTES_MAX: u64 = 64 << 10;
/// Earlier releases that are kept.
const RELEASES_MAX: usize = 20;

/// How the workers of one component died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    format: String,
    /// The component.
    pub component: ComponentId,
    /// Its version.
    pub version: String,
    /// SHA-256 of its bytes.
    pub digest: String,
    /// How its workers died since it was last released.
    pub deaths: Vec<Death>,
    /// Earlier releases, oldest first.
    pub releases: Vec<Release>,
}

/// One death.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Death {
    /// When.
    pub at: Timestamp,
    /// How, in a sentence of the host.
    pub how: String,
}

/// One release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// When.
    pub at: Timestamp,
    /// The account of the person.
    pub uid: u32,
    /// Its reason.
    pub why: Option<String>,
}

/// The component that a record is about.
#[derive(Debug, Clone)]
pub struct Who {
    /// Its id.
    pub component: ComponentId,
    /// Its version.
    pub version: String,
    /// SHA-256 of its bytes, in hex.
    pub digest: String,
}

/// Why a record cannot be read or written. A component whose record cannot be read does not run.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// The operating system reported an error.
    #[error("cannot {action} {}", path.shown())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Others could have written it, or it is not a regular file.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is not a record.
    #[error("{} is not a quarantine record: {what}", path.shown())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl Record {
    fn new(who: &Who) -> Self {
        Self {
            format: FORMAT.to_owned(),
            component: who.component.clone(),
            version: who.version.clone(),
            digest: who.digest.clone(),
            deaths: Vec::new(),
            releases: Vec::new(),
        }
    }

    /// True if the component does not run until it is released.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.deaths.len() as u64 >= DEATHS
    }

    /// Why, on one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let how: Vec<_> = self.deaths.iter().map(|death| death.how.as_str()).collect();
        format!("its worker died {} times since the last release ({})", how.len(), how.join("; "))
    }
}

/// The folder of all records.
#[derive(Debug, Clone)]
pub struct Quarantine {
    folder: PathBuf,
}

impl Quarantine {
    /// The quarantine of a state directory. The folder is created with the first record.
    #[must_use]
    pub fn at(state: &Path) -> Self {
        Self { folder: state.join("quarantine") }
    }

    fn file(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}.json"))
    }

    /// The record of a component; `None` if no worker died of it.
    ///
    /// # Errors
    /// When there is a record that cannot be read or trusted.
    pub fn record(&self, digest: &str) -> Result<Option<Record>, QuarantineError> {
        let path = self.file(digest);
        match fs::symlink_metadata(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(QuarantineError::Io { action: "read", path, source }),
        }
        source::check_permissions(&path)?;
        let file = source::open_regular(&path)?;
        let damaged = |what: String| QuarantineError::Damaged { path: path.clone(), what };
        let mut text = String::new();
        io::Read::read_to_string(&mut io::Read::take(file, BYTES_MAX), &mut text)
            .map_err(|error| damaged(error.to_string()))?;
        let record: Record = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if record.format != FORMAT {
            return Err(damaged(format!("its format is not {FORMAT}")));
        }
        if record.digest != digest {
            return Err(damaged("it is about another component".to_owned()));
        }
        Ok(Some(record))
    }

    /// Every record, by file name, with the errors of those that cannot be read.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn all(&self) -> Result<Vec<Result<Record, QuarantineError>>, QuarantineError> {
        let io = |source| QuarantineError::Io { action: "read", path: self.folder.clone(), source };
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(io(source)),
        };
        let mut digests = Vec::new();
        for entry in entries {
            let name = entry.map_err(io)?.file_name();
            digests.extend(name.to_str().and_then(|name| name.strip_suffix(".json")).map(str::to_owned));
        }
        digests.sort();
        Ok(digests.iter().filter_map(|digest| self.record(digest).transpose()).collect())
    }

    /// Counts a death, and returns the new record.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn died(&self, who: &Who, how: &str, now: Timestamp) -> Result<Record, QuarantineError> {
        let _lock = self.lock()?;
        let mut record = self.record(&who.digest)?.unwrap_or_else(|| Record::new(who));
        record.deaths.push(Death { at: now, how: how.to_owned() });
        self.write(&record)?;
        Ok(record)
    }

    /// Lets a component run again. A record that cannot be read is kept under another name.
    ///
    /// # Errors
    /// When the record cannot be written. Then nothing is released.
    pub fn release(&self, who: &Who, why: Option<&str>, now: Timestamp) -> Result<Record, QuarantineError> {
        let _lock = self.lock()?;
        let mut record = match self.record(&who.digest) {
            Ok(record) => record.unwrap_or_else(|| Record::new(who)),
            Err(QuarantineError::Damaged { path, .. }) => {
                let aside = path.with_extension(format!("damaged-{}", now.as_second()));
                let failed = |source| QuarantineError::Io { action: "rename", path: path.clone(), source };
                fs::rename(&path, aside).map_err(failed)?;
                Record::new(who)
            }
            Err(error) => return Err(error),
        };
        let uid = rustix::process::geteuid().as_raw();
        record.deaths.clear();
        record.releases.push(Release { at: now, uid, why: why.map(str::to_owned) });
        let old = record.releases.len().saturating_sub(RELEASES_MAX);
        record.releases.drain(..old);
        self.write(&record)?;
        Ok(record)
    }

    /// Waits until no other program writes here.
    fn lock(&self) -> Result<File, QuarantineError> {
        let io = |action, path: &Path| {
            let path = path.to_owned();
            move |source| QuarantineError::Io { action, path, source }
        };
        durable::create_folder(&self.folder, 0o700).map_err(|error| io("create", &self.folder)(error.into()))?;
        source::check_permissions(&self.folder)?;
        let path = self.folder.join("lock");
        let nofollow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600).custom_flags(nofollow);
        let file = options.open(&path).map_err(io("open", &path))?;
        file.lock().map_err(io("lock", &path))?;
        Ok(file)
    }

    /// Writes a record. The caller has the lock.
    fn write(&self, record: &Record) -> Result<(), QuarantineError> {
        let path = self.file(&record.digest);
        let text = serde_json::to_string_pretty(record).map_err(io::Error::from);
        let written = text.and_then(|text| {
            let temporary = path.with_extension("new");
            Ok(Staged::write_as(temporary, &path, 0o600, &[text.as_bytes()])?.replace()?)
        });
        written.map_err(|source| QuarantineError::Io { action: "write", path, source })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn who(digest: &str) -> Who {
        Who { component: ComponentId::new("wild").unwrap(), version: "1.0.0".to_owned(), digest: digest.to_owned() }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn two_deaths_hold_it_and_a_release_ends_that() {
        let dir = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::at(dir.path());
        assert_eq!(quarantine.record("aa").unwrap(), None);
        assert!(!quarantine.died(&who("aa"), "signal 9", at(1)).unwrap().holds());
        let record = quarantine.died(&who("aa"), "signal 11", at(2)).unwrap();
        assert!(record.holds());
        assert_eq!(record.summary(), "its worker died 2 times since the last release (signal 9; signal 11)");
        assert_eq!(quarantine.record("bb").unwrap(), None, "another version is another component");
        let released = quarantine.release(&who("aa"), Some("the machine was out of memory"), at(3)).unwrap();
        assert!(!released.holds() && released.releases.len() == 1);
        assert_eq!(quarantine.record("aa").unwrap(), Some(released));
        let modes = ["quarantine", "quarantine/aa.json"]
            .map(|name| std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777);
        assert_eq!(modes, [0o700, 0o600]);
    }

    #[test]
    fn what_cannot_be_read_or_trusted_is_an_error_and_never_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::at(dir.path());
        quarantine.died(&who("aa"), "signal 9", at(1)).unwrap();
        let path = quarantine.file("aa");
        let whole = std::fs::read_to_string(&path).unwrap();
        for text in ["", "{}", &whole[..whole.len() / 2], &whole.replace("aa", "bb"), &whole.replace("/1", "/2")] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(quarantine.record("aa"), Err(QuarantineError::Damaged { .. })), "{text}");
            // The count does not start again either.
            assert!(quarantine.died(&who("aa"), "signal 9", at(2)).is_err());
        }
        std::fs::write(&path, &whole).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        assert!(matches!(quarantine.record("aa"), Err(QuarantineError::Read(ReadError::Writable { .. }))));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        // A person can release a record that cannot be read; the file is kept.
        std::fs::write(&path, "torn").unwrap();
        quarantine.release(&who("aa"), None, at(9)).unwrap();
        assert_eq!(std::fs::read(dir.path().join("quarantine/aa.damaged-9")).unwrap(), b"torn");
        assert_eq!(quarantine.record("aa").unwrap().unwrap().deaths, []);
    }

    #[test]
    fn many_at_once_lose_none() {
        let dir = tempfile::tempdir().unwrap();
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let quarantine = Quarantine::at(dir.path());
                std::thread::spawn(move || {
                    (0..5).for_each(|n| drop(quarantine.died(&who("aa"), "signal 9", at(n)).unwrap()));
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(Quarantine::at(dir.path()).record("aa").unwrap().unwrap().deaths.len(), 40);
    }

    #[test]
    fn a_write_that_was_cut_off_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::at(dir.path());
        let before = quarantine.died(&who("aa"), "signal 9", at(1)).unwrap();
        // A program that is killed before the rename leaves this.
        std::fs::write(quarantine.file("aa").with_extension("new"), "{\"format\":").unwrap();
        assert_eq!(quarantine.record("aa").unwrap(), Some(before));
        assert_eq!(quarantine.all().unwrap().len(), 1);
        assert!(quarantine.died(&who("aa"), "signal 9", at(2)).unwrap().holds());
    }
}
