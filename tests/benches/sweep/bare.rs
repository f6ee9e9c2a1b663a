//! The other side of the comparison: russh, the same exec strings, and nothing else.
//!
//! It does as our transport does where that decides the time: algorithms, window, buffered reads, no delayed acknowledgements,
//! eight channels. It has no limits, clocks, journal, workers or report.

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use anyhow::{Result, ensure};
use russh::client::{self, Handle, Handler};
use russh::keys::{Algorithm, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{ChannelMsg, Disconnect, Preferred, cipher, compression, kex, mac};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// The hidden first argument.
pub(crate) const ARGUMENT: &str = "bare";

/// The head of our list: what any OpenSSH of these years agrees on.
const KEX: &[kex::Name] = &[kex::MLKEM768X25519_SHA256, kex::CURVE25519, kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT];

/// A machine and what is run on it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) address: SocketAddr,
    pub(crate) user: String,
    pub(crate) identity: PathBuf,
    pub(crate) host_key: String,
    pub(crate) strings: Vec<String>,
}

/// Runs a plan, and gives the number of answered strings.
pub(crate) fn main(plan: &Path) -> Result<()> {
    let machines: Vec<Machine> = serde_json::from_slice(&std::fs::read(plan)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        let mut all = JoinSet::new();
        machines.into_iter().for_each(|machine| drop(all.spawn(visit(machine))));
        let mut done = 0;
        while let Some(machine) = all.join_next().await {
            done += machine??;
        }
        anyhow::Ok(done)
    })?;
    io::Write::write_all(&mut io::stdout(), format!("{done}\n").as_bytes())?;
    Ok(())
}

async fn visit(machine: Machine) -> Result<usize> {
    let key = russh::keys::load_secret_key(&machine.identity, None)?;
    let config = client::Config {
        preferred: Preferred {
            kex: Cow::Borrowed(KEX),
            key: Cow::Borrowed(&[Algorithm::Ed25519]),
            host_key_certificates: Cow::Borrowed(&[]),
            cipher: Cow::Borrowed(&[cipher::CHACHA20_POLY1305]),
            mac: Cow::Borrowed(&[mac::HMAC_SHA256_ETM]),
            compression: Cow::Borrowed(&[compression::NONE]),
        },
        window_size: 256 << 10,
        channel_buffer_size: 32,
        ..client::Config::default()
    };
    let socket = TcpStream::connect(machine.address).await?;
    socket.set_nodelay(true)?;
    let line = BufReader::with_capacity(16 << 10, Line(socket));
    let mut handle = client::connect_stream(Arc::new(config), line, Pinned(machine.host_key)).await?;
    let shown = handle.authenticate_publickey(machine.user, PrivateKeyWithHashAlg::new(Arc::new(key), None)).await?;
    ensure!(shown.success(), "not let in");
    let (handle, slots) = (Arc::new(handle), Arc::new(Semaphore::new(8)));
    let mut running = JoinSet::new();
    for string in machine.strings {
        let (handle, slots) = (Arc::clone(&handle), Arc::clone(&slots));
        running.spawn(async move {
            let _slot = slots.acquire().await?;
            run(&handle, string).await
        });
    }
    let mut done = 0;
    while let Some(answer) = running.join_next().await {
        drop(answer??);
        done += 1;
    }
    let handle = Arc::into_inner(handle);
    if let Some(handle) = handle {
        handle.disconnect(Disconnect::ByApplication, "", "").await?;
        // The server's end of it may be an error.
        let _ = handle.await;
    }
    Ok(done)
}

async fn run(handle: &Handle<Pinned>, string: String) -> Result<(Vec<u8>, Vec<u8>)> {
    let mut channel = handle.channel_open_session().await?;
    channel.exec(true, string).await?;
    let (mut stdout, mut stderr, mut exit) = (Vec::new(), Vec::new(), None);
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => stdout.extend_from_slice(&data),
            ChannelMsg::ExtendedData { data, .. } => stderr.extend_from_slice(&data),
            ChannelMsg::ExitStatus { exit_status } => exit = Some(exit_status),
            ChannelMsg::Close => break,
            _ => {}
        }
    }
    ensure!(exit.is_some(), "no exit status");
    Ok((stdout, stderr))
}

struct Pinned(String);

impl Handler for Pinned {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else { return Ok(false) };
        Ok(key.to_openssh().is_ok_and(|text| text == self.0))
    }
}

/// A socket that acknowledges at once, as ours does.
struct Line(TcpStream);

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.0).poll_read(cx, buffer))?;
        let _ = rustix::net::sockopt::set_tcp_quickack(&self.0, true);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
