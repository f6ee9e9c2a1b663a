//! Loads components into workers, in compiled form if the cache has it.
//!
//! Knows: the cache, workers, and how a rejected cache entry is recorded. Must not know: whether a component may run. Attack answered: see [`bailiwick_sandbox::cache`].
//!
//! **Invariant:** a compiled form is kept only from a worker that compiled the component and has not run any of it.

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

/// Why there is no worker that has the component loaded.
pub(super) enum Unloaded {
    /// The measures that its lockdown lacks, if policy requires all of them.
    Lacking(String),
    /// It could not be loaded.
    Load(LoadError),
}

impl From<LoadError> for Unloaded {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

/// A worker that has the component loaded. The component is compiled unless the cache has its compiled form.
///
/// # Errors
/// When no worker can load it.
pub(super) async fn load(slot: &Slot, links: &Links) -> Result<Worker, Unloaded> {
    let bytes = &slot.binary.bytes;
    let Some(module_cache) = &slot.module_cache else {
        return Ok(slot.idle().await?.load(bytes, links, slot.limits.clone()).await?);
    };
    // The digest of exactly the bytes that are compiled.
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let cache = Arc::clone(&module_cache.cache);
    match blocking(move || cache.get(&digest)).await {
        Some(Ok(Some(artefact))) => {
            let code = Code::Compiled(artefact);
            match slot.idle().await?.load_code(code, digest, links, slot.limits.clone()).await {
                Ok((worker, _)) => return Ok(worker),
                Err(LoadError::NotLoaded { .. }) => {
                    module_cache.cache.remove(&digest);
                    module_cache.rejected(slot, "the wasm engine rejected it".to_owned());
                }
                Err(error) => {
                    module_cache.cache.remove(&digest);
                    return Err(error.into());
                }
            }
        }
        Some(Err(reject)) => module_cache.rejected(slot, reason(&reject)),
        Some(Ok(None)) | None => {}
    }
    let (worker, artefact) =
        slot.idle().await?.load_code(Code::Keep(bytes), digest, links, slot.limits.clone()).await?;
    if let Some(artefact) = artefact {
        let cache = Arc::clone(&module_cache.cache);
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

fn reason(reject: &Reject) -> String {
    match reject {
        Reject::Io(error) => format!("{reject}: {error}"),
        other => other.to_string(),
    }
}

/// Reads or writes files away from the thread that waits for targets. `None` if the work panicked.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
