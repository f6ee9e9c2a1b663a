//! The target's own view of its network: `network.*`. No function sends a packet.

pub use crate::bindings::bailiwick::ops::network::{Listener, Protocol};
use crate::observed::verb;

verb! {
    /// `network.listeners`: the sockets that accept connections (TCP) or datagrams from anyone (UDP), ordered by
    /// protocol, port and address. At most 1 MiB, 10 s.
    "network.listeners" network::listeners(target) -> Vec<Listener>
}
