//! Redacts JSON: one object a line as `journalctl` prints it, or one document. Each string is decoded, redacted and written
//! again.
//!
//! Attacks answered: a secret that an escape or a list of bytes hides from a pattern (`journalctl` prints a message in colour
//! as such a list); a pattern that would remove the quotes and the text after them, so that the JSON could no longer be parsed;
//! and AR11, the environment of a container in the output of `inspect`: every value is removed, because a name does not show
//! whether it is a secret.

use serde::de::IgnoredAny;

use super::{Carried, Counts, Ready};

/// True for a line that is one JSON object, with any content.
pub(super) fn is_object(line: &[u8]) -> bool {
    line.trim_ascii_start().first() == Some(&b'{') && serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

/// True for a text that is one JSON document, such as the indented one that `inspect` prints.
pub(super) fn is_document(text: &[u8]) -> bool {
    let first = text.trim_ascii_start().first();
    matches!(first, Some(b'{' | b'[')) && serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// Keys of lists that hold a container's environment, or the words of its command.
const LISTS: &[&[u8]] = &[b"\"Env\"", b"\"CreateCommand\"", b"\"Cmd\"", b"\"Command\"", b"\"Entrypoint\"", b"\"Args\""];

/// What the previous string means for the next one.
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
    /// Writes a line or a document without its secrets. It must be valid JSON.
    pub(super) fn push_json(&self, out: &mut Vec<u8>, line: &[u8], counts: &mut Counts, carried: &mut Carried) {
        // The depth below a key that names a secret.
        let mut below = 0usize;
        carried.at.clear();
        let mut before = Before::Nothing;
        // For each open bracket, whether it is a list of [`LISTS`]; and whether the next one is.
        let (mut open, mut next_is_list) = (Vec::new(), false);
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
                // A key of an object is not a line of a private key.
                carried.at = b":".to_vec();
            }
            match byte {
                b'[' | b'{' if length == 1 => {
                    open.push(next_is_list && byte == b'[');
                    below += usize::from(below > 0 || before == Before::Value);
                }
                b']' | b'}' => {
                    open.pop();
                    below = below.saturating_sub(1);
                }
                _ => {}
            }
            next_is_list = match byte {
                b'"' => is_key && LISTS.contains(&token),
                b':' | b' ' | b'\t' | b'\r' | b'\n' => next_is_list,
                _ => false,
            };
            let is_word = open.last() == Some(&true) && byte == b'"';
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
                (b'"', _) if is_word && self.push_variable(out, token, counts) => Before::Nothing,
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
                        (b' ' | b'\t' | b'\r' | b'\n', before) => before,
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
        self.named("assignment")
    }

    fn named(&self, name: &str) -> usize {
        self.rules.iter().position(|rule| rule.name.as_str() == name).unwrap_or_default()
    }

    /// Writes `"NAME=value"` without the value, also after `--env=` or `-e`. False for any other string.
    fn push_variable(&self, out: &mut Vec<u8>, token: &[u8], counts: &mut Counts) -> bool {
        let Ok(text) = serde_json::from_slice::<String>(token) else { return false };
        let bare = ["--env=", "-e"].iter().find_map(|option| text.strip_prefix(option)).unwrap_or(&text);
        let Some((name, value)) = bare.split_once('=') else { return false };
        let fits = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if !fits || value.is_empty() || super::is_mark(value.as_bytes()) {
            return false;
        }
        let mut kept = text.as_bytes().get(..text.len() - value.len()).unwrap_or_default().to_vec();
        self.push_marker(&mut kept, self.named("environment"), counts);
        push_quoted(out, &kept);
        true
    }

    /// A string with its quotes.
    fn push_string(&self, out: &mut Vec<u8>, token: &[u8], counts: &mut Counts, carried: &mut Carried) -> Before {
        let inner = token.get(1..token.len().saturating_sub(1)).unwrap_or_default();
        let decoded;
        let content = if inner.contains(&b'\\') {
            // Half a surrogate is valid JSON but not text; then the escapes themselves are redacted.
            decoded = serde_json::from_slice::<String>(token).map_or_else(|_| inner.to_vec(), String::into_bytes);
            decoded.as_slice()
        } else {
            inner
        };
        let concerned = carried.concerns();
        // The short last line of a private key, if its end marker comes next.
        if concerned
            && let Some(short) = carried.short.take()
            && self.ends.is_end(content)
        {
            let mut mark = vec![b'"'];
            self.push_marker(&mut mark, 0, counts);
            let line_end = out.get(short.clone()).is_some_and(|old| old.ends_with(b"\\n\""));
            mark.extend_from_slice(if line_end { b"\\n\"" } else { b"\"" });
            out.splice(short, mark);
        }
        if concerned && carried.may_be_last(content) {
            carried.short = Some(out.len()..out.len() + token.len());
        }
        match self.plain(content, counts, carried) {
            None => out.extend_from_slice(token),
            Some(replaced) => push_quoted(out, &replaced),
        }
        if self.is_option(content) {
            Before::Option
        } else if self.is_key(content) {
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
    // A string can always be written as JSON.
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

/// The length of a list of numbers with its brackets. `None` if it contains anything else.
fn bytes_length(text: &[u8]) -> Option<usize> {
    let inner = text.get(1..)?;
    let end = inner.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b',' | b' '))?;
    (end > 0 && inner.get(end) == Some(&b']')).then_some(end + 2)
}
