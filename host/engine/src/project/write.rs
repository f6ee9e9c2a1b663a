//! Writes a project whole or not at all, and renews the contract in one.
//!
//! Knows: folders, renames. Must not know: what the files are for. What is somebody's own is never written over.

use std::fs::{self, DirBuilder};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::ProjectFile;
use bailiwick_core::durable;
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::source;
use bailiwick_core::source::ReadError;
use bailiwick_core::wit::MARK;

/// More than the whole contract.
const WIT_BYTES_MAX: u64 = 1 << 20;

/// Why a project or a contract was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There is something already.
    #[error("{} is there already, and not empty\n\nhint: name another folder with --dir, or remove it", .0.shown())]
    Taken(PathBuf),
    /// A file in the contract's folder is not of our writing.
    #[error(
        "{} was not written by `bailiwick wit`, and toolchains would read it too\n\nhint: move it away, or name another folder with --out", .0.shown()
    )]
    Foreign(PathBuf),
    /// What is there is a link, or no file.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The operating system said no.
    #[error("cannot write {}", path.shown())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Its words.
        source: io::Error,
    },
}

impl From<durable::WriteError> for WriteError {
    fn from(durable::WriteError { path, source }: durable::WriteError) -> Self {
        Self::Io { path, source }
    }
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> WriteError + use<> {
    let path = path.to_owned();
    move |source| WriteError::Io { path, source }
}

/// Writes a project's folder. It is made beside its place and moved there when it is whole; an empty folder may be there.
///
/// # Errors
/// When something is there, or cannot be written; then nothing is left.
pub fn write_project(folder: &Path, files: &[ProjectFile]) -> Result<(), WriteError> {
    let is_empty = |folder: &Path| folder.is_dir() && fs::read_dir(folder).is_ok_and(|mut it| it.next().is_none());
    if folder.symlink_metadata().is_ok() && !is_empty(folder) {
        return Err(WriteError::Taken(folder.to_owned()));
    }
    let parent = durable::folder_of(folder);
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let draft = parent.join(format!(".{name}.{}.part", std::process::id()));
    let written = fill(&draft, files).and_then(|()| {
        fs::rename(&draft, folder).map_err(|error| match error.kind() {
            // Somebody was quicker.
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory => WriteError::Taken(folder.to_owned()),
            _ => io_at(folder)(error),
        })
    });
    if written.is_err() {
        // What is told is why it could not be written, not that a leftover could not be removed either.
        let _ = fs::remove_dir_all(&draft);
    }
    written
}

fn fill(draft: &Path, files: &[ProjectFile]) -> Result<(), WriteError> {
    make_folder(draft, false)?;
    for file in files {
        let path = draft.join(&file.path);
        make_folder(path.parent().unwrap_or(draft), true)?;
        let mode = if file.executable { 0o755 } else { 0o644 };
        durable::write_draft(&path, mode, &file.bytes)?;
    }
    Ok(())
}

fn make_folder(path: &Path, above_too: bool) -> Result<(), WriteError> {
    DirBuilder::new().recursive(above_too).mode(0o755).create(path).map_err(io_at(path))
}

/// Writes the contract's files into a folder, and removes those of an earlier contract that are no longer part of it.
///
/// # Errors
/// When the folder holds a `.wit` file of somebody else's, or cannot be written. The first is found before anything is
/// written.
pub fn write_contract(folder: &Path, files: &[(&str, String)]) -> Result<(), WriteError> {
    // What is behind it is not ours to replace.
    source::refuse_link(folder)?;
    make_folder(folder, true)?;
    let mut old = Vec::new();
    for entry in fs::read_dir(folder).map_err(io_at(folder))? {
        let path = entry.map_err(io_at(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "wit") {
            let mut text = Vec::new();
            let file = source::open_unlinked(&path)?;
            file.take(WIT_BYTES_MAX).read_to_end(&mut text).map_err(io_at(&path))?;
            if !text.ends_with(MARK.as_bytes()) {
                return Err(WriteError::Foreign(path));
            }
            old.push(path);
        }
    }
    for (name, text) in files {
        let path = folder.join(name);
        durable::replace(&path, 0o644, text.as_bytes())?;
        old.retain(|left| *left != path);
    }
    old.iter().try_for_each(|path| fs::remove_file(path).map_err(io_at(path)))
}
