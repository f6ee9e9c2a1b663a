//! Who signed a component: the signature beside it, and the list of allowed signers.

use bailiwick_core::source::{Problems, Source};
use bailiwick_policy::signature::{AllowedSigners, Signature};
use jiff::tz::TimeZone;

/// The file that the seeds are signatures of.
pub(crate) const SIGNED: &[u8] = b"a component's bytes";

/// What verifies does so for these bytes and no others.
pub(crate) fn signature(data: &[u8]) {
    let Ok(signature) = Signature::parse(data) else { return };
    assert!(signature.fingerprint().starts_with("SHA256:"));
    assert!(signature.verify(&[SIGNED, b"."].concat()).is_err(), "a signature of something else");
    let _ = signature.verify(SIGNED);
}

/// Every mistake has its line.
pub(crate) fn signers(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let source = Source::embedded("allowed_signers", text);
    match AllowedSigners::parse(&source, &TimeZone::UTC) {
        Ok(signers) => {
            let _ = signers.knows("alice@example.org");
        }
        Err(Problems(found)) => {
            assert!(!found.is_empty());
            for problem in found {
                assert!(problem.place.as_ref().is_some_and(|place| place.line() <= text.lines().count().max(1)));
                assert!(!problem.render(false).is_empty());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_is_what_ssh_keygen_made() {
        let signature = Signature::parse(include_bytes!("../seeds/signed.sig")).unwrap();
        assert!(signature.verify(SIGNED).is_ok());
    }
}
