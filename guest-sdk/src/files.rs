//! Single files that policy binds to a slot: `files.*`. There is no path argument and no directory listing.

pub use crate::bindings::bailiwick::ops::files::{Content, Kind, StatInfo};
use crate::observed::verb;

verb! {
    /// `files.read`: the first 256 KiB of the entry's file. 10 s. Over SSH a symbolic link is followed (`head`); on the
    /// controller's own machine it is not, and the result is an error.
    "files.read" files::read(target, entry) -> Content
}
verb! {
    /// `files.stat`: type, size in bytes, time of the last change and owner of the entry's file. Symbolic links are not
    /// followed. At most 4 KiB, 10 s.
    "files.stat" files::stat(target, entry) -> StatInfo
}
