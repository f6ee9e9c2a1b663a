//! A host with a gate: real sshd, real sudo and the real install script at the real paths, in a mount namespace of its own, so
//! that this machine's `/etc`, `/run`, `/var/lib` and `/usr/local` are not touched.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bailiwick_policy::gate;
use bailiwick_policy::gate::{Account, Accounts, Credential, Entry, Install, Limits, Paths, Script};
use tempfile::TempDir;

use crate::sshd::{keygen, next_address};

/// The folders of this machine of which the host has its own copy.
const SETUP: &str = r#"
set -e
T=$1
cp -a /etc "$T/etc"
mkdir "$T/run" "$T/lib" "$T/local"
chmod 755 "$T" "$T/run" "$T/lib" "$T/local"
mount --bind "$T/etc" /etc
mount --bind "$T/run" /run
mount --bind "$T/lib" /var/lib
mount --bind "$T/local" /usr/local
mount --bind "$T/logger" /usr/bin/logger
mkdir -p /run/sshd
rm -rf /etc/ssh/sshd_config.d /etc/sudoers.d
mkdir -p /etc/ssh/sshd_config.d /etc/sudoers.d
cp "$T/sshd_config" /etc/ssh/sshd_config
printf 'Defaults env_reset\nDefaults use_pty\nroot ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n' >"$T/sudoers"
install -m 0440 "$T/sudoers" /etc/sudoers
sh "$T/install.sh" >"$T/installed" 2>&1
exec /usr/sbin/sshd -D -e
"#;

/// The host.
#[derive(Debug)]
pub struct Host {
    /// Everything is below it.
    pub dir: TempDir,
    /// Where its sshd listens.
    pub address: SocketAddr,
    /// Its host key, as `fleet.toml` has it.
    pub host_key: String,
    child: Child,
}

/// The options of a host.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The entries of its gate.
    pub entries: Vec<Entry>,
    /// The limits of its gate.
    pub limits: Limits,
    /// What the read key may connect to.
    pub connects: Vec<SocketAddr>,
    /// The change account accepts a certificate of this CA's key, for this principal.
    pub authority: Option<(String, String)>,
    /// Lines of its sshd's configuration, before ours.
    pub config: Vec<String>,
}

/// A host before its start: its address, and the keys of both accounts.
#[derive(Debug)]
pub struct Site {
    /// Everything is below it.
    pub dir: TempDir,
    /// Where its sshd will listen.
    pub address: SocketAddr,
    /// Its host key, as `fleet.toml` has it.
    pub host_key: String,
    reserved: TcpListener,
    public: [String; 2],
}

impl Site {
    /// Keys and an address.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn new() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("bailiwick-gate-host").tempdir()?;
        let at = |name: &str| dir.path().join(name);
        let public = [keygen("ed25519", &at("read"))?, keygen("ed25519", &at("change"))?];
        let host_key = keygen("ed25519", &at("host"))?;
        let reserved = TcpListener::bind((next_address(), 0))?;
        let address = reserved.local_addr()?;
        Ok(Self { dir, address, host_key, reserved, public })
    }

    /// A private key: `read` or `change`.
    #[must_use]
    pub fn key(&self, role: &str) -> PathBuf {
        self.dir.path().join(role)
    }

    /// Runs an install script there, and starts sshd with these lines before ours.
    ///
    /// # Errors
    /// When any of it fails.
    pub fn start(self, install: &str, lines: &[String]) -> Result<Host> {
        let Self { dir, address, host_key, reserved, .. } = self;
        let at = |name: &str| dir.path().join(name);
        fs::write(at("install.sh"), install)?;
        // Every user may log, as with the real one.
        fs::write(at("log"), "")?;
        fs::set_permissions(at("log"), fs::Permissions::from_mode(0o666))?;
        crate::gate::program(
            &at("logger"),
            &format!("#!/bin/sh\nfor word; do :; done\nprintf '%s\\n' \"$word\" >>'{}'\n", at("log").display()),
        )?;
        let config = format!(
            "Include /etc/ssh/sshd_config.d/*.conf\n{}\nListenAddress {}\nPort {}\nHostKey {}\nPidFile none\nUsePAM no\n\
             LogLevel VERBOSE\nSubsystem sftp /usr/lib/openssh/sftp-server\nPermitUserEnvironment no\n",
            lines.join("\n"),
            address.ip(),
            address.port(),
            at("host").display(),
        );
        fs::write(at("sshd_config"), config)?;
        drop(reserved);
        let errors = fs::File::create(at("sshd.log"))?;
        let child = Command::new("unshare")
            .args(["-m", "--propagation", "private", "sh", "-c", SETUP, "sh"])
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()?;
        let mut host = Host { dir, address, host_key, child };
        host.wait()?;
        Ok(host)
    }
}

