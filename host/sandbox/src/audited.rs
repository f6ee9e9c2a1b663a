//! The only module with `unsafe`: it closes inherited descriptors that the worker must not keep, and loads machine code that
//! the broker has kept.
//!
//! Knows: numbers of open descriptors; bytes that are code. Must not know: who opened the descriptors, who made the bytes.
//! Attacks answered: a guest that has taken over its worker uses a descriptor that a parent of the broker left open; bytes that
//! do not come from the broker are executed (LK03, LK06).

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use wasmtime::Engine;
use wasmtime::component::Component;

/// Closes descriptors that the broker's own parent left open without close-on-exec, such as a shell's `3>secret`. Rust marks
/// only the descriptors that it opens itself. Linux only: other systems have no list of descriptors to read.
pub(super) fn close() {
    let folder = std::path::Path::new("/proc/self/fd");
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let numbers: Vec<RawFd> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).filter(|fd| *fd > 2).collect();
    for fd in numbers {
        // The folder's own descriptor was in the list, and is closed by now.
        if std::fs::read_link(folder.join(fd.to_string())).is_ok() {
            #[expect(unsafe_code, reason = "there is no safe way to close a descriptor by number")]
            // SAFETY: this is the first thing that `main` does, on the only thread. Nothing in this process owns a descriptor
            // except the three standard ones, so no descriptor is closed while it has an owner.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    }
}

/// Loads a component from its compiled form. Only the worker calls this, with bytes that its broker sent.
///
/// # Errors
/// When another version of the engine, another configuration, or a processor with more features made them.
pub(super) fn compiled(engine: &Engine, artefact: &[u8]) -> wasmtime::Result<Component> {
    #[expect(unsafe_code, reason = "there is no safe way to load compiled code")]
    // SAFETY: the bytes must be what `Component::serialize` made. They come from the parent process over the only socket of
    // this process, never from a path or a file. The parent took them from an entry of its cache after it checked the entry's
    // seal (`crate::cache`). Only the parent writes entries, with bytes from a worker that had compiled this very component and
    // had not run any of it. If the component took that worker over while it was compiled, the component chose these bytes:
    // then they run here, in a worker of the same component, which has no more than that worker had. The two processes exist
    // for this case.
    unsafe {
        Component::deserialize(engine, artefact)
    }
}
