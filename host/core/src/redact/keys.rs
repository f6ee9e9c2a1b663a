//! Private keys whose lines are wrapped: with a syslog prefix on each, or in a JSON object each.
//!
//! Attack answered: a key that leaks line by line because no pattern matches all of it; and the reverse, a writer who hides
//! other lines behind a marker of his own. So only base64 at the end of a line is removed, and only for a limited number of
//! lines.

use std::ops::Range;

use super::rules::{BEGIN, END};
use super::{Regex, compiled};

/// Maximum lines or strings of a key.
const LINES: u32 = 200;
/// Base64 of at least this length counts as part of a key.
const BODY: usize = 16;

/// The patterns of the two ends of a key.
#[derive(Debug)]
pub(super) struct Ends {
    begin: Regex,
    end: Regex,
}

/// The state while one answer is read.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// Lines that may still belong to a key.
    left: u32,
    /// The column at which the last line of a body began.
    column: Option<usize>,
    /// The object key of the current JSON string, as written. Empty for plain text.
    pub(super) at: Vec<u8>,
    /// The object key of the string with the BEGIN marker. Strings under other keys, such as a timestamp, do not belong to the
    /// private key.
    within: Vec<u8>,
    /// The position of a short string that belongs to a key if its end marker comes next.
    pub(super) short: Option<Range<usize>>,
}

impl Ends {
    pub(super) fn new() -> Result<Self, regex::Error> {
        Ok(Self { begin: compiled(&format!("(?-u){BEGIN}"))?, end: compiled(&format!("(?-u){END}"))? })
    }

    /// Reports the ranges of a text that belong to a key.
    pub(super) fn find(&self, text: &[u8], carried: &mut Carried, mut report: impl FnMut(Range<usize>)) {
        if carried.left > 0 && carried.at != carried.within {
            return;
        }
        let (mut start, mut short) = (0, None);
        for line in text.split(|byte| *byte == b'\n') {
            let begin = self.begin.find_iter(line).last().map(|marker| marker.end());
            if carried.left > 0 {
                carried.left -= 1;
                if let Some(end) = self.end.find(line) {
                    report(start + end.start()..start + end.end());
                    short.take().into_iter().for_each(&mut report);
                    (carried.left, carried.column) = (0, None);
                } else {
                    let token = last_token(line);
                    let at = start + token.start..start + token.end;
                    let same = carried.column == Some(token.start);
                    short = (same && !token.is_empty()).then(|| at.clone());
                    if token.len() >= BODY {
                        carried.column = Some(token.start);
                        report(at);
                    }
                }
            }
            if begin.is_some_and(|begin| line.get(begin..).is_none_or(|rest| !self.end.is_match(rest))) {
                (carried.left, carried.column) = (LINES, None);
                carried.within.clone_from(&carried.at);
            }
            start += line.len() + 1;
        }
    }

    pub(super) fn is_end(&self, text: &[u8]) -> bool {
        self.end.is_match(text.split(|byte| *byte == b'\n').next().unwrap_or_default())
    }
}

impl Carried {
    /// True for a string that belongs to a key if its end marker comes next.
    pub(super) fn may_be_last(&self, content: &[u8]) -> bool {
        let content = content.trim_ascii_end();
        let whole = !content.is_empty() && last_token(content) == (0..content.len());
        self.left > 0 && self.at == self.within && self.column == Some(0) && whole && content.len() < BODY
    }

    /// True while the current string can belong to a key.
    pub(super) fn concerns(&self) -> bool {
        self.left > 0 && self.at == self.within
    }
}

/// The base64 at a line's end, before closing characters such as quotes.
fn last_token(line: &[u8]) -> Range<usize> {
    let closing = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'"' | b'\'' | b',' | b']' | b'}');
    let mut end = line.iter().rposition(|byte| !closing(byte)).map_or(0, |at| at + 1);
    let bare = line.get(..end).unwrap_or_default();
    end = bare.strip_suffix(b"\\n").unwrap_or(bare).len();
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let start = line.get(..end).unwrap_or_default().iter().rposition(|byte| !base64(byte)).map_or(0, |at| at + 1);
    start..end
}
