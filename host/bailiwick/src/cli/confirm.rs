//! Confirmation at a terminal: the operator types a word that the question names.
//!
//! Knows: stdin and stderr. Must not know: what is confirmed. Attack answered: a script, or one stray key, that confirms in place of a
//! person (AG13): only a line that is exactly the word counts.

use std::io::{self, IsTerminal as _};

use super::{Context, fail};

/// True if a person can type an answer.
pub(super) fn is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// True if the terminal that shows the question is also the one that is typed at.
pub(super) fn is_all_terminal() -> bool {
    is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal()
}

/// Prints a question, and reads one line. True if the line is the word.
pub(super) fn typed(context: &Context, question: &str, word: &str) -> io::Result<bool> {
    context.out.say(question);
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim() == word)
}

/// The reason that the operator gave, or a text that says that there is none.
pub(super) fn reason(why: Option<&str>) -> anyhow::Result<&str> {
    let why = why.map(str::trim).filter(|why| !why.is_empty()).unwrap_or("no reason given");
    if fail::is_reason(why) {
        return Ok(why);
    }
    Err(fail::usage(
        format!("{}; this one has {} bytes", fail::reason(), why.len()),
        "give a shorter reason, on one line",
    ))
}
