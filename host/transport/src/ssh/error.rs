//! Why a target could not be connected to, and what a person can do about it.
//!
//! Text of the server's never stands here as it came: of what it offers only plain algorithm names are shown.

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
    /// Proving who we are.
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

/// Where a connection led.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// The resolved address.
    pub address: SocketAddr,
    /// The jump host on the way; boxed, since it is rare and most errors carry this.
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

/// Why a target could not be connected to. Display is one line.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It is a never-host, or lies behind one. Nothing was sent to it but, where its key gave it away, a handshake.
    #[error("{rule}")]
    Never {
        /// The rule, with its place.
        rule: String,
    },
    /// It cannot be shown that the address is no never-host's, since that one's name does not resolve.
    #[error("cannot resolve {name}, an address of never-host {never}, so nothing shows that this is another machine")]
    NeverUnknown {
        /// The never-host.
        never: TargetName,
        /// Its address as written.
        name: String,
        /// The resolver's words.
        source: io::Error,
    },
    /// It is this machine.
    #[error("the target is this machine and has no connection")]
    Local,
    /// No host key is pinned.
    #[error("no host key is pinned for {target} ({place})")]
    Unpinned {
        /// The target.
        target: TargetName,
        /// Where it is written.
        place: String,
    },
    /// The name has no address.
    #[error("cannot resolve {name}")]
    Resolve {
        /// The name.
        name: String,
        /// The resolver's words.
        source: io::Error,
    },
    /// No TCP connection.
    #[error("{} ({at})", plain(source))]
    Tcp {
        /// Where.
        at: At,
        /// The kernel's words.
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
    /// It accepts, and does not get on with it.
    #[error("accepted the connection and {} {} ({step}; {at})", if *.heard { "was not done after" } else { "said nothing for" }, seconds(*after))]
    Stalled {
        /// Where.
        at: At,
        /// In which step.
        step: Step,
        /// After this long.
        after: Duration,
        /// Whether it had said anything at all.
        heard: bool,
    },
    /// It hung up.
    #[error("closed the connection during the {step} ({at})")]
    Closed {
        /// Where.
        at: At,
        /// In which step.
        step: Step,
    },
    /// It has another key than the pinned one.
    #[error("the host key is not the pinned one: expected {expected}, got {got} ({at})")]
    Mismatch {
        /// Where.
        at: At,
        /// Fingerprint of the pinned key.
        expected: String,
        /// Fingerprint of the key shown.
        got: String,
        /// Where the pin is written.
        place: String,
    },
    /// It has no key of the pinned kind.
    #[error("the server has no host key of the pinned kind {pinned}; it offers {offered} ({at})")]
    OtherAlgorithm {
        /// Where.
        at: At,
        /// The pinned kind.
        pinned: &'static str,
        /// What it offers.
        offered: String,
        /// Where the pin is written.
        place: String,
    },
    /// Nothing in common.
    #[error("no {kind} algorithm in common; it offers {offered} ({at})")]
    NothingInCommon {
        /// Where.
        at: At,
        /// What for.
        kind: &'static str,
        /// What it offers.
        offered: String,
    },
    /// Something that is not SSH, or is wrong.
    #[error("the {step} failed: {what} ({at})")]
    Protocol {
        /// Where.
        at: At,
        /// In which step.
        step: Step,
        /// In the library's words, which hold none of the server's.
        what: String,
    },
    /// The key file cannot be read.
    #[error("cannot read the key {}", path.shown())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key file can be read by others.
    #[error("the key {} can be read by others than its owner (mode {mode:04o})", path.shown())]
    KeyFileOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key is encrypted.
    #[error("the key {} is encrypted, and nobody is asked for a passphrase", path.shown())]
    KeyFileEncrypted {
        /// The file.
        path: PathBuf,
    },
    /// Not a private key.
    #[error("{} holds no private key of a kind in use", path.shown())]
    KeyFileContent {
        /// The file.
        path: PathBuf,
    },
    /// No agent.
    #[error("the target wants a key from ssh-agent, and SSH_AUTH_SOCK is not set")]
    NoAgent,
    /// The agent does not answer as one.
    #[error("ssh-agent at {}: {what}", path.shown())]
    Agent {
        /// Its socket.
        path: PathBuf,
        /// What went wrong.
        what: String,
    },
    /// The agent lacks the key.
    #[error("ssh-agent does not hold the key {fingerprint}")]
    AgentLacks {
        /// Of the key in `fleet.toml`.
        fingerprint: String,
    },
    /// The server does not know us.
    #[error("{user} may not log in with the key {fingerprint}{} ({at})", if *.partial { ": the server wants more than a key" } else { "" })]
    Denied {
        /// Where.
        at: At,
        /// The account.
        user: String,
        /// Of our key.
        fingerprint: String,
        /// The key was right, and another proof is asked for.
        partial: bool,
    },
    /// The server takes RSA keys with SHA-1 signatures only.
    #[error("the server takes RSA keys only with SHA-1 signatures, which are not made ({at})")]
    Sha1Only {
        /// Where.
        at: At,
    },
    /// The way there fails.
    #[error("jump host {jump}: {cause}")]
    Jump {
        /// The jump host.
        jump: TargetName,
        /// What happened on it.
        cause: Box<ConnectError>,
    },
    /// The jump host does not get there.
    #[error("jump host {jump} could not reach {address}: {why}")]
    JumpRefused {
        /// The jump host.
        jump: TargetName,
        /// The target's address.
        address: SocketAddr,
        /// In the words of the protocol.
        why: &'static str,
    },
}

