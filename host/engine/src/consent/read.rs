//! Reads a component that is offered for acceptance, once, before it is in the ops directory. The bytes that are read here are
//! the bytes that are shown and kept.
//!
//! Knows: files and folders. Must not know: the lock's answer.

use std::path::{Path, PathBuf};

use bailiwick_core::encode;
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::model::ComponentId;
use bailiwick_policy::library;
use bailiwick_policy::library::{ComponentFile, LibraryError};
use bailiwick_policy::lock::store;
use bailiwick_policy::lock::store::Files;
use bailiwick_policy::lock::{Component, LockState, Version};

/// A component that is offered.
#[derive(Debug)]
pub struct Offered {
    /// Where it was read.
    pub path: PathBuf,
    /// The component.
    pub file: ComponentFile,
    /// Its files, to be kept.
    pub files: Files,
}

/// Why there is no component to offer.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// A component cannot be read.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The operating system reported an error.
    #[error("cannot read {}", path.shown())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A folder without a component.
    #[error("there is no component (*.wasm) in {}", .0.shown())]
    Empty(PathBuf),
    /// A file with a suspicious name.
    #[error("{} is refused because of its name: {what}\n\nhint: check where the file comes from, then rename it", path.shown())]
    Name {
        /// The file.
        path: PathBuf,
        /// What is wrong with its name.
        what: &'static str,
    },
}

impl Offered {
    /// Its id, from its manifest.
    #[must_use]
    pub fn id(&self) -> &ComponentId {
        &self.file.manifest.id
    }

    /// True if the same bytes are already in the ops directory.
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
/// When there is no component, or a file cannot be read.
pub fn read(path: &Path) -> Result<Vec<Offered>, OfferError> {
    let io = |source| OfferError::Io { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(io)?.is_dir() {
        // A person typed the name and may choose it, but it must not have characters that a terminal does not show.
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !encode::is_plain(name) {
            return Err(OfferError::Name {
                path: path.to_owned(),
                what: "it has characters that a terminal does not show",
            });
        }
        return Ok(vec![one(path)?]);
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(path).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            let id = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            if ComponentId::new(id).is_err() {
                return Err(OfferError::Name { path, what: "a component in a folder must be named ID.wasm" });
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

/// The version of a component that waits for approval.
///
/// # Errors
/// When there is one that cannot be read.
pub fn pending(dir: &Path, id: &ComponentId) -> Result<Option<Offered>, OfferError> {
    let path = store::held_dir(dir).join(format!("{id}.wasm"));
    if path.exists() { one(&path).map(Some) } else { Ok(None) }
}

/// Newer versions that wait for approval, by component. A version that cannot be read is left out.
#[must_use]
pub fn waiting(dir: &Path, lock_state: &LockState) -> Vec<(ComponentId, Version)> {
    let LockState::Valid(lock) = lock_state else { return Vec::new() };
    let newer = |(id, accepted): (&ComponentId, &Component)| {
        let offered = pending(dir, id).ok()??;
        let version = Version::new(&offered.file.manifest.version).ok()?;
        (version > accepted.facts.version).then(|| (id.clone(), version))
    };
    lock.components.iter().filter_map(newer).collect()
}

fn one(path: &Path) -> Result<Offered, OfferError> {
    let file = ComponentFile::read(path)?;
    let files = Files {
        wasm: file.binary.bytes.clone().into_owned(),
        // A sealed manifest needs no file of its own.
        manifest: (!file.sealed).then(|| file.source.text().as_bytes().to_vec()),
        signature: file.signature.clone(),
    };
    Ok(Offered { path: path.to_owned(), file, files })
}
