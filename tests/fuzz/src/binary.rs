//! Components before anything is compiled, and the entries of the module cache.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use bailiwick_core::model::{Verb, WasiGroup, World};
use bailiwick_sandbox::cache::Cache;
use bailiwick_sandbox::{Limits, check_imports, inspect};

/// What is taken is within its ceilings, and what it is called can be shown.
pub(crate) fn component(data: &[u8]) {
    let Ok(inspected) = inspect(data, &Limits::default()) else { return };
    assert_eq!(inspected.size, data.len());
    for (name, range) in &inspected.custom {
        assert!(data.get(range.clone()).is_some(), "{name:?}");
    }
    let all = Verb::ALL.iter().copied().collect();
    let wasi = WasiGroup::ALL.iter().copied().collect();
    if let Err(error) = check_imports(&inspected, World::Probe, &all, &wasi, true) {
        let message = error.to_string();
        assert!(message.lines().all(bailiwick_core::encode::is_plain), "{message:?}");
    }
}

/// Bytes in the place of a cache entry are that entry, or nothing.
pub(crate) fn cache(data: &[u8]) {
    thread_local!(static ENTRY: OnceCell<Entry> = const { OnceCell::new() });
    ENTRY.with(|entry| {
        let Entry { cache, path, good, .. } = entry.get_or_init(Entry::new);
        // An honest entry with the data laid over its end, and the data alone.
        let (before, _) = good.split_at(good.len() - data.len().min(good.len()));
        for bytes in [data.to_vec(), [before, data].concat()] {
            std::fs::write(path, &bytes).expect("a file");
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("ours");
            match cache.get(&COMPONENT) {
                Ok(Some(artefact)) => assert!(bytes == *good && artefact == ARTEFACT, "native code of another program"),
                Ok(None) | Err(_) => assert!(bytes != *good, "an honest entry was thrown away"),
            }
        }
    });
}

const COMPONENT: [u8; 32] = [7; 32];
const ARTEFACT: &[u8] = b"native code";

struct Entry {
    cache: Cache,
    path: PathBuf,
    good: Vec<u8>,
    _folder: tempfile::TempDir,
}

impl Entry {
    fn new() -> Self {
        let folder = crate::records::new_folder();
        let cache = Cache::open(&folder.path().join("cache"), b"this program").expect("a cache");
        let files = || -> BTreeSet<PathBuf> {
            let entries = std::fs::read_dir(folder.path().join("cache")).expect("a folder");
            entries.map(|entry| entry.expect("a file").path()).collect()
        };
        let before = files();
        cache.put(&COMPONENT, ARTEFACT).expect("room");
        let path = files().difference(&before).next().expect("an entry").clone();
        let good = std::fs::read(&path).expect("an entry");
        Self { cache, path, good, _folder: folder }
    }
}