impl ConnectError {
    /// The rule, if the target is not to be reached by anybody: a refusal (exit code 3), not a failure (4).
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        match self {
            Self::Never { rule } => Some(rule),
            Self::Jump { cause, .. } => cause.refusal(),
            _ => None,
        }
    }

    /// What to do next, if there is something.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unpinned { place, .. } => format!(
                "`bailiwick fleet import` pins the key that known_hosts has; or run `ssh-keyscan ADDRESS`, compare \
                 `ssh-keygen -lf` of it with the machine's own console, and add it as host-key to {place}"
            ),
            Self::Mismatch { place, .. } => format!(
                "if the machine was reinstalled, compare the fingerprint with its console and change host-key in \
                 {place}; else somebody may be in the middle"
            ),
            Self::OtherAlgorithm { place, .. } => {
                format!("compare one of its keys with the machine's console and pin that one in {place}")
            }
            Self::NeverUnknown { .. } => "write the never-host's IP addresses, or mend the resolver".into(),
            Self::KeyFileOpen { path, .. } => format!("chmod 600 {}", path.shown()),
            Self::KeyFileEncrypted { .. } => {
                "load it into ssh-agent and name its public half as agent-key instead of identity".into()
            }
            Self::NoAgent => "start ssh-agent and ssh-add the key, or name a key file as identity".into(),
            Self::AgentLacks { .. } => "`ssh-add -l` lists what it holds; ssh-add the key".into(),
            Self::Denied { user, partial: false, .. } => {
                format!("is the key's public half in {user}'s authorized_keys, and may {user} log in by key?")
            }
            Self::Denied { partial: true, .. } => "give the account a login by key alone".into(),
            Self::Stalled { step: Step::Handshake, .. } | Self::Protocol { step: Step::Handshake, .. } => {
                "is it an SSH server that listens there?".into()
            }
            Self::Closed { step: Step::Handshake, .. } => {
                "its sshd may be limiting connections (MaxStartups, PerSourcePenalties)".into()
            }
            Self::JumpRefused { .. } => "does the jump host's sshd allow this account TCP forwarding?".into(),
            Self::Jump { cause, .. } => return cause.hint(),
            _ => return None,
        };
        Some(hint)
    }
}

/// `connection refused`: the kernel's words, without Rust's number and in lower case.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

fn seconds(duration: Duration) -> String {
    if duration.subsec_millis() == 0 { format!("{} s", duration.as_secs()) } else { format!("{duration:?}") }
}

/// The names that a server offers, those that are plain, a handful of them.
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
