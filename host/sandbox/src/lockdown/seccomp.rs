//! The system calls that a worker needs, and no others.
//!
//! An honest worker computes, waits and uses one socket. The calls that it needs for that are listed; any other call **kills
//! the process**. No honest worker makes such a call, so a death by `SIGSYS` is an alarm, visible in the run's fault and in the
//! journal, and an attacker gets no second attempt. Three calls **answer ENOSYS**, as an old kernel would, because the C
//! library makes them on its own and continues without: `clone3` (its flags are in memory, which a filter cannot read; the
//! library falls back to `clone`), and `openat` and `readlinkat` (number of processors, names of zones, a panic's backtrace;
//! which of them depends on the library's version). In no case is a file opened.
//! `clone` only with exactly the flags of a thread; `tgkill` only to this process, so that an `abort` is still reported as an
//! abort; `prctl` only to name a thread; `fcntl` only to copy a descriptor and to query one.
//!
//! Calls through another ABI of a 64-bit kernel (i386, x32) are on no list, and kill the process.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

/// Calls with any arguments.
const CALLS: &[i64] = &[
    // The socket, and what its descriptors need.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_close,
    // Memory, also for code that is compiled here.
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_membarrier,
    // Threads: beginning, waiting, ending.
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Traps and stack overflows come as signals.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // Time, where it needs a call, and the seeds of hash tables.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
];

/// Calls that answer ENOSYS, as if the kernel did not have them.
const MISSING: &[i64] = &[libc::SYS_clone3, libc::SYS_openat, libc::SYS_readlinkat];

/// The flags that `pthread_create` passes to `clone`. musl adds `CLONE_DETACHED`, which has no effect.
const THREAD: u64 = (libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_FILES
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_SYSVSEM
    | libc::CLONE_SETTLS
    | libc::CLONE_PARENT_SETTID
    | libc::CLONE_CHILD_CLEARTID) as u64;

/// Applies both filters to the calling thread and those that it will start.
///
/// # Errors
/// When this kernel has no seccomp filters, or refuses to install one.
pub(super) fn apply() -> Result<(), seccompiler::Error> {
    let filters = [missing()?, listed(std::process::id())?];
    for filter in &filters {
        apply_filter(filter)?;
    }
    Ok(())
}

fn arch() -> Result<TargetArch, seccompiler::BackendError> {
    TargetArch::try_from(std::env::consts::ARCH)
}

/// The filter with ENOSYS, which takes precedence over the list below.
fn missing() -> Result<BpfProgram, seccompiler::BackendError> {
    let rules: BTreeMap<i64, Vec<SeccompRule>> = MISSING.iter().map(|call| (*call, Vec::new())).collect();
    let errno = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, errno, arch()?)?.try_into()
}

/// The filter with the list of calls. `pid` is this process.
fn listed(pid: u32) -> Result<BpfProgram, seccompiler::BackendError> {
    use SeccompCmpArgLen::{Dword, Qword};
    let when = |argument, length, operator, value| {
        SeccompRule::new(vec![SeccompCondition::new(argument, length, operator, value)?])
    };
    let is = |argument, value: libc::c_int| when(argument, Dword, SeccompCmpOp::Eq, u64::from(value.unsigned_abs()));
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        CALLS.iter().chain(MISSING).map(|call| (*call, Vec::new())).collect();
    let detached = 0x0040_0000;
    rules.insert(libc::SYS_clone, vec![when(0, Qword, SeccompCmpOp::MaskedEq(!detached), THREAD)?]);
    rules.insert(libc::SYS_tgkill, vec![when(0, Dword, SeccompCmpOp::Eq, u64::from(pid))?]);
    rules.insert(libc::SYS_prctl, vec![is(0, libc::PR_SET_NAME)?]);
    let fcntl = [libc::F_DUPFD_CLOEXEC, libc::F_GETFD, libc::F_GETFL];
    rules.insert(libc::SYS_fcntl, fcntl.into_iter().map(|command| is(1, command)).collect::<Result<_, _>>()?);
    SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, arch()?)?.try_into()
}
