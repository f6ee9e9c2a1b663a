//! The answers of targets, as each verb's reader reads them.

use bailiwick_core::model::Answer;
use bailiwick_core::model::Exit;
use bailiwick_core::model::Verb;
use bailiwick_core::redact::{Counts, Redactor};
use bailiwick_sandbox::parse;
use data_encoding::BASE64;

use crate::text::redactor;

/// Verbs whose answer can be any text, so that a cut answer is valid too.
const ANYTHING: &[Verb] = &[Verb::FilesRead, Verb::CommandsRun, Verb::HttpGet];
const JSON: &[Verb] = &[Verb::ServicesLogs, Verb::LogsSinceLastRun, Verb::ContainersList, Verb::ContainersStatus];

/// Verb, status and the length of stderr in 16 bytes; then stderr, then stdout.
fn split(data: &[u8]) -> Option<(Verb, Answer)> {
    let (head, rest) = data.split_at_checked(3)?;
    let verb = Verb::ALL[usize::from(head[0]) % Verb::ALL.len()];
    let exit = match head[1] {
        254 => Exit::Signal,
        255 => Exit::Unreported,
        status => Exit::Status(status.into()),
    };
    let (stderr, stdout) = rest.split_at_checked(usize::from(head[2]) * 16).unwrap_or((&[], rest));
    Some((verb, Answer { stdout: stdout.to_vec(), stderr: stderr.to_vec(), exit, timing: None }))
}

/// The head that [`split`] reads.
pub(crate) fn join(verb: Verb, status: u8, stdout: &str) -> Vec<u8> {
    let index = Verb::ALL.iter().position(|other| *other == verb).unwrap_or_default();
    [&[u8::try_from(index).unwrap_or_default(), status, 0], stdout.as_bytes()].concat()
}

pub(crate) fn answer(data: &[u8]) {
    let Some((verb, answer)) = split(data) else { return };
    let read = parse(verb, &answer);
    if let Ok(parsed) = &read {
        // The debug text of every field; nothing in it is made out of nothing.
        let received = answer.stdout.len() + answer.stderr.len();
        assert!(parsed.len() <= 1024 + 300 * (received + 1), "{verb}: {} bytes", parsed.len());
        if !ANYTHING.contains(&verb) && !matches!(answer.stdout.last(), None | Some(b'\n')) {
            panic!("{verb}: a cut answer was read as a whole one");
        }
    }
    let redacted = |redactor: &Redactor| {
        let stdout = redactor.bytes(answer.stdout.clone(), &mut Counts::new());
        Answer { stdout, ..answer.clone() }
    };
    let without = redacted(redactor());
    assert_eq!(without, redacted(redactor()), "the same every time");
    // JSON, in lines or whole, is never broken by what is taken out of it.
    if JSON.contains(&verb) && read.is_ok() {
        assert!(parse(verb, &without).is_ok(), "{:?}", String::from_utf8_lossy(&without.stdout));
    }
    let _ = parse(verb, &without);
}

/// A certificate's bytes, in a frame of their own: damage to base64 hardly ever comes so far.
pub(crate) fn certificate(der: &[u8]) {
    let pem = |der: &[u8]| format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", BASE64.encode(der));
    let answer =
        |text: String| Answer { stdout: text.into_bytes(), stderr: Vec::new(), exit: Exit::Status(0), timing: None };
    let read = |text| parse(Verb::CertificatesFile, &answer(text));
    let Ok(once) = read(pem(der)) else {
        // One that cannot be read rejects the others.
        assert!(read(format!("{ED25519}{}", pem(der))).is_err());
        return;
    };
    assert!(once.len() <= 1024 + 40 * der.len(), "{} bytes from {}", once.len(), der.len());
    assert_eq!(Ok(once), read(format!("around\n{}", pem(der))), "whatever stands around it");
}

/// A good one.
const ED25519: &str = include_str!("../../../host/sandbox/src/host/certificates/ed25519.pem");
