//! The one module with `unsafe`: descriptors that the worker was born with and must not keep, and machine code that the
//! broker has kept.
//!
//! Knows: numbers of open descriptors; bytes that are code. Must not know: what owns the ones, what made the others.
//! Attacks answered: a guest that has taken over its worker uses a descriptor that a parent of the broker left open; bytes
//! that do not come from the broker are executed (LK03, LK06).

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use wasmtime::Engine;
use wasmtime::component::Component;

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

/// The component whose compiled form these bytes are. For the worker's body alone, on what its broker sent.
///
/// # Errors
/// When another version of the engine made them, another configuration, or a processor that could do more.
pub(super) fn compiled(engine: &Engine, artefact: &[u8]) -> wasmtime::Result<Component> {
    #[expect(unsafe_code, reason = "there is no safe way to load compiled code")]
    // SAFETY: the bytes must be what `Component::serialize` made. They come from the parent process, over the socket that
    // is the only one of this process: they come from no path and no file. The parent took them from an entry of
    // its cache, after its seal was checked (`crate::cache`), which only the parent writes, with what a worker handed over
    // that had compiled this very component and run none of it yet. Should the component have taken that worker over
    // while it was compiled, these bytes are its own choice: then they run here, in a worker of the same component alone,
    // which has what that one had. That is the case that the two processes are for.
    unsafe {
        Component::deserialize(engine, artefact)
    }
}
