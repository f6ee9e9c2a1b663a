//! What the kernel bounds for a worker on the broker's word: processor time and memory, first to compile, then to run.
//!
//! Knows: the process' number. Must not know: what it does. Attack answered (LK05): a component within every bound of
//! structure that is still slow or large to compile. The broker sets the soft limits, from outside, so that a worker needs
//! no system call for it and gains nothing by asking. Linux only; elsewhere the clock is what is left.

use std::io;

use crate::limits::{Limits, WORKER_BYTES_MAX};

/// While it compiles: SIGXCPU ends it when its time is over; an allocation that fails ends it as well.
///
/// # Errors
/// When the process is gone.
pub(super) fn compiling(pid: u32, limits: &Limits) -> io::Result<()> {
    set(pid, Some(limits.compile_s), limits.compile_bytes)
}

/// While it runs: fuel and wall time bound each run, memory all of them together.
///
/// # Errors
/// When the process is gone.
pub(super) fn running(pid: u32, limits: &Limits) -> io::Result<()> {
    set(pid, None, limits.worker_bytes)
}

#[cfg(target_os = "linux")]
fn set(pid: u32, seconds: Option<u64>, bytes: u64) -> io::Result<()> {
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
    let pid = Pid::from_raw(pid.cast_signed());
    // The maxima stay: processor time is unbounded again once it has compiled. What we may not have it may not either.
    let within =
        |wanted: Option<u64>, most: Option<u64>| most.map_or(wanted, |most| Some(wanted.map_or(most, |n| n.min(most))));
    for (resource, wanted, most) in [
        (Resource::Cpu, seconds, getrlimit(Resource::Cpu).maximum),
        (Resource::Data, Some(bytes), within(Some(WORKER_BYTES_MAX), getrlimit(Resource::Data).maximum)),
    ] {
        prlimit(pid, resource, Rlimit { current: within(wanted, most), maximum: most })?;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn set(_: u32, _: Option<u64>, _: u64) -> io::Result<()> {
    Ok(())
}
