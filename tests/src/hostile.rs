//! An SSH server that does what real servers do not, on a thread and a runtime of its own.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use russh::server::{Auth, ChannelOpenHandle, Config, Handle, Handler, Msg, Session, VerifiedPublicKey, run_stream};
use russh::{Channel, ChannelId};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::sshd::{keygen, next_address};

/// What it does after the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Standard output without end, on every channel.
    FloodStdout,
    /// Standard error without end, on every channel.
    FloodStderr,
    /// The first channel without end; the others get `ok`.
    FloodFirst,
    /// Messages without end that belong to no channel, then `ok`.
    FloodBeside,
    /// Sends data on a channel before a request, then `ok`.
    TalkFirst,
    /// `ok`, end of file and close; no exit status.
    NoExitStatus,
    /// Exit status and end of file first, then `ok`.
    ExitFirst,
    /// Exit status 0, then 1.
    TwoExits,
    /// `ok`, exit status, end of file; the channel stays open.
    NeverCloses,
    /// 1000 bytes, and nothing more.
    Stall,
    /// No answer to a request for a channel.
    NoChannel,
    /// Will not run anything.
    RefuseExec,
    /// Ends the connection instead of an answer.
    Vanish,
    /// Opens one channel of each kind at the client, then `ok`.
    OpenBack,
}

/// A running server.
#[derive(Debug)]
pub struct Hostile {
    dir: TempDir,
    address: SocketAddr,
    host_key: String,
    opened: Opened,
    heard: Heard,
}

/// The request on each channel, as `review --wire` writes it, and the input after it.
type Heard = Arc<Mutex<Vec<(ChannelId, String, String)>>>;

/// Kinds of channel opened at the client, and whether it took them.
type Opened = Arc<Mutex<Vec<(&'static str, bool)>>>;

impl Hostile {
    /// Starts it. Its thread ends with the process.
    ///
    /// # Errors
    /// When no port is free, or `ssh-keygen` is missing.
    pub fn start(act: Act) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let host_key = keygen("ed25519", &dir.path().join("host"))?;
        keygen("ed25519", &dir.path().join("user"))?;
        let key = russh::keys::load_secret_key(dir.path().join("host"), None)?;
        let listener = std::net::TcpListener::bind((next_address(), 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let config = Arc::new(Config { keys: vec![key], auth_rejection_time: Duration::ZERO, ..Config::default() });
        let (opened, heard) = (Opened::default(), Heard::default());
        let (shared, hearing) = (Arc::clone(&opened), Arc::clone(&heard));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                while let Ok((stream, _)) = listener.accept().await {
                    let mind = Mind {
                        act,
                        opened: Arc::clone(&shared),
                        heard: Arc::clone(&hearing),
                        first: 0,
                        seen: 0,
                        kept: Vec::new(),
                        channels: HashMap::new(),
                    };
                    let config = Arc::clone(&config);
                    tokio::spawn(async move {
                        if let Ok(session) = run_stream(config, stream, mind).await {
                            drop(session.await);
                        }
                    });
                }
            });
        });
        Ok(Self { dir, address, host_key, opened, heard })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its host key, as `fleet.toml` has it.
    #[must_use]
    pub fn host_key(&self) -> &str {
        &self.host_key
    }

    /// A key; it lets in any.
    #[must_use]
    pub fn user_key(&self) -> PathBuf {
        Path::join(self.dir.path(), "user")
    }

    /// All requests and their input, one text for each channel, as `review --wire` writes it.
    #[must_use]
    pub fn heard(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let text = |(_, command, input): &(ChannelId, String, String)| match input.as_str() {
            "" => command.clone(),
            input => format!("{command} < {input:?}"),
        };
        heard.iter().map(text).collect()
    }

    /// The channels that it has opened at the client, and whether they were accepted.
    #[must_use]
    pub fn opened(&self) -> Vec<(&'static str, bool)> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Mind {
    act: Act,
    opened: Opened,
    heard: Heard,
    /// Where this connection's channels begin in what was heard: the next one's have the same numbers.
    first: usize,
    seen: usize,
    kept: Vec<ChannelOpenHandle>,
    channels: HashMap<ChannelId, Channel<Msg>>,
}

impl Handler for Mind {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        if self.act == Act::NoChannel {
            self.kept.push(reply);
            return Ok(());
        }
        reply.accept().await;
        if self.act == Act::TalkFirst {
            let (id, handle) = (channel.id(), session.handle());
            tokio::spawn(async move {
                for _ in 0..2000 {
                    if handle.data(id, b"x".as_slice()).await.is_err() {
                        break;
                    }
                }
            });
        }
        self.channels.insert(channel.id(), channel);
        Ok(())
    }

    /// It is asked to connect somewhere: it says that it has, and plays the server there.
    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        let to = host.parse().map_or_else(
            |_| format!("{host}:{port}"),
            |ip: std::net::IpAddr| SocketAddr::new(ip, u16::try_from(port).unwrap_or(0)).to_string(),
        );
        self.hear(channel.id(), format!("connect {to}"));
        match self.act {
            Act::NoChannel => self.kept.push(reply),
            Act::RefuseExec => reply.reject(russh::ChannelOpenFailure::AdministrativelyProhibited).await,
            _ => {
                reply.accept().await;
                self.channels.insert(channel.id(), channel);
            }
        }
        Ok(())
    }

    async fn data(&mut self, id: ChannelId, data: &[u8], session: &mut Session) -> Result<(), russh::Error> {
        let asked = self.hear_more(id, data);
        // A whole request on a channel that runs no program: time to act.
        if asked.is_some_and(|asked| asked.starts_with("connect ")) && data.ends_with(b"\r\n\r\n") {
            self.answer(id, session);
        }
        Ok(())
    }

    async fn exec_request(&mut self, id: ChannelId, wire: &[u8], session: &mut Session) -> Result<(), russh::Error> {
        self.hear(id, String::from_utf8_lossy(wire).into_owned());
        if self.act == Act::RefuseExec {
            return session.channel_failure(id);
        }
        session.channel_success(id)?;
        if self.act == Act::FloodBeside {
            for _ in 0..400 {
                session.debug(false, &"x".repeat(20_000), "")?;
            }
        }
        self.answer(id, session);
        Ok(())
    }
}

