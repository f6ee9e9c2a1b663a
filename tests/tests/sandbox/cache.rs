//! The compile cache: an entry that is not exactly what this program sealed, for this component, is discarded and compiled again
//! (docs/threats.md, LK06), and nothing but the broker's own bytes is ever loaded as code (LK03).

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{body, program, short, targets};
use bailiwick_sandbox::cache::{Cache, CacheError, Reject};
use bailiwick_sandbox::{Code, Ending, Limits, Links, LoadError, Outcome, Worker, inspect};
use data_encoding::HEXLOWER;
use tempfile::TempDir;

const ONE: [u8; 32] = [1; 32];
const TWO: [u8; 32] = [2; 32];

/// A folder for a cache, and the cache.
fn made() -> (TempDir, PathBuf, Cache) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("cache");
    let cache = Cache::open(&folder, b"this program").unwrap();
    (dir, folder, cache)
}

fn entry(folder: &Path, component: &[u8; 32]) -> PathBuf {
    folder.join(HEXLOWER.encode(component))
}

/// The first request discards the entry, so the second one does not find it.
#[track_caller]
fn rejected(cache: &Cache, component: &[u8; 32]) -> Reject {
    let reject = cache.get(component).expect_err("it was taken for good");
    assert!(matches!(cache.get(component), Ok(None)), "it is still there");
    reject
}

#[test]
fn lk06_an_entry_is_returned_to_its_own_program_alone() {
    let (_dir, folder, cache) = made();
    assert!(cache.get(&ONE).unwrap().is_none());
    cache.put(&ONE, b"code of one").unwrap();
    assert_eq!(cache.get(&ONE).unwrap().unwrap(), b"code of one");
    let again = Cache::open(&folder, b"this program").unwrap();
    assert_eq!(again.get(&ONE).unwrap().unwrap(), b"code of one");
    for file in fs::read_dir(&folder).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().mode() & 0o7777, 0o600);
    }
    assert_eq!(folder.metadata().unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn lk06_a_flipped_bit_anywhere_is_found() {
    let (_dir, folder, cache) = made();
    cache.put(&ONE, b"code").unwrap();
    let good = fs::read(entry(&folder, &ONE)).unwrap();
    let put = |bytes: &[u8]| {
        fs::write(entry(&folder, &ONE), bytes).unwrap();
        fs::set_permissions(entry(&folder, &ONE), Permissions::from_mode(0o600)).unwrap();
    };
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        put(&bad);
        rejected(&cache, &ONE);
        put(&good[..at]);
        rejected(&cache, &ONE);
    }
    put(&[&good[..], b"x"].concat());
    assert!(matches!(rejected(&cache, &ONE), Reject::Seal));
    put(b"\x7fELF: replaced by something else altogether");
    assert!(matches!(rejected(&cache, &ONE), Reject::Format));
    put(&good);
    assert_eq!(cache.get(&ONE).unwrap().unwrap(), b"code");
}

#[test]
fn lk06_an_entry_serves_its_own_component_program_and_key() {
    let (_dir, folder, cache) = made();
    cache.put(&ONE, b"code").unwrap();
    fs::copy(entry(&folder, &ONE), entry(&folder, &TWO)).unwrap();
    assert!(matches!(rejected(&cache, &TWO), Reject::Seal), "another component's");

    let other = Cache::open(&folder, b"another program").unwrap();
    assert!(matches!(rejected(&other, &ONE), Reject::OtherProgram));

    cache.put(&ONE, b"code").unwrap();
    fs::remove_file(folder.join("key")).unwrap();
    let rekeyed = Cache::open(&folder, b"this program").unwrap();
    assert!(matches!(rejected(&rekeyed, &ONE), Reject::Seal), "another key's");
}

#[test]
fn lk06_links_pipes_and_open_files_are_not_entries() {
    let (dir, folder, cache) = made();
    cache.put(&ONE, b"code").unwrap();
    let path = entry(&folder, &ONE);
    let elsewhere = dir.path().join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert!(matches!(rejected(&cache, &ONE), Reject::NotPrivate("a symbolic link")));
    assert!(elsewhere.exists(), "what a link pointed to is not ours to delete");

    fs::copy(&elsewhere, &path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(rejected(&cache, &ONE), Reject::NotPrivate(_)), "others could read it");

    assert!(Command::new("mkfifo").arg("-m").arg("600").arg(&path).status().unwrap().success());
    assert!(
        matches!(rejected(&cache, &ONE), Reject::NotPrivate("not a regular file")),
        "opening it does not wait for a writer"
    );
}

/// Only root can give a file away; the check is the same for every user.
mod as_root {
    use super::*;

    #[test]
    #[ignore = "needs root"]
    fn lk06_what_belongs_to_another_user_is_not_an_entry() {
        let (_dir, folder, cache) = made();
        cache.put(&ONE, b"code").unwrap();
        let path = entry(&folder, &ONE);
        chown(&path, Some(65_534), None).unwrap();
        assert!(matches!(rejected(&cache, &ONE), Reject::NotPrivate("owned by another user")));
    }
}

