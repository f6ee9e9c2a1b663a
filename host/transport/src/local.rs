//! This machine: programs by argv, without a shell and with an empty environment; files without a program.
//!
//! Attacks answered: a word that a shell would read (there is no shell), a program that floods, stalls or leaves children
//! behind (its process group is killed), a link or a FIFO in place of a file (a link is not followed, a FIFO cannot block).

use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::collect::Collector;
use bailiwick_core::model::{Answer, Exit};

use super::RunError;
use bailiwick_core::model::{AbsolutePath, Action, Wire};
use bailiwick_core::verbs;
use bailiwick_core::verbs::Spec;

/// The start of a file, plus one byte that shows whether there is more: what `head -c` sends over plain SSH.
const READ_MAX: u64 = (256 << 10) + 1;

/// The errors that mean that nothing listens at an address.
const UNREACHABLE: &[ErrorKind] =
    &[ErrorKind::ConnectionRefused, ErrorKind::HostUnreachable, ErrorKind::NetworkUnreachable];

/// Runs one action on this machine.
///
/// # Errors
/// As [`super::Connection::run`].
pub async fn run(action: &Action) -> Result<Answer, RunError> {
    let spec = verbs::spec(action.verb);
    match &action.wire {
        // This machine has no gate.
        Wire::Gated(_) | Wire::Change(_) => Err(RunError::NotStarted),
        Wire::Exec(words) => exec(words, None, spec).await,
        Wire::Fed { words, stdin } => exec(words, Some(stdin), spec).await,
        Wire::Connect { address, request } => {
            match tokio::time::timeout(spec.timeout, exchange(*address, request, spec)).await {
                Ok(answer) => answer,
                Err(_) => Err(RunError::TimedOut(spec.timeout)),
            }
        }
        Wire::Read(path) => {
            let path = path.clone();
            let reading = tokio::task::spawn_blocking(move || read(&path));
            match tokio::time::timeout(spec.timeout, reading).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(_)) => Err(RunError::NotStarted),
                // A file on a dead network mount: the thread remains until the kernel releases it.
                Err(_) => Err(RunError::TimedOut(spec.timeout)),
            }
        }
    }
}

/// Connects, sends one request, and reads the answer to its end.
async fn exchange(address: SocketAddr, request: &str, spec: &Spec) -> Result<Answer, RunError> {
    let mut stream = match TcpStream::connect(address).await {
        Ok(stream) => stream,
        // An SSH server reports all of these as a failed connection.
        Err(error) if UNREACHABLE.contains(&error.kind()) => return Ok(Answer::connection_refused()),
        Err(error) => return Err(error.into()),
    };
    stream.write_all(request.as_bytes()).await?;
    let mut all = Collector::new(spec);
    let mut piece = vec![0; 16 << 10];
    loop {
        match stream.read(&mut piece).await? {
            0 => return Ok(all.answer(Exit::Status(0))),
            count => all.stdout(piece.get(..count).unwrap_or_default())?,
        }
    }
}

async fn exec(words: &[String], stdin: Option<&String>, spec: &Spec) -> Result<Answer, RunError> {
    let Some((program, arguments)) = words.split_first() else { return Err(RunError::NotStarted) };
    // A relative name would be searched for in our own `PATH`, which policy does not name.
    if !program.starts_with('/') {
        return Err(RunError::NotStarted);
    }
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let mut group = Group::new(child);
    match tokio::time::timeout(spec.timeout, group.collect(stdin, spec)).await {
        Ok(answer) => answer,
        Err(_) => Err(RunError::TimedOut(spec.timeout)),
    }
}

/// A program and the processes that it starts. If it is dropped before the program ends, all of them are killed.
struct Group {
    child: Child,
    /// None after the program was waited for: until then the process id cannot belong to another process.
    leader: Option<Pid>,
}

impl Group {
    fn new(child: Child) -> Self {
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { child, leader }
    }

    async fn collect(&mut self, stdin: Option<&String>, spec: &Spec) -> Result<Answer, RunError> {
        let (Some(stdout), Some(stderr)) = (self.child.stdout.take(), self.child.stderr.take()) else {
            return Err(RunError::NotStarted);
        };
        let mut all = Collector::new(spec);
        let feed = async {
            if let (Some(mut pipe), Some(text)) = (self.child.stdin.take(), stdin) {
                // A program may end without reading all of its input. Its answer shows the result.
                let _ = pipe.write_all(text.as_bytes()).await;
            }
        };
        let ((), drained) = tokio::join!(feed, drain(stdout, stderr, &mut all));
        drained?;
        let status = self.child.wait().await?;
        self.leader = None;
        Ok(all.answer(exit(status)))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            // The group may have ended already.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// Reads both streams to their ends.
async fn drain(
    mut stdout: impl AsyncRead + Unpin,
    mut stderr: impl AsyncRead + Unpin,
    all: &mut Collector,
) -> Result<(), RunError> {
    let mut out = vec![0; 16 << 10];
    let mut err = vec![0; 4 << 10];
    let (mut out_open, mut err_open) = (true, true);
    while out_open || err_open {
        tokio::select! {
            count = stdout.read(&mut out), if out_open => {
                let count = count?;
                out_open = count > 0;
                all.stdout(out.get(..count).unwrap_or_default())?;
            }
            count = stderr.read(&mut err), if err_open => {
                let count = count?;
                err_open = count > 0;
                all.stderr(err.get(..count).unwrap_or_default())?;
            }
        }
    }
    Ok(())
}

fn exit(status: ExitStatus) -> Exit {
    match status.code().map(u32::try_from) {
        Some(Ok(code)) => Exit::Status(code),
        Some(Err(_)) => Exit::Unreported,
        None => Exit::Signal,
    }
}

/// Reads the start of a file. A failure has the text that `head` prints over plain SSH, so that one parser reads both.
fn read(path: &AbsolutePath) -> Answer {
    match contents(path) {
        Ok(stdout) => Answer { stdout, stderr: Vec::new(), exit: Exit::Status(0), timing: None },
        Err(error) => {
            let text = error.to_string();
            // "No such file or directory (os error 2)": Rust adds the number.
            let text = text.split(" (os error").next().unwrap_or_default();
            let stderr = format!("head: cannot open '{}' for reading: {text}\n", path.as_str());
            Answer { stdout: Vec::new(), stderr: stderr.into_bytes(), exit: Exit::Status(1), timing: None }
        }
    }
}

fn contents(path: &AbsolutePath) -> std::io::Result<Vec<u8>> {
    let path = Path::new(path.as_str());
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(rustix::io::Errno::ISDIR.into());
    };
    let folder = Dir::open_ambient_dir(folder, ambient_authority())?;
    // No links: the owner of the folder must not choose which file is read. Non-blocking: opening a FIFO returns at once.
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No).nonblock(true);
    let file = folder.open_with(name, &options)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(rustix::io::Errno::ISDIR.into());
    }
    if !kind.is_file() {
        return Err(rustix::io::Errno::OPNOTSUPP.into());
    }
    let mut bytes = Vec::new();
    file.take(READ_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}
