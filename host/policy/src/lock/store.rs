//! Writes the lock and the accepted files. One writer at a time; after a crash, either the old or the new state is accepted.
//!
//! A component and the lock cannot change in one step. So the new files are written to `components/.staged`, then the lock is
//! replaced, which is the decision, and then the files are moved to their places. The next writer finishes a move that the lock
//! has decided, and deletes staged files that the lock does not name ([`finish_interrupted`]).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::{FILE, Lock, LockError, LockState, render};
use crate::library::digest;
use bailiwick_core::durable;
use bailiwick_core::durable::{Staged, WriteError};
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::limits::COMPONENT_BYTES_MAX;
use bailiwick_core::model::ComponentId;
use bailiwick_core::source;
use bailiwick_core::source::ReadError;

/// The folder of accepted components.
pub const COMPONENTS: &str = "components";
/// The folder in [`COMPONENTS`] for held versions, which ask for more than was accepted.
pub const HELD: &str = "held";
const STAGED: &str = ".staged";
/// Only the owner can write, independent of the umask.
const FOLDER_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;
/// The interval between two attempts to lock.
const STEP: Duration = Duration::from_millis(20);

/// A component's files, as they were read and reviewed.
#[derive(Debug, Clone)]
pub struct Files {
    /// The component.
    pub wasm: Vec<u8>,
    /// Its manifest, unless it is sealed into the component.
    pub manifest: Option<Vec<u8>>,
    /// Its detached signature.
    pub signature: Option<Vec<u8>>,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system returned an error.
    #[error("cannot {action} {}", path.shown())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Another process has locked the directory.
    #[error("another bailiwick has kept {} locked for {} s\n\nhint: wait until it ends, then run this again", path.shown(), waited.as_secs())]
    Busy {
        /// The ops directory.
        path: PathBuf,
        /// How long this process waited.
        waited: Duration,
    },
    /// The lock cannot be read, or others could have written it.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The lock is invalid. Writing it again would make its content look accepted.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The component's entry in the lock has changed since the review was shown.
    #[error("`{0}` has changed in {FILE} since this was shown\n\nhint: run this again and review it again")]
    Changed(ComponentId),
}

