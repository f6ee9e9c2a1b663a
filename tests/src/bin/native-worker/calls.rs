//! System calls as native code makes them.

#![expect(
    unsafe_code,
    reason = "raw system calls are the point of this program; it holds nothing that they could break"
)]

use std::ffi::CString;
use std::io;

use anyhow::{Context, Result, bail};
use libc::{c_int, c_long, c_uint};

/// One raw system call; arguments that are not given are 0.
macro_rules! sys {
    ($number:expr $(, $argument:expr)*) => {
        // SAFETY: every pointer below is to a live value or null; the test observes every other effect of the call.
        unsafe { libc::syscall($number $(, $argument)*, 0, 0, 0) }
    };
}

/// Makes a call, `NAME ARGUMENT`, and gives its result.
pub(crate) fn call(what: &str) -> Result<String> {
    let (name, argument) = what.split_once(' ').unwrap_or((what, ""));
    Ok(match made(name, argument)? {
        -1 => {
            let error = io::Error::last_os_error();
            let number = error.raw_os_error().context("no errno")?;
            let known = [
                (libc::ENOSYS, "ENOSYS"),
                (libc::EACCES, "EACCES"),
                (libc::EPERM, "EPERM"),
                (libc::EBADF, "EBADF"),
                (libc::ENOENT, "ENOENT"),
                (libc::ESRCH, "ESRCH"),
                (libc::EINVAL, "EINVAL"),
                (libc::EFAULT, "EFAULT"),
                (libc::ECONNREFUSED, "ECONNREFUSED"),
                (libc::EXDEV, "EXDEV"),
                (libc::ENOTTY, "ENOTTY"),
                (libc::EMFILE, "EMFILE"),
                (libc::ENOTCONN, "ENOTCONN"),
            ];
            known
                .iter()
                .find(|(known, _)| *known == number)
                .map_or(format!("errno {number}"), |(_, name)| (*name).to_owned())
        }
        // A descriptor, an address, a child: it worked.
        _ => "DONE".to_owned(),
    })
}

