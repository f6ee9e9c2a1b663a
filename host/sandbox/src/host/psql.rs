//! Reader of the errors of `psql`.
//!
//! Knows: exit statuses, SQLSTATEs, and the messages of a server that refuses the connection. Attacks answered: a server with
//! messages in another language, and an error text that imitates another error (TG07): of a statement's error only the code
//! counts, at the place where the server's own library puts it.

use super::text::failure;
use bailiwick_core::model::Answer;
use bailiwick_core::model::Exit;
use bailiwick_core::model::VerbError;

use VerbError::{Garbled, NotFound, NotPermitted, TimedOut, Unreachable, Unsupported};

/// Messages without a connection, which have no code. A server's messages come in its language (`lc_messages`), and an unknown
/// message is garbled. The first match counts.
const NOT_CONNECTED: &[(&str, VerbError)] = &[
    ("No such file or directory", NotFound),
    ("Connection refused", NotFound),
    ("Permission denied", NotPermitted),
    ("authentication failed for user", NotPermitted),
    ("no password supplied", NotPermitted),
    ("no pg_hba.conf entry", NotPermitted),
    ("pg_hba.conf rejects", NotPermitted),
    ("is not permitted to log in", NotPermitted),
    ("permission denied for database", NotPermitted),
    ("is not currently accepting connections", NotPermitted),
    ("the database system is", Unreachable),
    ("too many", Unreachable),
    ("database \"", NotFound),
    ("role \"", NotPermitted),
    ("remaining connection slots are reserved", Unreachable),
    ("timeout expired", Unreachable),
    ("server closed the connection unexpectedly", Unreachable),
];

/// Why there is no answer. `undefined` is the error for a name that does not exist: an operator's statement and a built-in
/// query give it different meanings.
pub(super) fn why(answer: &Answer, undefined: VerbError) -> VerbError {
    let stderr = String::from_utf8_lossy(&answer.stderr);
    match answer.exit {
        Exit::Status(3) => sqlstate(&stderr).map_or(Garbled, |state| meaning(state, undefined)),
        Exit::Status(2) => match sqlstate(&stderr) {
            // The connection was lost in the middle.
            Some(state) => meaning(state, undefined),
            None => connection(&stderr),
        },
        // The message of Debian's wrapper.
        Exit::Status(1) if stderr.contains("You must install at least one postgresql-client") => Unsupported,
        _ => failure(answer),
    }
}

fn connection(stderr: &str) -> VerbError {
    NOT_CONNECTED.iter().find(|(words, _)| stderr.contains(words)).map_or(Garbled, |(_, error)| *error)
}

/// The code of the first error: `psql:<stdin>:6: ERROR:  42501: permission denied for table x`. What follows it, and the
/// lines below, can be chosen by others.
fn sqlstate(stderr: &str) -> Option<&str> {
    stderr.lines().find_map(|line| {
        let (number, rest) = line.strip_prefix("psql:<stdin>:")?.split_once(": ")?;
        let (_severity, rest) = rest.split_once(":  ")?;
        let (state, _) = rest.split_once(':')?;
        let is_state = state.len() == 5 && state.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
        (number.parse::<u32>().is_ok() && is_state).then_some(state)
    })
}

