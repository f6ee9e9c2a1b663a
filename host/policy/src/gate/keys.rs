//! The access configuration of a gate: key lines, sshd's part, sudo's part. Text only; a person installs it.
//!
//! Attacks answered: a stolen key (NW19, NW20: `restrict`, a forced command, each kind of forwarding switched off by name,
//! because `DisableForwarding` alone has had holes), an account's own files (no key file and no rc file in its home), arguments
//! that sudo would match as one string (AR19: two literal lines, no wildcard, no negation).

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::Paths;

/// The two accounts of a gate, and their credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accounts {
    /// The account that reads.
    pub read: Account,
    /// The account that changes.
    pub change: Account,
    /// The source address of both, if policy names one.
    pub from: Option<String>,
    /// The only addresses that the reading account may have the target connect to: those of the grant.
    pub connects: Vec<SocketAddr>,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name on the target.
    pub user: String,
    /// Its credential.
    pub credential: Credential,
}

/// How an account authenticates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// This public key: algorithm and base64.
    Key(String),
    /// A certificate that names this principal, by the CA with this public key.
    Authority {
        /// The CA's public key.
        key: String,
        /// `bw-change@mon01`: good for this target, and no other.
        principal: String,
    },
}

/// A value that would change the meaning of a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not allowed in the files of sshd and sudo", .0.escape_debug())]
pub struct KeyError(String);

impl KeyError {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// The files that sshd and sudo read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The key file of the account that reads.
    pub read_keys: String,
    /// The key file of the account that changes.
    pub change_keys: String,
    /// sshd's part.
    pub sshd: String,
    /// sudo's part.
    pub sudoers: String,
}

impl Accounts {
    /// Returns the files for a gate at these paths.
    ///
    /// # Errors
    /// When a name, a key or an address contains a character that is not allowed.
    pub fn files(&self, paths: &Paths) -> Result<Access, KeyError> {
        let (read, change) = (user(&self.read.user)?, user(&self.change.user)?);
        if read == change {
            return Err(KeyError(read.to_owned()));
        }
        for path in [&paths.gate, &paths.keys] {
            plain(path, |b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.'))?;
        }
        Ok(Access {
            read_keys: self.line(&self.read, "read", &self.connects, paths)?,
            change_keys: self.line(&self.change, "change", &[], paths)?,
            sshd: self.sshd(read, change, paths),
            sudoers: sudoers(read, change, paths),
        })
    }

    fn line(&self, account: &Account, role: &str, connects: &[SocketAddr], paths: &Paths) -> Result<String, KeyError> {
        let mut options = Vec::new();
        let key = match &account.credential {
            Credential::Key(key) => key,
            Credential::Authority { key, principal } => {
                plain(principal, |b| b.is_ascii_alphanumeric() || matches!(b, b'@' | b'-' | b'_' | b'.'))?;
                options.push("cert-authority".to_owned());
                options.push(format!("principals=\"{principal}\""));
                key
            }
        };
        options.push("restrict".to_owned());
        if let Some(from) = &self.from {
            plain(from, |b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b':' | b'-'))?;
            options.push(format!("from=\"{from}\""));
        }
        options.push(format!("command=\"{} {role}\"", paths.gate));
        if !connects.is_empty() {
            options.push("port-forwarding".to_owned());
            options.extend(connects.iter().map(|to| format!("permitopen=\"{to}\"")));
        }
        Ok(format!("# bailiwick: {role}\n{} {}\n", options.join(","), public_key(key)?))
    }

    fn sshd(&self, read: &str, change: &str, paths: &Paths) -> String {
        let mut text = format!(
            "# Written by `bailiwick gate install-script`. The settings of the two accounts of the gate, each by name.\n\
             Match User {read},{change}\n    AuthorizedKeysFile {}/%u\n    AuthenticationMethods publickey\n    \
             PubkeyAuthentication yes\n    PasswordAuthentication no\n    KbdInteractiveAuthentication no\n    \
             PermitUserRC no\n    PermitTTY no\n    PermitTunnel no\n    X11Forwarding no\n    \
             AllowAgentForwarding no\n    AllowStreamLocalForwarding no\n    GatewayPorts no\n    PermitListen none\n    \
             MaxSessions 8\n",
            paths.keys
        );
        if self.connects.is_empty() {
            let _ = writeln!(text, "    DisableForwarding yes\n    AllowTcpForwarding no");
        } else {
            let to: Vec<_> = self.connects.iter().map(ToString::to_string).collect();
            let _ = writeln!(text, "Match User {change}\n    DisableForwarding yes\n    AllowTcpForwarding no");
            let _ = writeln!(text, "Match User {read}\n    AllowTcpForwarding local\n    PermitOpen {}", to.join(" "));
        }
        // Ends the Match block, so that files that sshd reads later do not fall into it.
        text + "Match all\n"
    }
}

