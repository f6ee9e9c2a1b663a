//! Why a connection to a target failed, and what the operator can do about it.
//!
//! Knows: the steps of a connection. Must not know: how they are done. Attack answered: text of a server in an error (TX01): only
//! plain algorithm names of what it offers are shown.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::model::TargetName;

/// A step of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Version and key exchange.
    Handshake,
    /// Our login.
    Authentication,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake => "handshake",
            Self::Authentication => "authentication",
        })
    }
}

/// Where a connection goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// The resolved address.
    pub address: SocketAddr,
    /// The jump host, if there is one. It is boxed because it is rare, and most errors have this field.
    pub through: Option<Box<TargetName>>,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.through {
            None => write!(f, "{}", self.address),
            Some(jump) => write!(f, "{} through {jump}", self.address),
        }
    }
}

/// Why a connection to a target failed. Its text is one line.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The target is a never-host, or is behind one. Nothing was sent to it. If only its key shows that, there was a handshake.
    #[error("{rule}")]
    Never {
        /// The rule, with its place.
        rule: String,
    },
    /// The address could be a never-host's, because the never-host's name cannot be resolved.
    #[error("cannot resolve {name}, an address of never-host {never}, so this target could be the never-host")]
    NeverUnknown {
        /// The never-host.
        never: TargetName,
        /// Its address, as `fleet.toml` has it.
        name: String,
        /// The resolver's error.
        source: io::Error,
    },
    /// The target is this machine.
    #[error("the target is this machine, which has no SSH connection")]
    Local,
    /// No host key is pinned.
    #[error("no host key is pinned for {target} ({place})")]
    Unpinned {
        /// The target.
        target: TargetName,
        /// Its place in `fleet.toml`.
        place: String,
    },
    /// The name has no address.
    #[error("cannot resolve {name}")]
    Resolve {
        /// The name.
        name: String,
        /// The resolver's error.
        source: io::Error,
    },
    /// No TCP connection.
    #[error("{} ({at})", plain(source))]
    Tcp {
        /// Where.
        at: At,
        /// The kernel's error.
        #[source]
        source: io::Error,
    },
    /// The address does not answer.
    #[error("no answer within {} ({at})", seconds(*after))]
    NoAnswer {
        /// Where.
        at: At,
        /// After this long.
        after: Duration,
    },
    /// The server accepts the connection, and does not finish a step.
    #[error("the server accepted the connection, and {} {} ({step}; {at})", if *.heard { "did not finish within" } else { "sent nothing for" }, seconds(*after))]
    Stalled {
        /// Where.
        at: At,
        /// In which step.
        step: Step,
        /// After this long.
        after: Duration,
        /// True if the server had sent anything.
        heard: bool,
    },
    /// The server closed the connection.
    #[error("the server closed the connection during the {step} ({at})")]
    Closed {
        /// Where.
        at: At,
        /// In which step.
        step: Step,
    },
    /// The server has a host key that differs from the pinned one.
    #[error("the host key does not match the pinned key: expected {expected}, got {got} ({at})")]
    Mismatch {
        /// Where.
        at: At,
        /// Fingerprint of the pinned key.
        expected: String,
        /// Fingerprint of the server's key.
        got: String,
        /// The place of the pin in `fleet.toml`.
        place: String,
    },
    /// The server has no host key of the pinned type.
    #[error("the server has no host key of the pinned type {pinned}; it offers {offered} ({at})")]
    OtherAlgorithm {
        /// Where.
        at: At,
        /// The pinned type.
        pinned: &'static str,
        /// The algorithms that the server offers.
        offered: String,
        /// The place of the pin in `fleet.toml`.
        place: String,
    },
    /// No algorithm is acceptable to both sides.
    #[error("the server offers no {kind} algorithm that is allowed; it offers {offered} ({at})")]
    NothingInCommon {
        /// Where.
        at: At,
        /// Its purpose: `cipher`.
        kind: &'static str,
        /// The algorithms that the server offers.
        offered: String,
    },
    /// The server does not follow the protocol.
    #[error("the {step} failed: {what} ({at})")]
    Protocol {
        /// Where.
        at: At,
        /// In which step.
        step: Step,
        /// The reason, in words of this program.
        what: String,
    },
    /// The key file cannot be read.
    #[error("cannot read the key file {}", path.shown())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Other users can read the key file.
    #[error("other users can read the key file {} (mode {mode:04o}; allowed: 0600)", path.shown())]
    KeyFileOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key is encrypted.
    #[error("the key file {} is encrypted, and Bailiwick does not ask for a passphrase", path.shown())]
    KeyFileEncrypted {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a private key.
    #[error("{} does not contain a private key of a supported type", path.shown())]
    KeyFileContent {
        /// The file.
        path: PathBuf,
    },
    /// There is no agent.
    #[error("the target needs a key from ssh-agent, and SSH_AUTH_SOCK is not set")]
    NoAgent,
    /// The agent failed.
    #[error("ssh-agent at {}: {what}", path.shown())]
    Agent {
        /// Its socket.
        path: PathBuf,
        /// The reason.
        what: String,
    },
    /// The agent does not have the key.
    #[error("ssh-agent does not have the key {fingerprint}")]
    AgentLacks {
        /// Fingerprint of the key in `fleet.toml`.
        fingerprint: String,
    },
    /// The server does not accept our login.
    #[error("the server does not accept the key {fingerprint} for user {user}{} ({at})", if *.partial { ": it requires more than a key" } else { "" })]
    Denied {
        /// Where.
        at: At,
        /// The account.
        user: String,
        /// Fingerprint of our key.
        fingerprint: String,
        /// True if the key was accepted, and the server requires a second factor.
        partial: bool,
    },
    /// The server accepts RSA keys with SHA-1 signatures only.
    #[error("the server accepts RSA keys only with SHA-1 signatures, which are not allowed ({at})")]
    Sha1Only {
        /// Where.
        at: At,
    },
    /// The connection to the jump host failed.
    #[error("jump host {jump}: {cause}")]
    Jump {
        /// The jump host.
        jump: TargetName,
        /// Why.
        cause: Box<ConnectError>,
    },
    /// The jump host does not connect to the target.
    #[error("jump host {jump} cannot connect to {address}: {why}")]
    JumpRefused {
        /// The jump host.
        jump: TargetName,
        /// The target's address.
        address: SocketAddr,
        /// The reason.
        why: &'static str,
    },
}

