//! Writes a file so that it is complete or absent, and on the disk when the call returns.
//!
//! Knows: temporary names, modes, `fsync`, renames. Must not know: what is written. Attack answered: a crash or a full disk
//! that leaves half a component, plan or record under a good name; a link in a temporary's place that leads the bytes
//! elsewhere: a temporary is always a file that this process has just created.

use std::fs::{self, DirBuilder, File};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::encode::ShownPath as _;

/// A file or folder that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.shown())]
pub struct WriteError {
    /// The file or folder.
    pub path: PathBuf,
    /// The reason that the operating system gives.
    pub source: io::Error,
}

impl From<WriteError> for io::Error {
    fn from(error: WriteError) -> Self {
        error.source
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> WriteError {
    let path = path.to_owned();
    move |source| WriteError { path, source }
}

/// Replaces a file, or creates it. A reader sees the old file or the new one.
///
/// # Errors
/// When it cannot be written; then the old file is still there.
pub fn replace(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), WriteError> {
    Staged::write(path, mode, &[bytes])?.replace()
}

/// Creates a file. One that already exists is never replaced.
///
/// # Errors
/// When the name already exists (even as a link that leads nowhere), or cannot be written.
pub fn create_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), WriteError> {
    Staged::write(path, mode, &[bytes])?.create_new()
}

/// A file that is on the disk under a temporary name. Dropping it removes it.
#[derive(Debug)]
#[must_use = "the file is at its place after `replace` or `create_new`"]
pub struct Staged<'a> {
    temporary: PathBuf,
    path: &'a Path,
}

impl<'a> Staged<'a> {
    /// Writes the file, given in parts, beside `path` under a random name.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(path: &'a Path, mode: u32, parts: &[&[u8]]) -> Result<Self, WriteError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Not the process id: containers that share a folder have the same ones.
        let random = RandomState::new().hash_one(std::process::id());
        let temporary = folder_of(path).join(format!(".{name}.{random:016x}.part"));
        Self::write_as(temporary, path, mode, parts)
    }

    /// Writes the file under a temporary name that the caller chose, in the file system of `path`. What a writer that was
    /// killed left there is removed, so the caller makes sure that no other writer uses the name.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_as(temporary: PathBuf, path: &'a Path, mode: u32, parts: &[&[u8]]) -> Result<Self, WriteError> {
        let staged = Self { temporary, path };
        write(&staged.temporary, mode, parts).map_err(failed(path))?;
        Ok(staged)
    }

    /// Moves the file to its place. What was there is replaced.
    ///
    /// # Errors
    /// When it cannot be moved, or the folder cannot be written to the disk.
    pub fn replace(self) -> Result<(), WriteError> {
        let renamed = fs::rename(&self.temporary, self.path);
        renamed.and_then(|()| sync(folder_of(self.path))).map_err(failed(self.path))
    }

    /// Moves the file to its place, unless that name already exists.
    ///
    /// # Errors
    /// When the name already exists, the file cannot be moved, or the folder cannot be written to the disk.
    pub fn create_new(self) -> Result<(), WriteError> {
        // Unlike a rename, a link never replaces anything.
        let linked = fs::hard_link(&self.temporary, self.path).and_then(|()| fs::remove_file(&self.temporary));
        linked.and_then(|()| sync(folder_of(self.path))).map_err(failed(self.path))
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        // After a rename there is nothing to remove; after a failure, its reason is what the caller reports.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Writes a file under the very name that is given, for a caller that moves it, or its whole folder, to its place later.
/// What was there is removed, never written to.
///
/// # Errors
/// When it cannot be written.
pub fn write_draft(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), WriteError> {
    write(path, mode, &[bytes]).map_err(failed(path))
}

fn write(path: &Path, mode: u32, parts: &[&[u8]]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(mode).open(path)?;
    parts.iter().try_for_each(|part| file.write_all(part))?;
    file.sync_all()
}

/// Creates a folder and those above it, each on the disk when this returns. One that already exists is left as it is.
///
/// # Errors
/// When it cannot be created, or the name belongs to something else.
pub fn create_folder(path: &Path, mode: u32) -> Result<(), WriteError> {
    let missing = |folder: &&Path| !(folder.as_os_str().is_empty() || folder.is_dir());
    let folders: Vec<_> = path.ancestors().take_while(missing).collect();
    folders.iter().rev().try_for_each(|folder| match DirBuilder::new().mode(mode).create(folder) {
        Ok(()) => sync_folder(folder_of(folder)),
        // Another process created it meanwhile.
        Err(_) if folder.is_dir() => Ok(()),
        Err(error) => Err(failed(folder)(error)),
    })
}

/// Waits until the names in a folder are on the disk.
///
/// # Errors
/// When the folder cannot be opened or written to the disk.
pub fn sync_folder(folder: &Path) -> Result<(), WriteError> {
    sync(folder).map_err(failed(folder))
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The folder that a file is in.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_with_its_mode_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        replace(&path, 0o600, b"old").unwrap();
        replace(&path, 0o600, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(folder.path()), ["plan.json"]);
    }

    #[test]
    fn a_new_file_replaces_nothing_not_even_a_link_that_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        create_new(&file, 0o644, b"first").unwrap();
        symlink(folder.path().join("nowhere"), &link).unwrap();
        for path in [&file, &link] {
            let error = create_new(path, 0o644, b"second").unwrap_err();
            assert_eq!(error.source.kind(), io::ErrorKind::AlreadyExists);
        }
        assert_eq!(fs::read(&file).unwrap(), b"first");
        assert_eq!(names(folder.path()), ["file", "link"]);
    }

    #[test]
    fn a_link_in_the_place_of_a_file_or_of_its_temporary_is_replaced_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (other, path, temporary) =
            (folder.path().join("other"), folder.path().join("path"), folder.path().join("path.new"));
        fs::write(&other, "other").unwrap();
        symlink(&other, &path).unwrap();
        symlink(&other, &temporary).unwrap();
        Staged::write_as(temporary, &path, 0o600, &[b"in ", b"parts"]).unwrap().replace().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"in parts");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!(fs::read(&other).unwrap(), b"other");
        assert_eq!(names(folder.path()), ["other", "path"]);
    }

    #[test]
    fn a_staged_file_that_is_dropped_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        drop(Staged::write(&path, 0o644, &[b"x"]).unwrap());
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn folders_are_created_to_the_top_and_a_file_in_the_way_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        create_folder(&deep, 0o700).unwrap();
        create_folder(&deep, 0o700).unwrap();
        assert_eq!(fs::metadata(folder.path().join("a")).unwrap().permissions().mode() & 0o777, 0o700);
        fs::write(deep.join("file"), "").unwrap();
        assert!(create_folder(&deep.join("file"), 0o700).is_err());
        assert!(create_folder(&deep.join("file/below"), 0o700).is_err());
    }
}
