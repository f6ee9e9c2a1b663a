//! Reads the parts of a component before anything is compiled.
//!
//! Knows: the binary format, through wasmparser alone: the engine has not seen a byte yet. Must not know: manifests,
//! policy. Attacks answered: files that are not components, features that are off, and structures made to exhaust the
//! compiler (LK01–LK05, LK13, LK17). The engine's own ceilings (1 GiB, 7.6 MB bodies) protect nothing.

mod depth;
mod nested;
mod walk;

use std::collections::BTreeSet;
use std::ops::Range;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use wasmparser::component_types::ComponentEntityType;
use wasmparser::types::{Types, TypesRef};
use wasmparser::{BinaryReaderError, FuncValidatorAllocations, Parser, ValidPayload, Validator, WasmFeatures};

use self::depth::Depth;
use self::walk::{ImportKind, Walk};
use bailiwick_core::limits::Limits;

/// The wasm features that components may use. All others are off: GC, exceptions, tail calls, threads, memory64, multi-memory,
/// relaxed SIMD, custom page sizes, stack switching, async components. The engine gets the same set.
pub(super) const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL);

/// The structure of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// SHA-256 of the bytes, in hex.
    pub digest: String,
    /// Its size in bytes.
    pub size: usize,
    /// Functions it imports: interface and function, as the binary spells them, in its order.
    pub imports: Vec<(String, String)>,
    /// Interfaces of which it imports only types.
    pub type_imports: Vec<String>,
    /// What it exports besides types: kind and name.
    pub exports: Vec<(&'static str, String)>,
    /// Custom sections of the component itself: name, and range of bytes.
    pub custom: Vec<(String, Range<usize>)>,
    /// True for the host's own interpreter, which is compared byte for byte, except for its manifest.
    pub interpreter: bool,
}

impl Inspected {
    /// Every import, one text each: for a lock, and for comparing. The names are the component's own.
    #[must_use]
    pub fn import_names(&self) -> BTreeSet<String> {
        let functions = self.imports.iter().map(|(interface, function)| format!("{interface} {function}"));
        functions.chain(self.type_imports.iter().map(|interface| format!("{interface} (types only)"))).collect()
    }
}

/// Why bytes are not a component for this host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// The file is too large.
    #[error("the file has {found} bytes; this component may have {max} (limit `component-bytes`)")]
    Size {
        /// Its size.
        found: u64,
        /// The limit.
        max: u64,
    },
    /// WebAssembly, but not a component.
    #[error(
        "this is a core module, not a component\n\nhint: `wasm-tools component new FILE -o NEW.wasm` converts it to a component; then pack NEW.wasm"
    )]
    CoreModule,
    /// It is not WebAssembly.
    #[error(
        "this is not a WebAssembly component (it begins with {0})\n\nhint: name the .wasm file that the compiler wrote; --manifest FILE names a manifest"
    )]
    NotWasm(String),
    /// It is not valid, or needs a feature that is off.
    #[error("at byte {offset}: {message}")]
    Invalid {
        /// The byte.
        offset: usize,
        /// The message of the reader, escaped; with a hint if the file ends too early.
        message: String,
    },
    /// It exceeds a limit.
    #[error("it has {found} {what}; this component may have {max} (limit `{limit}`)")]
    TooMuch {
        /// The limit's name.
        limit: &'static str,
        /// What is counted.
        what: &'static str,
        /// The number.
        found: u64,
        /// The limit's value.
        max: u64,
    },
    /// An import that is not an interface.
    #[error("it imports a {kind}, `{name}`; this host only provides functions in interfaces")]
    ImportKind {
        /// The kind of import.
        kind: &'static str,
        /// Its name, escaped.
        name: String,
    },
}

impl From<BinaryReaderError> for InspectError {
    fn from(error: BinaryReaderError) -> Self {
        let mut message = shown(error.message());
        if message.starts_with("unexpected end") {
            message.push_str("\n\nhint: the file is incomplete; build or copy it again");
        }
        Self::Invalid { offset: error.offset(), message }
    }
}

/// A name from a component, escaped and shortened for a message.
pub(super) fn shown(name: &str) -> String {
    let mut text: String = name.chars().take(120).flat_map(char::escape_debug).collect();
    if name.chars().nth(120).is_some() {
        text.push('…');
    }
    text
}

