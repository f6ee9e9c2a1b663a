//! Loads components, from the cache where it holds them.
//!
//! Knows: the cache, workers, and where a rejected entry is written down. Attack answered: see [`crate::cache`].
//!
//! **Invariant:** only a worker that compiled the component, and has run nothing of it, gives what is kept.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::broker::Broker;
use crate::cache::{Cache, Reject};
use crate::journal::Entry;
use crate::library::Binary;
use crate::model::ComponentId;
use crate::sandbox::{Code, Limits, Links, LoadError, Worker};

/// The cache of a sweep.
pub(super) struct Kept {
    pub(super) cache: Arc<Cache>,
    pub(super) broker: Arc<Broker>,
    pub(super) sweep: u64,
}

impl Kept {
    /// A worker with a component loaded, compiled only if nothing was kept of it.
    ///
    /// # Errors
    /// When there is none to be had.
    pub(super) async fn load(
        &self,
        id: &ComponentId,
        binary: &Binary,
        links: &Links,
        limits: &Limits,
    ) -> Result<Worker, LoadError> {
        // Of these bytes and no others: what is compiled is what is sealed.
        let digest: [u8; 32] = Sha256::digest(&binary.bytes).into();
        let cache = Arc::clone(&self.cache);
        match blocking(move || cache.get(&digest)).await {
            Some(Ok(Some(artefact))) => {
                match Worker::load_code(None, Code::Compiled(artefact), digest, links, limits.clone()).await {
                    Ok((worker, _)) => return Ok(worker),
                    Err(LoadError::NotLoaded { .. }) => {
                        self.cache.remove(&digest);
                        self.rejected(id, binary, "the engine does not take it".to_owned());
                    }
                    Err(error) => {
                        self.cache.remove(&digest);
                        return Err(error);
                    }
                }
            }
            Some(Err(reject)) => self.rejected(id, binary, said(&reject)),
            Some(Ok(None)) | None => {}
        }
        let (worker, artefact) =
            Worker::load_code(None, Code::Keep(&binary.bytes), digest, links, limits.clone()).await?;
        if let Some(artefact) = artefact {
            let cache = Arc::clone(&self.cache);
            if let Some(Err(error)) = blocking(move || cache.put(&digest, &artefact)).await {
                tracing::debug!("{id}: its compiled form is not kept: {error}");
            }
        }
        Ok(worker)
    }

    fn rejected(&self, id: &ComponentId, binary: &Binary, reason: String) {
        tracing::warn!("cache.reject: {id}: {reason}; it is compiled again");
        let (sweep, component, digest) = (self.sweep, id.clone(), binary.digest.clone());
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
