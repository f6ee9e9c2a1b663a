//! The frame of a component's file: eight bytes, then sections, each an id, a length and that many bytes. A *sealed*
//! component carries its manifest in one of them, the custom section `bailiwick:manifest` of the component itself.
//!
//! Knows: where sections begin and end. Must not know: what is in them; the sandbox reads a component before it runs it.
//! Attacks answered: two manifests in one file, of which a person reads one and the host the other (D6), and a malformed
//! section. If this reader and the sandbox read a file differently, the sandbox refuses it.

use std::ops::Range;

/// The custom section that holds the manifest.
pub const MANIFEST_SECTION: &str = "bailiwick:manifest";

/// The maximum size of a sealed manifest, in bytes. A manifest of 50 slots has 10 KiB.
pub const MANIFEST_BYTES_MAX: usize = 64 << 10;

/// The first bytes of a component's file: magic, version 13, layer 1.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
/// The first bytes of a core module in it.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// Maximum nesting of components and modules. No real component reaches it, and the sandbox allows less.
const DEPTH_MAX: u32 = 16;

/// Sections that only debuggers and authors use.
const FOR_DEBUGGERS: &[&str] = &["name", "component-name", "producers", "sourceMappingURL", "external_debug_info"];

/// Why a file's manifest cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not a component, or truncated.
    #[error("not a component")]
    NoComponent,
    /// There is more than one section of that name.
    #[error("the component holds more than one manifest")]
    Twice,
    /// The manifest is too large.
    #[error("its manifest has {0} bytes; at most {MANIFEST_BYTES_MAX}")]
    TooLarge(usize),
    /// The manifest is not UTF-8.
    #[error("its manifest is not UTF-8")]
    NotText,
    /// There is already a manifest, and it differs.
    #[error("the component already holds another manifest\n\nhint: pack the file that the compiler made")]
    Sealed,
}

/// One section: its id, its whole range, and the range of its contents.
struct Section {
    id: u8,
    whole: Range<usize>,
    contents: Range<usize>,
}

/// The sections of a component or module. Ends with an error where the structure is damaged.
struct Sections<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Sections<'b> {
    fn new(bytes: &'b [u8], start: &[u8]) -> Result<Self, SealError> {
        if bytes.starts_with(start) { Ok(Self { bytes, at: start.len() }) } else { Err(SealError::NoComponent) }
    }
}

impl Iterator for Sections<'_> {
    type Item = Result<Section, SealError>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let id = *self.bytes.get(start)?;
        let section = length(self.bytes, start + 1).and_then(|(length, from)| {
            let end = from.checked_add(length).filter(|end| *end <= self.bytes.len())?;
            Some(Section { id, whole: start..end, contents: from..end })
        });
        self.at = section.as_ref().map_or(self.bytes.len(), |section| section.whole.end);
        Some(section.ok_or(SealError::NoComponent))
    }
}

/// A number as LEB128 of at most 32 bits, and where the next byte is.
fn length(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut value: u64 = 0;
    for shift in [0, 7, 14, 21, 28] {
        let byte = *bytes.get(at)?;
        at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((usize::try_from(u32::try_from(value).ok()?).ok()?, at));
        }
    }
    None
}