impl From<WriteError> for StoreError {
    fn from(WriteError { path, source }: WriteError) -> Self {
        Self::Io { action: "write", path, source }
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}

/// A lock on the ops directory against other writers (or, for a reader, against any writer) until this is dropped. The
/// directory itself is locked, because every writer replaces the lock file.
#[derive(Debug)]
pub struct DirectoryLock(#[expect(dead_code, reason = "closing it gives the directory free")] File);

/// Begins a change: locks the directory, finishes what an interrupted writer left, and reads the lock.
///
/// # Errors
/// When another process keeps the directory locked for longer than `patience`, or when the lock is invalid, because writing it
/// again would make it look accepted.
pub fn begin(dir: &Path, patience: Duration) -> Result<(DirectoryLock, Lock), StoreError> {
    let guard = lock_exclusive(dir, patience)?;
    let lock = current(dir)?;
    move_staged(dir, &lock, &mut proceed)?;
    Ok((guard, lock))
}

fn lock_exclusive(dir: &Path, patience: Duration) -> Result<DirectoryLock, StoreError> {
    acquire(dir, patience, FlockOperation::NonBlockingLockExclusive)
}

/// Locks out writers while reading. Without the lock a reader may see half of a change, and refuses what does not match. So a
/// process that holds the lock cannot prevent a sweep.
#[must_use]
pub fn lock_shared(dir: &Path, patience: Duration) -> Option<DirectoryLock> {
    acquire(dir, patience, FlockOperation::NonBlockingLockShared).ok()
}

fn acquire(dir: &Path, patience: Duration, how: FlockOperation) -> Result<DirectoryLock, StoreError> {
    let file = File::open(dir).map_err(failed("open", dir))?;
    let mut left = patience;
    loop {
        match flock(&file, how) {
            Ok(()) => return Ok(DirectoryLock(file)),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) if !left.is_zero() => {
                std::thread::sleep(STEP);
                left = left.saturating_sub(STEP);
            }
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {
                return Err(StoreError::Busy { path: dir.to_owned(), waited: patience });
            }
            Err(error) => return Err(failed("lock", dir)(error.into())),
        }
    }
}

/// Called before each step of a change. A test returns an error, to stop there as a crash would.
pub type StepHook<'a> = &'a mut dyn FnMut() -> io::Result<()>;

/// The hook that stops no step.
///
/// # Errors
/// Never.
pub fn proceed() -> io::Result<()> {
    Ok(())
}

fn current(dir: &Path) -> Result<Lock, StoreError> {
    match LockState::load(Some(dir))? {
        LockState::Missing => Ok(Lock::default()),
        LockState::Valid(lock) => Ok(*lock),
        LockState::Invalid(error) => Err(error.into()),
    }
}

/// Replaces the lock, and a component's files if there are new ones: all or nothing, at whatever step it stops.
///
/// # Errors
/// When something cannot be written. Then either the old or the new state is accepted, and nothing in between.
pub fn commit(
    dir: &Path,
    _guard: &DirectoryLock,
    lock: &Lock,
    new: Option<(&ComponentId, &Files)>,
    hook: StepHook<'_>,
) -> Result<(), StoreError> {
    if let Some((id, files)) = new {
        let staged = dir.join(COMPONENTS).join(STAGED);
        durable::create_folder(&staged, FOLDER_MODE)?;
        for (name, bytes) in files.all(id) {
            step(hook, &staged)?;
            durable::write_draft(&staged.join(name), FILE_MODE, bytes)?;
        }
        step(hook, &staged)?;
        durable::sync_folder(&staged)?;
    }
    let file = dir.join(FILE);
    let temporary = dir.join(format!("{FILE}.new"));
    step(hook, &temporary)?;
    let fresh = Staged::write_as(temporary, &file, FILE_MODE, &[render(lock).as_bytes()])?;
    step(hook, &file)?;
    fresh.replace()?;
    move_staged(dir, lock, hook)
}

/// Stores a held version. This accepts nothing: `approve` reads it again.
///
/// # Errors
/// When it cannot be written.
pub fn store_held(dir: &Path, _guard: &DirectoryLock, id: &ComponentId, files: &Files) -> Result<(), StoreError> {
    let folder = held_dir(dir);
    durable::create_folder(&folder, FOLDER_MODE)?;
    for (name, bytes) in files.all(id) {
        let temporary = folder.join(format!("{name}.new"));
        Staged::write_as(temporary, &folder.join(&name), FILE_MODE, &[bytes])?.replace()?;
    }
    for name in files.absent(id) {
        remove(&folder.join(name))?;
    }
    Ok(durable::sync_folder(&folder)?)
}

/// Removes the held version of a component.
///
/// # Errors
/// When it cannot be removed.
pub fn remove_held(dir: &Path, _guard: &DirectoryLock, id: &ComponentId) -> Result<(), StoreError> {
    for name in [format!("{id}.wasm"), format!("{id}.toml"), format!("{id}.wasm.sig")] {
        remove(&held_dir(dir).join(name))?;
    }
    Ok(())
}

/// The folder of held versions.
#[must_use]
pub fn held_dir(dir: &Path) -> PathBuf {
    dir.join(COMPONENTS).join(HELD)
}

/// Finishes what an interrupted writer left: moves the files that the lock names, and deletes the others. True if there was
/// something to finish.
///
/// # Errors
/// When a staged file cannot be moved. Until it is moved, its component is refused.
pub fn finish_interrupted(dir: &Path, patience: Duration) -> Result<bool, StoreError> {
    let staged = dir.join(COMPONENTS).join(STAGED);
    if !source::name_exists(&staged) {
        return Ok(false);
    }
    let _guard = lock_exclusive(dir, patience)?;
    if !source::name_exists(&staged) {
        return Ok(false);
    }
    match current(dir) {
        Ok(lock) => move_staged(dir, &lock, &mut proceed).map(|()| true),
        // An invalid lock does not show what was decided. The staged files stay.
        Err(StoreError::Lock(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Moves staged files to their places if the lock names them, and removes the others. The component itself moves last: while it
/// is staged, all of it is repeated.
fn move_staged(dir: &Path, lock: &Lock, hook: StepHook<'_>) -> Result<(), StoreError> {
    let components = dir.join(COMPONENTS);
    let staged = components.join(STAGED);
    source::refuse_link(&staged)?;
    let entries = match fs::read_dir(&staged) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("read", &staged)(error)),
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        names.extend(entry.map_err(failed("read", &staged))?.file_name().into_string());
    }
    for name in names.iter().filter_map(|name| name.strip_suffix(".wasm")) {
        let accepted = lock.components.get(name).map(|component| &component.facts);
        let wasm = staged.join(format!("{name}.wasm"));
        // A file that the lock does not name is not opened.
        let Some(facts) = accepted else { continue };
        if read_staged(&wasm)? != facts.digest {
            continue;
        }
        let side =
            [(format!("{name}.toml"), facts.manifest.is_some()), (format!("{name}.wasm.sig"), facts.signer.is_some())];
        for (file, wanted) in side {
            step(hook, &staged)?;
            source::refuse_link(&staged.join(&file))?;
            if names.contains(&file) && staged.join(&file).exists() {
                rename(&staged.join(&file), &components.join(&file))?;
            } else if !wanted {
                remove(&components.join(&file))?;
            }
        }
        step(hook, &staged)?;
        rename(&wasm, &components.join(format!("{name}.wasm")))?;
        durable::sync_folder(&components)?;
    }
    step(hook, &staged)?;
    fs::remove_dir_all(&staged).map_err(failed("remove", &staged))
}

/// The digest of a staged component. It must be a regular file, and no larger than the maximum for components.
fn read_staged(path: &Path) -> Result<String, StoreError> {
    let mut bytes = Vec::new();
    let file = source::open_unlinked(path)?;
    file.take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed("read", path))?;
    Ok(digest(&bytes))
}

impl Files {
    /// All files, the component last.
    fn all<'a>(&'a self, id: &ComponentId) -> Vec<(String, &'a [u8])> {
        let side = [(format!("{id}.toml"), &self.manifest), (format!("{id}.wasm.sig"), &self.signature)];
        let mut all: Vec<_> = side.into_iter().filter_map(|(name, bytes)| Some((name, bytes.as_deref()?))).collect();
        all.push((format!("{id}.wasm"), &self.wasm));
        all
    }

    fn absent(&self, id: &ComponentId) -> Vec<String> {
        let side = [(format!("{id}.toml"), &self.manifest), (format!("{id}.wasm.sig"), &self.signature)];
        side.into_iter().filter(|(_, bytes)| bytes.is_none()).map(|(name, _)| name).collect()
    }
}

fn step(hook: StepHook<'_>, path: &Path) -> Result<(), StoreError> {
    hook().map_err(failed("write", path))
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(failed("replace", to))
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}
