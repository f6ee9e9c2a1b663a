//! Reader of the output of an operator's program: unchanged, if it is text. The probe decides what it means.
//!
//! Attacks answered: a program that is missing or may not run, and is read as one that reported something (TG07); noise in
//! which a probe would see a number (TG05).

use super::text::failure;
use bailiwick_bindings::ops::commands::Output;
use bailiwick_core::model::Answer;
use bailiwick_core::model::Exit;
use bailiwick_core::model::VerbError;

/// What sudo prints when it refuses to run a program. Its exit status is 1, as that of many programs.
const SUDO: &[(&str, VerbError)] = &[
    ("a password is required", VerbError::NotPermitted),
    ("a terminal is required", VerbError::NotPermitted),
    ("is not allowed to", VerbError::NotPermitted),
    ("is not in the sudoers file", VerbError::NotPermitted),
    ("may not run sudo", VerbError::NotPermitted),
    ("command not found", VerbError::Unsupported),
];

pub(super) fn run(answer: &Answer) -> Result<Output, VerbError> {
    let exit_status = match answer.exit {
        Exit::Status(126 | 127) | Exit::Unreported => return Err(failure(answer)),
        Exit::Status(status) => Some(status),
        Exit::Signal => None,
    };
    let stdout = String::from_utf8(answer.stdout.clone()).map_err(|_| VerbError::Garbled)?;
    if stdout.contains('\0') {
        return Err(VerbError::Garbled);
    }
    let stderr = String::from_utf8_lossy(&answer.stderr).into_owned();
    if exit_status == Some(1)
        && stdout.is_empty()
        && let Some(error) = refused(&stderr)
    {
        return Err(error);
    }
    Ok(Output { exit_status, stdout, stderr })
}

fn refused(stderr: &str) -> Option<VerbError> {
    let own = |line: &&str| line.starts_with("sudo: ") || line.starts_with("Sorry, user ");
    let line = stderr.lines().find(own).or_else(|| stderr.lines().find(|line| line.contains("sudoers file")))?;
    SUDO.iter().find(|(message, _)| line.contains(message)).map(|(_, error)| *error)
}
