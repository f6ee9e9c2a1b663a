//! Finds components by digest: built in, in the ops directory, or kept beside the journal when they ran.
//!
//! Knows: where the bytes can be. Must not know: what they do. Attack answered: a journal that names a component by anything
//! other than the SHA-256 of its bytes (JR11): a component that is found always has that digest.

use std::borrow::Cow;
use std::path::PathBuf;

use super::answers::pruned;
use super::recorded::{Recorded, Selection};
use bailiwick_core::limits::COMPONENT_BYTES_MAX;
use bailiwick_journal::{Evidence, EvidenceError, NotASha, Sha};
use bailiwick_policy::library;
use bailiwick_policy::library::Library;

/// The places where a component can be found.
#[derive(Debug)]
pub struct ComponentStore {
    built_in: Library,
    folder: Option<PathBuf>,
    evidence: Evidence,
}

/// Why a component cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum NotInStore {
    /// Its digest is not one.
    #[error("the digest of its component is not a SHA-256")]
    NoDigest(#[from] NotASha),
    /// No component has its digest.
    #[error("its component, sha256:{0}, is gone: it is not built in, not in components/, and not beside the journal")]
    Gone(Sha),
    /// Retention removed it.
    #[error("its component, sha256:{sha}, was pruned (entry {entry}): retention removed it")]
    Pruned {
        /// The component.
        sha: Sha,
        /// The entry that records that.
        entry: u64,
    },
    /// It was kept, and cannot be read or was altered.
    #[error("its component: {0}")]
    Evidence(EvidenceError),
}

impl ComponentStore {
    /// The built-in components, a folder of components, and the evidence beside a journal.
    #[must_use]
    pub const fn new(built_in: Library, folder: Option<PathBuf>, evidence: Evidence) -> Self {
        Self { built_in, folder, evidence }
    }

    /// The evidence beside the journal.
    #[must_use]
    pub const fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The component that a run was of.
    ///
    /// # Errors
    /// When it cannot be found.
    pub(super) fn find(&self, selection: &Selection, run: &Recorded) -> Result<Cow<'_, [u8]>, NotInStore> {
        let sha = Sha::try_from(run.digest.clone())?;
        let built_in = self.built_in.components().keys().filter_map(|id| self.built_in.binary(id));
        if let Some(binary) = built_in.into_iter().find(|binary| binary.digest == sha.as_str()) {
            return Ok(Cow::Borrowed(&binary.bytes));
        }
        let bytes_max = run.kept_bytes.unwrap_or(COMPONENT_BYTES_MAX).min(COMPONENT_BYTES_MAX);
        let kept = match self.evidence.get(&sha, bytes_max) {
            Ok(bytes) => return Ok(Cow::Owned(bytes)),
            Err(error) => error,
        };
        let folder = self.folder.as_deref();
        if let Some(binary) = folder.and_then(|folder| library::find_by_digest(folder, sha.as_str())) {
            return Ok(binary.bytes);
        }
        Err(match (pruned(selection, run, &kept), run.kept_bytes, kept) {
            (Some(entry), _, _) => NotInStore::Pruned { sha, entry },
            // Older programs did not keep components.
            (None, None, EvidenceError::Missing(_)) => NotInStore::Gone(sha),
            (None, _, kept) => NotInStore::Evidence(kept),
        })
    }
}
