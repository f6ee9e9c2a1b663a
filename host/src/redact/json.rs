//! JSON on one line, as `journalctl` prints it: each string is looked at as what it says, and written out again.
//!
//! Attack answered: a secret that an escape or a list of bytes hides from a pattern (a message in colour is such a list),
//! and a pattern that would take the quotes and all that follows, so that the line could not be read any more.

use serde::de::IgnoredAny;

use super::{Carried, Counts, Ready};

/// True for a line that is one JSON object, whatever is in it.
pub(super) fn is_object(line: &[u8]) -> bool {
    line.trim_ascii_start().first() == Some(&b'{') && serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

/// What the string before makes of the next.
#[derive(PartialEq)]
enum Before {
    Nothing,
    /// A key that names a secret; its colon is still to come.
    Key,
    /// A key that names a secret.
    Value,
    /// An argument that names a secret; its comma is still to come.
    Option,
    /// The argument after one.
    Argument,
}

impl Ready {
    /// Writes a line without its secrets. It must be valid JSON.
    pub(super) fn push_json(&self, out: &mut Vec<u8>, line: &[u8], counts: &mut Counts, carried: &mut Carried) {
        // How deep below a key that names a secret.
        let mut below = 0usize;
        carried.at.clear();
        let mut before = Before::Nothing;
        let mut rest = line;
        while let Some(&byte) = rest.first() {
            let length = match byte {
                b'"' => string_length(rest),
                b'[' if below == 0 && before != Before::Value => bytes_length(rest).unwrap_or(1),
                b'0'..=b'9' | b'-' if below > 0 || before == Before::Value => number_length(rest),
                _ => 1,
            };
            let (token, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            rest = after;
            let is_key = byte == b'"' && after.trim_ascii_start().first() == Some(&b':');
            if is_key {
                // A key is no line of a private key.
                carried.at = b":".to_vec();
            }
            match byte {
                b'[' | b'{' if length == 1 && (below > 0 || before == Before::Value) => below += 1,
                b']' | b'}' => below = below.saturating_sub(1),
                _ => {}
            }
            before = match (byte, before) {
                (b'"' | b'0'..=b'9' | b'-', _) if below > 0 && !is_key => {
                    out.push(b'"');
                    self.push_marker(out, self.assignment(), counts);
                    out.push(b'"');
                    Before::Nothing
                }
                (b'"' | b'0'..=b'9' | b'-', Before::Value) | (b'"', Before::Argument) => {
                    out.push(b'"');
                    self.push_marker(out, self.assignment(), counts);
                    out.push(b'"');
                    Before::Nothing
                }
                (b'"', _) => self.push_string(out, token, counts, carried),
                (b'[', _) if length > 1 => {
                    self.push_bytes(out, token, counts, carried);
                    Before::Nothing
                }
                (_, before) => {
                    out.extend_from_slice(token);
                    match (byte, before) {
                        (b':', Before::Key) => Before::Value,
                        (b',', Before::Option) => Before::Argument,
                        (b' ' | b'\t', before) => before,
                        _ => Before::Nothing,
                    }
                }
            };
            if is_key {
                carried.at = token.to_vec();
            }
        }
    }

    fn assignment(&self) -> usize {
        self.rules.iter().position(|rule| rule.name.as_str() == "assignment").unwrap_or_default()
    }

    /// A string with its quotes.
    fn push_string(&self, out: &mut Vec<u8>, token: &[u8], counts: &mut Counts, carried: &mut Carried) -> Before {
        let inner = token.get(1..token.len().saturating_sub(1)).unwrap_or_default();
        let decoded;
        let said = if inner.contains(&b'\\') {
            // Half a surrogate is JSON and no text; then its escapes are what it says.
            decoded = serde_json::from_slice::<String>(token).map_or_else(|_| inner.to_vec(), String::into_bytes);
            decoded.as_slice()
        } else {
            inner
        };
        let concerned = carried.concerns();
        // The short last line of a key, when its end is what comes next.
        if concerned
            && let Some(short) = carried.short.take()
            && self.ends.is_end(said)
        {
            let mut mark = vec![b'"'];
            self.push_marker(&mut mark, 0, counts);
            let line_end = out.get(short.clone()).is_some_and(|old| old.ends_with(b"\\n\""));
            mark.extend_from_slice(if line_end { b"\\n\"" } else { b"\"" });
            out.splice(short, mark);
        }
        if concerned && carried.may_be_last(said) {
            carried.short = Some(out.len()..out.len() + token.len());
        }
        match self.plain(said, counts, carried) {
            None => out.extend_from_slice(token),
            Some(replaced) => push_quoted(out, &replaced),
        }
        if self.is_option(said) {
            Before::Option
        } else if self.is_key(said) {
            Before::Key
        } else {
            Before::Nothing
        }
    }

    /// `[72,105]`: text that is not UTF-8 or holds control characters.
    fn push_bytes(&self, out: &mut Vec<u8>, token: &[u8], counts: &mut Counts, carried: &mut Carried) {
        let bytes: Option<Vec<u8>> = serde_json::from_slice(token).ok();
        match bytes.and_then(|bytes| self.plain(&bytes, counts, carried)) {
            None => out.extend_from_slice(token),
            Some(replaced) => {
                let numbers: Vec<String> = replaced.iter().map(u8::to_string).collect();
                out.extend_from_slice(format!("[{}]", numbers.join(",")).as_bytes());
            }
        }
    }
}

fn push_quoted(out: &mut Vec<u8>, text: &[u8]) {
    let quoted = serde_json::to_vec(&String::from_utf8_lossy(text));
    // A string can always be said in JSON.
    out.extend(quoted.unwrap_or_else(|_| b"\"\"".to_vec()));
}

/// The length of a string with its quotes.
fn string_length(text: &[u8]) -> usize {
    let mut escaped = true; // the opening quote ends nothing
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn number_length(text: &[u8]) -> usize {
    let part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    text.iter().position(|byte| !part(byte)).unwrap_or(text.len())
}

/// The length of a list of digits, its brackets included; `None` if there is anything else in it.
fn bytes_length(text: &[u8]) -> Option<usize> {
    let inner = text.get(1..)?;
    let end = inner.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b',' | b' '))?;
    (end > 0 && inner.get(end) == Some(&b']')).then_some(end + 2)
}