impl Mind {
    fn hear(&mut self, id: ChannelId, asked: String) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if self.first == 0 {
            self.first = heard.len() + 1;
        }
        heard.push((id, asked, String::new()));
    }

    /// Records the input of a channel, and gives the request there.
    fn hear_more(&self, id: ChannelId, data: &[u8]) -> Option<String> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = heard.iter_mut().skip(self.first.saturating_sub(1));
        let (_, asked, input) = ours.filter(|(channel, ..)| *channel == id).last()?;
        *input += &String::from_utf8_lossy(data);
        Some(asked.clone())
    }

    /// Does what it does, on a channel that was asked something.
    fn answer(&mut self, id: ChannelId, session: &Session) {
        self.seen += 1;
        let (act, first, handle, opened) = (self.act, self.seen == 1, session.handle(), Arc::clone(&self.opened));
        let channel = self.channels.remove(&id);
        tokio::spawn(async move {
            let flooding = match act {
                Act::FloodStdout | Act::FloodStderr => true,
                Act::FloodFirst => first,
                _ => false,
            };
            if let (true, Some(channel)) = (flooding, &channel) {
                return flood(channel, act == Act::FloodStderr).await;
            }
            // An error here is a client that has gone, which ends the act.
            let _ = play(act, &handle, id, &opened).await;
        });
    }
}

async fn play(act: Act, handle: &Handle, id: ChannelId, opened: &Opened) -> Result<(), ()> {
    let ok = || handle.data(id, b"ok\n".as_slice());
    match act {
        Act::NoExitStatus => {
            drop(ok().await);
            handle.eof(id).await?;
            handle.close(id).await
        }
        Act::ExitFirst => {
            handle.exit_status_request(id, 0).await?;
            handle.eof(id).await?;
            drop(ok().await);
            handle.close(id).await
        }
        Act::TwoExits => {
            handle.exit_status_request(id, 0).await?;
            handle.exit_status_request(id, 1).await?;
            handle.close(id).await
        }
        Act::NeverCloses => {
            drop(ok().await);
            handle.exit_status_request(id, 0).await?;
            handle.eof(id).await
        }
        Act::Stall => {
            drop(handle.data(id, bytes_of(1000)).await);
            Ok(())
        }
        Act::Vanish => {
            let reason = russh::Disconnect::ByApplication;
            drop(handle.disconnect(reason, String::new(), String::new()).await);
            Ok(())
        }
        Act::OpenBack => {
            open_back(handle, opened).await;
            done(handle, id).await
        }
        _ => done(handle, id).await,
    }
}

async fn done(handle: &Handle, id: ChannelId) -> Result<(), ()> {
    drop(handle.data(id, b"ok\n".as_slice()).await);
    handle.exit_status_request(id, 0).await?;
    handle.eof(id).await?;
    handle.close(id).await
}

/// Fills every window that the client opens. Through the channel, since a session that is handed more than fits a window
/// holds back all its other channels, and then it is the server that stalls.
async fn flood(channel: &Channel<Msg>, stderr: bool) {
    let piece = bytes_of(16 << 10);
    while match stderr {
        true => channel.extended_data_bytes(1, piece.clone()).await,
        false => channel.data_bytes(piece.clone()).await,
    }
    .is_ok()
    {}
}

fn bytes_of(length: usize) -> Vec<u8> {
    vec![b'x'; length]
}

async fn open_back(handle: &Handle, opened: &Opened) {
    let note = |kind, accepted: bool| opened.lock().unwrap_or_else(PoisonError::into_inner).push((kind, accepted));
    note("session", handle.channel_open_session().await.is_ok());
    note("x11", handle.channel_open_x11("127.0.0.1", 6000).await.is_ok());
    note("auth-agent", handle.channel_open_agent().await.is_ok());
    note("forwarded-tcpip", handle.channel_open_forwarded_tcpip("127.0.0.1", 1, "127.0.0.1", 2).await.is_ok());
    note("forwarded-streamlocal", handle.channel_open_forwarded_streamlocal("/run/x").await.is_ok());
    note("direct-tcpip", handle.channel_open_direct_tcpip("127.0.0.1", 1, "127.0.0.1", 2).await.is_ok());
    note("direct-streamlocal", handle.channel_open_direct_streamlocal("/run/x").await.is_ok());
}
