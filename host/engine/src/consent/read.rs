//! A component that somebody offers: read once, from wherever it lies, before it stands in the ops directory. What is read
//! here is what is shown, and these bytes are what is kept.

use std::path::{Path, PathBuf};

use bailiwick_core::encode;
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::model::ComponentId;
use bailiwick_policy::library;
use bailiwick_policy::library::{ComponentFile, LibraryError};
use bailiwick_policy::lock::store;
use bailiwick_policy::lock::store::Files;
use bailiwick_policy::lock::{Component, LockState, Version};

/// A component as it is offered.
#[derive(Debug)]
pub struct Offered {
    /// Where it was read.
    pub path: PathBuf,
    /// What it is.
    pub file: ComponentFile,
    /// Its bytes, to be kept.
    pub files: Files,
}

/// Why nothing is offered.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// A component cannot be read.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The operating system said no.
    #[error("cannot read {}", path.shown())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Its words.
        source: std::io::Error,
    },
    /// A folder with nothing to offer.
    #[error("there is no component (*.wasm) in {}", .0.shown())]
    Empty(PathBuf),
    /// A file whose name is more than a name.
    #[error("{} is refused for its name: {what}\n\nhint: look where it comes from; then give it another name", path.shown())]
    Name {
        /// The file.
        path: PathBuf,
        /// What its name would have to be.
        what: &'static str,
    },
}

impl Offered {
    /// What it calls itself.
    #[must_use]
    pub fn id(&self) -> &ComponentId {
        &self.file.manifest.id
    }

    /// True if it stands in its place already, byte for byte.
    #[must_use]
    pub fn is_in_place(&self, dir: &Path) -> bool {
        let folder = dir.join(store::COMPONENTS);
        let same = |extension: &str, bytes: Option<&Vec<u8>>| {
            let path = folder.join(format!("{}.{extension}", self.id()));
            let max = bytes.map_or(0, |bytes| bytes.len() as u64);
            library::read_at_most(&path, max).ok().as_ref() == bytes
        };
        same("wasm", Some(&self.files.wasm))
            && same("toml", self.files.manifest.as_ref())
            && same("wasm.sig", self.files.signature.as_ref())
    }
}

/// Reads a component, or every one in a folder.
///
/// # Errors
/// When there is none, or a file cannot be read.
pub fn read(path: &Path) -> Result<Vec<Offered>, OfferError> {
    let io = |source| OfferError::Io { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(io)?.is_dir() {
        // A person typed it, and may call it what they like, as long as it is what it looks like.
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !encode::is_plain(name) {
            return Err(OfferError::Name { path: path.to_owned(), what: "not all of it can be seen" });
        }
        return Ok(vec![one(path)?]);
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(path).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            let id = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            if ComponentId::new(id).is_err() {
                return Err(OfferError::Name { path, what: "a component in a folder is called by its id" });
            }
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(OfferError::Empty(path.to_owned()));
    }
    paths.iter().map(|path| one(path)).collect()
}

/// The version of a component that waits for somebody to approve it.
///
/// # Errors
/// When there is one and it cannot be read.
pub fn held(dir: &Path, id: &ComponentId) -> Result<Option<Offered>, OfferError> {
    let path = store::held_dir(dir).join(format!("{id}.wasm"));
    if path.exists() { one(&path).map(Some) } else { Ok(None) }
}

/// Newer versions that wait for somebody to approve them, by component. What cannot be read does not wait.
#[must_use]
pub fn waiting(dir: &Path, lock_state: &LockState) -> Vec<(ComponentId, Version)> {
    let LockState::Valid(lock) = lock_state else { return Vec::new() };
    let newer = |(id, there): (&ComponentId, &Component)| {
        let offered = held(dir, id).ok()??;
        let version = Version::new(&offered.file.manifest.version).ok()?;
        (version > there.facts.version).then(|| (id.clone(), version))
    };
    lock.components.iter().filter_map(newer).collect()
}

fn one(path: &Path) -> Result<Offered, OfferError> {
    let file = ComponentFile::read(path)?;
    let files = Files {
        wasm: file.binary.bytes.clone().into_owned(),
        // What is sealed in needs no other copy.
        manifest: (!file.sealed).then(|| file.source.text().as_bytes().to_vec()),
        signature: file.signature.clone(),
    };
    Ok(Offered { path: path.to_owned(), file, files })
}
