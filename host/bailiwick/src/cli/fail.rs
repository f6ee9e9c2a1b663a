//! How a command fails: what is wrong, where, and what to do next.

use std::io;

use crate::report::exit::ExitCode as Exit;
use bailiwick_core::durable::WriteError;
use bailiwick_core::encode;
use bailiwick_policy::ops::OpsError;

use super::out::Out;

/// A command line that cannot be run.
#[derive(Debug, thiserror::Error)]
#[error("{message}\n\nhint: {hint}")]
struct Usage {
    message: String,
    hint: String,
}

/// A mistake on the command line, with the next step.
pub(super) fn usage(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Usage { message: message.into(), hint: hint.into() }.into()
}

/// The next step where the operating system refused a file and no error on the way had one.
pub(super) fn file_hint(error: &anyhow::Error, command: &str) -> Option<&'static str> {
    let kind = error.root_cause().downcast_ref::<io::Error>()?.kind();
    if error.chain().any(|part| part.to_string().contains("hint: ")) {
        return None;
    }
    let written = error.chain().any(|part| part.is::<WriteError>());
    match (kind, command) {
        (io::ErrorKind::NotFound, "pack") if written => Some("create the folder, or name another file with --out"),
        (io::ErrorKind::NotFound, "add" | "inspect" | "pack" | "test") => Some(
            "`bailiwick new NAME --lang LANGUAGE` creates a project, and `bailiwick pack FILE` makes the component (.wasm) of it",
        ),
        (io::ErrorKind::NotFound, "wit") => Some("--manifest FILE names the manifest"),
        (io::ErrorKind::NotFound, "fleet") => {
            Some("--config FILE names the SSH configuration, --known-hosts FILE its host keys")
        }
        (io::ErrorKind::NotFound, _) => Some("check the name, and the directory in which you run the command"),
        (io::ErrorKind::PermissionDenied, _) => Some("`ls -l` prints who may read or write it; Bailiwick runs as you"),
        _ => None,
    }
}

/// Maximum length of a reason that a person gives, in bytes.
const REASON_BYTES: usize = 200;

/// True if a text can be a reason in a file that other people read.
pub(super) fn is_reason(text: &str) -> bool {
    text.len() <= REASON_BYTES && encode::is_plain(text)
}

/// The rule for a reason, for messages.
pub(super) fn reason() -> String {
    format!("a reason is one line of plain text, at most {REASON_BYTES} bytes")
}

/// Prints the error, and returns the exit code.
pub(super) fn report(error: &anyhow::Error, out: &Out) -> Exit {
    if let Some(io) = error.root_cause().downcast_ref::<io::Error>()
        && io.kind() == io::ErrorKind::BrokenPipe
    {
        // The reader closed the pipe.
        return Exit::Fine;
    }
    if let Some(ops) = error.downcast_ref::<OpsError>()
        && !ops.problems().is_empty()
    {
        let color = out.color_stderr();
        for problem in ops.problems() {
            out.say_styled(&format!("{}\n", problem.render(color)));
        }
        let count = ops.problems().len();
        out.say(&format!("error: {}; nothing was done", encode::counted(count, "mistake")));
        return Exit::Usage;
    }
    // Each layer of the error has its own text, and no text repeats the layer below.
    let parts: Vec<_> = error.chain().map(ToString::to_string).collect();
    out.say(&format!("error: {}", parts.join(": ")));
    Exit::Usage
}
