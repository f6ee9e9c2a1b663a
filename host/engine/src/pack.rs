//! Packs a component: checks that this host would run it, and seals its manifest into it.
//!
//! Knows: the checks of every load, which it makes on the author's side. Must not know: grants.

use std::path::Path;

use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::limits::Limits;
use bailiwick_core::manifest::Manifest;
use bailiwick_core::sections::SealError;
use bailiwick_policy::library;
use bailiwick_policy::library::ComponentFile;
use bailiwick_sandbox as sandbox;
use bailiwick_sandbox::{ImportError, InspectError};

/// A packed component.
#[derive(Debug)]
pub struct Packed {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// SHA-256 of the bytes, in hex.
    pub digest: String,
    /// Its manifest.
    pub manifest: Manifest,
}

/// Whether debugging information stays in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Keep it.
    Keep,
    /// Remove names, producers and debugging information, also in the modules.
    Strip,
}

/// Why a component cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// This host does not accept it as a component.
    #[error("{file} cannot be packed")]
    Inspect {
        /// The file.
        file: String,
        /// Why.
        source: InspectError,
    },
    /// Its imports do not match its manifest.
    #[error("{file} cannot be packed with {manifest}")]
    Imports {
        /// The file.
        file: String,
        /// The manifest.
        manifest: String,
        /// The difference.
        source: ImportError,
    },
    /// The manifest cannot be sealed in.
    #[error("{file} cannot be packed")]
    Seal {
        /// The file.
        file: String,
        /// Why.
        source: SealError,
    },
}

/// Checks a component and seals its manifest in. The same files give the same bytes.
///
/// # Errors
/// When a load would refuse it.
pub fn pack(path: &Path, file: &ComponentFile, names: Names) -> Result<Packed, PackError> {
    let inspected = |source| PackError::Inspect { file: path.shown(), source };
    let seal = |source| PackError::Seal { file: path.shown(), source };
    let limits = Limits::asked(&file.manifest.limits);
    // First the author's file: errors are then about that file, not about the packed one.
    sandbox::inspect(&file.binary.bytes, &limits).map_err(inspected)?;
    let bytes = match names {
        Names::Keep => file.binary.bytes.to_vec(),
        Names::Strip => bailiwick_core::sections::strip(&file.binary.bytes).map_err(seal)?,
    };
    let bytes = bailiwick_core::sections::seal(&bytes, file.source.text()).map_err(seal)?;
    let checked = sandbox::inspect(&bytes, &limits).map_err(inspected)?;
    let Manifest { world, rules, history, .. } = &file.manifest;
    let (verbs, wasi) = (file.manifest.verbs(), file.manifest.wasi());
    sandbox::check_component(&checked, *world, &verbs, &wasi, history.is_some(), rules.as_ref())
        .map_err(|source| PackError::Imports { file: path.shown(), manifest: file.source.name().to_owned(), source })?;
    Ok(Packed { digest: library::digest(&bytes), bytes, manifest: file.manifest.clone() })
}
