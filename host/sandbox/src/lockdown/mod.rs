//! Locks down a worker before it reads its component. It has one thread then, so the lockdown applies to all later threads.
//!
//! Knows: the operating system's measures. Must not know: wasm. Attack answered: a guest that has broken the engine and
//! runs native code (A9, GR14, D1). It has no files, network, programs, other processes or privileges; only the socket is
//! left, and the broker checks every message on it.
//!
//! Two measures overlap on purpose: Landlock works on objects (files, ports, processes), seccomp on system calls. Seccomp alone
//! would be enough; Landlock alone blocks files, TCP ports, signals and abstract sockets. If the kernel lacks one, the others
//! still apply, and the broker reports it.
//!
//! Order: what needs a system call that a later measure forbids comes first.
//!
//! Limits that are *not* set, and why. Address space: each linear memory reserves 4 GiB of it, which makes its bounds checks
//! free; `RLIMIT_DATA` counts the writable part instead. CPU time, except while compiling (`kernel.rs`): a worker serves a
//! whole sweep; fuel and wall time limit each run, and the broker kills a worker that is overdue. Processes: the limit counts
//! all of a user's threads on the machine, so that the worker of a busy user could not start a thread; a thread is all that
//! seccomp lets it start.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod seccomp;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use bailiwick_core::limits::{WORKER_BYTES_MAX, WORKER_FILES};
use bailiwick_core::model::Lockdown;

/// Gives up everything that can be given up without a privilege, and returns what that was. Call it while the process has one
/// thread.
pub(super) fn apply() -> Lockdown {
    let rlimits = limit();
    let mut measures = Lockdown { rlimits, ..Lockdown::default() };
    #[cfg(target_os = "linux")]
    {
        measures.no_new_privs = linux::no_new_privs();
        measures.undumpable = linux::undumpable();
        measures.no_capabilities = linux::no_capabilities();
        measures.landlock = linux::landlock();
    }
    measures
}

/// Forbids the system calls that are not on the list. This is the last measure.
pub(super) fn seal(measures: Lockdown) -> Lockdown {
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    let measures = Lockdown { seccomp: seccomp::apply().is_ok(), ..measures };
    measures
}

/// Resource limits. None can be raised again: seccomp has no call for it, and there is no capability.
fn limit() -> bool {
    let at_most = |limit| Rlimit { current: Some(limit), maximum: Some(limit) };
    // The maximum for any worker. The broker sets this worker's own limit from outside, as soon as it has a component.
    let bytes = getrlimit(Resource::Data).maximum.map_or(WORKER_BYTES_MAX, |most| most.min(WORKER_BYTES_MAX));
    let limits = [
        (Resource::Core, at_most(0)),
        (Resource::Fsize, at_most(0)),
        (Resource::Data, at_most(bytes)),
        (Resource::Nofile, at_most(WORKER_FILES)),
        #[cfg(target_os = "linux")]
        (Resource::Msgqueue, at_most(0)),
    ];
    // All limits are tried, also after one that failed.
    limits.into_iter().filter(|(resource, limit)| setrlimit(*resource, *limit).is_err()).count() == 0
}
