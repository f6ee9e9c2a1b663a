//! The redactor and the encoders: text that comes in from outside, and all text that people read.

use std::sync::OnceLock;

use bailiwick_core::encode;
use bailiwick_core::model::Tainted;
use bailiwick_core::redact::{Counts, MARK, Redactor, Rule};

pub(crate) fn redactor() -> &'static Redactor {
    static REDACTOR: OnceLock<Redactor> = OnceLock::new();
    REDACTOR.get_or_init(Redactor::default)
}

/// Secrets that are to be found whatever stands on the lines around them.
const PLANTED: &[&str] = &[
    "DB_PASSWORD=cAnArY",
    "see postgres://app:cAnArY@db/x",
    "Authorization: Bearer cAnArY",
    "{\"MESSAGE\":\"token=cAnArY\"}",
    "app --password cAnArY",
    "root:$6$salt$cAnArYcAnArYcAnArYcAnArY:1:",
];

/// The first byte chooses what is planted, the second where; if it is 255, the data is a pattern of policy's and a text.
pub(crate) fn redact(data: &[u8]) {
    let Some((head, text)) = data.split_at_checked(2) else { return };
    if head[0] == 255 {
        return with_pattern(text);
    }
    let mut counts = Counts::new();
    let out = redactor().bytes(text.to_vec(), &mut counts);
    let found: usize = counts.values().map(|count| *count as usize).sum();
    assert!(out.len() <= text.len() + found * 64 + escapes(text, found), "{} of {}", out.len(), text.len());
    assert_eq!(out == text, found == 0 || out == text, "what was counted was replaced");
    if !counts.keys().any(|rule| rule.as_str() == "private-key") {
        assert_eq!(lines(&out), lines(text), "a line stays a line");
    }
    if std::str::from_utf8(text).is_ok() {
        assert!(std::str::from_utf8(&out).is_ok(), "UTF-8 stays UTF-8");
    }
    for (before, after) in text.split(|b| *b == b'\n').zip(out.split(|b| *b == b'\n')) {
        if lines(text) == lines(&out) && is_object(before) {
            assert!(is_object(after), "{}", String::from_utf8_lossy(after));
        }
    }
    // A secret on a line of its own.
    let planted = PLANTED[usize::from(head[0]) % PLANTED.len()];
    let at = usize::from(head[1]) * text.len() / 255;
    let (before, after) = text.split_at(at);
    let with = [before, b"\n", planted.as_bytes(), b"\n", after].concat();
    let out = redactor().bytes(with, &mut Counts::new());
    let own = text.windows(6).any(|window| window == b"cAnArY");
    assert!(own || !out.windows(6).any(|window| window == b"cAnArY"), "{}", String::from_utf8_lossy(&out));
}

/// JSON is written out again where something was taken out: characters may need an escape, a list its commas.
fn escapes(text: &[u8], found: usize) -> usize {
    if found == 0 { 0 } else { text.len() * 6 }
}

fn lines(text: &[u8]) -> usize {
    text.split(|b| *b == b'\n').count()
}

fn is_object(line: &[u8]) -> bool {
    line.trim_ascii_start().first() == Some(&b'{')
        && serde_json::from_slice::<serde_json::Value>(line).is_ok_and(|value| value.is_object())
}

/// Any pattern that policy may give stays within lines, and leaves nothing of what it finds.
fn with_pattern(data: &[u8]) {
    let Ok(data) = std::str::from_utf8(data) else { return };
    let (pattern, text) = data.split_once('\n').unwrap_or((data, "a\nb\n"));
    let Ok(rule) = Rule::new("own", pattern) else { return };
    let Ok(redactor) = Redactor::new(vec![rule]) else { return };
    let out = redactor.bytes(text.as_bytes().to_vec(), &mut Counts::new());
    if !out.windows(MARK.len()).any(|window| window == MARK.as_bytes()) {
        assert_eq!(out, text.as_bytes());
    }
}

/// What people see is plain, on one line, and no wider than asked; what programs read is exact.
pub(crate) fn encode(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let tainted = Tainted::new(text.as_str());
    let whole = encode::terminal(&tainted, usize::MAX);
    assert!(whole.chars().all(|c| !c.is_control()));
    for width in [0, 1, 7, 80] {
        let cut = encode::terminal(&tainted, width);
        assert!(encode::width(&cut) <= width.max(2), "{cut:?} in {width}");
        assert!(!cut.chars().any(char::is_control));
    }
    let json = encode::to_json(&tainted).expect("text is JSON");
    assert!(encode::is_plain(json.trim_end_matches('\n')));
    assert_eq!(serde_json::from_str::<String>(&json).expect("JSON"), text);

    let markdown = encode::markdown(&text);
    let events: Vec<_> = pulldown_cmark::Parser::new_ext(&markdown, pulldown_cmark::Options::all()).collect();
    match events.as_slice() {
        [] => assert!(whole.is_empty()),
        [_, pulldown_cmark::Event::Code(code), _] => assert_eq!(code.as_ref(), whole),
        other => panic!("{markdown}: {other:?}"),
    }
    let html = encode::html(&text);
    assert!(!html.contains(['<', '>', '"', '\'']));
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    let back = plain.iter().fold(html, |text, (entity, c)| text.replace(entity, c));
    assert_eq!(back, whole);
}
