//! Plans, bytes that fixes have computed, and receipts: files of the state directory, addressed by their digest.
//!
//! Knows: names and directories. Must not know: what a plan does. Attacks answered: a plan that was edited on the disk (AG03): it is
//! read by its digest, and must have it; a name that leads elsewhere (AG07): only a digest or a change's id is accepted as a name.

use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::plan::{Plan, PlanError, digest};
use bailiwick_core::durable;
use bailiwick_core::durable::WriteError;
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::model::ChangeId;

/// Maximum size of a plan.
const PLAN_BYTES_MAX: u64 = 4 << 20;

/// The store of a state directory.
#[derive(Debug, Clone)]
pub struct Store {
    state: PathBuf,
}

/// Why something is not stored or not found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("cannot {action} {}", path.shown())]
    Io {
        /// The operation.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// There is no such plan.
    #[error("there is no plan `{0}`\n\nhint: `bailiwick plan FIX --target TARGET` makes one and prints its digest")]
    NoPlan(String),
    /// The name is not the beginning of a digest.
    #[error(
        "`{0}` is not the digest of a plan: it must be 8 to 64 hexadecimal digits\n\nhint: `bailiwick plan FIX --target TARGET` makes a plan and prints its digest"
    )]
    NotADigest(String),
    /// More than one plan matches.
    #[error("more than one plan begins with `{0}`; give more letters of the digest")]
    Many(String),
    /// The file was edited.
    #[error("{} was edited: its digest does not match its name; plan again", .0.shown())]
    NotItsName(PathBuf),
    /// The file is not a plan.
    #[error("{} is not a plan", path.shown())]
    Plan {
        /// The file.
        path: PathBuf,
        /// The error.
        source: PlanError,
    },
}

impl From<WriteError> for StoreError {
    fn from(WriteError { path, source }: WriteError) -> Self {
        Self::Io { action: "write", path, source }
    }
}

impl Store {
    /// The store of a state directory.
    #[must_use]
    pub fn at(state: &Path) -> Self {
        Self { state: state.to_owned() }
    }

    /// Stores a plan, and returns its digest.
    ///
    /// # Errors
    /// When it is not writable.
    pub fn keep(&self, plan: &Plan) -> Result<String, StoreError> {
        let folder = self.state.join("plans");
        let path = folder.join("a plan");
        let io = |source: serde_json::Error| StoreError::Io { action: "write", path, source: source.into() };
        let bytes = plan.bytes().map_err(io)?;
        let name = digest(&bytes);
        write(&folder, &format!("{name}.json"), &bytes)?;
        Ok(name)
    }

    /// Stores bytes that a fix has computed, and returns their digest.
    ///
    /// # Errors
    /// When they are not writable.
    pub fn keep_computed(&self, bytes: &[u8]) -> Result<String, StoreError> {
        let name = digest(bytes);
        write(&self.state.join("plans"), &format!("{name}.bytes"), bytes)?;
        Ok(name)
    }

    /// Bytes that a fix has computed, by their digest; none if they are missing or were edited.
    #[must_use]
    pub fn computed(&self, name: &str) -> Option<Vec<u8>> {
        if !is_hex(name) {
            return None;
        }
        let bytes = read(&self.state.join("plans").join(format!("{name}.bytes"))).ok()?;
        (digest(&bytes) == name).then_some(bytes)
    }

    /// A plan, by its digest or at least 8 characters of it, and its whole digest.
    ///
    /// # Errors
    /// When there is none, or it was edited.
    pub fn plan(&self, name: &str) -> Result<(Plan, String), StoreError> {
        let folder = self.state.join("plans");
        let missing = || StoreError::NoPlan(name.escape_default().to_string());
        if !(8..=64).contains(&name.len()) || !is_hex(name) {
            return Err(StoreError::NotADigest(name.escape_default().to_string()));
        }
        let mut matching = self.plans()?.into_iter().filter(|plan| plan.starts_with(name));
        let whole = matching.next().ok_or_else(missing)?;
        if matching.next().is_some() {
            return Err(StoreError::Many(name.to_owned()));
        }
        let path = folder.join(format!("{whole}.json"));
        let bytes = read(&path).map_err(|source| StoreError::Io { action: "read", path: path.clone(), source })?;
        if digest(&bytes) != whole {
            return Err(StoreError::NotItsName(path));
        }
        let (plan, digest) = Plan::read(&bytes).map_err(|source| StoreError::Plan { path, source })?;
        Ok((plan, digest))
    }

    /// The digests of all plans.
    ///
    /// # Errors
    /// When the directory is not readable.
    pub fn plans(&self) -> Result<Vec<String>, StoreError> {
        let folder = self.state.join("plans");
        let io = |source| StoreError::Io { action: "read", path: folder.clone(), source };
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(io)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(io)?.file_name();
            let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".json")) else { continue };
            if name.len() == 64 && is_hex(name) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Stores a change's receipt, and returns its path.
    ///
    /// # Errors
    /// When it is not writable.
    pub fn keep_receipt(&self, change: &ChangeId, bytes: &[u8]) -> Result<PathBuf, StoreError> {
        let folder = self.state.join("changes").join(change.as_str());
        write(&folder, "receipt.json", bytes)
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read as _;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = std::fs::File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(PLAN_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, StoreError> {
    durable::create_folder(folder, 0o700)?;
    let path = folder.join(name);
    durable::replace(&path, 0o600, bytes)?;
    Ok(path)
}
