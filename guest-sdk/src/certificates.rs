//! X.509 certificates, in files and as servers show them: `certificates.*`. Read, not judged: no signature is checked.

pub use crate::bindings::bailiwick::ops::certificates::{Certificate, KeyKind, ServerInfo};
use crate::observed::verb;

verb! {
    /// `certificates.file`: the PEM certificates in the entry's file, in their order; a private key beside them is not read.
    /// Empty if there are none. At most 512 KiB, 10 s. A symbolic link is followed.
    "certificates.file" certificates::file(target, entry) -> Vec<Certificate>
}
verb! {
    /// `certificates.server`: what the entry's server shows in a TLS handshake, and what the target's OpenSSL makes of it.
    /// `NotFound` if nothing listens there, `Garbled` if what does speaks no TLS. At most 512 KiB, 10 s.
    "certificates.server" certificates::server(target, entry) -> ServerInfo
}

impl Certificate {
    /// What a person calls it: the first of its names, or else its subject's.
    pub fn title(&self) -> &str {
        self.names.first().map_or(self.subject.as_str(), String::as_str)
    }
}
