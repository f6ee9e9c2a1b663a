//! `bailiwick_core::sections` and the inspection must read the same bytes in the same way.

use bailiwick_core::limits::Limits;
use bailiwick_core::sections::{MANIFEST_SECTION, SealError, seal, sealed_manifest, strip};
use proptest::prelude::*;

const MEMORY: &[u8] = include_bytes!("../../../../probes/dist/memory.wasm");

/// A custom section of this name, which holds one byte.
fn custom(name: &str) -> Vec<u8> {
    let length = u8::try_from(name.len()).unwrap();
    [&[0, length + 2, length], name.as_bytes(), b"x"].concat()
}

#[test]
fn stripping_keeps_the_component_and_takes_the_names() {
    let named = [MEMORY, &custom("producers"), &custom("kept"), &custom(".debug_line")].concat();
    let stripped = strip(&named).unwrap();
    assert_eq!(strip(&stripped).unwrap(), stripped);
    let shape = |bytes: &[u8]| {
        let inspected = crate::inspect(bytes, &Limits::default()).unwrap();
        (inspected.imports, inspected.exports)
    };
    assert_eq!(shape(&stripped), shape(MEMORY));
    let customs: Vec<_> =
        crate::inspect(&stripped, &Limits::default()).unwrap().custom.into_iter().map(|(name, _)| name).collect();
    assert_eq!(customs, ["kept"]);
    assert!(stripped.len() < MEMORY.len());
}

proptest! {
    /// The sandbox reads every file that it accepts in the same way as this reader.
    #[test]
    fn a_damaged_file_is_read_here_as_in_the_sandbox(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        at_the_end: bool,
    ) {
        let mut bytes = seal(MEMORY, "id = 1").unwrap();
        for (at, byte) in damage {
            let tail = if at_the_end { bytes.len() - 64 } else { 0 };
            let at = tail + at.index(bytes.len() - tail);
            bytes[at] = byte;
        }
        let read = sealed_manifest(&bytes);
        if let Ok(inspected) = crate::inspect(&bytes, &Limits::default()) {
            let theirs: Vec<_> = inspected.custom.iter().filter(|(name, _)| name == MANIFEST_SECTION).collect();
            match (theirs.as_slice(), read) {
                ([], Ok(None)) => {}
                ([(_, range)], Ok(Some(text))) => prop_assert_eq!(&bytes[range.clone()], text.as_bytes()),
                ([(_, range)], Err(SealError::NotText)) => {
                    prop_assert!(std::str::from_utf8(&bytes[range.clone()]).is_err());
                }
                (theirs, ours) => prop_assert!(false, "{theirs:?} and {ours:?}"),
            }
        }
    }
}
