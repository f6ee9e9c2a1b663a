//! The available components: those built in, and those in the ops directory.
//!
//! Knows: bytes, digests, manifests, origins of components. Must not know: their grants. Attack answered: a component that uses
//! the name of a built-in one.

mod file;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

pub use self::file::{ComponentFile, signature_path};
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::limits::COMPONENT_BYTES_MAX;
use bailiwick_core::manifest;
use bailiwick_core::manifest::Manifest;
use bailiwick_core::model::ComponentId;
use bailiwick_core::sections::SealError;
use bailiwick_core::source;
use bailiwick_core::source::{Problem, Problems, Source};

/// Components by id.
#[derive(Debug, Default)]
pub struct Library {
    components: BTreeMap<ComponentId, ComponentFile>,
}

/// A component's bytes. They are read once, so the bytes that are hashed are the bytes that are compiled.
#[derive(Debug, Clone)]
pub struct Binary {
    /// The component.
    pub bytes: Cow<'static, [u8]>,
    /// SHA-256 in hex.
    pub digest: String,
    /// The file. None for a built-in component.
    pub path: Option<PathBuf>,
}

/// Why the components could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// A file or folder cannot be read, or others could have written it.
    #[error(transparent)]
    Read(#[from] source::ReadError),
    /// A component's bytes cannot be read.
    #[error("cannot read {}", path.shown())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A component is larger than the maximum.
    #[error("{} is larger than {COMPONENT_BYTES_MAX} bytes, the maximum for a component", .0.shown())]
    TooLarge(PathBuf),
    /// A component has no manifest, neither sealed in nor beside it.
    #[error("{} holds no manifest, and there is no {} beside it, so nothing can be granted to it\n\nhint: `bailiwick pack {} --manifest FILE` embeds one; `bailiwick help manifest` describes its keys", .0.shown(), name_of(&.0.with_extension("toml")), .0.shown())]
    NoManifest(PathBuf),
    /// A file that is not a component.
    #[error("{} is not a component (.wasm)\n\nhint: `bailiwick pack FILE` makes a component of a manifest or a compiled file", .0.shown())]
    NotAComponent(PathBuf),
    /// A manifest without checks is not a component by itself.
    #[error("{} has no [[check]], so it is not a component by itself\n\nhint: `bailiwick pack FILE.wasm --manifest {}` embeds it in a compiled component", .0.shown(), .0.shown())]
    NoChecks(PathBuf),
    /// The sealed manifest and the one beside it differ.
    #[error("the manifest in {} differs from {}, from line {line} on\n\nhint: a sealed component needs no second manifest: remove the file beside it, or pack the compiled file again", component.shown(), beside.shown())]
    TwoManifests {
        /// The component.
        component: PathBuf,
        /// The manifest beside it.
        beside: PathBuf,
        /// The first line that differs.
        line: usize,
    },
    /// The sealed manifest cannot be read.
    #[error("{}", path.shown())]
    Seal {
        /// The component.
        path: PathBuf,
        /// The reason.
        source: SealError,
    },
    /// Manifests with mistakes.
    #[error("invalid manifest")]
    Invalid(Problems),
}

// `build.rs` makes the tables from `probes/dist` and `probes/declared`, in order of ids. `BUILT_IN` and `PROOF` hold file name,
// component and manifest. `DECLARED` holds file name and manifest of each probe that the interpreter runs.
include!(concat!(env!("OUT_DIR"), "/components.rs"));