fn made(name: &str, argument: &str) -> Result<c_long> {
    let path = CString::new(argument)?;
    let path = path.as_ptr();
    let null = std::ptr::null::<u8>();
    let pid: c_int = argument.parse().unwrap_or(0);
    let here = libc::AT_FDCWD;
    let no_words = [std::ptr::null::<u8>()];
    Ok(match name {
        #[cfg(target_arch = "x86_64")]
        "open" => sys!(libc::SYS_open, path, libc::O_RDONLY),
        #[cfg(target_arch = "x86_64")]
        "vfork" => fork(sys!(libc::SYS_vfork)),
        "openat" => sys!(libc::SYS_openat, here, path, libc::O_RDONLY),
        "create" => sys!(libc::SYS_openat, here, path, libc::O_CREAT | libc::O_WRONLY, 0o600),
        "openat2" => {
            let how = [0_u64; 3];
            sys!(libc::SYS_openat2, here, path, how.as_ptr(), size_of_val(&how))
        }
        "readlinkat" => {
            let mut text = [0_u8; 64];
            sys!(libc::SYS_readlinkat, here, path, text.as_mut_ptr(), text.len())
        }
        "mkdirat" => sys!(libc::SYS_mkdirat, here, path, 0o700),
        "unlinkat" => sys!(libc::SYS_unlinkat, here, path, 0),
        "fchmodat" => sys!(libc::SYS_fchmodat, here, path, 0o777),
        "getdents64" => {
            let mut text = [0_u8; 256];
            sys!(libc::SYS_getdents64, 0, text.as_mut_ptr(), text.len())
        }
        "name_to_handle_at" => {
            let mut handle = [0_u32; 40];
            let mut mount: c_int = 0;
            handle[0] = 128;
            sys!(libc::SYS_name_to_handle_at, here, path, handle.as_mut_ptr(), &raw mut mount)
        }
        "socket-inet" => sys!(libc::SYS_socket, libc::AF_INET, libc::SOCK_STREAM),
        "socket-unix" => sys!(libc::SYS_socket, libc::AF_UNIX, libc::SOCK_STREAM),
        "socketpair" => {
            let mut pair = [0_i32; 2];
            sys!(libc::SYS_socketpair, libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr())
        }
        "connect-inet" => connect_inet(argument.parse()?),
        "connect-unix" => connect_unix(argument, false),
        "connect-abstract" => connect_unix(argument, true),
        "bind-abstract" => bind_abstract(argument),
        "listen" => sys!(libc::SYS_listen, 0, 1),
        "recvmsg" => sys!(libc::SYS_recvmsg, 0, null, libc::MSG_DONTWAIT),
        "sendmsg" => sys!(libc::SYS_sendmsg, 0, null),
        "execve" => sys!(libc::SYS_execve, path, no_words.as_ptr(), no_words.as_ptr()),
        "execveat" => sys!(libc::SYS_execveat, here, path, no_words.as_ptr(), no_words.as_ptr()),
        "memfd_create" => sys!(libc::SYS_memfd_create, c"x".as_ptr(), 0 as c_uint),
        "fork" => fork(sys!(libc::SYS_clone, libc::SIGCHLD, null, null)),
        "clone-thread-newuser" => sys!(libc::SYS_clone, libc::CLONE_THREAD | libc::CLONE_NEWUSER, null, null),
        "clone3" => {
            // struct clone_args; the signal at its end is its fifth word.
            let mut arguments = [0_u64; 11];
            arguments[4] = u64::from(libc::SIGCHLD.unsigned_abs());
            fork(sys!(libc::SYS_clone3, arguments.as_ptr(), size_of_val(&arguments)))
        }
        "unshare" => sys!(libc::SYS_unshare, libc::CLONE_NEWUSER),
        "setns" => sys!(libc::SYS_setns, 0, 0),
        "ptrace-seize" => sys!(libc::SYS_ptrace, libc::PTRACE_SEIZE, pid, null, null),
        "ptrace-attach" => sys!(libc::SYS_ptrace, libc::PTRACE_ATTACH, pid, null, null),
        "process_vm_readv" => vm(libc::SYS_process_vm_readv, pid),
        "process_vm_writev" => vm(libc::SYS_process_vm_writev, pid),
        "kill" => sys!(libc::SYS_kill, pid, libc::SIGTERM),
        "tkill" => sys!(libc::SYS_tkill, pid, libc::SIGTERM),
        "tgkill" => sys!(libc::SYS_tgkill, pid, pid, libc::SIGTERM),
        "rt_sigqueueinfo" => {
            let mut info = [0_i32; 32];
            info[2] = -1;
            sys!(libc::SYS_rt_sigqueueinfo, pid, libc::SIGTERM, info.as_ptr())
        }
        "pidfd_open" => sys!(libc::SYS_pidfd_open, pid),
        "pidfd_getfd" => {
            let process = sys!(libc::SYS_pidfd_open, pid);
            if process == -1 { -1 } else { sys!(libc::SYS_pidfd_getfd, process, 0) }
        }
        "pidfd_send_signal" => {
            let process = sys!(libc::SYS_pidfd_open, pid);
            if process == -1 { -1 } else { sys!(libc::SYS_pidfd_send_signal, process, libc::SIGTERM, null) }
        }
        "io_uring_setup" => {
            let mut parameters = [0_u8; 120];
            sys!(libc::SYS_io_uring_setup, 4, parameters.as_mut_ptr())
        }
        "prctl-seccomp-off" => sys!(libc::SYS_prctl, libc::PR_SET_SECCOMP, 0),
        "prctl-dumpable" => sys!(libc::SYS_prctl, libc::PR_SET_DUMPABLE, 1),
        "prctl-new-privs" => sys!(libc::SYS_prctl, libc::PR_SET_NO_NEW_PRIVS, 0),
        "seccomp" => sys!(libc::SYS_seccomp, 0, 0, null),
        "setrlimit-up" => {
            let unlimited = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
            sys!(libc::SYS_setrlimit, libc::RLIMIT_FSIZE, &raw const unlimited)
        }
        "prlimit64-broker" => {
            let none = [0_u64; 2];
            sys!(libc::SYS_prlimit64, pid, libc::RLIMIT_CORE, none.as_ptr(), null)
        }
        "setuid" => sys!(libc::SYS_setuid, 0),
        "capset" => sys!(libc::SYS_capset, null, null),
        "ioctl" => {
            let mut bytes: c_int = 0;
            sys!(libc::SYS_ioctl, 0, libc::FIONREAD, &raw mut bytes)
        }
        "bpf" => sys!(libc::SYS_bpf, 0, null, 0),
        "userfaultfd" => sys!(libc::SYS_userfaultfd, libc::O_CLOEXEC),
        "perf_event_open" => sys!(libc::SYS_perf_event_open, null, 0, -1, -1),
        "keyctl" => sys!(libc::SYS_keyctl, 0, -3, 0),
        "mount" => sys!(libc::SYS_mount, null, path, null, 0),
        "chroot" => sys!(libc::SYS_chroot, path),
        "shmget" => sys!(libc::SYS_shmget, 0, 4096, 0o1600),
        "landlock" => sys!(libc::SYS_landlock_create_ruleset, null, 0, 1),
        // Descriptors that the worker inherited and must have closed: everything above the standard three and its own copies.
        "inherited" => inherited(),
        "thread" => {
            std::thread::Builder::new().spawn(|| {})?.join().ok().context("it panicked")?;
            0
        }
        "abort" => std::process::abort(),
        _ => bail!("what is {name}?"),
    })
}

