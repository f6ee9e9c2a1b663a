//! What the kernel bounds for a worker on the broker's word: processor time and memory, first to compile, then to run.
//!
//! Knows: the process' number. Must not know: what it does. Attack answered (LK05): a component within every bound of
//! structure that is still slow or large to compile. The broker sets the soft limits, from outside, so that a worker needs
//! no system call for it and gains nothing by asking. Linux only; elsewhere the clock is what is left.

use std::io;

use bailiwick_core::limits::Limits;

/// While it compiles: SIGXCPU ends it when its time is over; an allocation that fails ends it as well.
///
/// # Errors
/// When the process is gone.
pub(super) fn compiling(pid: u32, limits: &Limits) -> io::Result<()> {
    let most = limits.compile_bytes.max(limits.worker_bytes);
    set(pid, Some(limits.compile_s), limits.compile_bytes, most)
}

/// While it runs: fuel and wall time bound each run, memory all of them together, and for good.
///
/// # Errors
/// When the process is gone.
pub(super) fn running(pid: u32, limits: &Limits) -> io::Result<()> {
    set(pid, None, limits.worker_bytes, limits.worker_bytes)
}

/// `None`, as the kernel has it: without a bound.
#[cfg(target_os = "linux")]
fn set(pid: u32, seconds: Option<u64>, bytes: u64, bytes_max: u64) -> io::Result<()> {
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
    // No number would mean this very process.
    let pid = Pid::from_raw(pid.cast_signed()).ok_or(io::ErrorKind::NotFound)?;
    // What we may not have, it may not have either. Of processor time it has as much as we again once it has compiled.
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
