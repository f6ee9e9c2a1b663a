//! The module cache: compiled components, kept between sweeps in a folder of the state directory.
//!
//! Knows: a folder, a key, bytes. Must not know: what the bytes are. Attack answered: another user who writes
//! an entry would have code executed in a worker (LK06). So only this user may access the folder. Each entry has a seal:
//! HMAC-SHA256, with a key in the same folder, over the program that made it, its component, and its bytes. An entry that
//! does not match is deleted, and the component is compiled again. It is always safe to delete the folder.
//!
//! **Invariant:** only the broker writes here, and an entry serves the component digest under which it was sealed, no
//! other. So a component that took over the worker that compiled it gains nothing.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use bailiwick_core::durable::{self, Staged};
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::source;

/// Maximum size of all entries. The oldest are deleted first.
const BYTES_MAX: u64 = 512 << 20;
/// Maximum size of one entry: a compiled component of 25 MiB, with a margin.
const ENTRY_BYTES_MAX: u64 = 192 << 20;

const MAGIC: &[u8; 8] = b"bwcache1";
const KEY: &str = "key";

/// An open cache.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    key: Key,
    program: [u8; 32],
    bytes_max: u64,
}

/// A key with the length of a block of the hash.
struct Key([u8; 64]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Why there is no cache. Components are then compiled in each sweep.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The folder, or one above it, could be changed by others.
    #[error(transparent)]
    Folder(#[from] source::ReadError),
    /// Others can read or change it, or it is something else.
    #[error("{} is {what}; delete the folder of the cache", path.shown())]
    NotPrivate {
        /// The folder or the key.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// The operating system reported an error.
    #[error("{}", path.shown())]
    Io {
        /// The path.
        path: PathBuf,
        /// Its message.
        source: io::Error,
    },
}

/// Why an entry was deleted.
#[derive(Debug, thiserror::Error)]
pub enum Reject {
    /// It is not a file that only this user can access.
    #[error("it is {0}")]
    NotPrivate(&'static str),
    /// It is not an entry, or it is incomplete.
    #[error("it is not a complete entry")]
    Format,
    /// Another version of this program made it.
    #[error("another version of bailiwick made it")]
    OtherProgram,
    /// Its bytes, its component or the key are not those that it was sealed with.
    #[error("its seal does not match")]
    Seal,
    /// It cannot be read.
    #[error("it cannot be read")]
    Io(#[from] io::Error),
}

impl Cache {
    /// Opens the cache in a folder, and creates the folder if it does not exist. Entries of another `program` are deleted.
    ///
    /// # Errors
    /// When the folder cannot be made, or other users may access it.
    pub fn open(folder: &Path, program: &[u8]) -> Result<Self, CacheError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| CacheError::Io { path, source }
        };
        match DirBuilder::new().recursive(true).mode(0o700).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io(folder)(error)),
            _ => {}
        }
        let meta = fs::symlink_metadata(folder).map_err(io(folder))?;
        let what = if meta.is_dir() { foreign(&meta) } else { Some("not a folder") };
        if let Some(what) = what {
            return Err(CacheError::NotPrivate { path: folder.to_owned(), what });
        }
        source::check_permissions(folder)?;
        let path = folder.join(KEY);
        let key = match read_key(&path)? {
            Some(key) => key,
            None => {
                make_key(folder).map_err(io(&path))?;
                let gone = || io(&path)(io::ErrorKind::NotFound.into());
                read_key(&path)?.ok_or_else(gone)?
            }
        };
        Ok(Self { folder: folder.to_owned(), key, program: Sha256::digest(program).into(), bytes_max: BYTES_MAX })
    }

    /// The same with another maximum size.
    #[must_use]
    pub const fn with_room(mut self, bytes_max: u64) -> Self {
        self.bytes_max = bytes_max;
        self
    }

    /// The compiled form of a component, if the cache has it.
    ///
    /// # Errors
    /// When the entry had to be deleted.
    pub fn get(&self, component: &[u8; 32]) -> Result<Option<Vec<u8>>, Reject> {
        let path = self.path(component);
        let entry = self.read(&path, component);
        if entry.is_err() {
            let _ = fs::remove_file(&path);
        }
        entry
    }

    fn read(&self, path: &Path, component: &[u8; 32]) -> Result<Option<Vec<u8>>, Reject> {
        let Some((file, meta)) = open(path)? else { return Ok(None) };
        if let Some(what) = foreign(&meta) {
            return Err(Reject::NotPrivate(what));
        }
        let mut file = file.take(ENTRY_BYTES_MAX);
        let (mut magic, mut program, mut seal) = ([0; 8], [0; 32], [0; 32]);
        for part in [&mut magic[..], &mut program, &mut seal] {
            file.read_exact(part).map_err(|_| Reject::Format)?;
        }
        if magic != *MAGIC {
            return Err(Reject::Format);
        }
        if program != self.program {
            return Err(Reject::OtherProgram);
        }
        let mut artefact = Vec::with_capacity(usize::try_from(meta.len().min(ENTRY_BYTES_MAX)).unwrap_or_default());
        file.read_to_end(&mut artefact)?;
        self.mac(component, &artefact).verify_slice(&seal).map_err(|_| Reject::Seal)?;
        Ok(Some(artefact))
    }

    /// Stores the compiled form of a component.
    ///
    /// # Errors
    /// When it cannot be written; then nothing is stored.
    pub fn put(&self, component: &[u8; 32], artefact: &[u8]) -> io::Result<()> {
        let seal = self.mac(component, artefact).finalize().into_bytes();
        let parts = [MAGIC, &self.program[..], &seal, artefact];
        Staged::write(&self.path(component), 0o600, &parts)?.replace()?;
        self.evict()
    }

    /// Deletes the entry of a component.
    pub fn remove(&self, component: &[u8; 32]) {
        let _ = fs::remove_file(self.path(component));
    }

    fn path(&self, component: &[u8; 32]) -> PathBuf {
        self.folder.join(HEXLOWER.encode(component))
    }

    fn mac(&self, component: &[u8; 32], artefact: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&self.key.0.into());
        mac.update(b"bailiwick-cache-v1");
        mac.update(&self.program);
        mac.update(component);
        mac.update(&(artefact.len() as u64).to_be_bytes());
        mac.update(artefact);
        mac
    }

    /// Deletes the oldest entries until the rest fits. Files that a killed process left count as entries.
    fn evict(&self) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name() != KEY
                && let Ok(meta) = entry.metadata()
            {
                entries.push((meta.mtime(), meta.mtime_nsec(), entry.path(), meta.len()));
            }
        }
        entries.sort();
        let mut sum: u64 = entries.iter().map(|(.., bytes)| bytes).sum();
        for (.., path, bytes) in entries {
            if sum <= self.bytes_max {
                break;
            }
            let _ = fs::remove_file(path);
            sum = sum.saturating_sub(bytes);
        }
        Ok(())
    }
}

