//! Certificates in a file, and those that a server presents.
//!
//! Attack answered: a file that also holds the private key. `awk` prints only the lines between the markers of a certificate,
//! so that a private key in the same file never leaves the target. `awk` reads an operand with `=` as a variable only if it
//! begins with a name, and a path begins with `/`.

use std::time::Duration;

use super::{
    Invocation,
    Part::{Object as Hole, OptionField, Word},
    Spec,
};
use crate::model::{Effect, Field, Object};

pub(super) const FILE: Spec = Spec {
    effect: Effect::Observe,
    object: Object::Path,
    invocation: Invocation::Program(&[Word("awk"), Word("/BEGIN.CERTIFICATE/,/END.CERTIFICATE/"), Hole]),
    bytes_max: 512 << 10,
    timeout: Duration::from_secs(10),
    reads: "the certificates in the file, nothing else",
};

/// `-host` and `-port` rather than `-connect`: an IPv6 address needs no brackets there, which a shell might read. Its input
/// is empty, so it closes the connection right after the handshake.
pub(super) const SERVER: Spec = Spec {
    effect: Effect::Observe,
    object: Object::Endpoint,
    invocation: Invocation::Fed(
        &[
            Word("openssl"),
            Word("s_client"),
            OptionField("-host=", Field::Ip),
            OptionField("-port=", Field::Port),
            OptionField("-servername=", Field::ServerName),
            OptionField("-verify_hostname=", Field::ServerName),
            Word("-showcerts"),
        ],
        "",
    ),
    bytes_max: 512 << 10,
    timeout: Duration::from_secs(10),
    reads: "the certificates that the server shows in a TLS handshake",
};

#[cfg(test)]
mod tests {
    use crate::model::{Literal, Verb};
    use crate::verbs::{Tier, action};

    #[test]
    fn an_ipv6_server_needs_no_brackets_and_a_nameless_one_no_name() {
        let text = |endpoint: &str| {
            let literal = Literal::parse(crate::model::Object::Endpoint, endpoint).unwrap();
            let text = action(Verb::CertificatesServer, Some(literal), Tier::Plain).wire.text();
            text.split_once("openssl ").unwrap().1.to_owned()
        };
        assert_eq!(
            text("[2001:db8::7]:443/www.example.org"),
            "s_client -host=2001:db8::7 -port=443 -servername=www.example.org -verify_hostname=www.example.org \
             -showcerts < \"\""
        );
        assert_eq!(text("127.0.0.1:8443"), "s_client -host=127.0.0.1 -port=8443 -showcerts < \"\"");
    }
}
