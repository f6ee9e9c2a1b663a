//! Single files that policy bound to a slot: `files.*`. There is no path argument and no directory listing.

pub use crate::bindings::bailiwick::ops::files::{Content, Kind, StatInfo};
use crate::observed::verb;

verb! {
    /// `files.read`: the first 256 KiB of the entry's file, following links. 10 s.
    "files.read" files::read(target, entry) -> Content
}
verb! {
    /// `files.stat`: kind, size in bytes, time of the last change, owner of the entry's file, not following a link.
    /// At most 4 KiB, 10 s.
    "files.stat" files::stat(target, entry) -> StatInfo
}