/// Reads a component: structure first, then validity, then its imports.
///
/// # Errors
/// When the bytes are not a valid component within the limits.
pub fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspected, InspectError> {
    let found = bytes.len() as u64;
    if found > limits.component_bytes {
        return Err(InspectError::Size { found, max: limits.component_bytes });
    }
    if Parser::is_core_wasm(bytes) {
        return Err(InspectError::CoreModule);
    }
    if !Parser::is_component(bytes) {
        let start = bytes.get(..8).unwrap_or(bytes);
        return Err(InspectError::NotWasm(HEXLOWER.encode(start)));
    }
    let walk = Walk::all(bytes, limits)?;
    let types = validate(bytes, limits)?;
    let mut inspected = Inspected {
        digest: HEXLOWER.encode(&Sha256::digest(bytes)),
        size: bytes.len(),
        imports: Vec::new(),
        type_imports: Vec::new(),
        exports: walk.exports,
        custom: walk.custom,
        interpreter: bailiwick_core::interpreter::is_interpreter(bytes),
    };
    for (name, kind) in walk.imports {
        inspected.import(&name, kind, types.as_ref())?;
    }
    Ok(inspected)
}

/// A parser with only the allowed features. By default it accepts every proposal.
fn parser() -> Parser {
    let mut parser = Parser::new(0);
    parser.set_features(FEATURES);
    parser
}

/// Checks that the component is valid and that its types are not too deep. The first pass has counted its parts.
fn validate(bytes: &[u8], limits: &Limits) -> Result<Types, InspectError> {
    let mut validator = Validator::new_with_features(FEATURES);
    let mut functions = Vec::new();
    let mut whole = None;
    for payload in parser().parse_all(bytes) {
        match validator.payload(&payload?)? {
            ValidPayload::Func(function, body) => functions.push((function, body)),
            ValidPayload::End(types) => {
                Depth::new(limits.type_depth).check(types.as_ref())?;
                whole = Some(types);
            }
            ValidPayload::Ok | ValidPayload::Parser(_) => {}
        }
    }
    let mut room = FuncValidatorAllocations::default();
    for (function, body) in functions {
        let mut function = function.into_validator(room);
        function.validate(&body)?;
        room = function.into_allocations();
    }
    whole.ok_or_else(|| InspectError::Invalid { offset: bytes.len(), message: "it has no end".to_owned() })
}

impl Inspected {
    /// The bytes of the component's only custom section of this name.
    #[must_use]
    pub fn custom_section<'b>(&self, bytes: &'b [u8], name: &str) -> Option<&'b [u8]> {
        let mut matching = self.custom.iter().filter(|(n, _)| n == name);
        match (matching.next(), matching.next()) {
            (Some((_, range)), None) => bytes.get(range.clone()),
            _ => None,
        }
    }

    fn import(&mut self, name: &str, kind: ImportKind, types: TypesRef<'_>) -> Result<(), InspectError> {
        let refused = |kind| Err(InspectError::ImportKind { kind, name: shown(name) });
        match kind {
            // `use types.{target}` in a world: an alias for a type of an imported interface.
            ImportKind::Type => return Ok(()),
            ImportKind::Other(kind) => return refused(kind),
            ImportKind::Instance => {}
        }
        let instance = match types.component_item_for_import(name).map(|item| item.ty) {
            Some(ComponentEntityType::Instance(id)) => types.get(id),
            _ => None,
        };
        let Some(instance) = instance else { return refused("nameless thing") };
        let before = self.imports.len();
        for (item, entity) in &instance.exports {
            match entity.ty {
                ComponentEntityType::Func(_) => self.imports.push((name.to_owned(), item.clone())),
                ComponentEntityType::Type { .. } => {}
                _ => return refused("nested interface"),
            }
        }
        if self.imports.len() == before {
            self.type_imports.push(name.to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod sections_tests;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_component() {
        let inspect = |bytes: &[u8]| inspect(bytes, &Limits::default());
        assert_eq!(inspect(b"\0asm\x01\0\0\0"), Err(InspectError::CoreModule));
        for bytes in [&b""[..], b"\x7fELF\x02\x01\x01\0\0", b"(component)", b"\0asm", b"\0asm\x0e\0\x01\0"] {
            assert!(matches!(inspect(bytes), Err(InspectError::NotWasm(_))), "{bytes:?}");
        }
        let max = Limits::default().component_bytes;
        let large = vec![0; usize::try_from(max).unwrap() + 1];
        assert_eq!(inspect(&large), Err(InspectError::Size { found: max + 1, max }));
    }

    proptest! {
        #[test]
        fn bytes_behind_the_magic_never_break_it(rest in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
            bytes.extend(rest);
            let _ = inspect(&bytes, &Limits::default());
        }

        /// A real component with one byte changed, or cut.
        #[test]
        fn a_damaged_component_never_breaks_it(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut: bool) {
            let mut bytes = include_bytes!("../../../../probes/dist/memory.wasm").to_vec();
            let at = at.index(bytes.len());
            if cut {
                bytes.truncate(at);
            } else {
                bytes[at] = byte;
            }
            let _ = inspect(&bytes, &Limits::default());
        }
    }
}
