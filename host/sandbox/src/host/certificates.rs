//! Readers of certificates: PEM blocks of a file, and what `openssl s_client -showcerts` prints.
//!
//! Attacks answered: DER made to break its reader (it runs in the worker, over a bounded answer), a certificate that cannot be
//! read and hides the others (then none is returned), and a server that imitates OpenSSL's own messages: the chain is read from
//! its own section alone, OpenSSL's verdict from the first line after it, before anything that the server may have sent (TG05).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest, Sha256};
use x509_cert::Certificate as X509;
use x509_cert::der::asn1::{ObjectIdentifier, UintRef};
use x509_cert::der::{Decode, Reader, SliceReader};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::time::Time;

use super::text::{ended, failure, known_message, number, whole};
use bailiwick_bindings::ops::certificates::{Certificate, KeyKind, ServerInfo};
use bailiwick_core::model::Answer;
use bailiwick_core::model::VerbError;

use VerbError::Garbled;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

pub(super) fn file(answer: &Answer) -> Result<Vec<Certificate>, VerbError> {
    if !ended(answer, &[0]) {
        return Err(failure(answer));
    }
    // A warning: `awk` continued without the file.
    if let Some(error) = known_message(answer) {
        return Err(error);
    }
    let text = whole(answer)?;
    let mut lines = text.lines();
    let mut certificates = Vec::new();
    // A request, or a block of another kind that `awk` printed, is text around the certificates.
    while let Some(der) = next_block(&mut lines, |_| true)? {
        certificates.push(certificate(&der)?);
    }
    Ok(certificates)
}

pub(super) fn server(answer: &Answer) -> Result<ServerInfo, VerbError> {
    // The status is also 1 if the server hangs up after the handshake, for example because it requires a client certificate.
    if !ended(answer, &[0, 1]) {
        return Err(failure(answer));
    }
    let text = whole(answer)?;
    let mut lines = text.lines();
    if !lines.any(|line| line == "Certificate chain") {
        return Err(known_message(answer).unwrap_or(Garbled));
    }
    let mut section = lines.by_ref().take_while(|line| *line != "---");
    let mut chain = Vec::new();
    // OpenSSL indents the lines about each.
    while let Some(der) = next_block(&mut section, |line| line.starts_with(' '))? {
        chain.push(certificate(&der)?);
    }
    let mut protocol = None;
    for line in lines {
        if let Some(verdict) = line.trim_start().strip_prefix("Verify return code: ") {
            let (code, words) =
                verdict.strip_suffix(')').and_then(|verdict| verdict.split_once(" (")).ok_or(Garbled)?;
            let protocol: String = protocol.ok_or(Garbled)?;
            let (verify_code, verify_text) = (number(code)?, words.to_owned());
            return if chain.is_empty() {
                Err(Garbled)
            } else {
                Ok(ServerInfo { chain, protocol, verify_code, verify_text })
            };
        }
        if let Some(agreed) = line.strip_prefix("New, ").or_else(|| line.strip_prefix("Reused, ")) {
            protocol = agreed.split(',').next().map(str::to_owned);
        }
    }
    Err(Garbled)
}

/// The bytes of the next block, if there is one. `around` is true for lines that may come before it.
fn next_block<'t>(
    lines: &mut impl Iterator<Item = &'t str>,
    around: impl Fn(&str) -> bool,
) -> Result<Option<Vec<u8>>, VerbError> {
    loop {
        match lines.next().map(str::trim_end) {
            None => return Ok(None),
            Some(BEGIN) => break,
            Some(line) if around(line) => {}
            Some(_) => return Err(Garbled),
        }
    }
    let mut base64 = String::new();
    for line in lines {
        let line = line.trim();
        if line == END {
            return BASE64.decode(base64.as_bytes()).map(Some).map_err(|_| Garbled);
        }
        base64.push_str(line);
    }
    Err(Garbled)
}

fn certificate(der: &[u8]) -> Result<Certificate, VerbError> {
    let parsed = X509::from_der(der).map_err(|_| Garbled)?;
    let body = parsed.tbs_certificate();
    let (key, key_bits) = key(body.subject_public_key_info());
    Ok(Certificate {
        subject: body.subject().to_string(),
        issuer: body.issuer().to_string(),
        names: match body.get_extension::<SubjectAltName>().map_err(|_| Garbled)? {
            Some((_, SubjectAltName(names))) => names.iter().filter_map(name).collect::<Result<_, _>>()?,
            None => Vec::new(),
        },
        not_before: seconds(body.validity().not_before)?,
        not_after: seconds(body.validity().not_after)?,
        self_signed: body.subject() == body.issuer(),
        key,
        key_bits,
        fingerprint: HEXLOWER.encode(&Sha256::digest(der)),
    })
}

fn seconds(time: Time) -> Result<i64, VerbError> {
    i64::try_from(time.to_unix_duration().as_secs()).map_err(|_| Garbled)
}

/// A host name or an address; nothing for a name of another kind.
fn name(name: &GeneralName) -> Option<Result<String, VerbError>> {
    match name {
        GeneralName::DnsName(name) => Some(Ok(name.as_str().to_owned())),
        GeneralName::IpAddress(octets) => {
            let octets = octets.as_bytes();
            let v4 = <[u8; 4]>::try_from(octets).map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
            let v6 = <[u8; 16]>::try_from(octets).map(|octets| IpAddr::V6(Ipv6Addr::from(octets)));
            Some(v4.or(v6).map(|ip| ip.to_string()).map_err(|_| Garbled))
        }
        _ => None,
    }
}

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Curves by name, and the bits of a key on them.
const CURVES: &[(ObjectIdentifier, u32)] = &[
    (ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), 256),
    (ObjectIdentifier::new_unwrap("1.3.132.0.10"), 256),
    (ObjectIdentifier::new_unwrap("1.3.132.0.34"), 384),
    (ObjectIdentifier::new_unwrap("1.3.132.0.35"), 521),
];

fn key(info: &SubjectPublicKeyInfoOwned) -> (KeyKind, Option<u32>) {
    match info.algorithm.oid {
        RSA | RSA_PSS => (KeyKind::Rsa, info.subject_public_key.as_bytes().and_then(modulus_bits)),
        EC => {
            let curve = info.algorithm.parameters.as_ref().and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
            let known = CURVES.iter().find(|(known, _)| Some(*known) == curve);
            (KeyKind::Ec, known.map(|(_, bits)| *bits))
        }
        ED25519 => (KeyKind::Ed25519, Some(256)),
        _ => (KeyKind::Other, None),
    }
}

/// An RSA key is a sequence that begins with its modulus.
fn modulus_bits(der: &[u8]) -> Option<u32> {
    let mut reader = SliceReader::new(der).ok()?;
    let modulus = reader
        .sequence(|body| {
            let modulus = UintRef::decode(body)?;
            let _exponent = UintRef::decode(body)?;
            Ok::<_, x509_cert::der::Error>(modulus)
        })
        .ok()?;
    let bytes = modulus.as_bytes();
    let leading = bytes.first()?.leading_zeros();
    u32::try_from(bytes.len()).ok()?.checked_mul(8)?.checked_sub(leading)
}

#[cfg(test)]
mod tests;
