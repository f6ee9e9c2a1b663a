//! Every verb against every way in which a target may lie: cut, huge, binary, in another language, another program's, hostile.
//!
//! One golden, verbs by lies. A lie may be read as the healthy answer (`same`), as another answer (`other`), or not
//! at all; a person has to review which. A new verb has its rows as soon as it
//! has a healthy answer.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::*;

/// Changes a healthy answer. None if the lie does not apply to it.
type Lie = fn(Verb, u32, &str) -> Option<Answer>;

fn bytes(status: u32, stdout: Vec<u8>) -> Option<Answer> {
    Some(Answer { stdout, ..answer(status, "", "") })
}
/// None if the text is unchanged.
fn changed(status: u32, healthy: &str, stdout: String) -> Option<Answer> {
    (stdout != healthy).then(|| answer(status, &stdout, ""))
}
/// Replaces each run of digits.
fn digits(healthy: &str, replace: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = healthy;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let end = rest[start..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |len| start + len);
        out += &rest[..start];
        out += &replace(&rest[start..end]);
        rest = &rest[end..];
    }
    out + rest
}
/// Repeats a text up to the maximum answer of the transport.
fn filled(verb: Verb, piece: &str) -> String {
    piece.repeat(bailiwick_core::verbs::spec(verb).bytes_max as usize / piece.len())
}

