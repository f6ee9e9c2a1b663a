//! Certificates, from real files and a real TLS server, here and through real OpenSSH: what leaves the target, and what is read
//! of it.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bailiwick_core::model::Answer;
use bailiwick_core::model::{Action, Literal, Object, Verb, VerbError};
use bailiwick_core::verbs::{Tier, action};
use bailiwick_sandbox::parse;
use bailiwick_tests::fleet::{Entry, fleet, target};
use bailiwick_tests::listeners::{Silent, closed_port};
use bailiwick_tests::sshd::Sshd;
use bailiwick_transport::ssh::{Session, Settings, connect};
use bailiwick_transport::{RunError, local};
use tempfile::TempDir;

/// A root, a certificate for `www.example.org` from it, and its key, made by OpenSSL.
struct Authority(TempDir);

impl Authority {
    fn new() -> Result<Self> {
        let made = Self(tempfile::tempdir()?);
        made.openssl("req -x509 -nodes -newkey ed25519 -keyout root.key -out root.pem -days 30 -subj /CN=root")?;
        made.openssl("req -nodes -newkey ed25519 -keyout leaf.key -out leaf.csr -subj /CN=www.example.org")?;
        fs::write(made.path("san"), "subjectAltName=DNS:www.example.org\n")?;
        made.openssl(
            "x509 -req -in leaf.csr -CA root.pem -CAkey root.key -CAcreateserial -days 9 -extfile san -out leaf.pem",
        )?;
        Ok(made)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn openssl(&self, words: &str) -> Result<()> {
        let output = Command::new("openssl").args(words.split(' ')).current_dir(self.0.path()).output()?;
        ensure!(output.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

/// `openssl s_server`, killed with the value.
struct Server(Child, SocketAddr);

impl Server {
    fn start(authority: &Authority) -> Result<Self> {
        let reserved = TcpListener::bind("127.0.0.1:0")?;
        let address = reserved.local_addr()?;
        drop(reserved);
        let child = Command::new("openssl")
            .args(["s_server", "-quiet", "-cert", "leaf.pem", "-key", "leaf.key", "-cert_chain", "root.pem", "-accept"])
            .arg(address.to_string())
            .current_dir(authority.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let server = Self(child, address);
        for _ in 0..500 {
            if std::net::TcpStream::connect(address).is_ok() {
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        anyhow::bail!("openssl s_server does not listen")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn file(path: &Path) -> Result<Action> {
    let path = path.to_str().context("a path")?;
    Ok(action(Verb::CertificatesFile, Some(Literal::parse(Object::Path, path)?), Tier::Plain))
}

fn server(endpoint: &str) -> Result<Action> {
    Ok(action(Verb::CertificatesServer, Some(Literal::parse(Object::Endpoint, endpoint)?), Tier::Plain))
}

async fn session(sshd: &Sshd) -> Result<Session> {
    let fleet = fleet(&[Entry::for_sshd("mon01", sshd)?], &[])?;
    Ok(connect(&fleet, target(&fleet, "mon01")?, &Settings::default()).await?)
}

/// What came through SSH, and what a guest would get. This machine gives the same.
async fn read_both(session: &Session, action: &Action) -> Result<(String, Result<String, VerbError>)> {
    let read = |answer: bailiwick_core::model::Answer| {
        let raw = String::from_utf8_lossy(&answer.stdout).into_owned();
        let answer = Answer { stdout: answer.stdout, stderr: answer.stderr, exit: answer.exit, timing: None };
        (raw, parse(action.verb, &answer).map(|parsed| parsed.for_encoder().to_owned()))
    };
    let (here, there) = (read(local::run(action).await?), read(session.run(action).await?));
    ensure!(here.1 == there.1, "here: {:?}, through SSH: {:?}", here.1, there.1);
    Ok(there)
}

#[tokio::test]
async fn ssh_a_key_beside_a_certificate_never_leaves_the_target() -> Result<()> {
    let authority = Authority::new()?;
    let [leaf, key, root] = ["leaf.pem", "leaf.key", "root.pem"].map(|name| fs::read_to_string(authority.path(name)));
    let (leaf, key, root) = (leaf?, key?, root?);
    // As haproxy wants it, from another system, and without an end to its last line.
    let all = authority.path("all.pem");
    fs::write(&all, format!("{key}{leaf}text between\n{}", root.replace('\n', "\r\n").trim_end()))?;
    let link = authority.path("link.pem");
    std::os::unix::fs::symlink("all.pem", &link)?;
    fs::write(authority.path("none.pem"), &key)?;

    let sshd = Sshd::plain()?;
    let session = session(&sshd).await?;
    for path in [&all, &link] {
        let (raw, parsed) = read_both(&session, &file(path)?).await?;
        ensure!(!raw.contains("PRIVATE") && !raw.contains("between"), "{raw}");
        let parsed = parsed?;
        ensure!(parsed.contains("CN=www.example.org") && parsed.contains("CN=root"), "{parsed}");
    }
    let (raw, parsed) = read_both(&session, &file(&authority.path("none.pem"))?).await?;
    assert_eq!((raw.as_str(), parsed?.as_str()), ("", "[]"));
    assert_eq!(read_both(&session, &file(&authority.path("nope.pem"))?).await?.1, Err(VerbError::NotFound));
    assert_eq!(read_both(&session, &file(authority.0.path())?).await?.1, Err(VerbError::NotFound));
    Ok(())
}

#[tokio::test]
async fn ssh_a_server_shows_its_chain_and_the_target_judges_it() -> Result<()> {
    let authority = Authority::new()?;
    let tls = Server::start(&authority)?;
    let sshd = Sshd::plain()?;
    let session = session(&sshd).await?;
    let (_, parsed) = read_both(&session, &server(&format!("{}/www.example.org", tls.1))?).await?;
    let parsed = parsed?;
    ensure!(parsed.contains("CN=www.example.org") && parsed.contains("CN=root"), "{parsed}");
    ensure!(parsed.contains("verify-code: 19") && parsed.contains("TLSv1."), "{parsed}");
    // No name, no name that could be wrong.
    let (_, parsed) = read_both(&session, &server(&tls.1.to_string())?).await?;
    ensure!(parsed?.contains("verify-code: 19"));
    Ok(())
}

#[tokio::test]
async fn ssh_servers_that_show_nothing_are_distinguished() -> Result<()> {
    let sshd = Sshd::plain()?;
    let session = session(&sshd).await?;
    assert_eq!(read_both(&session, &server(&closed_port()?.to_string())?).await?.1, Err(VerbError::NotFound));
    // What speaks, but no TLS: an SSH server's greeting.
    assert_eq!(read_both(&session, &server(&sshd.address().to_string())?).await?.1, Err(VerbError::Garbled));
    let silent = Silent::start()?;
    let action = server(&silent.address().to_string())?;
    let (here, there) = tokio::join!(local::run(&action), session.run(&action));
    ensure!(matches!(here, Err(RunError::TimedOut(_))), "{here:?}");
    ensure!(matches!(there, Err(RunError::TimedOut(_))), "{there:?}");
    Ok(())
}