impl ConnectError {
    /// The rule, if a never-rule refuses the target: a refusal (exit code 3), not a failure (4).
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        match self {
            Self::Never { rule } => Some(rule),
            Self::Jump { cause, .. } => cause.refusal(),
            _ => None,
        }
    }

    /// The next step for the operator, if there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unpinned { place, .. } => format!(
                "run `bailiwick fleet import` to pin the key that is in known_hosts; or run `ssh-keyscan ADDRESS`, compare its \
                 fingerprint (`ssh-keygen -lf`) with the one on the machine's console, and add the key as host-key at {place}"
            ),
            Self::Mismatch { place, .. } => format!(
                "if the machine was reinstalled, compare the fingerprint with the one on its console, and change host-key at \
                 {place}; otherwise another machine may be answering in its place"
            ),
            Self::OtherAlgorithm { place, .. } => {
                format!("compare one of its host keys with the machine's console, and pin that key at {place}")
            }
            Self::NeverUnknown { .. } => {
                "write the never-host's IP addresses in fleet.toml, or fix the resolver".into()
            }
            Self::KeyFileOpen { path, .. } => format!("run `chmod 600 {}`", path.shown()),
            Self::KeyFileEncrypted { .. } => {
                "add the key to ssh-agent (`ssh-add`), and write its public key as agent-key instead of identity".into()
            }
            Self::NoAgent => "start ssh-agent and run `ssh-add`, or write a key file as identity".into(),
            Self::AgentLacks { .. } => "`ssh-add -l` lists the keys of the agent; add this one with `ssh-add`".into(),
            Self::Denied { user, partial: false, .. } => {
                format!(
                    "check that {user}'s authorized_keys has the public key, and that sshd allows {user} to log in with a key"
                )
            }
            Self::Denied { partial: true, .. } => "allow this account to log in with a key alone".into(),
            Self::Stalled { step: Step::Handshake, .. } | Self::Protocol { step: Step::Handshake, .. } => {
                "check that an SSH server listens at this address".into()
            }
            Self::Closed { step: Step::Handshake, .. } => {
                "sshd may limit connections there (MaxStartups, PerSourcePenalties)".into()
            }
            Self::JumpRefused { .. } => "check that the jump host's sshd allows TCP forwarding for this account".into(),
            Self::Jump { cause, .. } => return cause.hint(),
            _ => return None,
        };
        Some(hint)
    }
}

/// `connection refused`: the kernel's text, without the number that Rust adds, in lower case.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

fn seconds(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole} s"),
        (whole, tenth) => format!("{whole}.{tenth} s"),
    }
}

/// The first eight names that a server offers, without those that are not plain.
pub(super) fn names(theirs: &[String]) -> String {
    let plain = |name: &&String| {
        (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'@' | b'.'))
    };
    let names: Vec<&str> = theirs.iter().filter(plain).take(8).map(String::as_str).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_no_more_digits_than_a_person_reads() {
        let of = |nanos| seconds(Duration::from_nanos(nanos));
        assert_eq!([of(2_999_999_535), of(10_000_000_000), of(1_549_000_000)], ["3 s", "10 s", "1.5 s"]);
    }

    #[test]
    fn a_refusal_shows_through_a_jump() {
        let never = ConnectError::Never { rule: "never-host fw01".into() };
        let jump = TargetName::new("bastion").unwrap();
        let error = ConnectError::Jump { jump: jump.clone(), cause: Box::new(never) };
        assert_eq!(error.refusal(), Some("never-host fw01"));
        assert_eq!(error.to_string(), "jump host bastion: never-host fw01");
        let at = At { address: ([10, 77, 0, 11], 22).into(), through: Some(Box::new(jump)) };
        let source = io::Error::from_raw_os_error(rustix::io::Errno::CONNREFUSED.raw_os_error());
        let error = ConnectError::Tcp { at, source };
        assert_eq!(error.to_string(), "connection refused (10.77.0.11:22 through bastion)");
        assert_eq!(error.refusal(), None);
    }

    #[test]
    fn offered_names_cannot_carry_anything() {
        let theirs = ["ssh-rsa", "\u{1b}[2J", "a b", "", "x@y.z"].map(str::to_owned);
        assert_eq!(names(&theirs), "ssh-rsa, x@y.z");
    }
}