impl Host {
    /// Installs a gate and starts sshd. Gives the gate that was generated, too.
    ///
    /// # Errors
    /// When any of it fails.
    pub fn start(options: &Options) -> Result<(Self, Script)> {
        let site = Site::new()?;
        let paths = Paths::default();
        let script = gate::script("test", ["bw-read", "bw-change"], &options.entries, &paths, &options.limits)?;
        let [read, change] = site.public.clone();
        let credential = match &options.authority {
            None => Credential::Key(change),
            Some((key, principal)) => Credential::Authority { key: key.clone(), principal: principal.clone() },
        };
        let install = Install {
            target: "test".to_owned(),
            script: script.clone(),
            accounts: Accounts {
                read: Account { user: "bw-read".to_owned(), credential: Credential::Key(read) },
                change: Account { user: "bw-change".to_owned(), credential },
                from: None,
                connects: options.connects.clone(),
            },
            approvers: None,
            paths,
        };
        Ok((site.start(&gate::install_script(&install)?.0, &options.config)?, script))
    }

    fn wait(&mut self) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(60);
        while !self.read("sshd.log")?.contains("Server listening") {
            if let Some(status) = self.child.try_wait()? {
                let installed = self.read("installed").unwrap_or_default();
                bail!("{status}\n{}\n{installed}", self.read("sshd.log")?);
            }
            ensure!(Instant::now() < end, "sshd does not listen:\n{}", self.read("sshd.log")?);
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// A file of its folder.
    ///
    /// # Errors
    /// When it is not there.
    pub fn read(&self, name: &str) -> Result<String> {
        Ok(fs::read_to_string(self.dir.path().join(name))?)
    }

    /// A private key: `read` or `change`.
    #[must_use]
    pub fn key(&self, role: &str) -> PathBuf {
        self.dir.path().join(role)
    }

    /// Its process: the parent of all others.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A command as root on the host, without SSH.
    #[must_use]
    pub fn enter(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-m", "-t", &self.child.id().to_string(), "--", program]).current_dir("/");
        command
    }

    /// Runs a program as root on the host.
    ///
    /// # Errors
    /// When it does not start.
    pub fn root(&self, words: &[&str]) -> Result<Output> {
        let (program, arguments) = words.split_first().context("a program")?;
        Ok(self.enter(program).args(arguments).stdin(Stdio::null()).output()?)
    }

    /// OpenSSH's own client, with one of the keys and nothing of this user's configuration.
    #[must_use]
    pub fn ssh(&self, role: &str) -> Command {
        let known = self.dir.path().join("known_hosts");
        let line = format!("[{}]:{} {}\n", self.address.ip(), self.address.port(), self.host_key);
        let _ = fs::write(&known, line);
        let mut command = Command::new("ssh");
        command.args(["-F", "none", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "IdentityAgent=none"]);
        command.arg("-o").arg(format!("UserKnownHostsFile={}", known.display()));
        command.arg("-i").arg(self.key(role)).args(["-p", &self.address.port().to_string(), "-l"]);
        command.arg(format!("bw-{role}")).stdin(Stdio::null());
        command
    }

    /// Runs `ssh` with this command, and gives its output.
    ///
    /// # Errors
    /// When it does not start.
    pub fn try_ssh(&self, role: &str, before: &[&str], words: &[&str]) -> Result<Output> {
        Ok(self.ssh(role).args(before).arg(self.address.ip().to_string()).args(words).output()?)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