fn sudoers(read: &str, change: &str, paths: &Paths) -> String {
    let gate = &paths.gate;
    let defaults = |user: &str| {
        format!(
            "Defaults:{user} env_reset, !setenv, !use_pty, !requiretty, !mail_badpass, secure_path=\"/usr/sbin:/usr/bin:/sbin:/bin\"\n\
             Defaults:{user} env_keep = \"SSH_CONNECTION\"\n"
        )
    };
    format!(
        "# Written by `bailiwick gate install-script`. Two exact command lines.\n{}{}\
         {read} ALL=(root) NOPASSWD: {gate} look\n{change} ALL=(root) NOPASSWD: {gate} change-root\n",
        defaults(read),
        defaults(change)
    )
}

/// The rule of `useradd`: no character that sshd or sudo reads as a pattern.
fn user(name: &str) -> Result<&str, KeyError> {
    plain(name, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))?;
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_');
    if first && name.len() <= 32 && name != "root" { Ok(name) } else { Err(KeyError(name.to_owned())) }
}

fn public_key(key: &str) -> Result<&str, KeyError> {
    let words: Vec<_> = key.split(' ').collect();
    let [kind, blob] = words.as_slice() else { return Err(KeyError(key.to_owned())) };
    plain(kind, |b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'@' | b'.'))?;
    plain(blob, |b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))?;
    Ok(key)
}

fn plain(text: &str, fits: impl Fn(u8) -> bool) -> Result<(), KeyError> {
    if !text.is_empty() && text.bytes().all(fits) { Ok(()) } else { Err(KeyError(text.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample";

    fn accounts() -> Accounts {
        let account = |user: &str| Account { user: user.to_owned(), credential: Credential::Key(KEY.to_owned()) };
        Accounts { read: account("bw-read"), change: account("bw-change"), from: None, connects: Vec::new() }
    }

    #[test]
    fn files_are_as_people_have_reviewed_them() {
        let mut all = accounts();
        let simple = all.files(&Paths::default()).unwrap();
        all.from = Some("203.0.113.7".to_owned());
        all.connects = vec!["127.0.0.1:9187".parse().unwrap(), "[::1]:9090".parse().unwrap()];
        all.change.credential = Credential::Authority { key: KEY.to_owned(), principal: "bw-change@web1".to_owned() };
        let full = all.files(&Paths::default()).unwrap();
        let show =
            |access: &Access| format!("{}{}{}{}", access.read_keys, access.change_keys, access.sshd, access.sudoers);
        insta::assert_snapshot!(format!("{}\n=====\n\n{}", show(&simple), show(&full)));
    }

    #[test]
    fn ar19_a_name_or_a_key_cannot_be_more() {
        let refused = |change: &dyn Fn(&mut Accounts)| {
            let mut all = accounts();
            change(&mut all);
            assert!(all.files(&Paths::default()).is_err(), "{all:?}");
        };
        for bad in ["", "root", "bw-change", "a,b", "a b", "*", "%wheel", "a\n", "A", "-a", "!a", "#1000"] {
            refused(&|all| all.read.user = bad.to_owned());
        }
        for bad in ["", "ssh-ed25519", "ssh-ed25519 AAAA comment", "ssh-ed25519 AA\nssh-rsa AA", "a\" AAAA"] {
            refused(&|all| all.read.credential = Credential::Key(bad.to_owned()));
        }
        for bad in ["*", "a,b", "1.2.3.4\"", "!1.2.3.4", "1.2.3.0/24 x"] {
            refused(&|all| all.from = Some(bad.to_owned()));
        }
        for bad in ["*", "a,b", "a\""] {
            refused(&|all| {
                all.change.credential = Credential::Authority { key: KEY.to_owned(), principal: bad.to_owned() };
            });
        }
    }
}
