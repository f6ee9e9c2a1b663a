//! `fleet import` with the real `ssh -G` and `ssh-keygen -F`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use bailiwick_core::fleet::Access;
use bailiwick_core::fleet::import::{ImportError, import};
use bailiwick_tests::fleet::{read, target};
use bailiwick_tests::sshd::keygen;
use bailiwick_transport::openssh::Installed;

struct Home {
    dir: tempfile::TempDir,
    keys: Vec<String>,
}

impl Home {
    /// A home with two identities, a configuration and known_hosts.
    fn new(config: &str, known: impl Fn(&[String]) -> String) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let ssh = dir.path().join(".ssh");
        fs::create_dir(&ssh)?;
        let mut keys = Vec::new();
        for (index, kind) in ["ed25519", "ecdsa", "ed25519", "ed25519"].into_iter().enumerate() {
            keys.push(keygen(kind, &dir.path().join(format!("host{index}")))?);
        }
        keygen("ed25519", &ssh.join("id"))?;
        keygen("ed25519", &ssh.join("token"))?;
        fs::remove_file(ssh.join("token"))?;
        fs::write(ssh.join("config"), config.replace("$HOME", &dir.path().display().to_string()))?;
        fs::write(ssh.join("known_hosts"), known(&keys))?;
        // Hashed, as Debian writes it.
        let hashed =
            std::process::Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(ssh.join("known_hosts")).output()?;
        ensure!(hashed.status.success());
        Ok(Self { dir, keys })
    }

    fn import(&self, hosts: &[&str]) -> Result<String, ImportError> {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let installed = Installed { home: self.dir.path().to_owned() };
        import(Path::new("~/.ssh/config"), &[self.dir.path().join(".ssh/known_hosts")], &hosts, &installed)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

const CONFIG: &str = "
Include conf.d/*.conf
Host db_01 db01.example
    HostName 10.0.0.11
    User bw-read
    Port 2222
    IdentityFile $HOME/.ssh/absent
    IdentityFile $HOME/.ssh/id
Host inner
    HostName 10.1.0.5
    User bw-read
    IdentityFile $HOME/.ssh/token
    ProxyJump ops@gate1:2200,gate2
Host gate1
    HostName 10.0.0.1
Host gate2
    HostName 10.0.0.2
Host odd
    HostName 10.0.0.9
    User bw-read
    IdentityFile $HOME/.ssh/id
    ProxyCommand touch $HOME/pwned
Host behind
    HostName behind.example
    User bw-read
    IdentityFile $HOME/.ssh/id
    ProxyJump gate2
Host *
    User admin
    IdentityFile $HOME/.ssh/id
";

fn known(keys: &[String]) -> String {
    let [a, a_ecdsa, gate, revoked] = keys else { return String::new() };
    format!(
        "[10.0.0.11]:2222 {a_ecdsa}\n[10.0.0.11]:2222 {a}\n10.0.0.2 {gate}\n10.1.0.5 {revoked}\n@revoked 10.1.0.5 {revoked}\n"
    )
}

#[test]
fn entries_are_explicit_and_pinned() -> Result<()> {
    let home = Home::new(CONFIG, known)?;
    let text = home.import(&["db_01", "inner"])?;
    let fleet = read(&text)?;
    let Access::Ssh(db) = &target(&fleet, "db-01")?.access else { anyhow::bail!("not over SSH") };
    assert_eq!((db.address.to_string(), db.port, db.user.as_str()), ("10.0.0.11".into(), 2222, "bw-read"));
    assert_eq!(db.host_key.as_ref().map(ToString::to_string).as_ref(), home.keys.first(), "the best type");
    ensure!(text.contains(&format!("identity = \"{}\"", home.path(".ssh/id").display())), "{text}");

    let Access::Ssh(inner) = &target(&fleet, "inner")?.access else { anyhow::bail!("not over SSH") };
    assert_eq!(inner.jump.as_ref().map(|jump| jump.as_str()), Some("gate2"));
    ensure!(inner.host_key.is_none(), "a revoked key is none");
    ensure!(text.contains("# inner: known_hosts has no usable key for 10.1.0.5"), "{text}");
    ensure!(text.contains("agent-key = \"ssh-ed25519 "), "only the public half is here:\n{text}");
    let Access::Ssh(gate2) = &target(&fleet, "gate2")?.access else { anyhow::bail!("not over SSH") };
    assert_eq!(gate2.jump.as_ref().map(|jump| jump.as_str()), Some("gate1"));
    let Access::Ssh(gate1) = &target(&fleet, "gate1")?.access else { anyhow::bail!("not over SSH") };
    assert_eq!((gate1.port, gate1.user.as_str(), gate1.jump.is_none()), (2200, "ops", true));
    Ok(())
}

#[test]
fn what_cannot_be_said_is_a_comment() -> Result<()> {
    let home = Home::new(CONFIG, known)?;
    let text = home.import(&["odd", "behind", "db_01", "db01.example", "-oProxyCommand=id", "wörter"])?;
    let fleet = read(&text)?;
    let names: Vec<&str> = fleet.targets.keys().map(bailiwick_core::model::TargetName::as_str).collect();
    assert_eq!(names, ["db-01", "gate2"], "{text}");
    for words in [
        "# odd: it is reached through ProxyCommand",
        "# behind: address is the name behind.example; behind a jump host it must be the IP address",
        "# db01.example: it has the host key of db_01: one machine, one name",
        "# -oProxyCommand=id: `ssh -G -oProxyCommand=id` fails",
        "# wörter: the name does not match",
    ] {
        ensure!(text.contains(words), "{words} in:\n{text}");
    }
    ensure!(!home.path("pwned").exists(), "ProxyCommand was run");
    Ok(())
}

#[test]
fn without_names_every_host_of_the_files_is_taken() -> Result<()> {
    let home = Home::new(CONFIG, known)?;
    fs::create_dir(home.path(".ssh/conf.d"))?;
    fs::write(home.path(".ssh/conf.d/a.conf"), "host = included other*\n  hostname 10.0.0.77\n")?;
    let fleet = read(&home.import(&[])?)?;
    let names: Vec<&str> = fleet.targets.keys().map(bailiwick_core::model::TargetName::as_str).collect();
    assert_eq!(names, ["db-01", "gate1", "gate2", "included", "inner"]);
    let empty = Home::new("Host *\n", known)?;
    ensure!(matches!(empty.import(&[]), Err(ImportError::NoHosts { .. })));
    Ok(())
}

#[test]
fn a_value_cannot_leave_its_comment() -> Result<()> {
    let home = Home::new("Host x\n  User \"a\\n[never.y]\"\n  HostName \"a b\u{7f}\"\n", known)?;
    let text = home.import(&["x"])?;
    ensure!(read(&text)?.targets.is_empty() && !text.contains('\u{7f}'), "{text:?}");
    Ok(())
}

/// Found by fuzzing: the jump host was added once for each turn of the circle, and the entries were not a valid fleet.
#[test]
fn a_jump_host_that_is_reached_through_itself_is_reported() -> Result<()> {
    let config = "Host db bastion\n    HostName 10.0.0.1\n    User op\nHost *\n    ProxyJump bastion,other\n";
    let home = Home::new(config, |_| String::new())?;
    let entries = home.import(&[])?;
    ensure!(entries.contains("jumps through itself"), "{entries}");
    ensure!(entries.matches("[targets.\"bastion\"]").count() == 1, "{entries}");
    read(&entries)?;
    Ok(())
}

/// Found by fuzzing: only control characters were taken out of what a comment quotes.
#[test]
fn tx02_nothing_in_a_comment_is_hidden_or_turned_around() -> Result<()> {
    let home = Home::new("Host x\n  HostName 10.0.0.1\n  ProxyCommand nc \u{202e}%h\u{200b}\n", known)?;
    let text = home.import(&["x"])?;
    ensure!(text.contains(r"nc \u{202e}") && !text.contains(['\u{202e}', '\u{200b}']), "{text:?}");
    Ok(())
}

/// Found by fuzzing: a file's name went into its entry as it was.
#[test]
fn tx02_nothing_in_an_entry_is_hidden_and_it_still_names_the_file() -> Result<()> {
    let home = Home::new("Host x\n  HostName 10.0.0.1\n  User op\n  IdentityFile \"~/.ssh/\u{202e}di\"\n", known)?;
    fs::copy(home.path(".ssh/id"), home.path(".ssh/\u{202e}di"))?;
    let text = home.import(&["x"])?;
    ensure!(text.contains(r#"identity = "~/.ssh/\U0000202edi""#), "{text}");
    let source = bailiwick_core::source::Source::embedded("fleet.toml", &text);
    let fleet = bailiwick_core::fleet::parse(&source, Path::new("/"), Some(home.dir.path()));
    ensure!(fleet.is_ok_and(|fleet| format!("{fleet:?}").contains("202e}di")), "{text}");
    Ok(())
}
