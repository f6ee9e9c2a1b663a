//! The components there are: those built in, and those in the ops directory.
//!
//! Knows: bytes, digests, manifests, where they come from. Must not know: what is granted to them. Attack answered: a
//! component that takes a built-in one's name.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::manifest::{self, Manifest};
use crate::model::ComponentId;
use crate::source::{self, Problem, Problems, Source};

/// The largest file that is taken for a component, in bytes (threats.md, table of limits).
pub const COMPONENT_BYTES_MAX: u64 = 8 << 20;

/// Components by id.
#[derive(Debug, Default)]
pub struct Library {
    /// What each asks for.
    pub manifests: BTreeMap<ComponentId, Manifest>,
    binaries: BTreeMap<ComponentId, Binary>,
}

/// A component's bytes. Read once: what is hashed is what is compiled.
#[derive(Debug, Clone)]
pub struct Binary {
    /// The component.
    pub bytes: Cow<'static, [u8]>,
    /// SHA-256 in hex.
    pub digest: String,
    /// The file, or none for one that is built in.
    pub path: Option<PathBuf>,
    /// SHA-256 of the manifest beside it, in hex; none if the manifest is part of the bytes or of the program.
    pub manifest: Option<String>,
}

/// Why the components could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// A file or folder cannot be read, or others could have written it.
    #[error(transparent)]
    Read(#[from] source::ReadError),
    /// A component's bytes cannot be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// A component is larger than any may be.
    #[error("{} is larger than {COMPONENT_BYTES_MAX} bytes", .0.display())]
    TooLarge(PathBuf),
    /// Manifests with mistakes.
    #[error("invalid manifest")]
    Invalid(Problems),
}

macro_rules! built_in {
    ($($id:literal,)*) => {
        /// Component and manifest of each built-in, by id.
        const BUILT_IN: &[(&str, &[u8], &str)] = &[$((
            concat!($id, ".toml"),
            include_bytes!(concat!("../../probes/dist/", $id, ".wasm")),
            include_str!(concat!("../../probes/dist/", $id, ".toml")),
        ),)*];
    };
}

built_in! {
    "failed-services",
    "file-freshness",
    "filesystems",
    "listeners",
    "load",
    "log-errors",
    "logins",
    "memory",
    "service",
    "time-sync",
    "uptime",
}

/// SHA-256 in hex.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

impl Library {
    /// The built-in components.
    ///
    /// # Errors
    /// Never in a released program: a test reads every manifest.
    pub fn built_in() -> Result<Self, LibraryError> {
        let mut library = Self::default();
        let mut problems = Problems::default();
        for &(name, bytes, manifest) in BUILT_IN {
            let binary = Binary { bytes: Cow::Borrowed(bytes), digest: digest(bytes), path: None, manifest: None };
            library.add(&Source::embedded(name, manifest), binary, &mut problems);
        }
        problems.or(library).map_err(LibraryError::Invalid)
    }

    /// Adds every `NAME.wasm` of a folder, each with its `NAME.toml` beside it. A folder that is not there adds nothing.
    ///
    /// # Errors
    /// When a file cannot be read, others could have written it, a manifest has a mistake, or an id is taken.
    pub fn add_folder(&mut self, folder: &Path) -> Result<(), LibraryError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| LibraryError::Io { path, source }
        };
        match std::fs::exists(folder) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(source) => {
                return Err(LibraryError::Io { path: folder.to_owned(), source });
            }
        }
        source::check_permissions(folder)?;
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(io(folder))? {
            let path = entry.map_err(io(folder))?.path();
            if path.extension().is_some_and(|extension| extension == "wasm") {
                paths.push(path);
            }
        }
        paths.sort();
        let mut problems = Problems::default();
        for path in paths {
            source::check_permissions(&path)?;
            let manifest = Source::read(&path.with_extension("toml"))?;
            let mut binary = read_binary(&path)?;
            binary.manifest = Some(digest(manifest.text().as_bytes()));
            self.add(&manifest, binary, &mut problems);
        }
        problems.or(()).map_err(LibraryError::Invalid)
    }

    fn add(&mut self, source: &Source, binary: Binary, problems: &mut Problems) {
        let manifest = match manifest::parse(source) {
            Ok(manifest) => manifest,
            Err(Problems(found)) => return problems.0.extend(found),
        };
        let id = manifest.id.clone();
        let stem = Path::new(source.name()).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if stem != id.as_str() {
            let start = source.text().find(id.as_str()).unwrap_or(0);
            let place = source.at(start..start + id.as_str().len());
            let hint = format!("call the files {id}.wasm and {id}.toml");
            problems.push(Problem::at(place, format!("the file is called `{stem}`, the component `{id}`")).hint(hint));
        } else if self.manifests.contains_key(&id) {
            let message = format!("there is a built-in component `{id}`");
            problems.push(Problem::at(source.at(0..0), message).hint("give yours another id"));
        } else {
            self.manifests.insert(id.clone(), manifest);
            self.binaries.insert(id, binary);
        }
    }

    /// Takes a component as if it stood in the folder, in place of the one there: to see what it could do.
    ///
    /// # Errors
    /// When a built-in component has its id.
    pub fn try_on(&mut self, source: &Source, manifest: Manifest, binary: Binary) -> Result<(), LibraryError> {
        let id = manifest.id.clone();
        if self.binaries.get(&id).is_some_and(|there| there.path.is_none()) {
            let message = format!("there is a built-in component `{id}`");
            let problem = Problem::at(source.at(0..0), message).hint("give yours another id");
            return Err(LibraryError::Invalid(problem.into()));
        }
        self.manifests.insert(id.clone(), manifest);
        self.binaries.insert(id, binary);
        Ok(())
    }

    /// True if this component is part of the program.
    #[must_use]
    pub fn is_built_in(&self, id: &str) -> bool {
        self.binaries.get(id).is_some_and(|binary| binary.path.is_none())
    }

    /// A component's bytes.
    #[must_use]
    pub fn binary(&self, id: &ComponentId) -> Option<&Binary> {
        self.binaries.get(id)
    }
}

/// Reads a component's bytes, once and no more than a component may have.
///
/// # Errors
/// When they cannot be read, or there are too many.
pub fn read_binary(path: &Path) -> Result<Binary, LibraryError> {
    use std::io::Read;
    let io = |source| LibraryError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = source::open_regular(path)?;
    file.take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > COMPONENT_BYTES_MAX {
        return Err(LibraryError::TooLarge(path.to_owned()));
    }
    let digest = digest(&bytes);
    Ok(Binary { bytes: Cow::Owned(bytes), digest, path: Some(path.to_owned()), manifest: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_manifest_is_valid_and_every_built_component_is_embedded() {
        let library = match Library::built_in() {
            Ok(library) => library,
            Err(LibraryError::Invalid(Problems(found))) => {
                panic!("{}", found.iter().map(|p| p.render(false)).collect::<String>())
            }
            Err(error) => panic!("{error}"),
        };
        let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../probes/dist");
        let mut built: Vec<_> = std::fs::read_dir(dist)
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".wasm").map(str::to_owned))
            .collect();
        built.sort();
        let known: Vec<_> = library.manifests.keys().map(|id| id.as_str().to_owned()).collect();
        assert_eq!(known, built);
    }
}
