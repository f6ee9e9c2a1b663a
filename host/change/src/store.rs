//! Plans, bytes that fixes made, and receipts: files of the state folder, each known by what is in it.
//!
//! Knows: names and folders. Must not know: what a plan does. Attacks answered: a plan that was edited on the disk (AG03): it is read by
//! its digest, and is those bytes or none; a name that leads elsewhere (AG07): a digest and a change's id are all that is looked up.

use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::plan::{Plan, PlanError, digest};
use bailiwick_core::durable;
use bailiwick_core::durable::WriteError;
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::model::ChangeId;

/// The most bytes of a plan that are read.
const PLAN_BYTES_MAX: u64 = 4 << 20;

/// The folder.
#[derive(Debug, Clone)]
pub struct Store {
    state: PathBuf,
}

/// Why something cannot be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
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
    /// There is none.
    #[error("there is no plan `{0}`\n\nhint: `bailiwick plan FIX --target T` makes one, and prints its digest")]
    NoPlan(String),
    /// More than one begins so.
    #[error("more than one plan begins with `{0}`; say more of its digest")]
    Many(String),
    /// It is not what its name says.
    #[error("{} is not the plan that its name says: somebody has written to it", .0.shown())]
    NotItsName(PathBuf),
    /// It is no plan.
    #[error("{} is no plan", path.shown())]
    Plan {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: PlanError,
    },
}

impl From<WriteError> for StoreError {
    fn from(WriteError { path, source }: WriteError) -> Self {
        Self::Io { action: "write", path, source }
    }
}

impl Store {
    /// That of a state folder.
    #[must_use]
    pub fn at(state: &Path) -> Self {
        Self { state: state.to_owned() }
    }

    /// Keeps a plan. Its digest.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, plan: &Plan) -> Result<String, StoreError> {
        let folder = self.state.join("plans");
        let path = folder.join("a plan");
        let io = |source: serde_json::Error| StoreError::Io { action: "write", path, source: source.into() };
        let bytes = plan.bytes().map_err(io)?;
        let name = digest(&bytes);
        write(&folder, &format!("{name}.json"), &bytes)?;
        Ok(name)
    }

    /// Keeps bytes that a fix made.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn keep_computed(&self, bytes: &[u8]) -> Result<String, StoreError> {
        let name = digest(bytes);
        write(&self.state.join("plans"), &format!("{name}.bytes"), bytes)?;
        Ok(name)
    }

    /// Bytes that a fix made, by their digest; none if they are not there, or not they.
    #[must_use]
    pub fn computed(&self, name: &str) -> Option<Vec<u8>> {
        if !is_hex(name) {
            return None;
        }
        let bytes = read(&self.state.join("plans").join(format!("{name}.bytes"))).ok()?;
        (digest(&bytes) == name).then_some(bytes)
    }

    /// A plan, by its digest or the beginning of it, and its whole digest.
    ///
    /// # Errors
    /// When there is none, or it is not what its name says.
    pub fn plan(&self, name: &str) -> Result<(Plan, String), StoreError> {
        let folder = self.state.join("plans");
        let none = || StoreError::NoPlan(name.escape_default().to_string());
        if !(8..=64).contains(&name.len()) || !is_hex(name) {
            return Err(none());
        }
        let mut found = self.plans()?.into_iter().filter(|plan| plan.starts_with(name));
        let whole = found.next().ok_or_else(none)?;
        if found.next().is_some() {
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
    /// When the folder cannot be read.
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

    /// Keeps a change's receipt. Where.
    ///
    /// # Errors
    /// When it cannot be written.
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
        return Err(io::Error::other("no regular file"));
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
