//! The files of this checkout, for tests that read all of them.

use std::fs;
use std::path::{Path, PathBuf};

/// The files under a folder whose names end in one of these ways. Hidden folders, and folders that tools write, are left out.
pub(super) fn files(folder: &Path, ends: &[&str]) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "node_modules" {
                paths.extend(files(&path, ends));
            }
        } else if ends.iter().any(|end| name.ends_with(end)) {
            paths.push(path);
        }
    }
    paths
}
