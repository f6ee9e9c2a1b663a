//! The one module with `unsafe`: descriptors that the worker was born with and must not keep.
//!
//! Knows: numbers of open descriptors. Must not know: anything that owns one. Attack answered: a guest that has taken its
//! worker over finds what somebody above the broker forgot to close.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Closes descriptors that the broker's own parent left open without close-on-exec, such as a shell's `3>secret`: Rust
/// marks its own, and passes on what it never knew of. Linux only; elsewhere there is no list to read.
pub(super) fn close() {
    let folder = std::path::Path::new("/proc/self/fd");
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let numbers: Vec<RawFd> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).filter(|fd| *fd > 2).collect();
    for fd in numbers {
        // The folder's own descriptor stood in the list, and is closed by now.
        if std::fs::read_link(folder.join(fd.to_string())).is_ok() {
            #[expect(unsafe_code, reason = "there is no safe way to close a descriptor by number")]
            // SAFETY: this is the first thing that `main` does, on the only thread: nothing in this process owns a
            // descriptor but the three standard ones, so none is closed under its owner.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    }
}