/// The child of a fork ends at once.
fn fork(result: c_long) -> c_long {
    if result == 0 {
        // SAFETY: ends the child.
        unsafe { libc::_exit(0) }
    }
    result
}

/// The number of descriptors beside the standard three and the socket's one copy.
fn inherited() -> c_long {
    let open = (4..1024).filter(|fd| sys!(libc::SYS_fcntl, *fd, libc::F_GETFD) != -1).count();
    if open == 0 { sys!(libc::SYS_read, 4, std::ptr::null::<u8>()) } else { 0 }
}

fn connect_inet(port: u16) -> c_long {
    let socket = sys!(libc::SYS_socket, libc::AF_INET, libc::SOCK_STREAM);
    if socket == -1 {
        return -1;
    }
    let family = u16::try_from(libc::AF_INET).unwrap_or(0);
    let mut address = [0_u8; 16];
    address[..2].copy_from_slice(&family.to_ne_bytes());
    address[2..4].copy_from_slice(&port.to_be_bytes());
    address[4..8].copy_from_slice(&[127, 0, 0, 1]);
    sys!(libc::SYS_connect, socket, address.as_ptr(), address.len())
}

/// An address of a Unix socket, by path or abstract, and its length.
#[expect(clippy::indexing_slicing, reason = "a name that is too long ends the test")]
fn unix(name: &str, is_abstract: bool) -> ([u8; 110], usize) {
    let family = u16::try_from(libc::AF_UNIX).unwrap_or(0);
    let mut address = [0_u8; 110];
    address[..2].copy_from_slice(&family.to_ne_bytes());
    let start = if is_abstract { 3 } else { 2 };
    address[start..start + name.len()].copy_from_slice(name.as_bytes());
    (address, start + name.len() + usize::from(!is_abstract))
}

fn connect_unix(name: &str, is_abstract: bool) -> c_long {
    let socket = sys!(libc::SYS_socket, libc::AF_UNIX, libc::SOCK_STREAM);
    if socket == -1 {
        return -1;
    }
    let (address, length) = unix(name, is_abstract);
    sys!(libc::SYS_connect, socket, address.as_ptr(), length)
}

fn bind_abstract(name: &str) -> c_long {
    let socket = sys!(libc::SYS_socket, libc::AF_UNIX, libc::SOCK_STREAM);
    if socket == -1 {
        return -1;
    }
    let (address, length) = unix(name, true);
    sys!(libc::SYS_bind, socket, address.as_ptr(), length)
}

/// Reads or writes a process' memory at an address that is mapped in none.
fn vm(number: c_long, pid: c_int) -> c_long {
    let mut bytes = [0_u8; 8];
    let ours = [bytes.as_mut_ptr() as usize, bytes.len()];
    let theirs = [4096_usize, bytes.len()];
    sys!(number, pid, ours.as_ptr(), 1, theirs.as_ptr(), 1, 0)
}
