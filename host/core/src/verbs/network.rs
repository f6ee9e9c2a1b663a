//! The target's view of its network, from the kernel's socket tables. `0A` is LISTEN, `07` an unconnected datagram
//! socket; the parser checks the column, `grep` only keeps a busy host's answer small. Needs neither root nor `ss`.

use std::time::Duration;

use super::{Invocation, Part::Word, Spec};
use crate::model::{Effect, Object};

pub(super) const LISTENERS: Spec = Spec {
    effect: Effect::Observe,
    object: Object::None,
    invocation: Invocation::Program(&[
        Word("grep"),
        Word("-s"),
        Word("-H"),
        Word("-w"),
        Word("-e"),
        Word("0A"),
        Word("-e"),
        Word("07"),
        Word("/proc/net/tcp"),
        Word("/proc/net/tcp6"),
        Word("/proc/net/udp"),
        Word("/proc/net/udp6"),
    ]),
    bytes_max: 1 << 20,
    timeout: Duration::from_secs(10),
    reads: "listening TCP and UDP sockets",
};