/// Why other users could read or change a file or folder.
fn foreign(meta: &fs::Metadata) -> Option<&'static str> {
    if meta.uid() != rustix::process::geteuid().as_raw() {
        Some("owned by another user")
    } else if meta.mode() & 0o077 != 0 {
        Some("accessible to other users (a folder needs mode 0700, a file 0600)")
    } else {
        None
    }
}

/// Opens a regular file, not a link. `None` if it does not exist.
fn open(path: &Path) -> Result<Option<(File, fs::Metadata)>, Reject> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
    let file = match File::options().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Err(Reject::NotPrivate("a symbolic link"));
        }
        Err(error) => return Err(error.into()),
    };
    let meta = file.metadata()?;
    if meta.is_file() { Ok(Some((file, meta))) } else { Err(Reject::NotPrivate("not a regular file")) }
}

fn read_key(path: &Path) -> Result<Option<Key>, CacheError> {
    let not_private = |what| CacheError::NotPrivate { path: path.to_owned(), what };
    let io = |source| CacheError::Io { path: path.to_owned(), source };
    let (mut file, meta) = match open(path) {
        Ok(Some(opened)) => opened,
        Ok(None) => return Ok(None),
        Err(Reject::Io(source)) => return Err(io(source)),
        Err(Reject::NotPrivate(what)) => return Err(not_private(what)),
        Err(_) => return Err(not_private("not a valid key")),
    };
    if let Some(what) = foreign(&meta) {
        return Err(not_private(what));
    }
    if meta.len() != 64 {
        return Err(not_private("not a valid key"));
    }
    let mut key = [0; 64];
    file.read_exact(&mut key).map_err(io)?;
    Ok(Some(Key(key)))
}

/// Makes a key, unless another process has made one meanwhile.
fn make_key(folder: &Path) -> io::Result<()> {
    let mut key = [0; 64];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    match durable::create_new(&folder.join(KEY), 0o600, &key) {
        // Another process made a key first, and that one is used.
        Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => Ok(other?),
    }
}
