//! The algorithms that may be negotiated. They are written out, so that a new default of the library cannot add one.
//!
//! Attack answered: a server that offers only broken algorithms: `ssh-rsa` with SHA-1, `none`, `zlib`, CBC, finite
//! groups of unknown make (NW16). Strict key exchange is always offered (Terrapin).

use std::borrow::Cow;

use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::{Preferred, cipher, compression, kex, mac};

use bailiwick_core::fleet::HostKey;

const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];

const CIPHERS: &[cipher::Name] =
    &[cipher::CHACHA20_POLY1305, cipher::AES_256_GCM, cipher::AES_128_GCM, cipher::AES_256_CTR, cipher::AES_128_CTR];

/// For the counter-mode ciphers. All of them authenticate before they decrypt.
const MACS: &[mac::Name] = &[mac::HMAC_SHA256_ETM, mac::HMAC_SHA512_ETM];

/// What a connection to the server with this key may use. Only the type of the pinned host key is requested, so that a server
/// cannot answer with a key of another type.
pub(super) fn preferred(pin: &HostKey) -> Preferred {
    Preferred {
        kex: Cow::Borrowed(KEX),
        key: Cow::Owned(host_key(pin)),
        host_key_certificates: Cow::Borrowed(&[]),
        cipher: Cow::Borrowed(CIPHERS),
        mac: Cow::Borrowed(MACS),
        compression: Cow::Borrowed(&[compression::NONE]),
    }
}

fn host_key(pin: &HostKey) -> Vec<Algorithm> {
    let ecdsa = |curve| vec![Algorithm::Ecdsa { curve }];
    match pin.kind() {
        "ssh-ed25519" => vec![Algorithm::Ed25519],
        "ecdsa-sha2-nistp256" => ecdsa(EcdsaCurve::NistP256),
        "ecdsa-sha2-nistp384" => ecdsa(EcdsaCurve::NistP384),
        "ecdsa-sha2-nistp521" => ecdsa(EcdsaCurve::NistP521),
        "ssh-rsa" => {
            [HashAlg::Sha512, HashAlg::Sha256].into_iter().map(|hash| Algorithm::Rsa { hash: Some(hash) }).collect()
        }
        // A type that is added to `HostKey` and not here negotiates nothing.
        _ => Vec::new(),
    }
}
