//! Components by digest: built in, in the ops directory, or kept beside the journal when they ran.
//!
//! Knows: where bytes can be. Must not know: what they do. Attack answered: a journal that names a component by anything but
//! the SHA-256 of its bytes (JR11): whatever is found has that digest, wherever it was.

use std::borrow::Cow;
use std::path::PathBuf;

use super::answers::pruned;
use super::recorded::{Found, Recorded};
use bailiwick_core::limits::COMPONENT_BYTES_MAX;
use bailiwick_journal::{Evidence, EvidenceError, NotASha, Sha};
use bailiwick_policy::library;
use bailiwick_policy::library::Library;

/// Where components are looked for.
#[derive(Debug)]
pub struct ComponentStore {
    built_in: Library,
    folder: Option<PathBuf>,
    evidence: Evidence,
}

/// Why a component is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum Unshelved {
    /// Its digest is none.
    #[error("its entry names its component by something that is no SHA-256")]
    NoDigest(#[from] NotASha),
    /// Nothing has its digest.
    #[error("its component, sha256:{0}, is gone: it is not built in, not in components/, and not beside the journal")]
    Gone(Sha),
    /// Policy had it removed.
    #[error("its component, sha256:{sha}, was pruned (entry {entry}): retention let it go")]
    Pruned {
        /// The component.
        sha: Sha,
        /// The entry that says so.
        entry: u64,
    },
    /// It was kept, and is not what it was.
    #[error("its component: {0}")]
    Evidence(EvidenceError),
}

impl ComponentStore {
    /// What is built in, a folder of components, and what is beside a journal.
    #[must_use]
    pub const fn new(built_in: Library, folder: Option<PathBuf>, evidence: Evidence) -> Self {
        Self { built_in, folder, evidence }
    }

    /// What is beside the journal.
    #[must_use]
    pub const fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The component that a run was of.
    ///
    /// # Errors
    /// When nobody has it any more.
    pub(super) fn find(&self, found: &Found, run: &Recorded) -> Result<Cow<'_, [u8]>, Unshelved> {
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
        Err(match (pruned(found, run, &kept), run.kept_bytes, kept) {
            (Some(entry), _, _) => Unshelved::Pruned { sha, entry },
            // An older program kept none.
            (None, None, EvidenceError::Missing(_)) => Unshelved::Gone(sha),
            (None, _, kept) => Unshelved::Evidence(kept),
        })
    }
}
