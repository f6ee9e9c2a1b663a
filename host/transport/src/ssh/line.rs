//! The bytes below SSH: a socket, or a channel of the jump host.
//!
//! Knows: how much a peer may still send, and how to end a connection. Must not know: SSH. Attacks answered: a peer that floods
//! below or beside the channels that we read (TG01, TG02): every byte is counted here; a peer that accepts and then hangs
//! (TG03): dropping the [`Hangup`] ends a library task that would wait for it forever.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use russh::ChannelStream;
use russh::client::Msg;
use rustix::net::Shutdown;
use rustix::net::sockopt::set_tcp_quickack;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What every connection may read: handshake, banner, keepalives of days, and messages that a server sends by itself.
const BASE: u64 = 1 << 20;

/// How many bytes were read, and how many may be read.
#[derive(Debug)]
pub(super) struct Meter {
    read: AtomicU64,
    allowed: AtomicU64,
    /// The meter of the jump host's connection, which carries our bytes.
    below: Option<Arc<Self>>,
}

impl Meter {
    pub(super) fn new(below: Option<Arc<Self>>) -> Arc<Self> {
        if let Some(below) = &below {
            below.allow(2 * BASE);
        }
        Arc::new(Self { read: AtomicU64::new(0), allowed: AtomicU64::new(BASE), below })
    }

    /// Allows `bytes` more to be read.
    pub(super) fn allow(&self, bytes: u64) {
        self.allowed.fetch_add(bytes, Ordering::Relaxed);
        if let Some(below) = &self.below {
            below.allow(bytes.saturating_mul(2));
        }
    }

    /// True if the peer has sent anything.
    pub(super) fn heard(&self) -> bool {
        self.read.load(Ordering::Relaxed) > 0
    }

    fn count(&self, bytes: usize) -> io::Result<()> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let read = self.read.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if read > self.allowed.load(Ordering::Relaxed) {
            return Err(io::Error::other("the peer sent more than was requested"));
        }
        Ok(())
    }
}

/// Shuts a socket down when it is dropped, for every task that still holds it.
#[derive(Debug)]
pub(super) struct Hangup(Arc<TcpStream>);

impl Drop for Hangup {
    fn drop(&mut self) {
        // The peer may have closed it first.
        let _ = rustix::net::shutdown(&self.0, Shutdown::Both);
    }
}

/// The byte stream below SSH.
pub(super) struct Line {
    under: Under,
    meter: Arc<Meter>,
}

enum Under {
    Tcp(Arc<TcpStream>),
    Channel(Box<ChannelStream<Msg>>),
}

impl Line {
    pub(super) fn tcp(socket: TcpStream, meter: Arc<Meter>) -> (Self, Hangup) {
        let socket = Arc::new(socket);
        (Self { under: Under::Tcp(Arc::clone(&socket)), meter }, Hangup(socket))
    }

    pub(super) fn channel(channel: ChannelStream<Msg>, meter: Arc<Meter>) -> Self {
        Self { under: Under::Channel(Box::new(channel)), meter }
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match &mut self.under {
            Under::Channel(channel) => ready!(Pin::new(channel).poll_read(cx, buffer))?,
            Under::Tcp(socket) => loop {
                ready!(socket.poll_read_ready(cx))?;
                match socket.try_read(buffer.initialize_unfilled()) {
                    Ok(count) => {
                        buffer.advance(count);
                        // The kernel returns to delayed acknowledgements by itself. A server that writes in small pieces
                        // then waits for them: 83 ms for one host instead of 40.
                        let _ = set_tcp_quickack(&*socket, true);
                        break;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Poll::Ready(Err(error)),
                }
            },
        }
        Poll::Ready(self.meter.count(buffer.filled().len() - before))
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.under {
            Under::Channel(channel) => Pin::new(channel).poll_write(cx, bytes),
            Under::Tcp(socket) => loop {
                ready!(socket.poll_write_ready(cx))?;
                match socket.try_write(bytes) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return Poll::Ready(result),
                }
            },
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.under {
            Under::Channel(channel) => Pin::new(channel).poll_flush(cx),
            Under::Tcp(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.under {
            Under::Channel(channel) => Pin::new(channel).poll_shutdown(cx),
            Under::Tcp(socket) => {
                let _ = rustix::net::shutdown(&*socket, Shutdown::Write);
                Poll::Ready(Ok(()))
            }
        }
    }
}
