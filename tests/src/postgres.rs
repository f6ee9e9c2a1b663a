//! A real PostgreSQL server for one test: no port, an unprivileged account, removed after the test.
//!
//! The verbs search for it where `psql` does, in `/var/run/postgresql`. So it has its socket there too, under a number that
//! no other server has. Peer authentication: only this account and the server's own account become `admin`.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

/// Where `psql` searches for sockets by default.
const SOCKETS: &str = "/var/run/postgresql";

/// A running server.
#[derive(Debug)]
pub struct Cluster {
    dir: TempDir,
    bin: PathBuf,
    port: u16,
    server: Child,
}

/// A client that stays.
#[derive(Debug)]
pub struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    log: PathBuf,
}

impl Cluster {
    /// Makes one and starts it; `config` is added to `postgresql.conf`.
    ///
    /// # Errors
    /// When there is no PostgreSQL here, or it does not start.
    pub fn start(config: &str) -> Result<Self> {
        let bin = binaries()?;
        let dir = folder()?;
        let data = dir.path().join("data");
        let made = as_server(&bin.join("initdb"))
            .args(["--auth=peer", "--username=admin", "--no-sync", "--encoding=UTF8", "--no-locale", "--pgdata"])
            .arg(&data)
            .output()?;
        ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let users = format!(
            "t /^(.*)$ \\1\nt {} admin\nt {} admin\n",
            me()?,
            if as_root() { "postgres".to_owned() } else { me()? }
        );
        fs::write(data.join("pg_ident.conf"), users)?;
        fs::write(data.join("pg_hba.conf"), "local all all peer map=t\nlocal replication all peer map=t\n")?;
        Self::run(bin, dir, config)
    }

    /// Starts what is in `dir/data`.
    fn run(bin: PathBuf, dir: TempDir, config: &str) -> Result<Self> {
        let port = free_port()?;
        let data = dir.path().join("data");
        let mut conf = fs::OpenOptions::new().append(true).open(data.join("postgresql.conf"))?;
        writeln!(
            conf,
            "port = {port}\nlisten_addresses = ''\nunix_socket_directories = '{}, {SOCKETS}'\nfsync = off\n{config}",
            dir.path().display()
        )?;
        let log = File::create(dir.path().join("log"))?;
        let server = as_server(&bin.join("postgres"))
            .arg("-D")
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut cluster = Self { dir, bin, port, server };
        let deadline = Instant::now() + Duration::from_secs(60);
        while cluster.admin("postgres", "select 1").is_err() {
            if Instant::now() > deadline || cluster.server.try_wait()?.is_some() {
                bail!("it does not start: {}", fs::read_to_string(cluster.dir.path().join("log"))?);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(cluster)
    }

    /// A standby of this one, streaming.
    ///
    /// # Errors
    /// When it does not start.
    pub fn standby(&self, name: &str) -> Result<Self> {
        let dir = folder()?;
        let copied = as_server(&self.bin.join("pg_basebackup"))
            .args([
                "--username=admin",
                "--checkpoint=fast",
                "--write-recovery-conf",
                "--no-sync",
                "--slot",
                name,
                "--create-slot",
            ])
            .arg(format!("--dbname=host={} port={} application_name={name}", self.dir.path().display(), self.port))
            .arg("--pgdata")
            .arg(dir.path().join("data"))
            .output()?;
        ensure!(copied.status.success(), "pg_basebackup: {}", String::from_utf8_lossy(&copied.stderr));
        Self::run(self.bin.clone(), dir, "")
    }

    /// The number of its socket.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its folder, which its account may write to.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Runs SQL as its superuser, and gives what `psql -At` prints.
    ///
    /// # Errors
    /// The server's error.
    pub fn admin(&self, database: &str, sql: &str) -> Result<String> {
        let done = self.psql("admin", database).args(["--no-align", "--tuples-only", "--command", sql]).output()?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
    }

    /// A client that runs `sql` as the superuser, and stays until it is dropped.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn client(&self, name: &str, database: &str, sql: &str) -> Result<Client> {
        let log = self.dir.path().join(format!("client-{}", sql.len() + name.len()));
        let out = File::create(&log)?;
        let mut child = self
            .psql("admin", database)
            .env("PGAPPNAME", name)
            .stdin(Stdio::piped())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()?;
        let mut stdin = child.stdin.take().context("no input")?;
        writeln!(stdin, "{sql}")?;
        Ok(Client { child, stdin: Some(stdin), log })
    }

    /// `psql` without the restrictions of the verbs.
    #[must_use]
    pub fn psql(&self, user: &str, database: &str) -> Command {
        let mut command = Command::new(self.bin.join("psql"));
        command
            .env_clear()
            .env("LC_ALL", "C")
            .args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=verbose"])
            .arg(format!("--host={}", self.dir.path().display()))
            .args([format!("--port={}", self.port), format!("--username={user}"), format!("--dbname={database}")]);
        command
    }

    /// Waits until a query of the superuser gives this.
    ///
    /// # Errors
    /// When it does not within 30 s.
    pub fn until(&self, database: &str, sql: &str, expected: &str) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let now = self.admin(database, sql)?;
            if now == expected {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "`{sql}` gives {now:?}, not {expected:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Client {
    /// Runs more SQL.
    ///
    /// # Errors
    /// When it has ended.
    pub fn say(&mut self, sql: &str) -> Result<()> {
        writeln!(self.stdin.as_mut().context("it has ended")?, "{sql}")
            .with_context(|| fs::read_to_string(&self.log).unwrap_or_default())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // QUIT: at once, its children too. It belongs to its own account, so only root can end it.
        let _ = Command::new("kill").args(["-QUIT", &self.server.id().to_string()]).status();
        let _ = self.server.wait();
        for name in [format!(".s.PGSQL.{}", self.port), format!(".s.PGSQL.{}.lock", self.port)] {
            let _ = fs::remove_file(Path::new(SOCKETS).join(name));
        }
    }
}

/// The account that runs the tests, which is the role that verbs come as.
///
/// # Errors
/// When it has no name.
pub fn me() -> Result<String> {
    let name = Command::new("id").arg("-un").output()?;
    Ok(String::from_utf8(name.stdout)?.trim().to_owned())
}

fn as_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// The newest server's programs, if this account can run one that `psql` finds.
fn binaries() -> Result<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    let bin = found.pop().context("there is no PostgreSQL server here (Debian: apt-get install postgresql)")?;
    tempfile::tempfile_in(SOCKETS).with_context(|| format!("{SOCKETS} must be writable, as it is for root"))?;
    Ok(bin)
}

fn folder() -> Result<TempDir> {
    let dir = tempfile::tempdir()?;
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755))?;
    if as_root() {
        let given = Command::new("chown").arg("postgres").arg(dir.path()).status()?;
        ensure!(given.success(), "there is no account postgres");
    }
    Ok(dir)
}

/// A server never runs as root. It ends with us, however we end.
fn as_server(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin").current_dir("/").arg("--pdeathsig=QUIT");
    if as_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.arg(program);
    command
}

/// A number that no socket has. Two tests may see the same one free: the second server does not start, and reports why.
fn free_port() -> Result<u16> {
    let first = 20_000 + u16::try_from(std::process::id() % 20_000)?;
    let free = |port: &u16| !Path::new(SOCKETS).join(format!(".s.PGSQL.{port}.lock")).exists();
    (first..first + 1_000).find(free).context("no free socket")
}
