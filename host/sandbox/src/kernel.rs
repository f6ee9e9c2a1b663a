//! The limits that the broker has the kernel set for a worker: processor time and memory, first to compile, then to run.
//!
//! Knows: the process id. Must not know: what the process does. Attack answered (LK05): a component within every bound of
//! structure that is still slow or large to compile. The broker sets the soft limits, from outside, so that a worker needs
//! no system call for it and gains nothing by asking. Linux only; elsewhere only the wall time is limited.

use std::io;

use bailiwick_core::limits::Limits;

/// Limits for compiling: SIGXCPU ends the process when its time is used up; a failed allocation ends it, too.
///
/// # Errors
/// When the process has ended.
pub(super) fn compiling(pid: u32, limits: &Limits) -> io::Result<()> {
    let most = limits.compile_bytes.max(limits.worker_bytes);
    set(pid, Some(limits.compile_s), limits.compile_bytes, most)
}

/// Limits for running: fuel and wall time limit each run; memory is limited for all of them together.
///
/// # Errors
/// When the process has ended.
pub(super) fn running(pid: u32, limits: &Limits) -> io::Result<()> {
    set(pid, None, limits.worker_bytes, limits.worker_bytes)
}

/// The kernel's value for "no limit" is `None`.
#[cfg(target_os = "linux")]
fn set(pid: u32, seconds: Option<u64>, bytes: u64, bytes_max: u64) -> io::Result<()> {
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
    // Without a process id, the call would mean this process.
    let pid = Pid::from_raw(pid.cast_signed()).ok_or(io::ErrorKind::NotFound)?;
    // A limit cannot exceed our own. After compiling, the limit on processor time is our own again.
    let least = |a: Option<u64>, b: Option<u64>| [a, b].into_iter().flatten().min();
    for (resource, wanted, most) in [(Resource::Cpu, seconds, None), (Resource::Data, Some(bytes), Some(bytes_max))] {
        let maximum = least(most, getrlimit(resource).maximum);
        prlimit(Some(pid), resource, Rlimit { current: least(wanted, maximum), maximum })?;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn set(_: u32, _: Option<u64>, _: u64, _: u64) -> io::Result<()> {
    Ok(())
}