/// A file's name, for a message that has already named its folder.
fn name_of(path: &Path) -> String {
    Path::new(path.file_name().unwrap_or_default()).shown()
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
        Self::embedded(BUILT_IN.iter(), DECLARED)
    }

    /// The built-in components, and the hostile ones that `doctor --prove` runs. The hostile ones are in no other library, so
    /// no policy can grant them anything.
    ///
    /// # Errors
    /// Never in a released program: a test reads every manifest.
    pub fn proof() -> Result<Self, LibraryError> {
        Self::embedded(BUILT_IN.iter().chain(PROOF), DECLARED)
    }

    fn embedded<'a>(
        components: impl Iterator<Item = &'a (&'static str, &'static [u8], &'static str)>,
        declared: &[(&str, &str)],
    ) -> Result<Self, LibraryError> {
        let mut library = Self::default();
        let mut problems = Problems::default();
        for &(name, bytes, manifest) in components {
            let binary = Binary { bytes: Cow::Borrowed(bytes), digest: digest(bytes), path: None };
            let source = Source::embedded(name, manifest);
            match manifest::parse(&source) {
                Ok(manifest) => {
                    // The digest of the program covers the built-in components.
                    let file = ComponentFile { binary, manifest, source, sealed: true, signature: None };
                    library.add(file, Path::new(name), &mut problems);
                }
                Err(Problems(more)) => problems.0.extend(more),
            }
        }
        for &(name, manifest) in declared {
            match ComponentFile::from_checks(Source::embedded(name, manifest)) {
                Ok(file) => library.add(file, Path::new(name), &mut problems),
                Err(LibraryError::Invalid(Problems(more))) => problems.0.extend(more),
                Err(error) => return Err(error),
            }
        }
        problems.or(library).map_err(LibraryError::Invalid)
    }

    /// Adds every `NAME.wasm` of a folder, each with its sealed manifest, or else with its `NAME.toml`. A folder that does not
    /// exist adds nothing.
    ///
    /// # Errors
    /// When a file cannot be read, others could have written it, a manifest has a mistake, or an id is in use.
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
            match ComponentFile::read(&path) {
                Ok(file) => self.add(file, &path, &mut problems),
                Err(LibraryError::Invalid(Problems(more))) => problems.0.extend(more),
                Err(error) => return Err(error),
            }
        }
        problems.or(()).map_err(LibraryError::Invalid)
    }

    fn add(&mut self, file: ComponentFile, path: &Path, problems: &mut Problems) {
        let (id, source) = (file.manifest.id.clone(), &file.source);
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if stem != id.as_str() {
            let start = source.text().find(id.as_str()).unwrap_or(0);
            let place = source.at(start..start + id.as_str().len());
            let hint = if file.sealed {
                format!("rename it to {id}.wasm")
            } else {
                format!("rename the files to {id}.wasm and {id}.toml")
            };
            problems.push(
                Problem::at(place, format!("the file is named `{stem}`, but the component is `{id}`")).hint(hint),
            );
        } else if self.components.contains_key(&id) {
            let message = format!("a built-in component `{id}` already exists");
            problems.push(Problem::at(source.at(0..0), message).hint("choose another id"));
        } else {
            self.put(file);
        }
    }

    /// Adds a component as if it were in the folder, in place of one with the same id, to show what it could do.
    ///
    /// # Errors
    /// When a built-in component has its id.
    pub fn insert_candidate(&mut self, file: ComponentFile) -> Result<(), LibraryError> {
        let id = file.manifest.id.clone();
        if self.is_built_in(id.as_str()) {
            let message = format!("a built-in component `{id}` already exists");
            let problem = Problem::at(file.source.at(0..0), message).hint("choose another id");
            return Err(LibraryError::Invalid(problem.into()));
        }
        self.put(file);
        Ok(())
    }

    fn put(&mut self, file: ComponentFile) {
        self.components.insert(file.manifest.id.clone(), file);
    }

    /// All components, by id.
    #[must_use]
    pub const fn components(&self) -> &BTreeMap<ComponentId, ComponentFile> {
        &self.components
    }

    /// A component's manifest.
    #[must_use]
    pub fn manifest(&self, id: &str) -> Option<&Manifest> {
        self.components.get(id).map(|file| &file.manifest)
    }

    /// A component's bytes.
    #[must_use]
    pub fn binary(&self, id: &ComponentId) -> Option<&Binary> {
        self.components.get(id).map(|file| &file.binary)
    }

    /// True for a component that is part of the program.
    #[must_use]
    pub fn is_built_in(&self, name: &str) -> bool {
        self.components.get(name).is_some_and(|file| file.binary.path.is_none())
    }

    /// The content of a component's `.sig`, if there is one. It is not verified yet.
    #[must_use]
    pub fn signature(&self, id: &ComponentId) -> Option<&[u8]> {
        self.components.get(id)?.signature.as_deref()
    }

    /// SHA-256 in hex of a component's manifest, if it is not sealed, so that the component's own digest does not cover it.
    #[must_use]
    pub fn manifest_digest(&self, id: &ComponentId) -> Option<String> {
        self.components.get(id)?.manifest_digest()
    }
}

/// Reads a component's bytes once, up to the maximum for all components. The limit of this component is checked later, with its
/// structure.
///
/// # Errors
/// When they cannot be read, or there are too many.
pub fn read_binary(path: &Path) -> Result<Binary, LibraryError> {
    let bytes = read_at_most(path, COMPONENT_BYTES_MAX)?;
    if bytes.len() as u64 > COMPONENT_BYTES_MAX {
        return Err(LibraryError::TooLarge(path.to_owned()));
    }
    let digest = digest(&bytes);
    Ok(Binary { bytes: Cow::Owned(bytes), digest, path: Some(path.to_owned()) })
}

/// The component of a folder that has this digest, under any name. Files that cannot be read are skipped.
#[must_use]
pub fn find_by_digest(folder: &Path, digest: &str) -> Option<Binary> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    paths.sort();
    paths.iter().filter_map(|path| read_binary(path).ok()).find(|binary| binary.digest == digest)
}

/// Reads a regular file, up to one byte more than `max`.
///
/// # Errors
/// When it cannot be read, or is not a regular file.
pub fn read_at_most(path: &Path, max: u64) -> Result<Vec<u8>, LibraryError> {
    use std::io::Read;
    let io = |source| LibraryError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    source::open_regular(path)?.take(max + 1).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_manifest_is_valid_and_every_built_component_is_embedded() {
        let library = match Library::built_in() {
            Ok(library) => library,
            Err(LibraryError::Invalid(Problems(more))) => {
                panic!("{}", more.iter().map(|p| p.render(false)).collect::<String>())
            }
            Err(error) => panic!("{error}"),
        };
        let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../probes/dist");
        let mut built: Vec<_> = std::fs::read_dir(dist)
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".wasm").map(str::to_owned))
            .collect();
        built.retain(|name| name != "interpreter");
        built.extend(DECLARED.iter().map(|(name, _)| name.trim_end_matches(".toml").to_owned()));
        built.sort();
        let known: Vec<_> = library.components.keys().map(|id| id.as_str().to_owned()).collect();
        assert_eq!(known, built);
    }
}
