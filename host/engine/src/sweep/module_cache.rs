//! Loads components, from the cache where it holds them.
//!
//! Knows: the cache, workers, and where a rejected entry is written down. Attack answered: see [`bailiwick_sandbox::cache`].
//!
//! **Invariant:** only a worker that compiled the component, and has run nothing of it, gives what is kept.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::pool::Slot;
use crate::broker::Broker;
use bailiwick_journal::Entry;
use bailiwick_sandbox::cache::{Cache, Reject};
use bailiwick_sandbox::{Code, Links, LoadError, Worker};

/// The cache of a sweep.
pub(super) struct ModuleCache {
    pub(super) cache: Arc<Cache>,
    pub(super) broker: Arc<Broker>,
    pub(super) sweep: u64,
}

/// Why there is no worker with a component in it.
pub(super) enum Unloaded {
    /// What its lockdown lacks, where it may lack nothing.
    Lacking(String),
    /// It could not be loaded.
    Load(LoadError),
}

impl From<LoadError> for Unloaded {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

/// A worker with a component loaded, compiled only if nothing was kept of it.
///
/// # Errors
/// When there is none to be had.
pub(super) async fn load(slot: &Slot, links: &Links) -> Result<Worker, Unloaded> {
    let bytes = &slot.binary.bytes;
    let Some(kept) = &slot.kept else {
        return Ok(slot.idle().await?.load(bytes, links, slot.limits.clone()).await?);
    };
    // Of these bytes and no others: what is compiled is what is sealed.
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let cache = Arc::clone(&kept.cache);
    match blocking(move || cache.get(&digest)).await {
        Some(Ok(Some(artefact))) => {
            let code = Code::Compiled(artefact);
            match slot.idle().await?.load_code(code, digest, links, slot.limits.clone()).await {
                Ok((worker, _)) => return Ok(worker),
                Err(LoadError::NotLoaded { .. }) => {
                    kept.cache.remove(&digest);
                    kept.rejected(slot, "the engine does not take it".to_owned());
                }
                Err(error) => {
                    kept.cache.remove(&digest);
                    return Err(error.into());
                }
            }
        }
        Some(Err(reject)) => kept.rejected(slot, said(&reject)),
        Some(Ok(None)) | None => {}
    }
    let (worker, artefact) =
        slot.idle().await?.load_code(Code::Keep(bytes), digest, links, slot.limits.clone()).await?;
    if let Some(artefact) = artefact {
        let cache = Arc::clone(&kept.cache);
        if let Some(Err(error)) = blocking(move || cache.put(&digest, &artefact)).await {
            tracing::debug!("{}: its compiled form is not kept: {error}", slot.who.component);
        }
    }
    Ok(worker)
}

impl ModuleCache {
    fn rejected(&self, slot: &Slot, reason: String) {
        tracing::warn!("cache.reject: {}: {reason}; it is compiled again", slot.who.component);
        let (sweep, component, digest) = (self.sweep, slot.who.component.clone(), slot.binary.digest.clone());
        self.broker.note(Entry::CacheRejected { sweep, component, digest, reason });
    }
}

fn said(reject: &Reject) -> String {
    match reject {
        Reject::Io(error) => format!("{reject}: {error}"),
        other => other.to_string(),
    }
}

/// Does what reads and writes files away from the thread that waits for targets. `None` if it broke.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
