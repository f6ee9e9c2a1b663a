//! A child process, and what it and its own children have used.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// The cost of a client. Times and memory include the processes that it waited for.
#[derive(Debug)]
pub(crate) struct Spent {
    pub(crate) wall: Duration,
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    /// Of the largest process.
    pub(crate) peak_mib: f64,
    pub(crate) code: Option<i32>,
}

/// Runs a program to its end; gives its standard output.
pub(crate) fn run(command: &mut Command) -> Result<(Spent, Vec<u8>)> {
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut answer = Vec::new();
    child.stdout.take().context("its output is a pipe")?.read_to_end(&mut answer)?;
    let (status, usage) = reap(child.id())?;
    let wall = begun.elapsed();
    #[expect(clippy::cast_precision_loss, reason = "KiB of memory are far below 2^52")]
    let peak_mib = usage.ru_maxrss as f64 / 1024.0;
    let spent =
        Spent { wall, user: time(usage.ru_utime)?, system: time(usage.ru_stime)?, peak_mib, code: status.code() };
    Ok((spent, answer))
}

fn time(value: libc::timeval) -> Result<Duration> {
    Ok(Duration::from_secs(value.tv_sec.try_into()?) + Duration::from_micros(value.tv_usec.try_into()?))
}

#[expect(unsafe_code, reason = "one child's rusage: neither std nor rustix has wait4")]
fn reap(child: u32) -> Result<(ExitStatus, libc::rusage)> {
    let (mut status, child) = (0, libc::pid_t::try_from(child)?);
    // SAFETY: `rusage` is a C structure of integers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to values on this stack that live through the call; nothing else waits for the child.
    let waited = unsafe { libc::wait4(child, &raw mut status, 0, &raw mut usage) };
    if waited != child {
        bail!("wait4: {}", std::io::Error::last_os_error());
    }
    Ok((ExitStatus::from_raw(status), usage))
}
