//! What hostile native code would try first, for `doctor --prove`: a fixed list of attempts, made by a locked-down worker that
//! never gets a component.
//!
//! Knows: the operating system. Must not know: wasm. None of these does harm where it succeeds: a file is opened and
//! closed, a signal is number 0, a process is traced and released.

use std::io;

use serde::{Deserialize, Serialize};

/// One thing that a worker must not be able to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attempt {
    /// Open a world-readable file.
    OpenFile,
    /// List the root folder.
    ListFolder,
    /// Create a file in a world-writable folder.
    CreateFile,
    /// Open the broker's memory as a file.
    OpenBrokerMemory,
    /// Connect to a TCP port that the broker listens on.
    ConnectTcp,
    /// Connect to an abstract socket that the broker listens on.
    ConnectAbstract,
    /// Start a program.
    Exec,
    /// Start a program that it has made in memory.
    ExecMemory,
    /// Trace the broker.
    Trace,
    /// Read the broker's memory.
    ReadBroker,
    /// Duplicate one of the broker's descriptors.
    TakeDescriptor,
    /// Send the broker a signal.
    Signal,
    /// Raise a resource limit.
    RaiseLimit,
}

/// The objects of the attempts, which the broker prepares so that each attempt would succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// The broker's process.
    pub broker: u32,
    /// A TCP port on 127.0.0.1 that it listens on.
    pub port: u16,
}

/// The abstract socket that the broker listens on.
#[must_use]
pub fn abstract_name(broker: u32) -> String {
    format!("bailiwick-proof-{broker}")
}

impl Attempt {
    /// All attempts.
    pub const ALL: &'static [Self] = &[
        Self::OpenFile,
        Self::ListFolder,
        Self::CreateFile,
        Self::OpenBrokerMemory,
        Self::ConnectTcp,
        Self::ConnectAbstract,
        Self::Exec,
        Self::ExecMemory,
        Self::Trace,
        Self::ReadBroker,
        Self::TakeDescriptor,
        Self::Signal,
        Self::RaiseLimit,
    ];

    /// A description.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::OpenFile => "open /etc/passwd",
            Self::ListFolder => "list the root folder",
            Self::CreateFile => "make a file in /tmp",
            Self::OpenBrokerMemory => "open the broker's /proc/PID/mem",
            Self::ConnectTcp => "connect to a TCP port",
            Self::ConnectAbstract => "connect to an abstract socket",
            Self::Exec => "start /bin/true",
            Self::ExecMemory => "start a program made in memory",
            Self::Trace => "trace the broker",
            Self::ReadBroker => "read the broker's memory",
            Self::TakeDescriptor => "take a descriptor of the broker",
            Self::Signal => "signal the broker",
            Self::RaiseLimit => "raise a resource limit",
        }
    }
}

/// Makes an attempt in this process. An error reports that it was refused, or how far it got.
#[cfg(target_os = "linux")]
pub(super) fn attempt(what: Attempt, marks: Marks) -> io::Result<()> {
    use std::fs::File;
    use std::net::{Ipv4Addr, TcpStream};
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixStream};
    use std::process::Command;

    use nix::sys::{ptrace, uio};
    use nix::unistd::Pid as NixPid;
    use rustix::fs::{MemfdFlags, memfd_create};
    use rustix::process::{
        Pid, PidfdFlags, PidfdGetfdFlags, Resource, Rlimit, pidfd_getfd, pidfd_open, setrlimit, test_kill_process,
    };

    let raw = i32::try_from(marks.broker).unwrap_or_default();
    let broker = || Pid::from_raw(raw).ok_or(io::ErrorKind::InvalidInput);
    match what {
        Attempt::OpenFile => File::open("/etc/passwd").map(drop),
        Attempt::ListFolder => std::fs::read_dir("/").map(drop),
        Attempt::CreateFile => {
            let path = std::env::temp_dir().join(abstract_name(marks.broker));
            File::create_new(&path)?;
            std::fs::remove_file(path)
        }
        Attempt::OpenBrokerMemory => File::open(format!("/proc/{raw}/mem")).map(drop),
        Attempt::ConnectTcp => TcpStream::connect((Ipv4Addr::LOCALHOST, marks.port)).map(drop),
        Attempt::ConnectAbstract => {
            let address = SocketAddr::from_abstract_name(abstract_name(marks.broker))?;
            UnixStream::connect_addr(&address).map(drop)
        }
        Attempt::Exec => Command::new("/bin/true").status().map(drop),
        Attempt::ExecMemory => {
            let file = memfd_create("proof", MemfdFlags::empty())?;
            let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
            // An empty file is not a program: if it may be started at all, the kernel returns another error.
            Command::new(path).status().map(drop)
        }
        Attempt::Trace => {
            let broker = NixPid::from_raw(raw);
            ptrace::seize(broker, ptrace::Options::empty())?;
            Ok(ptrace::detach(broker, None)?)
        }
        Attempt::ReadBroker => {
            let mut bytes = [0; 8];
            // The address does not matter: without permission the kernel refuses before it uses it.
            let theirs = uio::RemoteIoVec { base: 0x1000, len: bytes.len() };
            let read = uio::process_vm_readv(NixPid::from_raw(raw), &mut [io::IoSliceMut::new(&mut bytes)], &[theirs]);
            read.map(drop).map_err(io::Error::from)
        }
        Attempt::TakeDescriptor => {
            let process = pidfd_open(broker()?, PidfdFlags::empty())?;
            Ok(pidfd_getfd(process, 0, PidfdGetfdFlags::empty()).map(drop)?)
        }
        Attempt::Signal => Ok(test_kill_process(broker()?)?),
        Attempt::RaiseLimit => Ok(setrlimit(Resource::Fsize, Rlimit { current: None, maximum: None })?),
    }
}

/// On other systems nothing would stop it.
#[cfg(not(target_os = "linux"))]
pub(super) fn attempt(_: Attempt, _: Marks) -> io::Result<()> {
    Ok(())
}
