//! Writes a component's file whole or not at all.
//!
//! Knows: temporary files, renames. Must not know: what is written. Attack answered: half a component under a good name.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::LibraryError;

/// Writes a file so that whoever looks sees the old one or the new one, whole.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), LibraryError> {
    write(path, bytes, |temporary| std::fs::rename(temporary, path))
}

/// Writes a file that is not there yet, whole; its folder is made if need be.
///
/// # Errors
/// When it is there, or cannot be written.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), LibraryError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|source| LibraryError::Write { path: folder.to_owned(), source })?;
    }
    // Unlike a rename, a link never replaces anything.
    write(path, bytes, |temporary| {
        std::fs::hard_link(temporary, path)?;
        std::fs::remove_file(temporary)
    })
}

fn write(path: &Path, bytes: &[u8], put: impl Fn(&Path) -> std::io::Result<()>) -> Result<(), LibraryError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.{}.part", std::process::id()));
    let written = (|| {
        let mut file = File::options().write(true).create_new(true).mode(0o644).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        put(&temporary)?;
        File::open(&folder)?.sync_all()
    })();
    if written.is_err() {
        // What is told is why it could not be written, not that a leftover could not be removed either.
        let _ = std::fs::remove_file(&temporary);
    }
    written.map_err(|source| LibraryError::Write { path: path.to_owned(), source })
}

/// True if anything has this name, even a link that leads nowhere.
#[must_use]
pub fn path_exists(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}
