//! Hosts that nothing may reach: known by name, by address and by host key.

use std::fmt;
use std::net::IpAddr;

use super::{Address, HostKey};
use crate::model::TargetName;
use crate::source::Place;

/// A host that no grant can reach.
#[derive(Debug, Clone)]
pub struct NeverHost {
    /// What people call it.
    pub name: TargetName,
    /// Where it is.
    pub addresses: Vec<Address>,
    /// Who it is, under whatever address.
    pub host_keys: Vec<HostKey>,
    /// The operator's reason.
    pub why: String,
    /// Where it is written.
    pub place: Place,
}

/// What gave a forbidden target away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Its name.
    Name,
    /// Its address, as written or as resolved.
    Address,
    /// Its host key.
    HostKey,
    /// The way to it leads through this target, which is forbidden.
    Jump(TargetName),
}

/// A target that is a never-host.
#[derive(Debug)]
pub struct NeverHit<'a> {
    /// The host.
    pub never: &'a NeverHost,
    /// What gave it away.
    pub how: How,
}

impl NeverHost {
    /// True if this address is one of its.
    #[must_use]
    pub fn has_address(&self, ip: IpAddr) -> bool {
        self.addresses.contains(&Address::Ip(super::address::canonical(ip)))
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("by name"),
            Self::Address => f.write_str("by address"),
            Self::HostKey => f.write_str("by host key"),
            Self::Jump(name) => write!(f, "through jump host {name}"),
        }
    }
}

impl fmt::Display for NeverHit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NeverHost { name, why, place, .. } = self.never;
        write!(f, "never-host {name}, recognised {} ({place}: {why})", self.how)
    }
}
