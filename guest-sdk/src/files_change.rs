//! Changes of files that policy bound to a slot: `files-change.*`. What may be written stands in the manifest, as
//! `[[content]]`. Every one only puts the change on the list of the plan.

use crate::fix::stage;

stage! {
    /// `files-change.write`: makes the declared text `content` the whole file.
    "files-change.write" files_change::write(target, entry, content: &str)
}
stage! {
    /// `files-change.write-computed`: makes `bytes` the whole file: UTF-8 without control characters but line ends and
    /// tabs, at most 64 KiB. A person has to sign them, always; declared content is what can be agreed to beforehand.
    "files-change.write-computed" files_change::write_computed(target, entry, bytes: &[u8])
}
stage! {
    /// `files-change.ensure-line`: adds the declared line `content`, unless the file has a line that is exactly that.
    "files-change.ensure-line" files_change::ensure_line(target, entry, content: &str)
}
stage! {
    /// `files-change.remove-line`: takes every line out of the file that is exactly the declared line `content`.
    "files-change.remove-line" files_change::remove_line(target, entry, content: &str)
}
stage! {
    /// `files-change.set-aside`: moves the file out of its place. Nothing is deleted.
    "files-change.set-aside" files_change::set_aside(target, entry)
}
