//! A real OpenSSH server for one test: keys, configuration, address and port, removed with the value.
//!
//! Works as root and as an ordinary user. It listens on an address in 127/8, so that several servers are several machines.

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

/// The options of a server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Types of its host keys, as `ssh-keygen -t` takes them.
    pub host_keys: Vec<&'static str>,
    /// Type of the key that may log in.
    pub user_key: &'static str,
    /// Public keys that may log in besides.
    pub authorized: Vec<String>,
    /// Lines of its configuration, before ours: the first one counts.
    pub config: Vec<String>,
    /// Keeps the exec strings that reach it, and runs them with `sh -c`.
    pub log_wire: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host_keys: vec!["ed25519"],
            user_key: "ed25519",
            authorized: Vec::new(),
            config: Vec::new(),
            log_wire: false,
        }
    }
}

/// A running server.
#[derive(Debug)]
pub struct Sshd {
    dir: TempDir,
    child: Child,
    address: SocketAddr,
    host_keys: Vec<String>,
}

impl Sshd {
    /// A server with an ed25519 host key.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn plain() -> Result<Self> {
        Self::start(&Options::default())
    }

    /// Starts a server and waits until it listens.
    ///
    /// # Errors
    /// When OpenSSH is not installed, or the server does not come up.
    pub fn start(options: &Options) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut host_keys = Vec::new();
        let mut config = options.config.join("\n");
        for kind in &options.host_keys {
            let path = dir.path().join(format!("host_{kind}"));
            host_keys.push(keygen(kind, &path)?);
            config += &format!("\nHostKey {}", path.display());
        }
        let mut authorized = options.authorized.join("\n");
        authorized += &format!("\n{}\n", keygen(options.user_key, &dir.path().join("user"))?);
        fs::write(dir.path().join("authorized"), authorized)?;
        if options.log_wire {
            // At this level it logs the connections that it is asked to make.
            config += &format!("\nForceCommand {}\nLogLevel DEBUG", wire_logger(dir.path())?.display());
        }
        // Reserved until the last moment, so that two servers cannot get one port.
        let reserved = TcpListener::bind((next_address(), 0))?;
        let address = reserved.local_addr()?;
        config += &format!(
            "\nListenAddress {}\nPort {}\nPidFile none\nUsePAM no\nStrictModes no\nAuthorizedKeysFile {}\n\
             PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             MaxStartups 200\nLogLevel VERBOSE\nSetEnv HOME={}\n",
            address.ip(),
            address.port(),
            dir.path().join("authorized").display(),
            // sshd runs every command through the login shell, and bash then reads ~/.bashrc: what the developer has
            // there (pyenv takes a lock) must not affect a test.
            dir.path().display(),
        );
        fs::write(dir.path().join("sshd_config"), &config)?;
        if user()? == "root" {
            fs::create_dir_all("/run/sshd")?;
        }
        drop(reserved);
        let log = File::create(dir.path().join("log"))?;
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(dir.path().join("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("is openssh-server installed?")?;
        let mut sshd = Self { dir, child, address, host_keys };
        sshd.wait()?;
        Ok(sshd)
    }

    /// Waits until its log reports that it listens: a test connection would be counted and logged.
    fn wait(&mut self) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(20);
        while !self.log()?.contains("Server listening") {
            if let Some(status) = self.child.try_wait()? {
                bail!("sshd ended with {status}:\n{}", self.log()?);
            }
            ensure!(Instant::now() < end, "sshd does not listen:\n{}", self.log()?);
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A text in the environment of every process that it starts for a client.
    #[must_use]
    pub fn marker(&self) -> String {
        format!("HOME={}", self.dir.path().display())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The public half of its host key of this type, as `fleet.toml` has it.
    ///
    /// # Errors
    /// When it has none.
    pub fn host_key(&self, kind: &str) -> Result<&str> {
        let named = self.host_keys.iter().find(|key| key.split(' ').next().is_some_and(|name| name.contains(kind)));
        named.map(String::as_str).context("no host key of this type")
    }

    /// The private key that may log in.
    #[must_use]
    pub fn user_key(&self) -> PathBuf {
        self.dir.path().join("user")
    }

    /// What it has logged so far.
    ///
    /// # Errors
    /// When the file is gone.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.dir.path().join("log"))?)
    }

    /// How many connections it has accepted. Its log is written before a client gets an answer.
    ///
    /// # Errors
    /// When the log is gone.
    pub fn connections(&self) -> Result<usize> {
        Ok(self.log()?.matches("Connection from ").count())
    }

    /// The exec strings that reached it, in the order of arrival; behind ` < ` what a program was given to read.
    ///
    /// # Errors
    /// When it was started without `log_wire`.
    pub fn wire(&self) -> Result<Vec<String>> {
        let text = fs::read_to_string(self.dir.path().join("wire"))?;
        let whole = |line: &str| match line.split_once('\t') {
            Some(("", command)) => Ok(command.to_owned()),
            Some((fed, command)) => {
                let stdin = fs::read_to_string(self.dir.path().join(format!("stdin.{fed}")))?;
                Ok(format!("{command} < {stdin:?}"))
            }
            None => bail!("a line of the wire log without a tab: {line}"),
        };
        text.lines().map(whole).collect()
    }

    /// Where it was asked to connect to, as in `review --wire` before ` < `.
    ///
    /// # Errors
    /// When its log is gone.
    pub fn connects(&self) -> Result<Vec<String>> {
        let log = self.log()?;
        let asked =
            log.lines().filter_map(|line| line.split_once("direct_tcpip: originator ")?.1.split_once(", target "));
        let to = asked.filter_map(|(_, target)| target.split_once(" port "));
        to.map(|(host, port)| {
            let address = SocketAddr::new(host.parse()?, port.trim().parse()?);
            Ok(format!("connect {address}"))
        })
        .collect()
    }

    /// Kills the processes that serve its connections, as a power cut would.
    ///
    /// # Errors
    /// When there are none.
    pub fn cut(&self) -> Result<()> {
        let id = self.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        let status = Command::new("kill").arg("-KILL").args(children.split_whitespace()).status()?;
        ensure!(status.success(), "kill {children}: {status}");
        Ok(())
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn wire_logger(dir: &Path) -> Result<PathBuf> {
    let (script, log) = (dir.join("wire.sh"), dir.join("wire"));
    File::create(&log)?;
    // The input of a program that reads is kept too. The other programs get no end of input that they could wait for.
    let text = format!(
        "#!/bin/sh\ncase $SSH_ORIGINAL_COMMAND in\n\
         *' psql '*|*' s_client '*)\n    cat > {stdin}.$$\n    printf '%s\\t%s\\n' $$ \"$SSH_ORIGINAL_COMMAND\" >> {log}\n    \
         exec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\" < {stdin}.$$ ;;\nesac\n\
         printf '\\t%s\\n' \"$SSH_ORIGINAL_COMMAND\" >> {log}\nexec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"\n",
        log = log.display(),
        stdin = dir.join("stdin").display(),
    );
    fs::write(&script, text)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    Ok(script)
}

/// Makes a key pair without a passphrase and gives the public half, without its comment.
///
/// # Errors
/// When `ssh-keygen` fails.
pub fn keygen(kind: &str, path: &Path) -> Result<String> {
    keygen_with(kind, path, "")
}

/// The same with a passphrase.
///
/// # Errors
/// When `ssh-keygen` fails.
pub fn keygen_with(kind: &str, path: &Path, passphrase: &str) -> Result<String> {
    // The smallest RSA key that sshd takes, for speed.
    let bits: &[&str] = if kind == "rsa" { &["-b", "2048"] } else { &[] };
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-N", passphrase, "-C", "", "-f"])
        .arg(path)
        .args(bits)
        .stdin(Stdio::null())
        .status()?;
    ensure!(status.success(), "ssh-keygen -t {kind}: {status}");
    public(path)
}

fn public(path: &Path) -> Result<String> {
    Ok(fs::read_to_string(path.with_extension("pub"))?.trim().to_owned())
}

/// The account that servers of this process log in: its own.
///
/// # Errors
/// When the account has no name.
pub fn user() -> Result<String> {
    let output = Command::new("id").arg("-un").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Another address in 127/8 for each call; processes differ by their id.
pub(crate) fn next_address() -> IpAddr {
    static NEXT: AtomicU8 = AtomicU8::new(10);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, NEXT.fetch_add(1, Ordering::Relaxed), high, low.max(1)).into()
}
