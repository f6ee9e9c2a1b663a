//! The machines: how each is reached, its pinned host key, and those that are never reached.
//!
//! Knows: `fleet.toml`. Must not know: policy, components, sockets. Attacks answered: an address, user or key that a
//! shell or an option parser would read as more (NW13); one machine under two names (NW11); a never-host under an alias,
//! an address or a jump (NW11).

mod address;
mod host_key;
pub mod import;
mod keys;
mod never;
mod parse;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

pub use address::{Address, AddressError, UserName};
pub use host_key::{HostKey, HostKeyError};
pub use keys::reference;
pub use never::{How, NeverHit, NeverHost};
pub use parse::{key_file, parse};

use crate::model::{Tag, TargetName};
use crate::source::Place;
use crate::verbs::Tier;

/// Every machine that the operator has written down.
#[derive(Debug, Default)]
pub struct Fleet {
    /// By name.
    pub targets: BTreeMap<TargetName, Target>,
    /// By name. Subtracted last, whatever anything else says.
    pub never: BTreeMap<TargetName, NeverHost>,
}

/// One machine.
#[derive(Debug, Clone)]
pub struct Target {
    /// The operator's name for it.
    pub name: TargetName,
    /// How it is reached.
    pub access: Access,
    /// The sets it belongs to.
    pub tags: BTreeSet<Tag>,
    /// Where it is written.
    pub place: Place,
}

/// How a machine is reached.
#[derive(Debug, Clone)]
pub enum Access {
    /// It is this machine.
    Local,
    /// Over SSH.
    Ssh(Box<Ssh>),
}

/// One SSH endpoint.
#[derive(Debug, Clone)]
pub struct Ssh {
    /// An address, or a name that is resolved once per connection.
    pub address: Address,
    /// TCP port.
    pub port: u16,
    /// Account on the target.
    pub user: UserName,
    /// What proves who we are.
    pub credential: Credential,
    /// What the target must prove. None: it is refused until the operator pins one.
    pub host_key: Option<HostKey>,
    /// The target through which it is reached.
    pub jump: Option<TargetName>,
    /// What is installed there, if anything is. None: nothing is changed there.
    pub gate: Option<Gate>,
}

/// The gate of a target, and how a change comes in. The account and the key are others than those that look: they are
/// touched for an approved plan only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// Account on the target for changes.
    pub user: UserName,
    /// An unencrypted private key in a file that only its owner can read.
    pub identity: PathBuf,
    /// A certificate over it that the operator's CA has made, if it needs one.
    pub certificate: Option<PathBuf>,
    /// Where the target sees us come from: both keys are good from there only.
    pub from: Option<Address>,
}

/// What proves who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// An unencrypted private key in a file that only its owner can read.
    KeyFile(PathBuf),
    /// The one key in the user's ssh-agent that has this public half. The agent is asked for no other, and is never
    /// forwarded.
    Agent(HostKey),
    /// An unencrypted private key, and a certificate over it that may be good for minutes only.
    Certificate {
        /// As for [`Credential::KeyFile`].
        key: PathBuf,
        /// What the operator's CA has made: `ID-cert.pub`.
        certificate: PathBuf,
    },
}

impl Gate {
    /// What proves that we may change something.
    #[must_use]
    pub fn credential(&self) -> Credential {
        let key = self.identity.clone();
        match &self.certificate {
            Some(certificate) => Credential::Certificate { key, certificate: certificate.clone() },
            None => Credential::KeyFile(key),
        }
    }
}

impl Access {
    /// A target with a gate at a documentation address (RFC 5737), for cases of fixes, which send nothing.
    #[must_use]
    pub fn gated_nowhere() -> Option<Self> {
        let (user, key) = (UserName::new("nobody").ok()?, PathBuf::new());
        let gate = Gate { user: user.clone(), identity: key.clone(), certificate: None, from: None };
        Some(Self::Ssh(Box::new(Ssh {
            address: Address::new("192.0.2.1").ok()?,
            port: 22,
            user,
            credential: Credential::KeyFile(key),
            host_key: None,
            jump: None,
            gate: Some(gate),
        })))
    }
}

impl Target {
    /// How its actions are said.
    #[must_use]
    pub fn tier(&self) -> Tier {
        match &self.access {
            Access::Local => Tier::Local,
            Access::Ssh(ssh) if ssh.gate.is_some() => Tier::Gated,
            Access::Ssh(_) => Tier::Plain,
        }
    }

    /// Its gate.
    #[must_use]
    pub fn gate(&self) -> Option<&Gate> {
        match &self.access {
            Access::Local => None,
            Access::Ssh(ssh) => ssh.gate.as_ref(),
        }
    }
}

impl Fleet {
    /// The rule that forbids a target, however it is written down: by name, by address, by host key, or because a jump
    /// on the way is forbidden. A name that resolves to a forbidden address is found when it is resolved, a forbidden
    /// key under an unknown address when the server shows it; both before any authentication.
    #[must_use]
    pub fn forbidden(&self, target: &Target) -> Option<NeverHit<'_>> {
        self.never.values().find_map(|never| {
            let how = self.hit(never, target)?;
            Some(NeverHit { never, how })
        })
    }

    fn hit(&self, never: &NeverHost, target: &Target) -> Option<How> {
        if never.name == target.name {
            return Some(How::Name);
        }
        let Access::Ssh(ssh) = &target.access else {
            return None;
        };
        if never.addresses.iter().any(|address| address.same(&ssh.address)) {
            return Some(How::Address);
        }
        if ssh.host_key.as_ref().is_some_and(|key| never.host_keys.contains(key)) {
            return Some(How::HostKey);
        }
        // `parse` has refused circles and unknown names.
        let jump = self.targets.get(ssh.jump.as_ref()?)?;
        self.hit(never, jump).map(|_| How::Jump(jump.name.clone()))
    }
}
