//! A worker's process: started, spoken to while it serves nobody yet, and buried.
//!
//! Knows: processes and frames. Must not know: runs. Attack answered (GR09, GR14): a process that says nothing, or not what
//! it was asked for, is waited for no longer than was said.

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
            // Ctrl-C at the terminal is the broker's to handle.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let (reader, writer) = UnixStream::from_std(ours)?.into_split();
        Ok(Self { child, reader, writer })
    }

    /// Says one thing, of at most `max` bytes, to a worker that serves nobody yet, and waits for its word.
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
        let said = async {
            // A worker that has ended is known by what it said before, or by its end.
            let _ = self.writer.write_all(&wire::encode(message, max)?).await;
            Ok(())
        };
        match timeout(patience, said).await {
            Err(_) => Err(LoadError::Late(patience.as_secs())),
            Ok(Ok(())) => self.hear(answer_max, patience).await,
            Ok(Err(error)) => Err(LoadError::Protocol(Some(error))),
        }
    }

    /// A word of a worker that serves nobody yet.
    ///
    /// # Errors
    /// When there is none in time, with no more than `max` bytes.
    pub(super) async fn hear(&mut self, max: usize, patience: Duration) -> Result<FromWorker, LoadError> {
        match timeout(patience, read(&mut self.reader, max)).await {
            Err(_) => Err(LoadError::Late(patience.as_secs())),
            Ok(Ok(Some(word))) => Ok(word),
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

/// How a process ended that has closed its socket: by itself, in a moment, or else by our hand.
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
