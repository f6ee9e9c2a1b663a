//! Listeners that are not SSH servers, and real SSH agents.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::sshd::next_address;

/// Accepts and counts connections, and never sends a byte. Its thread ends with the process.
#[derive(Debug)]
pub struct Silent {
    address: SocketAddr,
    count: Arc<AtomicUsize>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Silent {
    /// Starts to listen.
    ///
    /// # Errors
    /// When no port is free.
    pub fn start() -> Result<Self> {
        Self::greeting(b"")
    }

    /// Sends these bytes and nothing more.
    ///
    /// # Errors
    /// When no port is free.
    pub fn greeting(words: &'static [u8]) -> Result<Self> {
        let listener = TcpListener::bind((next_address(), 0))?;
        let address = listener.local_addr()?;
        let (count, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (counted, holding) = (Arc::clone(&count), Arc::clone(&open));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                drop(std::io::Write::write_all(&mut stream, words));
                holding.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
            }
        });
        Ok(Self { address, count, open })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// TCP connections accepted so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// True once the other side of every connection has ended it.
    #[must_use]
    pub fn all_ended(&self) -> bool {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.iter().all(|mut stream| {
            let mut scrap = [0; 4096];
            drop(stream.set_nonblocking(true));
            loop {
                match std::io::Read::read(&mut stream, &mut scrap) {
                    Ok(0) => return true,
                    Ok(_) => {}
                    Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
                }
            }
        })
    }
}

/// An address at which no process listens.
///
/// # Errors
/// When no port is free.
pub fn closed_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind((next_address(), 0))?.local_addr()?)
}

/// A real ssh-agent.
#[derive(Debug)]
pub struct Agent {
    dir: TempDir,
    child: Child,
}

impl Agent {
    /// Starts an agent and waits for its socket.
    ///
    /// # Errors
    /// When OpenSSH is not installed.
    pub fn start() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let child = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(dir.path().join("agent"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let agent = Self { dir, child };
        let end = Instant::now() + Duration::from_secs(20);
        while !agent.socket().exists() {
            ensure!(Instant::now() < end, "ssh-agent does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(agent)
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("agent")
    }

    /// Gives it a key.
    ///
    /// # Errors
    /// When it does not take it.
    pub fn add(&self, key: &Path) -> Result<()> {
        let status = Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", self.socket()).status()?;
        ensure!(status.success(), "ssh-add: {status}");
        Ok(())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
