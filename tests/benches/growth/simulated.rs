//! Many targets in one process: the real protocol, answers from a table.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bailiwick_tests::fleet::{Entry, fleet_toml};
use bailiwick_tests::sshd::keygen;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey, run_stream};
use russh::{Channel, ChannelId};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// The first argument of the child process that plays the targets.
pub(crate) const ARGUMENT: &str = "--simulate";

const POLICY: &str = include_str!("../policy.toml");

/// What the child needs to know.
#[derive(Serialize, Deserialize)]
struct Plan {
    addresses: Vec<SocketAddr>,
    answers: HashMap<String, Answer>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Answer {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    status: u32,
}

/// The targets, removed with the value.
pub(crate) struct Simulated {
    dir: TempDir,
    child: Child,
}

impl Simulated {
    pub(crate) fn start(count: usize, program: &Path) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let user_key = dir.path().join("user");
        keygen("ed25519", &user_key)?;
        let addresses = (0..count).map(address).collect::<Result<Vec<_>>>()?;
        let mut entries = Vec::new();
        for (index, &address) in addresses.iter().enumerate() {
            let host_key = key(address)?.public_key().to_openssh()?;
            let entry = Entry::at(&format!("host{index:04}"), address, &user_key)?.text("host-key", &host_key);
            entries.push(entry.with("tags", "[\"bench\"]"));
        }
        fs::write(dir.path().join("fleet.toml"), fleet_toml(&entries, &[]))?;
        fs::write(dir.path().join("policy.toml"), POLICY)?;
        let plan = dir.path().join("plan.json");
        fs::write(&plan, serde_json::to_vec(&Plan { addresses, answers: answers(program, dir.path())? })?)?;

        let mut child = Command::new(std::env::current_exe()?)
            .arg(ARGUMENT)
            .arg(&plan)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("its output is a pipe")?).read_line(&mut line)?;
        let all = Self { dir, child };
        ensure!(line == "ready\n", "the targets printed {line:?}");
        Ok(all)
    }

    /// The ops directory.
    pub(crate) fn ops(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        // If this fails, the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// 127.20.0.1, 127.20.0.2, …: all of them loopback.
fn address(index: usize) -> Result<SocketAddr> {
    let number = u32::from(Ipv4Addr::new(127, 20, 0, 1)) + u32::try_from(index)?;
    Ok(SocketAddr::from((Ipv4Addr::from(number), 22_022)))
}

/// A host key of its own for each address, the same in both processes.
fn key(address: SocketAddr) -> Result<PrivateKey> {
    let mut seed = [7; 32];
    for (byte, from) in seed.iter_mut().zip(address.to_string().bytes()) {
        *byte = from;
    }
    Ok(PrivateKey::from(Ed25519Keypair::from_seed(&seed)))
}

/// The answers of this machine to each string that the review prints.
fn answers(program: &Path, ops: &Path) -> Result<HashMap<String, Answer>> {
    let review = Command::new(program).args(["review", "--wire", "--dir"]).arg(ops).output()?;
    ensure!(review.status.success(), "review: {}", String::from_utf8_lossy(&review.stderr));
    let mut answers = HashMap::new();
    for line in String::from_utf8(review.stdout)?.lines() {
        let (_, string) = line.split_once('\t').context("a line of `review --wire`")?;
        if !answers.contains_key(string) {
            let output = Command::new("/bin/sh").args(["-c", string]).stdin(Stdio::null()).output()?;
            let status = output.status.code().and_then(|code| u32::try_from(code).ok()).unwrap_or(255);
            answers.insert(string.to_owned(), Answer { stdout: output.stdout, stderr: output.stderr, status });
        }
    }
    Ok(answers)
}

/// Plays the targets until it is killed.
pub(crate) fn main(plan: &Path) -> Result<()> {
    let plan: Plan = serde_json::from_slice(&fs::read(PathBuf::from(plan))?)?;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let most = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, most)?;
    let answers = Arc::new(plan.answers);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        for address in plan.addresses {
            let listener = TcpListener::bind(address).await.with_context(|| address.to_string())?;
            let keys = vec![key(address)?];
            let config = Arc::new(Config { keys, auth_rejection_time: Duration::ZERO, ..Config::default() });
            let answers = Arc::clone(&answers);
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let _ = stream.set_nodelay(true);
                    let target = Target { answers: Arc::clone(&answers), channels: HashMap::new() };
                    let config = Arc::clone(&config);
                    tokio::spawn(async move {
                        if let Ok(session) = run_stream(config, stream, target).await {
                            drop(session.await);
                        }
                    });
                }
            });
        }
        std::io::stdout().write_all(b"ready\n")?;
        std::future::pending().await
    })
}

struct Target {
    answers: Arc<HashMap<String, Answer>>,
    channels: HashMap<ChannelId, Channel<Msg>>,
}

impl Handler for Target {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        self.channels.insert(channel.id(), channel);
        Ok(())
    }

    async fn exec_request(&mut self, id: ChannelId, wire: &[u8], session: &mut Session) -> Result<(), russh::Error> {
        self.channels.remove(&id);
        let answer = std::str::from_utf8(wire).ok().and_then(|wire| self.answers.get(wire)).cloned();
        // Nothing but what the review printed is ever asked.
        let Some(answer) = answer else { return session.channel_failure(id) };
        session.channel_success(id)?;
        let handle = session.handle();
        tokio::spawn(async move {
            // An error is a client that has disconnected.
            let _ = handle.data(id, answer.stdout).await;
            let _ = handle.extended_data(id, 1, answer.stderr).await;
            let _ = handle.exit_status_request(id, answer.status).await;
            let _ = handle.eof(id).await;
            let _ = handle.close(id).await;
        });
        Ok(())
    }
}
