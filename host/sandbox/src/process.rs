//! A worker's process: starts it, exchanges the first messages with it, and collects its exit status.
//!
//! Knows: processes and frames. Must not know: runs. Attack answered (GR09, GR14): a process that does not
//! answer, or answers something else, is not waited for longer than the given time.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::fault::WorkerEnd;
use super::load::LoadError;
use super::wire::{self, FromWorker, ToWorker, WireError};
use super::worker::ARGUMENT;

/// A process and its socket. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) child: Child,
    pub(super) reader: OwnedReadHalf,
    pub(super) writer: OwnedWriteHalf,
}

impl Process {
    /// Starts a process with one socket, an empty environment, and nothing else.
    ///
    /// # Errors
    /// When the system does not start one.
    pub(super) fn start(program: Option<&Path>) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let program = match program {
            Some(program) => program.to_owned(),
            None if cfg!(target_os = "linux") => "/proc/self/exe".into(),
            None => std::env::current_exe()?,
        };
        let child = Command::new(program)
            .arg(ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // The broker handles Ctrl-C at the terminal.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let (reader, writer) = UnixStream::from_std(ours)?.into_split();
        Ok(Self { child, reader, writer })
    }

    /// Sends a message of at most `max` bytes to a worker that has no runs yet, and waits for the reply.
    ///
    /// # Errors
    /// When it does not answer in time, with no more than `answer_max` bytes.
    pub(super) async fn ask(
        &mut self,
        message: &ToWorker,
        max: usize,
        answer_max: usize,
        patience: Duration,
    ) -> Result<FromWorker, LoadError> {
        let sent = async {
            // If the worker has ended, its last message or its exit status shows why.
            let _ = self.writer.write_all(&wire::encode(message, max)?).await;
            Ok(())
        };
        match timeout(patience, sent).await {
            Err(_) => Err(LoadError::Late(patience.as_secs())),
            Ok(Ok(())) => self.receive(answer_max, patience).await,
            Ok(Err(error)) => Err(LoadError::Protocol(Some(error))),
        }
    }

    /// A message of a worker that has no runs yet.
    ///
    /// # Errors
    /// When there is none in time, with no more than `max` bytes.
    pub(super) async fn receive(&mut self, max: usize, patience: Duration) -> Result<FromWorker, LoadError> {
        match timeout(patience, read(&mut self.reader, max)).await {
            Err(_) => Err(LoadError::Late(patience.as_secs())),
            Ok(Ok(Some(message))) => Ok(message),
            Ok(Ok(None) | Err(WireError::Io(_))) => Err(LoadError::Died(reap(&mut self.child).await)),
            Ok(Err(error)) => Err(LoadError::Protocol(Some(error))),
        }
    }
}

/// Reads one message; `None` at the end of the stream.
pub(super) async fn read(reader: &mut OwnedReadHalf, bytes_max: usize) -> Result<Option<FromWorker>, WireError> {
    let mut header = [0; 4];
    match reader.read_exact(&mut header).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let mut body = vec![0; wire::length(header, bytes_max)?];
    reader.read_exact(&mut body).await?;
    wire::decode(&body).map(Some)
}

/// How a process ended that has closed its socket. It has a second to exit, then it is killed.
pub(super) async fn reap(child: &mut Child) -> WorkerEnd {
    let status = match timeout(Duration::from_secs(1), child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            let _ = child.kill().await;
            return WorkerEnd::Unknown;
        }
    };
    match status.map(|status| (status.signal(), status.code())) {
        Ok((Some(signal), _)) => WorkerEnd::Signal(signal),
        Ok((None, Some(code))) => WorkerEnd::Status(code),
        _ => WorkerEnd::Unknown,
    }
}