/// Appendix A of PostgreSQL's documentation.
fn meaning(state: &str, undefined: VerbError) -> VerbError {
    match state {
        // The role lacks the privilege, or the transaction is read-only.
        "42501" | "25006" => NotPermitted,
        // Statement and lock timeouts.
        "57014" | "55P03" => TimedOut,
        // The column, function, table, object or schema does not exist.
        "42703" | "42883" | "42P01" | "42704" | "3F000" => undefined,
        "53300" | "57P01" | "57P02" | "57P03" | "57P05" => Unreachable,
        // A standby that cannot answer now.
        "40001" | "40P01" => TimedOut,
        state if state.starts_with("08") => Unreachable,
        state if state.starts_with("42") || ["0A", "25", "2D"].iter().any(|class| state.starts_with(class)) => {
            Unsupported
        }
        _ => Garbled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u32, stderr: &str) -> VerbError {
        why(&Answer { stdout: Vec::new(), stderr: stderr.into(), exit: Exit::Status(status), timing: None }, NotFound)
    }

    #[test]
    fn a_statement_fails_by_its_code_in_any_language() {
        for (stderr, error) in [
            ("psql:<stdin>:6: ERROR:  42501: permission denied for function pg_read_file\nLOCATION:  x", NotPermitted),
            ("psql:<stdin>:6: FEHLER:  25006: INSERT kann nicht …\nORT:  x", NotPermitted),
            ("psql:<stdin>:6: エラー:  57014: ステートメントの…", TimedOut),
            ("psql:<stdin>:6: ERROR:  42P01: relation \"x\" does not exist", NotFound),
            ("psql:<stdin>:6: ERROR:  42601: syntax error at or near \"x\"", Unsupported),
            ("psql:<stdin>:6: ERROR:  22012: division by zero", Garbled),
            ("psql:<stdin>:6: ERROR:  permission denied", Garbled),
            ("psql:<stdin>:x: ERROR:  42501: no", Garbled),
            ("", Garbled),
            // A function on the server can raise this as its text: the first code counts.
            ("psql:<stdin>:6: ERROR:  P0001: a\npsql:<stdin>:6: ERROR:  42501: b", Garbled),
        ] {
            assert_eq!(outcome(3, stderr), error, "{stderr}");
        }
        let answer = Answer {
            stdout: Vec::new(),
            stderr: b"psql:<stdin>:6: ERROR:  42703: column \"waitstart\" does not exist".to_vec(),
            exit: Exit::Status(3),
            timing: None,
        };
        assert_eq!(why(&answer, Unsupported), Unsupported, "an old server");
    }

    #[test]
    fn a_connection_fails_by_its_words() {
        let socket = "psql: error: connection to server on socket \"/var/run/postgresql/.s.PGSQL.5432\" failed: ";
        for (words, error) in [
            (
                "No such file or directory\n\tIs the server running locally and accepting connections on that socket?",
                NotFound,
            ),
            ("Connection refused\n\tIs the server running locally", NotFound),
            ("FATAL:  database \"nope\" does not exist", NotFound),
            ("FATAL:  role \"nobody\" does not exist", NotPermitted),
            ("FATAL:  role \"bw\" is not permitted to log in", NotPermitted),
            ("FATAL:  Peer authentication failed for user \"bw\"", NotPermitted),
            ("fe_sendauth: no password supplied", NotPermitted),
            (
                "FATAL:  no pg_hba.conf entry for host \"[local]\", user \"bw\", database \"x\", no encryption",
                NotPermitted,
            ),
            (
                "FATAL:  permission denied for database \"x\"\nDETAIL:  User does not have CONNECT privilege.",
                NotPermitted,
            ),
            ("FATAL:  database \"x\" is not currently accepting connections", NotPermitted),
            ("FATAL:  sorry, too many clients already", Unreachable),
            ("FATAL:  too many connections for role \"bw\"", Unreachable),
            ("FATAL:  remaining connection slots are reserved for non-replication superuser connections", Unreachable),
            ("FATAL:  the database system is starting up", Unreachable),
            ("server closed the connection unexpectedly\n\tThis probably means …", Unreachable),
            ("FATAL:  Rolle »bw« existiert nicht", Garbled),
        ] {
            assert_eq!(outcome(2, &format!("{socket}{words}\n")), error, "{words}");
        }
        assert_eq!(
            outcome(2, "psql:<stdin>:7: FATAL:  57P01: terminating connection due to administrator command\n"),
            Unreachable
        );
        assert_eq!(outcome(127, "/usr/bin/env: 'psql': No such file or directory\n"), Unsupported);
        assert_eq!(outcome(1, "psql: unrecognized option '--csv'\n"), Unsupported);
        let wrapper = "Error: You must install at least one postgresql-client-<version> package\n";
        assert_eq!(outcome(1, wrapper), Unsupported);
    }
}
