//! Writes a new project completely or not at all, and updates the contract in a project.
//!
//! Knows: folders, renames. Must not know: what the files are for. A file that Bailiwick did not write is never replaced.

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

/// The contract is smaller than this.
const WIT_BYTES_MAX: u64 = 1 << 20;

/// Why a project or a contract was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The folder is in use.
    #[error("{} already exists and is not empty\n\nhint: name another folder with --dir, or remove this one", .0.shown())]
    Taken(PathBuf),
    /// A file in the contract's folder was not written by Bailiwick.
    #[error(
        "{} was not written by `bailiwick wit`, and toolchains would read it too\n\nhint: move the file away, or name another folder with --out", .0.shown()
    )]
    Foreign(PathBuf),
    /// The path is a link, or not a regular file.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The operating system reported an error.
    #[error("cannot write {}", path.shown())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
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

/// Writes a project's folder. It is written beside its place, and moved there when it is complete. The place may be an empty
/// folder.
///
/// # Errors
/// When the place is in use, or a file cannot be written. Then no file is left.
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
            // Another program was faster.
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory => WriteError::Taken(folder.to_owned()),
            _ => io_at(folder)(error),
        })
    });
    if written.is_err() {
        // The error names why it could not be written, not why a leftover could not be removed.
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
/// When the folder has a `.wit` file that Bailiwick did not write, or cannot be written. The first is checked before any file
/// is written.
pub fn write_contract(folder: &Path, files: &[(&str, String)]) -> Result<(), WriteError> {
    // Files behind a link must not be replaced.
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
