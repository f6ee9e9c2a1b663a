//! Hosts that no connection may reach, by name, by address and by host key.

use std::fmt;
use std::net::IpAddr;

use super::{Address, HostKey};
use crate::model::TargetName;
use crate::source::Place;

/// A host that no grant can reach.
#[derive(Debug, Clone)]
pub struct NeverHost {
    /// By its name.
    pub name: TargetName,
    /// Its addresses.
    pub addresses: Vec<Address>,
    /// Its host keys, which identify it under any address.
    pub host_keys: Vec<HostKey>,
    /// The operator's reason.
    pub why: String,
    /// The place in the fleet.
    pub place: Place,
}

/// How a forbidden target was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// By its name.
    Name,
    /// By its address, as written or as resolved.
    Address,
    /// By its host key.
    HostKey,
    /// It is reached through this target, which is forbidden.
    Jump(TargetName),
}

/// A target that is a never-host.
#[derive(Debug)]
pub struct NeverHit<'a> {
    /// The never-host.
    pub never: &'a NeverHost,
    /// How it was recognised.
    pub how: How,
}

impl NeverHost {
    /// True if the host has this address.
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
