//! Shared by the readers of answers: how a program failed, and whole lines.
//!
//! Attack answered: an answer that was cut, or is in another language, and is read as if it were whole (TG05, TG07). Every
//! program runs under the C locale; an unknown message is `garbled`, never a guess.

use bailiwick_core::model::Answer;
use bailiwick_core::model::Exit;
use bailiwick_core::model::VerbError;

/// Messages of programs, and their meaning. The first match counts.
const MESSAGES: &[(&str, VerbError)] = &[
    ("System has not been booted with systemd", VerbError::Unsupported),
    ("No journal files were opened due to insufficient permissions", VerbError::NotPermitted),
    ("not seeing messages from other users", VerbError::NotPermitted),
    ("No journal files were found", VerbError::Unsupported),
    ("Permission denied", VerbError::NotPermitted),
    ("Access denied", VerbError::NotPermitted),
    ("Operation not permitted", VerbError::NotPermitted),
    ("Interactive authentication required", VerbError::NotPermitted),
    ("unrecognized option", VerbError::Unsupported),
    ("unrecognised option", VerbError::Unsupported),
    ("invalid option", VerbError::Unsupported),
    ("unknown option", VerbError::Unsupported),
    ("illegal option", VerbError::Unsupported),
    ("Unknown operation", VerbError::Unsupported),
    ("applet not found", VerbError::Unsupported),
    ("No such file or directory", VerbError::NotFound),
    ("onnection refused", VerbError::NotFound),
    ("Not a directory", VerbError::NotFound),
    ("Is a directory", VerbError::NotFound),
    ("is a directory: skipped", VerbError::NotFound),
    ("Too many levels of symbolic links", VerbError::NotFound),
];

/// What went wrong, by the message of the program. 126 and 127: `env` or a shell could not start it.
pub(super) fn failure(answer: &Answer) -> VerbError {
    match answer.exit {
        Exit::Status(127) => return VerbError::Unsupported,
        Exit::Status(126) => return VerbError::NotPermitted,
        Exit::Signal | Exit::Unreported => return VerbError::Garbled,
        Exit::Status(_) => {}
    }
    known_message(answer).unwrap_or(VerbError::Garbled)
}

/// Standard error, without the warning of a login shell about a missing locale, which does not matter here.
fn complaint(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.stderr);
    text.lines().filter(|line| !line.contains("locale")).collect::<Vec<_>>().join("\n")
}

/// True if it printed anything on standard error.
pub(super) fn complains(answer: &Answer) -> bool {
    !complaint(answer).trim().is_empty()
}

/// The first known message on standard error.
pub(super) fn known_message(answer: &Answer) -> Option<VerbError> {
    let text = complaint(answer);
    MESSAGES.iter().find(|(message, _)| text.contains(message)).map(|(_, error)| *error)
}

/// True if the program ended by itself with one of these statuses.
pub(super) fn ended(answer: &Answer, statuses: &[u32]) -> bool {
    matches!(answer.exit, Exit::Status(status) if statuses.contains(&status))
}

/// Standard output as text; what is not UTF-8 is replaced. Every line must have its end, so that a cut answer is refused.
///
/// # Errors
/// `garbled` when the last line has no end.
pub(super) fn whole(answer: &Answer) -> Result<String, VerbError> {
    match answer.stdout.last() {
        None | Some(b'\n') => Ok(String::from_utf8_lossy(&answer.stdout).into_owned()),
        Some(_) => Err(VerbError::Garbled),
    }
}

/// The answer of `grep -H` over some files: missing ones (status 2) and empty ones (1) are no failure.
///
/// # Errors
/// When it printed nothing at all or failed otherwise; `garbled` when a line is of none of the files: a login shell that
/// prints a greeting, for example.
pub(super) fn grepped(answer: &Answer, files: &[&str]) -> Result<String, VerbError> {
    if !ended(answer, &[0, 1, 2]) {
        return Err(failure(answer));
    }
    if answer.stdout.is_empty() {
        // Files that every Linux has do not exist.
        return Err(known_message(answer).unwrap_or(VerbError::Unsupported));
    }
    let text = whole(answer)?;
    let known = |line: &str| files.iter().any(|file| line.strip_prefix(file).is_some_and(|rest| rest.starts_with(':')));
    if text.lines().all(known) { Ok(text) } else { Err(VerbError::Garbled) }
}

/// The line of a file that has one.
///
/// # Errors
/// `garbled` when there is none, or more than one.
pub(super) fn only_line_of<'t>(text: &'t str, file: &'t str) -> Result<&'t str, VerbError> {
    let mut lines = lines_of(text, file);
    match (lines.next(), lines.next()) {
        (Some(line), None) => Ok(line),
        _ => Err(VerbError::Garbled),
    }
}

/// The lines that `grep -H` printed of one file.
pub(super) fn lines_of<'t>(text: &'t str, file: &'t str) -> impl Iterator<Item = &'t str> {
    text.lines().filter_map(move |line| line.strip_prefix(file)?.strip_prefix(':'))
}

/// The `KEY=value` lines of `systemctl show` and its kin. A key that comes twice makes the answer garbled.
///
/// # Errors
/// When a line has no `=`, or a key comes twice.
pub(super) fn properties(text: &str) -> Result<std::collections::BTreeMap<&str, &str>, VerbError> {
    let mut properties = std::collections::BTreeMap::new();
    for line in text.lines() {
        let (key, value) = line.split_once('=').ok_or(VerbError::Garbled)?;
        if properties.insert(key, value).is_some() {
            return Err(VerbError::Garbled);
        }
    }
    Ok(properties)
}

/// A number, digits only: no sign, space or `0x`.
///
/// # Errors
/// `garbled` when it is not a number, or too large.
pub(super) fn number<N: std::str::FromStr>(text: &str) -> Result<N, VerbError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().ok_or(VerbError::Garbled)
}

/// A plain decimal fraction such as `0.65`.
///
/// # Errors
/// `garbled` when it is not one.
pub(super) fn decimal(text: &str) -> Result<f64, VerbError> {
    let plain = text.bytes().next().is_some_and(|b| b.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    plain.then(|| text.parse().ok()).flatten().filter(|n: &f64| n.is_finite()).ok_or(VerbError::Garbled)
}
