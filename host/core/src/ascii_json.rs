//! JSON in ASCII: all other characters are `\uXXXX`, so that a file or a pipe full of untrusted text is one line per record and
//! harmless to a terminal.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut plain = 0;
        let bytes = fragment.as_bytes();
        for (at, c) in fragment.char_indices().filter(|(_, c)| !matches!(c, ' '..='~')) {
            writer.write_all(bytes.get(plain..at).unwrap_or_default())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain = at + c.len_utf8();
        }
        writer.write_all(bytes.get(plain..).unwrap_or_default())
    }
}

/// One value, on one line, without a newline.
///
/// # Errors
/// When the value cannot be written as JSON, such as a map whose keys are not text.
pub fn to_vec<T: Serialize>(value: &T) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(256);
    value.serialize(&mut Serializer::with_formatter(&mut out, Ascii))?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    #[test]
    fn everything_comes_back_and_nothing_but_ascii_goes_out() {
        let text = "a\u{1b}[2J\u{9b}x\u{202e}\u{2028}\n\"\\\u{7f}ß🦀\u{0}";
        let json = super::to_vec(&text).unwrap();
        assert!(json.iter().all(|b| (b' '..=b'~').contains(b)), "{json:?}");
        assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);
    }
}