fn write_length(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        // The lowest seven bits; more follow.
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The name of a custom section, and the range of the bytes after it.
fn named(bytes: &[u8], section: &Section) -> Option<(Range<usize>, Range<usize>)> {
    if section.id != 0 {
        return None;
    }
    let (length, from) = length(bytes, section.contents.start)?;
    let name = from..from.checked_add(length).filter(|end| *end <= section.contents.end)?;
    Some((name.clone(), name.end..section.contents.end))
}

/// The manifest that is sealed into a component, if there is one. Of a file with a damaged structure, only the part before the
/// damage is read; the sandbox refuses it before it is compiled.
///
/// # Errors
/// When there are two, or it is too large, or is not UTF-8.
pub fn sealed_manifest(bytes: &[u8]) -> Result<Option<&str>, SealError> {
    let Ok(sections) = Sections::new(bytes, COMPONENT) else { return Ok(None) };
    let mut manifest = None;
    for section in sections.map_while(Result::ok) {
        let Some((name, data)) = named(bytes, &section) else { continue };
        if bytes.get(name) == Some(MANIFEST_SECTION.as_bytes()) && manifest.replace(data).is_some() {
            return Err(SealError::Twice);
        }
    }
    let Some(data) = manifest.and_then(|data| bytes.get(data)) else { return Ok(None) };
    if data.len() > MANIFEST_BYTES_MAX {
        return Err(SealError::TooLarge(data.len()));
    }
    std::str::from_utf8(data).map(Some).map_err(|_| SealError::NotText)
}

/// A component with its manifest sealed in, as its last section. The same input gives the same bytes. A component that is
/// already sealed with this manifest is returned unchanged.
///
/// # Errors
/// When it is not a component, the manifest is too large, or the component already holds another one.
pub fn seal(bytes: &[u8], manifest: &str) -> Result<Vec<u8>, SealError> {
    if manifest.len() > MANIFEST_BYTES_MAX {
        return Err(SealError::TooLarge(manifest.len()));
    }
    Sections::new(bytes, COMPONENT)?.try_for_each(|section| section.map(drop))?;
    match sealed_manifest(bytes)? {
        Some(there) if there == manifest => return Ok(bytes.to_owned()),
        Some(_) => return Err(SealError::Sealed),
        None => {}
    }
    let mut contents = Vec::with_capacity(manifest.len() + 32);
    write_length(&mut contents, MANIFEST_SECTION.len());
    contents.extend_from_slice(MANIFEST_SECTION.as_bytes());
    contents.extend_from_slice(manifest.as_bytes());
    let mut sealed = bytes.to_owned();
    push(&mut sealed, 0, &contents);
    Ok(sealed)
}

fn push(out: &mut Vec<u8>, id: u8, contents: &[u8]) {
    out.push(id);
    write_length(out, contents.len());
    out.extend_from_slice(contents);
}

/// A component without the sections that only debuggers use, in its modules too.
///
/// # Errors
/// When it is not a component.
pub fn strip(bytes: &[u8]) -> Result<Vec<u8>, SealError> {
    without(bytes, COMPONENT, DEPTH_MAX)
}

fn without(bytes: &[u8], start: &[u8], depth: u32) -> Result<Vec<u8>, SealError> {
    let depth = depth.checked_sub(1).ok_or(SealError::NoComponent)?;
    let mut out = start.to_owned();
    for section in Sections::new(bytes, start)? {
        let section = section?;
        let contents = bytes.get(section.contents.clone()).unwrap_or_default();
        let name = named(bytes, &section).and_then(|(name, _)| std::str::from_utf8(bytes.get(name)?).ok());
        match (section.id, name) {
            (0, Some(name)) if FOR_DEBUGGERS.contains(&name) || name.starts_with(".debug_") => {}
            // In a component, section 1 is a core module and section 4 a component.
            (1, _) if start == COMPONENT => push(&mut out, 1, &without(contents, MODULE, depth)?),
            (4, _) if start == COMPONENT => push(&mut out, 4, &without(contents, COMPONENT, depth)?),
            _ => out.extend_from_slice(bytes.get(section.whole).unwrap_or_default()),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMORY: &[u8] = include_bytes!("../../../probes/dist/memory.wasm");

    fn custom(name: &str, data: &[u8]) -> Vec<u8> {
        let mut contents = Vec::new();
        write_length(&mut contents, name.len());
        contents.extend_from_slice(name.as_bytes());
        contents.extend_from_slice(data);
        let mut out = Vec::new();
        push(&mut out, 0, &contents);
        out
    }

    #[test]
    fn what_is_sealed_in_is_read_back_byte_by_byte() {
        assert_eq!(sealed_manifest(MEMORY), Ok(None));
        for text in ["", "x", "[component]\r\nid = \"ä\"\n", &"y".repeat(MANIFEST_BYTES_MAX)] {
            let sealed = seal(MEMORY, text).unwrap();
            assert!(sealed.starts_with(MEMORY));
            assert_eq!(sealed_manifest(&sealed), Ok(Some(text)));
            assert_eq!(seal(&sealed, text).unwrap(), sealed, "sealing twice changes nothing");
            assert_eq!(seal(&sealed, "other"), Err(SealError::Sealed));
        }
        let too_large = MANIFEST_BYTES_MAX + 1;
        assert_eq!(seal(MEMORY, &"y".repeat(too_large)), Err(SealError::TooLarge(too_large)));
    }

    #[test]
    fn d06_a_file_has_one_manifest_or_none() {
        let with = |sections: &[Vec<u8>]| [MEMORY, &sections.concat()].concat();
        let one = custom(MANIFEST_SECTION, b"a");
        assert_eq!(sealed_manifest(&with(&[one.clone(), one.clone()])), Err(SealError::Twice));
        assert_eq!(sealed_manifest(&with(&[custom(MANIFEST_SECTION, b"\xff")])), Err(SealError::NotText));
        let long = vec![b'#'; MANIFEST_BYTES_MAX + 1];
        assert_eq!(
            sealed_manifest(&with(&[custom(MANIFEST_SECTION, &long)])),
            Err(SealError::TooLarge(MANIFEST_BYTES_MAX + 1))
        );
        // A manifest in a module or component inside is not the component's.
        for (id, start) in [(1, MODULE), (4, COMPONENT)] {
            let mut inner = Vec::new();
            push(&mut inner, id, &[start, &one].concat());
            assert_eq!(sealed_manifest(&with(&[inner])), Ok(None));
        }
        for bytes in [&b""[..], MODULE, b"\x7fELF", &MEMORY[..MEMORY.len() - 1]] {
            assert_eq!(seal(bytes, "a"), Err(SealError::NoComponent));
        }
    }
}
