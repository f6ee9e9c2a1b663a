//! A component's file with its manifest, which is sealed into the component or is a file beside it.
//!
//! Knows: which of the two manifests counts. Must not know: whether the component is accepted. Attack answered: a component
//! that shows a reviewer one manifest and the host another (D6). Where there are two, they must be the same bytes.

use std::borrow::Borrow;
use std::path::{Path, PathBuf};

use super::{Binary, LibraryError, digest, read_at_most, read_binary};
use crate::signature::SIGNATURE_BYTES_MAX;
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::interpreter::INTERPRETER;
use bailiwick_core::manifest;
use bailiwick_core::manifest::Manifest;
use bailiwick_core::sections::{seal, sealed_manifest};
use bailiwick_core::source;
use bailiwick_core::source::Source;

/// A component's file, whose manifest has been parsed. The sandbox checks that its imports are what the manifest asks for.
#[derive(Debug, Clone)]
pub struct ComponentFile {
    /// The bytes, read once.
    pub binary: Binary,
    /// Its manifest.
    pub manifest: Manifest,
    /// The manifest as written.
    pub source: Source,
    /// The manifest is in the component itself, so that the component's digest covers it.
    pub sealed: bool,
    /// The content of `NAME.wasm.sig`, if the file exists. It is not verified here.
    pub signature: Option<Vec<u8>>,
}

/// Policy can be resolved against a library and against plain manifests.
impl Borrow<Manifest> for ComponentFile {
    fn borrow(&self) -> &Manifest {
        &self.manifest
    }
}

impl ComponentFile {
    /// Reads `NAME.wasm` with its sealed manifest, or else with `NAME.toml` beside it.
    ///
    /// # Errors
    /// When a file cannot be read, there is no manifest, there are two that differ, or it has a mistake.
    pub fn read(path: &Path) -> Result<Self, LibraryError> {
        let beside = path.with_extension("toml");
        if beside == path {
            return Err(LibraryError::NotAComponent(path.to_owned()));
        }
        // A broken link counts as a manifest, so that reading it reports an error.
        Self::with(path, source::name_exists(&beside).then_some(&beside))
    }

    /// As [`ComponentFile::read`], with the manifest in a file of any name.
    ///
    /// # Errors
    /// As [`ComponentFile::read`].
    pub fn with(path: &Path, manifest: Option<&PathBuf>) -> Result<Self, LibraryError> {
        let binary = read_binary(path)?;
        let sealed = sealed_manifest(&binary.bytes)
            .map_err(|source| LibraryError::Seal { path: path.to_owned(), source })?
            .map(|text| Source::embedded(&format!("{} (sealed in)", path.shown()), text));
        let beside = manifest.map(|path| Source::read_theirs(path)).transpose()?;
        let (source, sealed) = match (sealed, beside) {
            (Some(inside), Some(beside)) if inside.text() != beside.text() => {
                return Err(LibraryError::TwoManifests {
                    component: path.to_owned(),
                    beside: beside.name().into(),
                    line: first_difference(inside.text(), beside.text()),
                });
            }
            (Some(inside), _) => (inside, true),
            (None, Some(beside)) => (beside, false),
            (None, None) if !binary.bytes.starts_with(b"\0asm") => {
                return Err(LibraryError::NotAComponent(path.to_owned()));
            }
            (None, None) => return Err(LibraryError::NoManifest(path.to_owned())),
        };
        let manifest = manifest::parse(&source).map_err(LibraryError::Invalid)?;
        let signature = signature_path(path);
        let signature = source::name_exists(&signature)
            .then(|| read_at_most(&signature, SIGNATURE_BYTES_MAX as u64))
            .transpose()?;
        Ok(Self { binary, manifest, source, sealed, signature })
    }

    /// The component that a manifest with checks makes together with the interpreter. `path` is the manifest's path, and is
    /// also the component's path until it is packed.
    ///
    /// # Errors
    /// When it cannot be read, has a mistake, or holds no checks.
    pub fn declared(path: &Path) -> Result<Self, LibraryError> {
        let file = Self::from_checks(Source::read_theirs(path)?)?;
        if file.manifest.rules.is_none() {
            return Err(LibraryError::NoChecks(path.to_owned()));
        }
        Ok(Self { binary: Binary { path: Some(path.to_owned()), ..file.binary }, ..file })
    }

    /// As [`ComponentFile::declared`], from a text.
    ///
    /// # Errors
    /// When it has a mistake, or is too large.
    pub(super) fn from_checks(source: Source) -> Result<Self, LibraryError> {
        let manifest = manifest::parse(&source).map_err(LibraryError::Invalid)?;
        let bytes = seal(INTERPRETER, source.text())
            .map_err(|problem| LibraryError::Seal { path: source.name().into(), source: problem })?;
        let binary = Binary { digest: digest(&bytes), bytes: bytes.into(), path: None };
        Ok(Self { binary, manifest, source, sealed: true, signature: None })
    }

    /// SHA-256 in hex of the manifest, if the component's own digest does not cover it.
    #[must_use]
    pub fn manifest_digest(&self) -> Option<String> {
        (!self.sealed).then(|| digest(self.source.text().as_bytes()))
    }
}

/// The path of a component's signature.
#[must_use]
pub fn signature_path(component: &Path) -> PathBuf {
    let mut name = component.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

/// The number of the first line that differs, from 1.
fn first_difference(one: &str, other: &str) -> usize {
    one.split('\n').zip(other.split('\n')).take_while(|(one, other)| one == other).count() + 1
}
