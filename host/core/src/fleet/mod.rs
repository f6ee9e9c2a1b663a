//! The machines: how each is reached, its pinned host key, and those that are never reached.
//!
//! Knows: `fleet.toml`. Must not know: policy, components, sockets. Attacks answered: an address, user or key that a shell or
//! an option parser would misread (NW13); one machine under two names (NW11); a never-host under an alias, an address or a jump
//! (NW11).

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
use crate::nearest::choices;
use crate::source::Place;
use crate::verbs::Tier;

/// All targets and never-hosts.
#[derive(Debug, Default)]
pub struct Fleet {
    /// By name.
    pub targets: BTreeMap<TargetName, Target>,
    /// By name. Subtracted last, and no grant overrides them.
    pub never: BTreeMap<TargetName, NeverHost>,
}

/// One machine.
#[derive(Debug, Clone)]
pub struct Target {
    /// The operator's name for it.
    pub name: TargetName,
    /// How it is reached.
    pub access: Access,
    /// Its tags.
    pub tags: BTreeSet<Tag>,
    /// The place in the fleet.
    pub place: Place,
}

/// How a machine is reached.
#[derive(Debug, Clone)]
pub enum Access {
    /// This machine.
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
    /// The credential for authentication.
    pub credential: Credential,
    /// The pinned host key. Without one the target is refused until the operator pins it.
    pub host_key: Option<HostKey>,
    /// The target through which it is reached.
    pub jump: Option<TargetName>,
    /// The gate on the target. Without one nothing is changed there.
    pub gate: Option<Gate>,
}

/// The gate of a target, and how changes reach it. Account and key differ from those for checks, and are used for an approved
/// plan only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// Account on the target for changes.
    pub user: UserName,
    /// An unencrypted private key in a file that only its owner can read.
    pub identity: PathBuf,
    /// A certificate for it from the operator's CA, if it needs one.
    pub certificate: Option<PathBuf>,
    /// The source address that the target sees. Both keys are valid from there only.
    pub from: Option<Address>,
}

/// The credential for authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// An unencrypted private key in a file that only its owner can read.
    KeyFile(PathBuf),
    /// The key in the user's ssh-agent that has this public half. No other key of the agent is used, and the agent is never
    /// forwarded.
    Agent(HostKey),
    /// An unencrypted private key, and a certificate for it that may be valid for only minutes.
    Certificate {
        /// As for [`Credential::KeyFile`].
        key: PathBuf,
        /// The certificate from the operator's CA: `ID-cert.pub`.
        certificate: PathBuf,
    },
}

impl Gate {
    /// The credential for changes.
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
    /// How its actions are sent.
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
    /// What is wrong with a target's name that no target has, and the next step.
    #[must_use]
    pub fn unknown(&self, name: &str) -> (String, String) {
        let names: Vec<_> = self.targets.keys().map(TargetName::as_str).collect();
        let built_in = self.targets.values().any(|target| target.place.source.is_built_in());
        let hint = if built_in {
            format!(
                "without an ops directory the only target is {}; --dir DIR names an ops directory",
                names.join(", ")
            )
        } else if names.is_empty() {
            "fleet.toml has no targets; `bailiwick fleet import` prints some".to_owned()
        } else {
            choices(name, names, "targets in fleet.toml")
        };
        (format!("there is no target `{}`", name.escape_debug()), hint)
    }

    /// The rule that forbids a target: by name, by address, by host key, or because a jump to it is forbidden. A name that
    /// resolves to a forbidden address is detected when it is resolved, a forbidden key under an unknown address when the
    /// server shows it. Both happen before any authentication.
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
        // `parse` has refused loops and unknown names.
        let jump = self.targets.get(ssh.jump.as_ref()?)?;
        self.hit(never, jump).map(|_| How::Jump(jump.name.clone()))
    }
}
