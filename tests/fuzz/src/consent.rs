//! The lock: what people accepted.

use bailiwick_core::source::Source;
use bailiwick_policy::library::digest;
use bailiwick_policy::lock::{LockError, parse, render};

const CHECKSUM: &str = "\n[checksum]\n";

/// A text with the checksum that it must have, so that the checksum does not reject it.
pub(crate) fn sealed(text: &str) -> String {
    format!("{text}{CHECKSUM}sha256 = \"{}\"\n", digest(text.as_bytes()))
}

/// The text as it is, and its part before the checksum with the right checksum. What is read and written reads the same.
pub(crate) fn lock(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let body = text.rfind(CHECKSUM).map_or(text, |end| &text[..end]);
    for text in [text.to_owned(), sealed(body)] {
        match parse(&Source::embedded("bailiwick.lock", &text)) {
            Ok(lock) => {
                let written = render(&lock);
                let again = parse(&Source::embedded("bailiwick.lock", &written)).expect("what we write we read");
                assert_eq!(again, lock);
                assert_eq!(render(&again), written);
                // One byte of it changed, and it accepts nothing.
                let edited = written.replacen("format", "#ormat", 1);
                assert!(parse(&Source::embedded("bailiwick.lock", &edited)).is_err());
            }
            Err(LockError::Invalid(found)) => {
                found.iter().for_each(|problem| assert!(!problem.render(false).is_empty()))
            }
            Err(other) => assert!(!other.to_string().is_empty()),
        }
    }
}