const LIES: &[(&str, Lie)] = &[
    // Cut.
    ("nothing at all", |_, status, _| bytes(status, Vec::new())),
    ("the first half", |_, status, healthy| {
        let half = (0..=healthy.len() / 2).rev().find(|at| healthy.is_char_boundary(*at))?;
        changed(status, healthy, healthy[..half].to_owned())
    }),
    ("no last line end", |_, status, healthy| changed(status, healthy, healthy.trim_end().to_owned())),
    // Huge.
    ("as large as it may be", |verb, status, healthy| changed(status, healthy, filled(verb, healthy))),
    ("one endless line", |verb, status, _| bytes(status, filled(verb, "A").into_bytes())),
    ("a million empty lines", |verb, status, _| bytes(status, filled(verb, "\n").into_bytes())),
    // Binary.
    ("gzip", |_, status, _| bytes(status, b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xed\xfa\x0a\x80\xff\xfe\n".repeat(64))),
    ("a NUL in it", |_, status, healthy| {
        let at = (healthy.len() / 2..healthy.len()).find(|at| healthy.is_char_boundary(*at))?;
        changed(status, healthy, format!("{}\0{}", &healthy[..at], &healthy[at..]))
    }),
    ("UTF-16", |_, status, healthy| bytes(status, healthy.encode_utf16().flat_map(u16::to_le_bytes).collect())),
    ("Latin-1", |_, status, healthy| {
        let mut stdout = healthy.as_bytes().to_vec();
        stdout.splice(stdout.len() / 2..stdout.len() / 2, [0xe4, 0xf6, 0xfc]);
        bytes(status, stdout)
    }),
    // In another language.
    ("decimal commas", |_, status, healthy| changed(status, healthy, healthy.replace('.', ","))),
    ("Arabic digits", |_, status, healthy| {
        let arabic = |digit: u8| char::from_u32(u32::from(digit - b'0') + 0x0660).unwrap();
        changed(status, healthy, digits(healthy, |run| run.bytes().map(arabic).collect()))
    }),
    ("an error in German", |_, _, _| Some(answer(1, "", "Fehler: Datei oder Verzeichnis nicht gefunden\n"))),
    // Of another program.
    ("BusyBox: an option", |_, _, _| Some(answer(1, "", BUSYBOX_OPTION))),
    ("BusyBox: no applet", |_, _, _| Some(answer(127, "", "x: applet not found\n"))),
    ("a usage on stdout", |_, status, _| {
        Some(answer(status, "BusyBox v1.36.1 multi-call binary.\n\nUsage: x [-a]\n", ""))
    }),
    ("a greeting before it", |_, status, healthy| changed(status, healthy, format!("Welcome to db01!\n{healthy}"))),
    ("a farewell behind it", |_, status, healthy| changed(status, healthy, format!("{healthy}Connection closed.\n"))),
    ("CRLF", |_, status, healthy| changed(status, healthy, healthy.replace('\r', "").replace('\n', "\r\n"))),
    // Hostile.
    ("twice", |_, status, healthy| changed(status, healthy, healthy.repeat(2))),
    ("numbers without end", |_, status, healthy| {
        changed(status, healthy, digits(healthy, |_| "99999999999999999999999999".to_owned()))
    }),
    ("negative numbers", |_, status, healthy| changed(status, healthy, digits(healthy, |run| format!("-{run}")))),
    ("nested a hundred thousand deep", |verb, status, _| {
        bytes(status, "[".repeat(bailiwick_core::verbs::spec(verb).bytes_max.min(100_000) as usize).into_bytes())
    }),
    ("the shell's and the terminal's", |_, status, _| {
        Some(answer(status, "\u{1b}]0;x\u{7}\u{1b}[2J\u{202e}$(reboot) `id` ; rm -rf /\n", ""))
    }),
];

/// Such an answer may be anything; the probe has to doubt it.
fn outcome(verb: Verb, lie: &Answer, healthy: &Result<Tainted, VerbError>) -> &'static str {
    match parse(verb, lie) {
        read if read == *healthy => "same",
        Ok(_) => "other",
        Err(Garbled) => "garbled",
        Err(Unsupported) => "unsupported",
        Err(NotFound) => "not found",
        Err(NotPermitted) => "not permitted",
        Err(VerbError::TooLarge) => "too large",
        Err(other) => panic!("{verb}: no reader returns {other:?}"),
    }
}

#[test]
fn tg05_tg07_every_verb_against_every_lie() {
    let mut page = String::new();
    for &(verb, status, text) in RECORDED {
        let healthy = parse(verb, &answer(status, text, ""));
        assert!(healthy.is_ok(), "{verb}: {healthy:?}");
        writeln!(page, "{verb}").unwrap();
        let mut outcomes: std::collections::BTreeMap<&str, Vec<&str>> = std::collections::BTreeMap::new();
        for (name, lie) in LIES {
            let Some(lie) = lie(verb, status, text) else { continue };
            let begun = Instant::now();
            outcomes.entry(outcome(verb, &lie, &healthy)).or_default().push(name);
            // The build is not optimised, and other tests run beside it. A longer time would be out of proportion to the
            // answer.
            assert!(begun.elapsed() < Duration::from_secs(10), "{verb}, {name}: {:?}", begun.elapsed());
        }
        for (outcome, lies) in outcomes {
            writeln!(page, "    {outcome:14}{}", lies.join(" | ")).unwrap();
        }
    }
    assert_eq!(RECORDED.len(), bailiwick_core::verbs::with(Effect::Observe).count(), "one of every verb that observes");
    insta::assert_snapshot!(page);
}

/// The output of another program is never data. A file may hold anything: a search for certificates in it returns none.
#[test]
fn tg05_what_another_program_says_is_never_an_answer() {
    const OTHERS: [&str; 5] =
        ["gzip", "UTF-16", "a usage on stdout", "the shell's and the terminal's", "one endless line"];
    for &(verb, status, text) in RECORDED.iter().filter(|(verb, ..)| !ANYTHING.contains(verb)) {
        for (name, lie) in LIES.iter().filter(|(name, _)| OTHERS.contains(name)) {
            let read = parse(verb, &lie(verb, status, text).unwrap());
            let nothing = verb == Verb::CertificatesFile && read.as_ref().is_ok_and(|read| read.for_encoder() == "[]");
            assert!(read.is_err() || nothing, "{verb} takes {name} for an answer: {read:?}");
        }
    }
}
