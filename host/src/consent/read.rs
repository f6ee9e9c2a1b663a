//! A component that somebody offers: read once, from wherever it lies, before it stands in the ops directory.
//!
//! Who may write the file does not matter: what is read here is what is shown, and these bytes are what is kept.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::library::{self, LibraryError, read_binary};
use crate::lock::store::{self, Files};
use crate::manifest::{self, Manifest};
use crate::model::ComponentId;
use crate::ops::Candidate;
use crate::sandbox::{ImportError, InspectError, Inspected, check_imports, inspect};
use crate::source::{self, Problems, Source};

/// The largest manifest and signature, in bytes.
const SIDE_BYTES_MAX: u64 = 1 << 20;

/// A component as it is offered.
#[derive(Debug)]
pub struct Offered {
    /// Where it was read.
    pub path: PathBuf,
    /// For the ops directory to try on.
    pub candidate: Candidate,
    /// What it is made of.
    pub inspected: Inspected,
    /// Its bytes, to be kept.
    pub files: Files,
}

/// Why a file cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] source::ReadError),
    /// It cannot be read.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// Mistakes in its manifest.
    #[error("invalid manifest")]
    Invalid(Problems),
    /// There is no manifest.
    #[error("{} has no manifest: there is no {}\n\nhint: its author has to give it one", path.display(), path.with_extension("toml").display())]
    NoManifest {
        /// The component.
        path: PathBuf,
    },
    /// A file beside it is too large.
    #[error("{} is larger than {SIDE_BYTES_MAX} bytes", .0.display())]
    TooLarge(PathBuf),
    /// A folder with nothing to offer.
    #[error("there is no component (*.wasm) in {}", .0.display())]
    Empty(PathBuf),
    /// It is no component for this host.
    #[error("{} is refused: {source}", path.display())]
    Inspect {
        /// The file.
        path: PathBuf,
        /// Why.
        source: InspectError,
    },
    /// It does not ask for what its manifest says.
    #[error("{} is refused: {source}", path.display())]
    Imports {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ImportError,
    },
}

impl ReadError {
    /// True if it was read, and is not what it must be.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Inspect { .. } | Self::Imports { .. })
    }
}

impl Offered {
    /// What it calls itself.
    #[must_use]
    pub fn id(&self) -> &ComponentId {
        &self.candidate.1.id
    }

    /// True if it stands in its place already, byte for byte.
    #[must_use]
    pub fn is_in_place(&self, dir: &Path) -> bool {
        let folder = dir.join(store::COMPONENTS);
        let same = |extension: &str, bytes: Option<&Vec<u8>>| {
            std::fs::read(folder.join(format!("{}.{extension}", self.id()))).ok().as_ref() == bytes
        };
        same("wasm", Some(&self.files.wasm)) && same("toml", self.files.manifest.as_ref())
    }

    /// What it says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.candidate.1
    }
}

/// Reads a component, or every one in a folder.
///
/// # Errors
/// When a path is neither, or a file cannot be read.
pub fn read(path: &Path) -> Result<Vec<Result<Offered, ReadError>>, ReadError> {
    let io = |source| ReadError::Io { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(io)?.is_dir() {
        return Ok(vec![one(path)]);
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(path).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(ReadError::Empty(path.to_owned()));
    }
    Ok(paths.iter().map(|path| one(path)).collect())
}

/// The version of a component that waits for somebody to approve it.
///
/// # Errors
/// When there is one and it cannot be read.
pub fn held(dir: &Path, id: &ComponentId) -> Result<Option<Offered>, ReadError> {
    let path = store::held(dir).join(format!("{id}.wasm"));
    if path.exists() { one(&path).map(Some) } else { Ok(None) }
}

fn one(path: &Path) -> Result<Offered, ReadError> {
    let mut binary = read_binary(path)?;
    let beside = path.with_extension("toml");
    let Some(text) = side(&beside)? else { return Err(ReadError::NoManifest { path: path.to_owned() }) };
    let no_text = |_| ReadError::Io { path: beside.clone(), source: std::io::ErrorKind::InvalidData.into() };
    let source = Source::embedded(&beside.display().to_string(), std::str::from_utf8(&text).map_err(no_text)?);
    let manifest = manifest::parse(&source).map_err(ReadError::Invalid)?;
    let inspected = inspect(&binary.bytes).map_err(|source| ReadError::Inspect { path: path.to_owned(), source })?;
    check_imports(&inspected, &manifest.verbs())
        .map_err(|source| ReadError::Imports { path: path.to_owned(), source })?;
    binary.manifest = Some(library::digest(&text));
    let files = Files {
        wasm: binary.bytes.clone().into_owned(),
        manifest: Some(text),
        signature: side(&path.with_extension("wasm.sig"))?,
    };
    Ok(Offered { path: path.to_owned(), candidate: (source, manifest, binary), inspected, files })
}

/// A file beside a component, if it is there.
fn side(path: &Path) -> Result<Option<Vec<u8>>, ReadError> {
    if !path.exists() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let file = source::open_regular(path)?;
    file.take(SIDE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    if bytes.len() as u64 > SIDE_BYTES_MAX { Err(ReadError::TooLarge(path.to_owned())) } else { Ok(Some(bytes)) }
}