#[test]
fn lk06_a_folder_that_others_can_change_is_not_a_cache() {
    let open = |folder: &Path| Cache::open(folder, b"this program").map(drop);
    let (dir, folder, _) = made();
    for mode in [0o770, 0o707, 0o750, 0o701] {
        fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
        assert!(matches!(open(&folder), Err(CacheError::NotPrivate { .. })), "{mode:o}");
    }
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    open(&folder).unwrap();

    let link = dir.path().join("link");
    symlink(&folder, &link).unwrap();
    assert!(matches!(open(&link), Err(CacheError::NotPrivate { what: "not a folder", .. })));

    // A user who can rename the folder can put another in its place.
    fs::set_permissions(dir.path(), Permissions::from_mode(0o770)).unwrap();
    assert!(matches!(open(&folder), Err(CacheError::Folder(_))));
    fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();

    let key = folder.join("key");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(open(&folder), Err(CacheError::NotPrivate { .. })), "others know the key");
    fs::write(&key, b"").unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(open(&folder), Err(CacheError::NotPrivate { what: "not a valid key", .. })), "an empty key");
    fs::remove_file(&key).unwrap();
    symlink("/dev/zero", &key).unwrap();
    assert!(matches!(open(&folder), Err(CacheError::NotPrivate { what: "a symbolic link", .. })), "a known key");
    fs::remove_file(&key).unwrap();
    open(&folder).unwrap();
}

#[test]
fn lk06_writers_at_once_leave_whole_entries_and_one_key() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("cache");
    std::thread::scope(|scope| {
        for writer in 0..8u8 {
            let folder = &folder;
            scope.spawn(move || {
                let cache = Cache::open(folder, b"this program").unwrap();
                let code = vec![writer; 100_000 + usize::from(writer)];
                for _ in 0..20 {
                    cache.put(&ONE, &code).unwrap();
                    let found = cache.get(&ONE).unwrap().expect("it has been written");
                    assert_eq!(found.len(), 100_000 + usize::from(found[0]), "the code of two writers");
                }
            });
        }
    });
    let names = fs::read_dir(&folder).unwrap().count();
    assert_eq!(names, 2, "the key and one entry");
}

#[test]
fn lk06_the_cache_has_a_size_and_is_never_needed() {
    let (_dir, folder, cache) = made();
    let cache = cache.with_room(3_000);
    // Left by a writer that was killed; older than all that follows.
    fs::write(folder.join("new-1-1"), vec![0; 2_000]).unwrap();
    for number in 1..=5u8 {
        cache.put(&[number; 32], &[number; 900]).unwrap();
        // The resolution of file times may be coarser than this loop.
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let kept: Vec<bool> = (1..=5).map(|number| cache.get(&[number; 32]).unwrap().is_some()).collect();
    assert_eq!(kept, [false, false, true, true, true]);
    assert!(!folder.join("new-1-1").exists());
    fs::remove_dir_all(&folder).unwrap();
    assert!(cache.get(&ONE).unwrap().is_none());
    assert!(cache.put(&ONE, b"code").is_err());
}

/// A worker with a component in one of its forms, and the form that it hands over.
async fn give(code: Code<'_>) -> Result<(Worker, Option<Vec<u8>>), LoadError> {
    Worker::start(Some(&program())).await?.load_code(code, ONE, &Links::default(), short()).await
}

async fn compiled(bytes: &[u8]) -> Vec<u8> {
    let (_, artefact) = give(Code::Keep(bytes)).await.unwrap();
    artefact.expect("it was wanted")
}

#[tokio::test]
async fn lk06_compiled_code_is_the_component_and_is_handed_over_once() {
    let bytes = body("(i32.const 1024)");
    let artefact = compiled(&bytes).await;
    let load = give;
    let (worker, none) = load(Code::Compiled(artefact)).await.unwrap();
    assert!(none.is_none(), "what was loaded in this form is never handed on");
    let end = worker.run(1, targets(), async |_| Outcome::Failed(bailiwick_core::model::VerbError::Refused)).await;
    assert!(matches!(&end.ending, Ending::Report(report) if report.findings.is_empty()), "{end:?}");
    assert!(load(Code::Component(&bytes)).await.unwrap().1.is_none(), "it was not requested");
}

#[tokio::test]
async fn lk03_code_and_text_are_not_components_and_components_are_not_code() {
    let bytes = body("(i32.const 1024)");
    let artefact = compiled(&bytes).await;
    let elf = fs::read(program()).unwrap();
    let elf = &elf[..elf.len().min(1 << 20)];
    for offered in [&b"(component)"[..], b"(module)", &artefact, elf, b"\x7fELF"] {
        assert!(inspect(offered, &Limits::default()).is_err());
        let loaded = Worker::load(Some(&program()), offered, &Links::default(), Limits::default()).await;
        assert!(matches!(loaded, Err(LoadError::NotLoaded { .. })), "{loaded:?}");
    }
    // The engine's own answer to bytes that were sealed by mistake.
    for offered in [&bytes[..], elf, b"", &artefact[..artefact.len() / 2]] {
        let code = Code::Compiled(offered.to_vec());
        let loaded = give(code).await;
        assert!(matches!(loaded, Err(LoadError::NotLoaded { .. })), "{loaded:?}");
    }
}
