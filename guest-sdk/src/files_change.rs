//! Changes of files that policy binds to a slot: `files-change.*`. The manifest declares what may be written, as
//! `[[content]]`. The functions only add a change to the plan.

use crate::fix::stage;

stage! {
    /// `files-change.write`: replaces the whole file with the declared text `content`.
    "files-change.write" files_change::write(target, entry, content: &str)
}
stage! {
    /// `files-change.write-computed`: replaces the whole file with `bytes`: UTF-8 without control characters except line ends
    /// and tabs, at most 64 KiB. A person always has to sign them. Prefer declared content, which can be approved in advance.
    "files-change.write-computed" files_change::write_computed(target, entry, bytes: &[u8])
}
stage! {
    /// `files-change.ensure-line`: adds the declared line `content`, unless the file already has exactly that line.
    "files-change.ensure-line" files_change::ensure_line(target, entry, content: &str)
}
stage! {
    /// `files-change.remove-line`: removes every line that is exactly the declared line `content`.
    "files-change.remove-line" files_change::remove_line(target, entry, content: &str)
}
stage! {
    /// `files-change.set-aside`: moves the file to a directory of root. Nothing is deleted.
    "files-change.set-aside" files_change::set_aside(target, entry)
}
