//! The interpreter of manifests with checks: a component of this project that is sealed together with each of them.
//!
//! Knows: its bytes. Must not know: what it does. Attack answered: a component that claims to be the interpreter and does
//! something else than its checks. Every byte of it is compared.

use super::sections::{seal, sealed_manifest};

/// The interpreter, built from `probes/interpreter`, without a manifest.
pub const INTERPRETER: &[u8] = include_bytes!("../../../probes/dist/interpreter.wasm");

/// True for the interpreter with one sealed manifest, and nothing else in the file.
#[must_use]
pub fn is_interpreter(bytes: &[u8]) -> bool {
    bytes.starts_with(INTERPRETER)
        && matches!(sealed_manifest(bytes), Ok(Some(text)) if seal(INTERPRETER, text).is_ok_and(|sealed| sealed == bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lk13_every_byte_counts() {
        let sealed = seal(INTERPRETER, "x = 1").unwrap();
        assert!(is_interpreter(&sealed));
        assert!(!is_interpreter(INTERPRETER), "without a manifest it has nothing to interpret");
        for at in [8, INTERPRETER.len() / 2, INTERPRETER.len() - 1, INTERPRETER.len() + 1] {
            let mut other = sealed.clone();
            other[at] ^= 1;
            assert!(!is_interpreter(&other), "byte {at}");
        }
        let behind = [sealed.as_slice(), b"\0\x02\x01x"].concat();
        assert!(!is_interpreter(&behind), "a section behind the manifest");
        let before = [INTERPRETER, b"\0\x02\x01x", &sealed[INTERPRETER.len()..]].concat();
        assert!(!is_interpreter(&before), "a section before it");
    }
}
