//! X.509 certificates, in files and as servers present them: `certificates.*`. They are parsed only: no signature is checked.

pub use crate::bindings::bailiwick::ops::certificates::{Certificate, KeyKind, ServerInfo};
use crate::observed::verb;

verb! {
    /// `certificates.file`: the PEM certificates in the entry's file, in order; a private key in the same file is not read.
    /// Empty if there are none. At most 512 KiB, 10 s. A symbolic link is followed.
    "certificates.file" certificates::file(target, entry) -> Vec<Certificate>
}
verb! {
    /// `certificates.server`: what the entry's server presents in a TLS handshake, and how the target's OpenSSL verifies it.
    /// `NotFound` if nothing listens there, `Garbled` if the server does not speak TLS. At most 512 KiB, 10 s.
    "certificates.server" certificates::server(target, entry) -> ServerInfo
}

impl Certificate {
    /// The name to show: the first of its names, or else its subject.
    pub fn title(&self) -> &str {
        self.names.first().map_or(self.subject.as_str(), String::as_str)
    }
}
